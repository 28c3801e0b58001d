"""Settings files: types, limits and unknown keys, all at once; what is right is read as it stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sync.settings import SettingsError, keys, read_mapping, read_toml, setting


@dataclass(frozen=True, kw_only=True)
class Inner:
    """A table."""

    share: float = setting(0.5, about="a share", minimum=0, maximum=1)
    colour: str = setting("red", about="a colour", choices=("red", "green"))


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of a list of tables."""

    number: int = setting(about="a number")


@dataclass(frozen=True, kw_only=True)
class Outer:
    """A whole file."""

    name: str = setting(about="a name")
    folder: Path = setting(Path("/tmp"), about="a folder", absolute=True)
    loud: bool = setting(False, about="or not")
    inner: Inner = field(default_factory=Inner)
    rows: tuple[Row, ...] = ()


def test_what_is_right_is_read_as_it_stands() -> None:
    document = {"name": "x", "loud": True, "inner": {"share": 1, "colour": "green"}, "rows": [{"number": 3}]}
    outer = read_mapping(document, Outer, "f")
    assert outer == Outer(name="x", loud=True, inner=Inner(share=1.0, colour="green"), rows=(Row(number=3),))
    assert isinstance(outer.inner.share, float)


def test_keys_are_listed_with_their_tables() -> None:
    assert set(keys(Outer)) == {"name", "folder", "loud", "inner.share", "inner.colour", "rows.number"}


REFUSED: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["f: name is missing: a name"]),
    ({"name": 5}, ["f: name must be a text, got 5"]),
    ({"name": "x", "nmae": "y"}, ["f: nmae is not a known key; did you mean name?"]),
    ({"name": "x", "zzz": "y"}, ["f: zzz is not a known key"]),
    ({"name": "x", "loud": 1}, ["f: loud must be true or false, got 1"]),
    ({"name": "x", "folder": "tmp"}, ["f: folder must be a full path beginning with /, got 'tmp'"]),
    ({"name": "x", "inner": {"share": 1.1}}, ["f: inner.share must be at most 1, got 1.1"]),
    ({"name": "x", "inner": {"share": -1}}, ["f: inner.share must be at least 0, got -1.0"]),
    ({"name": "x", "inner": {"share": True}}, ["f: inner.share must be a number, got True"]),
    ({"name": "x", "inner": {"share": float("nan")}}, ["f: inner.share must be at least 0, got nan"]),
    (
        {"name": "x", "inner": {"colour": "grene"}},
        ["f: inner.colour must be one of red, green, got 'grene'; did you mean green?"],
    ),
    ({"name": "x", "inner": 3}, ["f: inner must be a table ([inner]), got 3"]),
    (
        {"name": "x", "rows": {"number": 1}},
        ["f: rows must be a list of tables ([[rows]]), got {'number': 1}"],
    ),
    ({"name": "x", "rows": [{"number": 1}, {}]}, ["f: rows[2].number is missing: a number"]),
    (
        {"rows": [{"nmber": 1}]},
        [
            "f: name is missing: a name",
            "f: rows[1].nmber is not a known key; did you mean number?",
            "f: rows[1].number is missing: a number",
        ],
    ),
]


@pytest.mark.parametrize(("document", "says"), REFUSED, ids=lambda value: str(value)[:50])
def test_refused(document: dict[str, Any], says: list[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        read_mapping(document, Outer, "f")
    assert str(caught.value).splitlines() == says


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "f.toml").write_bytes(b'name = "\xff"')
    with pytest.raises(SettingsError, match="is not TOML"):
        read_toml(tmp_path / "f.toml", Outer)
