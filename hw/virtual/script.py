"""Reads line scripts: TOML in, frozen dataclasses out, with every error of the file reported at once.

A script says what happens on each line of a virtual HAT, and is refused before anything runs.

    loop = true                                    start again after the last step
    voices = { far = "cmn+m3", staff = "cmn+f2" }  who speaks where a step names no voice

    [callers.wang]
    number = "02155500147"
    name = "王芳"                                  sent in MDMF only
    presentation = "available"                     withheld | unavailable
    sends = "bell202-mdmf"                         bell202-sdmf | dtmf
    place = "after-first-ring"                     before-ring (what dtmf does if nothing is said)

    [[lines]]                                      with more lines than tables, they start over
    idle_v = 48.0
    off_hook_v = 8.0
    reversed = false
    voices = { far = "en-gb+f3" }                  on this line
    steps = [ { do = "ring", bursts = 2, caller = "wang" }, ... ]         see steps.py

    [[faults]]                                     what goes wrong and when, see faults.py
    kind = "noise"
    line = 2
    at_s = 30

    ScriptError     all that is wrong, one line each: where, what was wanted, what came
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_type_hints

import msgspec
from msgspec import Meta

from hw.virtual.faults import Fault
from hw.virtual.steps import NEXT, STEPS, CallWaiting, Dial, HangUp, Repeat, Ring, Say, Span, Step, Voice

T = TypeVar("T")


class ScriptError(ValueError):
    """A script that was refused; `problems` has one sentence for each thing wrong in it."""

    def __init__(self, source: str, problems: list[str]) -> None:
        super().__init__("\n".join(f"{source}: {problem}" for problem in problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who calls, and how the exchange announces them."""

    number: Annotated[str, Meta(pattern=r"^[0-9]{3,20}$")] | None = None
    name: Annotated[str, Meta(min_length=1, max_length=30)] | None = None
    presentation: Literal["available", "withheld", "unavailable"] = "available"
    sends: Literal["bell202-mdmf", "bell202-sdmf", "dtmf"] = "bell202-mdmf"
    place: Literal["before-ring", "after-first-ring"] | None = None

    @property
    def before_ring(self) -> bool:
        """Announced before the first burst: if so scripted, or by DTMF when nothing is said."""
        return self.place == "before-ring" or (self.place is None and self.sends == "dtmf")


@dataclass(frozen=True, slots=True)
class Voices:
    """espeak-ng voices of the two ends."""

    far: Voice = "cmn+m3"
    staff: Voice = "cmn+f2"


@dataclass(frozen=True, slots=True)
class LineScript:
    """What happens on one line, and its voltages."""

    steps: tuple[Step, ...]
    idle_v: Annotated[float, Meta(ge=19, le=75)] = 48.0
    off_hook_v: Annotated[float, Meta(ge=3, le=18)] = 8.0
    reversed: bool = False
    voices: Voices | None = None

    @property
    def sign(self) -> int:
        """The polarity of tip against ring."""
        return -1 if self.reversed else 1


@dataclass(frozen=True, slots=True)
class Script:
    """A whole exchange: its callers and its lines."""

    lines: tuple[LineScript, ...]
    callers: Mapping[str, Caller] = field(default_factory=dict)
    voices: Voices = field(default_factory=Voices)
    loop: bool = False
    faults: tuple[Fault, ...] = ()

    def line(self, number: int) -> LineScript:
        """The script of line `number` (from 1); with more lines than tables they start over."""
        return self.lines[(number - 1) % len(self.lines)]

    def voice(self, number: int, step: Say) -> str:
        """Who speaks this step on line `number`."""
        voices = self.line(number).voices or self.voices
        return step.voice or (voices.far if step.who == "far" else voices.staff)


def read_script(path: Path) -> Script:
    """Read a script file; raises ScriptError, or OSError if it cannot be read."""
    try:
        text = path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise ScriptError(path.name, [f"byte {error.start} is not UTF-8"]) from None
    return parse_script(text, path.name)


