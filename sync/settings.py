"""Reads a TOML file into frozen dataclasses and reports everything wrong with it at once.

Both ends describe their settings as dataclasses whose fields are made with `setting(...)`, so that default,
limits and explanation stand beside each other, and the example files can be checked against them.

    SettingsError (ValueError)     all faults of one file: where, what was wanted, what came, nearest key
"""

from __future__ import annotations

import dataclasses
import tomllib
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

Schema = TypeVar("Schema")

# One name per type a TOML value may have; a bool is not accepted where a number is wanted.
MOST_SHOWN = 200  # characters of a wrong value
TYPE_WORDS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false", Path: "a path"}


class SettingsError(ValueError):
    """Everything that is wrong with a settings file, one sentence per line."""

    def __init__(self, source: str, faults: list[str]) -> None:
        self.faults = faults
        super().__init__("\n".join(f"{source}: {fault}" for fault in faults))


@dataclass(frozen=True, slots=True)
class Limits:
    """What a value must keep to besides its type."""

    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    absolute: bool = False  # a path must begin with /
    check: Callable[[Any], str | None] | None = None  # what is wrong with a value, or None

    def fault(self, value: Any) -> str | None:
        """What is wrong with `value`, or None."""
        if self.choices and value not in self.choices:
            close = _nearest(str(value), self.choices)
            return f"must be one of {', '.join(self.choices)}, got {shown(value)}{close}"
        if self.absolute and not Path(value).is_absolute():
            return f"must be a full path beginning with /, got {shown(str(value))}"
        if self.minimum is not None and not value >= self.minimum:
            return f"must be at least {self.minimum:g}, got {shown(value)}"
        if self.maximum is not None and not value <= self.maximum:
            return f"must be at most {self.maximum:g}, got {shown(value)}"
        return self.check(value) if self.check else None


def setting(
    default: Any = MISSING,
    *,
    about: str,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
    absolute: bool = False,
    check: Callable[[Any], str | None] | None = None,
) -> Any:
    """A dataclass field that is one key of a settings file; without a default the key must be given."""
    limits = Limits(minimum, maximum, choices, absolute, check)
    metadata = {"about": about, "limits": limits}
    if default is MISSING:
        return dataclasses.field(metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def read_toml(path: Path, schema: type[Schema]) -> Schema:
    """Read the file into `schema`; raise SettingsError naming every fault in it."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(str(path), [f"cannot be read: {error.strerror}"]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(str(path), [f"is not TOML: {error}"]) from error
    return read_mapping(document, schema, str(path))


def read_mapping(document: Mapping[str, Any], schema: type[Schema], source: str) -> Schema:
    """The same for a document that was parsed already; `source` names it in the errors."""
    faults: list[str] = []
    settings = _read_table(document, schema, "", faults)
    if faults:
        raise SettingsError(source, faults)
    return typing.cast(Schema, settings)


def keys(schema: type[Any], prefix: str = "") -> dict[str, dataclasses.Field[Any]]:
    """Every key `schema` knows, as `table.key`, with its field."""
    found: dict[str, dataclasses.Field[Any]] = {}
    hints = typing.get_type_hints(schema)
    for field in dataclasses.fields(schema):
        inner = _row_type(hints[field.name]) or hints[field.name]
        if dataclasses.is_dataclass(inner):
            found |= keys(typing.cast(type, inner), f"{prefix}{field.name}.")
        else:
            found[prefix + field.name] = field
    return found


def _read_table(document: Mapping[str, Any], schema: type[Any], where: str, faults: list[str]) -> Any:
    hints = typing.get_type_hints(schema)
    known = {field.name: field for field in dataclasses.fields(schema)}
    for key in document:
        if key not in known:
            faults.append(f"{where}{key} is not a known key{_nearest(key, known)}")
    values: dict[str, Any] = {}
    for name, field in known.items():
        if name in document:
            values[name] = _read_value(document[name], hints[name], field, where + name, faults)
        elif field.default is MISSING and field.default_factory is MISSING:
            faults.append(
                f"{where}{name} is missing: {field.metadata.get('about', 'this table must be given')}"
            )
    if faults:
        return None
    return schema(**values)


def _read_value(value: Any, hint: Any, field: dataclasses.Field[Any], where: str, faults: list[str]) -> Any:
    row = _row_type(hint)
    if row is not None and dataclasses.is_dataclass(row):
        return _read_rows(value, typing.cast(type, row), where, faults)
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, dict):
            faults.append(f"{where} must be a table ([{where}]), got {shown(value)}")
            return None
        return _read_table(value, typing.cast(type, hint), where + ".", faults)
    return _read_scalar(value, hint, field, where, faults)


def _read_rows(value: Any, row: type[Any], where: str, faults: list[str]) -> Any:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        faults.append(f"{where} must be a list of tables ([[{where}]]), got {shown(value)}")
        return None
    return tuple(_read_table(one, row, f"{where}[{at}].", faults) for at, one in enumerate(value, start=1))


def _read_scalar(value: Any, hint: Any, field: dataclasses.Field[Any], where: str, faults: list[str]) -> Any:
    wanted = _plain_type(hint)
    if wanted is float and type(value) is int:
        value = float(value)
    if wanted is Path and isinstance(value, str):
        value = Path(value)
    if type(value) is not wanted and not (wanted is Path and isinstance(value, Path)):
        faults.append(f"{where} must be {TYPE_WORDS[wanted]}, got {shown(value)}")
        return None
    fault = field.metadata["limits"].fault(value)
    if fault:
        faults.append(f"{where} {fault}")
    return value


def _row_type(hint: Any) -> Any:
    """T of `tuple[T, ...]`, else None."""
    return typing.get_args(hint)[0] if typing.get_origin(hint) is tuple else None


def _plain_type(hint: Any) -> type[Any]:
    """T of `T | None`, else the hint itself."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return typing.cast(type, next(one for one in typing.get_args(hint) if one is not type(None)))
    return typing.cast(type, hint)


def _nearest(key: str, known: typing.Iterable[str]) -> str:
    close = get_close_matches(key, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def shown(value: object) -> str:
    """A value as it stands in the file, as far as a reader wants to see it."""
    text = repr(value)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."
