"""The table of line settings: every value taken or refused at the door, with a sentence that says why."""

from __future__ import annotations

import dataclasses

import pytest

from edge.line.profile import PROFILES
from edge.line_settings import (
    COUNTRIES,
    GENERAL,
    SETTINGS,
    SPECIAL,
    LineBlock,
    LineSettings,
    LineSettingsError,
    read_changes,
    read_never,
)
from edge.numbers import PatternError


def test_the_table_has_every_setting_with_words_and_a_part() -> None:
    assert {"line", *SETTINGS} == {one.name for one in dataclasses.fields(LineSettings)}
    assert all(one.label and one.part in (GENERAL, SPECIAL) for one in SETTINGS.values())
    assert {one.part for one in SETTINGS.values()} == {GENERAL, SPECIAL}
    assert set(COUNTRIES) == set(PROFILES)


@pytest.mark.parametrize("key", list(SETTINGS))
def test_every_default_is_a_value_of_its_own_setting(key: str) -> None:
    assert SETTINGS[key].read(SETTINGS[key].default) == SETTINGS[key].default
    assert read_changes({key: None}) == {key: None}


@pytest.mark.parametrize(
    ("key", "came", "value"),
    [
        ("name", " 前台 ", "前台"),
        ("record", False, False),
        ("record", "1", True),
        ("record", "off", False),
        ("trigger", "voice", "voice"),
        ("hold_s", "2.5", 2.5),
        ("hold_s", 3, 3.0),
        ("pre_roll_s", 0, 0.0),
        ("pre_roll_s", "60", 60.0),
        ("longest_part_min", "90", 90),
        ("schedule", "mon-fri 08:00-12:00\n", "mon-fri 08:00-12:00"),
        ("never_record", "95555 银行\r\n163", "95555 银行\n163"),
        ("holidays", "2026-10-01 2026-10-02", "2026-10-01 2026-10-02"),
        ("country", "uk", "uk"),
    ],
)
def test_taken(key: str, came: object, value: object) -> None:
    (read,) = read_changes({key: came}).values()
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    ("key", "came", "says"),
    [
        ("trigger", "loud", "trigger: must be one of voltage, voice, manual, always, got “loud”"),
        ("hold_s", "0.4", "hold_s: must be at least 0.5, got 0.4"),
        ("hold_s", "nan", "hold_s: must be a number, got “nan”"),
        ("hold_s", "soon", "hold_s: must be a number, got “soon”"),
        ("hold_s", True, "hold_s: must be a number"),
        ("pre_roll_s", 61, "pre_roll_s: must be at most 60, got 61"),
        ("pre_roll_s", 41, "pre_roll_s: must be at most 40 with the ring this box has, got 41"),
        ("longest_part_min", 1.5, "longest_part_min: must be a whole number, got “1.5”"),
        ("longest_part_min", "1e400", "longest_part_min: must be a whole number"),
        ("longest_part_min", True, "longest_part_min: must be a whole number"),
        ("record", "maybe", "record: must be on or off, got “maybe”"),
        ("record", 7, "record: must be on or off"),
        ("name", "a\x00b", "name: must be a text that can be seen"),
        ("name", 7, "name: must be a text"),
        ("name", "x" * 4001, "name: must be at most 4000 characters"),
        ("schedule", "mon 08:00-12:00 11:00-13:00", "schedule: windows of mon overlap at 11:00"),
        ("holidays", "1 October", "holidays: holidays are dates such as 2026-10-01, got “1 October”"),
        ("never_record", "*", "never_record: “*” would match every number"),
        ("never_record", "bank", "never_record: a number has digits, * and ?, got “bank”"),
        ("never_record", "021 5550", "never_record: “021 5550”: a number has no blanks in it"),
        ("colour", "red", "colour: there is no such setting"),
    ],
)
def test_refused(key: str, came: object, says: str) -> None:
    with pytest.raises(LineSettingsError) as caught:
        read_changes({key: came}, most_pre_roll_s=60.0 if came == 61 else 40.0)
    assert str(caught.value).startswith(says)


def test_all_faults_of_a_change_are_said_together() -> None:
    with pytest.raises(LineSettingsError) as caught:
        read_changes({"hold_s": "x", "trigger": "y", "record": True})
    assert [fault.key for fault in caught.value.faults] == ["hold_s", "trigger"]


def test_a_do_not_record_list_with_notes() -> None:
    never = read_never("95555 bank hotline; 163\n\n 400* service numbers\n110")
    assert never.patterns == ("95555", "163", "400*", "110")
    assert read_never("").patterns == ()
    with pytest.raises(PatternError):
        read_never("95555 163")


def test_the_file_has_a_part_of_it() -> None:
    file = {one.name for one in dataclasses.fields(LineBlock)}
    assert file < {one.name for one in dataclasses.fields(LineSettings)}
