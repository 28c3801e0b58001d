"""What can be set of a line (通道参数): one dataclass whose fields carry type, range, words and part.

Settings file, database, settings page and recorder all read this one table, so none can allow what another
refuses. A value comes from the page (`edge.store.line_settings`) or else from the file (`edge.config`).

    LineSettingsError      everything that is wrong with a change, by setting
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast, get_type_hints

from edge.numbers import NumberList, PatternError, read_patterns
from edge.schedule import read_holidays, read_schedule
from edge.triggers import TRIGGERS
from sync.marked import SaidError, marked
from sync.settings import Limits

GENERAL, SPECIAL = "general", "special"  # 通用参数, 特殊参数
COUNTRIES = ("cn", "us", "uk", "eu")
MOST_LINES = 32
LONGEST_TEXT = 4000
RING_SHARE = 2 / 3  # of the ring that pre-roll may take: the rest holds what is not decided yet
NUMBERS_END = re.compile(r"[;\n]")

NUMBER_SIGNS = "0123456789*?+#("

SWITCHES = {"1": True, "true": True, "on": True, "0": False, "false": False, "off": False, "": False}

Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class SettingFault:
    """What is wrong with one setting, as a marked text and what goes into its places."""

    key: str
    text: str
    values: Mapping[str, object]

    @property
    def sentence(self) -> str:
        """The fault in English."""
        return f"{self.key}: {self.text % self.values}"


class LineSettingsError(ValueError):
    """A change that is refused as a whole."""

    def __init__(self, faults: tuple[SettingFault, ...]) -> None:
        self.faults = faults
        super().__init__("; ".join(fault.sentence for fault in faults))


def line_setting(
    default: Value,
    about: str,
    *,
    label: str,
    part: str,
    unit: str = "",
    at_once: bool = False,
    check: Callable[[str], object] | None = None,
    **limits: Any,
) -> Any:
    """A field that is one setting; `check` raises SaidError for a text that cannot be meant."""
    words = {"label": label, "part": part, "unit": unit, "at_once": at_once, "reads": check}
    file_limits = Limits(**limits, check=(lambda value: _said(check, value)) if check else None)
    return field(default=default, metadata={"about": about, "limits": file_limits, **words})


def _said(check: Callable[[str], object], value: str) -> str | None:
    try:
        check(value)
    except SaidError as error:
        return f"cannot be: {error}"
    return None


def read_never(text: str) -> NumberList:
    """The numbers of a do-not-record list: one to a line (or `;`), what follows a blank is a note."""
    numbers = []
    for entry in NUMBERS_END.split(text):
        number, _, note = entry.strip().partition(" ")
        if note.strip()[:1] in NUMBER_SIGNS and note.strip():
            raise PatternError(
                marked("“%(entry)s”: a number has no blanks in it, and its note begins with a word"),
                entry=entry.strip(),
            )
        numbers += [number] if number else []
    return read_patterns(numbers)


@dataclass(frozen=True, slots=True, kw_only=True)
class LineBlock:
    """What a `[[lines]]` block of the settings file may say."""

    line: int = field(
        metadata={"about": "number on the case, from 1", "limits": Limits(minimum=1, maximum=MOST_LINES)}
    )
    name: str = line_setting(
        "", "what people call it", label=marked("Name of the line"), part=GENERAL, at_once=True
    )
    record: bool = line_setting(
        True, "keep the audio of its calls", label=marked("Record its calls"), part=GENERAL
    )
    trigger: str = line_setting(
        "voltage",
        "what starts and ends a recording",
        label=marked("Recording starts by"),
        part=GENERAL,
        choices=tuple(TRIGGERS),
    )
    hold_s: float = line_setting(
        5.0,
        "silence that ends a recording by voice",
        label=marked("Silence that ends a recording by voice"),
        part=GENERAL,
        unit="s",
        minimum=0.5,
        maximum=120,
    )
    longest_part_min: int = line_setting(
        0,
        "a recording is split after this; 0 = never",
        label=marked("Split a recording after"),
        part=GENERAL,
        unit="min",
        minimum=0,
        maximum=1440,
    )
    schedule: str = line_setting(
        "",
        "when it is recorded; empty = always",
        label=marked("When it is recorded"),
        part=GENERAL,
        check=read_schedule,
    )
    pre_roll_s: float = line_setting(
        5.0,
        "audio kept from before the call, seconds",
        label=marked("Audio kept from before"),
        part=GENERAL,
        unit="s",
        minimum=0,
        maximum=60,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LineSettings(LineBlock):
    """Everything that can be set of one line; the file says the rest for all lines at once."""

    holidays: str = line_setting(
        "", "dates with a schedule of their own", label=marked("Holidays"), part=GENERAL, check=read_holidays
    )
    never_record: str = line_setting(
        "",
        "numbers whose calls are logged and never recorded",
        label=marked("Numbers never recorded"),
        part=SPECIAL,
        check=read_never,
    )
    off_hook_alarm_min: int = line_setting(
        60,
        "off hook for so long is an alarm; 0 = never",
        label=marked("Alarm when off hook for"),
        part=SPECIAL,
        unit="min",
        at_once=True,
        minimum=0,
        maximum=10080,
    )
    silent_alarm_min: int = line_setting(
        10,
        "a call silent for so long is one; 0 = never",
        label=marked("Alarm when a call is silent for"),
        part=SPECIAL,
        unit="min",
        at_once=True,
        minimum=0,
        maximum=10080,
    )
    no_ring_alarm_days: int = line_setting(
        7,
        "no ring for so long is one; 0 = never",
        label=marked("Alarm when it has not rung for"),
        part=SPECIAL,
        unit="d",
        at_once=True,
        minimum=0,
        maximum=365,
    )
    country: str = line_setting(
        "cn",
        "tones and line times of this country",
        label=marked("Tones and line times of"),
        part=SPECIAL,
        choices=COUNTRIES,
    )
    off_hook_below_v: float = line_setting(
        0.0,
        "line voltage below which a phone is off hook; 0 = learned from the line",
        label=marked("Off hook below"),
        part=SPECIAL,
        unit="V",
        minimum=0,
        maximum=40,
    )
    voice_over_floor_db: float = line_setting(
        10.0,
        "how far above the line's own noise a voice is",
        label=marked("A voice is above the line's noise by"),
        part=SPECIAL,
        unit="dB",
        minimum=3,
        maximum=30,
    )
    open_loop: str = line_setting(
        "country",
        "the exchange opening the loop for a moment: as usual in the country, ends the call, or is noted",
        label=marked("When the exchange opens the loop"),
        part=SPECIAL,
        choices=("country", "ends", "noted"),
    )
    reversal_is_answer: bool = line_setting(
        True,
        "polarity reversal on an outgoing call says that it was answered",
        label=marked("A polarity reversal says that the call was answered"),
        part=SPECIAL,
    )


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table, as a page draws it."""

    key: str
    kind: type  # str | int | float | bool
    default: Value
    label: str  # marked
    part: str  # general | special
    unit: str  # s | min | d | V | dB, or empty
    at_once: bool  # also in the middle of a call; else when it has ended
    choices: tuple[str, ...]
    minimum: float | None
    maximum: float | None
    reads: Callable[[str], object] | None

    def read(self, came: object) -> Value:
        """`came` (of this kind, or as a form sends it) as a value of this setting; SaidError."""
        value = self._converted(came)
        if self.choices and value not in self.choices:
            raise SaidError(
                marked("must be one of %(choices)s, got “%(came)s”"),
                choices=", ".join(self.choices),
                came=came,
            )
        if self.minimum is not None and cast(float, value) < self.minimum:
            raise SaidError(marked("must be at least %(least)s, got %(came)s"), least=self.minimum, came=came)
        if self.maximum is not None and cast(float, value) > self.maximum:
            raise SaidError(marked("must be at most %(most)s, got %(came)s"), most=self.maximum, came=came)
        if self.reads:
            self.reads(cast(str, value))
        return value

    def _converted(self, came: object) -> Value:
        if self.kind is str:
            return _words(came)
        if self.kind is bool:
            return _switch(came)
        return _number(came, self.kind)