def parse_script(text: str, source: str = "script") -> Script:
    """Return the script in a TOML text; raises ScriptError with everything that is wrong."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScriptError(source, [str(error)]) from None
    reader = _Reader()
    script = reader.script(table)
    if script is None or reader.problems:
        raise ScriptError(source, reader.problems)
    return script


class _Reader:
    """Turns tables into dataclasses, going on after an error so that all of them are found."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def script(self, table: dict[str, Any]) -> Script | None:
        """The top of the file."""
        callers = {
            name: self.record(Caller, value, f"caller {name}")
            for name, value in self._table(table.get("callers", {}), "callers").items()
        }
        for name, caller in callers.items():
            self._check_caller(caller, f"caller {name}")
        voices = self.record(Voices, table.get("voices", {}), "voices")
        lines = [
            self._line(value, f"line {number}", callers)
            for number, value in enumerate(self._list(table.get("lines"), "lines"), 1)
        ]
        faults = [
            self.record(Fault, value, f"fault {number}")
            for number, value in enumerate(table.get("faults", []), 1)
        ]
        known = {"callers": callers, "voices": voices, "lines": tuple(lines), "faults": tuple(faults)}
        return self.record(Script, table, "top", known)

    def record(
        self, kind: type[T], value: Any, where: str, known: Mapping[str, Any] | None = None
    ) -> T | None:
        """A dataclass from a table; fields in `known` were read before. None after reporting errors."""
        before = len(self.problems)
        table = self._table(value, where)
        hints = get_type_hints(kind, include_extras=True)
        specs = {spec.name: spec for spec in fields(kind)}  # type: ignore[arg-type]
        for name in table.keys() - specs.keys() - {"do"}:
            self.problems.append(f"{where}: no field {name!r}; there are {', '.join(specs)}")
        values = dict(known or {})
        for name, spec in specs.items():
            if name in values:
                continue
            if name in table:
                values[name] = self._field(table[name], hints[name], f"{where}, {name}")
            elif spec.default is MISSING and spec.default_factory is MISSING:
                self.problems.append(f"{where}: {name} is missing")
        return kind(**values) if len(self.problems) == before else None

    def _field(self, value: Any, hint: Any, where: str) -> Any:
        try:
            checked = msgspec.convert(value, hint)
        except msgspec.ValidationError as error:
            self.problems.append(f"{where}: {error}, got {value!r}")
            return None
        if hint == Span and isinstance(checked, tuple) and checked[0] > checked[1]:
            self.problems.append(f"{where}: wanted [least, most], got {value!r}")
        return checked

    def _line(self, value: Any, where: str, callers: Mapping[str, Any]) -> LineScript | None:
        before = len(self.problems)
        table = self._table(value, where)
        if len(self.problems) > before:
            return None
        known: dict[str, Any] = {"steps": self._steps(table.get("steps"), where, callers)}
        if "voices" in table:
            known["voices"] = self.record(Voices, table["voices"], f"{where}, voices")
        line = self.record(LineScript, table, where, known)
        if line is None or len(self.problems) > before:
            return None
        self.problems += _senseless(line.steps, where)
        return line

    def _steps(self, value: Any, where: str, callers: Mapping[str, Any]) -> tuple[Step | None, ...]:
        rows = self._list(value, f"{where}, steps")
        return tuple(self._step(row, f"{where}, step {n}", callers) for n, row in enumerate(rows, 1))

    def _step(self, value: Any, where: str, callers: Mapping[str, Any]) -> Step | None:
        table = self._table(value, where)
        do = table.get("do")
        if do not in STEPS:
            self.problems.append(f"{where}: do is one of {', '.join(STEPS)}, got {do!r}")
            return None
        known = {"steps": self._steps(table.get("steps"), where, callers)} if do == "repeat" else None
        step = self.record(STEPS[do], table, where, known)
        if isinstance(step, Ring | CallWaiting):
            self._check_ring(step, where, callers)
        if isinstance(step, Say) and (step.text is None) == (step.s is None):
            self.problems.append(f"{where}: say either text or s seconds")
        return step

    def _check_ring(self, step: Ring | CallWaiting, where: str, callers: Mapping[str, Any]) -> None:
        wanted = (step.caller,) if isinstance(step.caller, str) else step.caller or ()
        for name in wanted:
            if name not in callers:
                known = ", ".join(callers) or "none"
                self.problems.append(f"{where}, caller: {name!r} is none of the callers: {known}")

    def _check_caller(self, caller: Caller | None, where: str) -> None:
        if caller is None:
            return
        if (caller.number is None) == (caller.presentation == "available"):
            self.problems.append(f"{where}: a number if available, none if withheld or unavailable")
        if caller.name is not None and caller.sends != "bell202-mdmf":
            self.problems.append(
                f"{where}: only bell202-mdmf carries a name, this caller sends {caller.sends}"
            )
        try:
            (caller.name or "").encode("gb2312")
        except UnicodeEncodeError:
            self.problems.append(f"{where}: a name must fit GB 2312, got {caller.name!r}")

    def _table(self, value: Any, where: str) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        self.problems.append(f"{where}: wanted a table, got {value!r}")
        return {}

    def _list(self, value: Any, where: str) -> list[Any]:
        if isinstance(value, list) and value:
            return value
        self.problems.append(f"{where}: wanted a list with something in it, got {value!r}")
        return []


def _senseless(steps: tuple[Step, ...], where: str) -> Iterator[str]:
    """The steps that cannot happen where they stand, by the table NEXT."""
    names = {kind: name for name, kind in STEPS.items()}
    at = "idle"
    for path, step in _walk(steps, where):
        do = names[type(step)]
        if (at, do) not in NEXT:
            yield f"{path}: {do} cannot follow while the line is {at}"
            return
        if at == "unanswered" and isinstance(step, HangUp) and step.who != "staff":
            yield f"{path}: nobody answered, so only the staff can hang up"
        at = NEXT[at, do]
        if isinstance(step, Dial) and step.then != "answer":
            at = "unanswered"
    if at not in ("idle", "called"):
        yield f"{where}: ends while the line is {at}; the last call needs hang_up"


def _walk(steps: tuple[Step, ...], where: str) -> Iterator[tuple[str, Step]]:
    for number, step in enumerate(steps, 1):
        path = f"{where}, step {number}"
        if isinstance(step, Repeat):
            for _ in range(min(step.times, 2)):  # twice shows whether the end fits the beginning
                yield from _walk(step.steps, path)
        else:
            yield path, step