def _number(came: object, kind: type) -> int | float:
    text = marked("must be a whole number, got “%(came)s”")
    if kind is float:
        text = marked("must be a number, got “%(came)s”")
    try:
        number = kind(came) if type(came) in (int, float, str) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number) or (type(came) is float and number != came):
        raise SaidError(text, came=came)
    return cast(float, number)


def _switch(came: object) -> bool:
    if type(came) is bool:
        return came
    if not isinstance(came, str) or came.lower() not in SWITCHES:
        raise SaidError(marked("must be on or off, got “%(came)s”"), came=came)
    return SWITCHES[came.lower()]


def _words(came: object) -> str:
    if not isinstance(came, str) or not all(one.isprintable() or one in "\r\n\t" for one in came):
        raise SaidError(marked("must be a text that can be seen"))
    if len(came) > LONGEST_TEXT:
        raise SaidError(marked("must be at most %(most)s characters"), most=LONGEST_TEXT)
    return came.replace("\r\n", "\n").strip()


def _settings() -> dict[str, Setting]:
    hints = get_type_hints(LineSettings)
    found = {}
    for one in dataclasses.fields(LineSettings):
        if one.name == "line":
            continue
        meta, limits = one.metadata, one.metadata["limits"]
        found[one.name] = Setting(
            key=one.name,
            kind=hints[one.name],
            default=cast(Value, one.default),
            label=meta["label"],
            part=meta["part"],
            unit=meta["unit"],
            at_once=meta["at_once"],
            choices=limits.choices,
            minimum=limits.minimum,
            maximum=limits.maximum,
            reads=meta["reads"],
        )
    return found


# In the order a page shows them.
SETTINGS: dict[str, Setting] = _settings()


def read_changes(changes: Mapping[str, object], most_pre_roll_s: float = 60.0) -> dict[str, Value | None]:
    """Check `changes`; None stands for what the file says. LineSettingsError names every fault."""
    read: dict[str, Value | None] = {}
    faults = []
    for key, came in changes.items():
        try:
            read[key] = None if came is None else _read_one(key, came, most_pre_roll_s)
        except SaidError as error:
            faults.append(SettingFault(key, error.text, error.values))
    if faults:
        raise LineSettingsError(tuple(faults))
    return read


def _read_one(key: str, came: object, most_pre_roll_s: float) -> Value:
    if key not in SETTINGS:
        raise SaidError(marked("there is no such setting"))
    value = SETTINGS[key].read(came)
    if key == "pre_roll_s" and cast(float, value) > most_pre_roll_s:
        raise SaidError(
            marked("must be at most %(most)s with the ring this box has, got %(came)s"),
            most=f"{most_pre_roll_s:g}",
            came=came,
        )
    return value
