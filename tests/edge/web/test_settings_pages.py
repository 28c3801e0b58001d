"""The settings pages: one form per line, faults beside their field, copies, who changed what; numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.line_settings import SETTINGS
from edge.store.line_settings import LineSettings, change, changes_of, note_file, settings_of
from edge.store.popup_settings import number_rules
from edge.store.rights import LEVEL_RIGHTS
from edge.web.line_settings import CHOICES
from sync.db import write
from tests.edge.web.conftest import Answer, Branch, Browser


@pytest.fixture
def branch(tmp_path: Path) -> Iterator[Branch]:
    made = Branch(tmp_path)
    made.user("chief", "super")
    made.user("lin", "leader", rights=LEVEL_RIGHTS["leader"])
    for line in (1, 2, 3):
        made.line(line)
    with write(made.db):
        note_file(made.db, [LineSettings(line=line, name=f"Line {line}") for line in (1, 2, 3)], 40.0)
    yield made
    made.stop.set()
    made.db.close()


@pytest.fixture
def chief(branch: Branch) -> Browser:
    browser = branch.browser()
    browser.log_in("chief")
    return browser


def form_of(browser: Browser, line: int = 1) -> dict[str, str]:
    """The fields of the line's form as a browser would send them untouched."""
    page = (
        browser.get(f"/settings/lines/{line}")
        .text.split('class="card fields settings"')[1]
        .split("</form>")[0]
    )
    fields = dict(re.findall(r'name="([\w-]+)" value="([^"]*)"', page))
    fields |= {name: text for name, text in re.findall(r'<textarea[^>]* name="(\w+)"[^>]*>([^<]*)<', page)}
    for name, options in re.findall(r'<select[^>]* name="(\w+)"[^>]*>(.*?)</select>', page, re.DOTALL):
        fields[name] = re.search(r'value="(\w+)" selected', options)[1]  # type: ignore[index]
    ticked = set(re.findall(r'type="checkbox"[^>]* name="(\w+)" value="1" checked', page))
    switches = {name for name, one in SETTINGS.items() if one.kind is bool}
    return {name: value for name, value in fields.items() if name not in switches - ticked
            and not name.startswith("file-")}  # fmt: skip


def save(browser: Browser, line: int = 1, **changed: str) -> Answer:
    return browser.post(f"/settings/lines/{line}", form_of(browser, line) | changed)


def test_every_setting_has_its_field_and_every_choice_its_word(branch: Branch, chief: Browser) -> None:
    fields = form_of(chief)
    switched_off = {name for name, one in SETTINGS.items() if one.kind is bool and not one.default}
    assert set(fields) - {"form_token", "version"} == set(SETTINGS) - switched_off
    assert {choice for one in SETTINGS.values() for choice in one.choices} <= set(CHOICES)


def test_a_form_sent_untouched_changes_nothing(branch: Branch, chief: Browser) -> None:
    assert save(chief).status == 303
    assert settings_of(branch.db, 1).version == 0
    assert not [one for one in branch.operations() if one[0] == "line_settings"]


def test_a_change_is_saved_logged_and_shown(branch: Branch, chief: Browser) -> None:
    fields = form_of(chief)
    del fields["record"]  # the switch is off
    assert chief.post("/settings/lines/1", fields | {"hold_s": "7.5", "trigger": "voice"}).status == 303
    now = settings_of(branch.db, 1)
    assert (now.settings.record, now.settings.hold_s, now.settings.trigger) == (False, 7.5, "voice")
    assert ("line_settings", "done", "chief", "line 1") in branch.operations()
    page = chief.get("/settings/lines/1?saved=1").text
    assert "7.5" in page and "chief" in page and "as in the file again" in page and 'role="status"' in page


def test_a_setting_goes_back_to_what_the_file_says(branch: Branch, chief: Browser) -> None:
    save(chief, hold_s="7")
    save(chief, **{"file-hold_s": "1"})
    assert settings_of(branch.db, 1).settings.hold_s == 5.0
    assert settings_of(branch.db, 1).changed == frozenset()


REFUSED = [
    ("hold_s", "0.1", "must be at least 0.5"),
    ("pre_roll_s", "50", "must be at most 40"),
    ("longest_part_min", "x", "must be a whole number"),
    ("trigger", "magic", "must be one of"),
    ("schedule", "mon 08:00-09:00 08:30-10:00", "overlap"),
    ("never_record", "*", "would match every number"),
    ("holidays", "tomorrow", "holidays are dates"),
]


@pytest.mark.parametrize(("key", "value", "says"), REFUSED)
def test_what_is_refused_is_said_beside_its_field(
    branch: Branch, chief: Browser, key: str, value: str, says: str
) -> None:
    answer = save(chief, **{key: value, "name": "Kept as typed"})
    field = answer.text.split(f'label for="{key}"')[1].split('class="setting')[0]
    assert answer.status == 400 and says in field and 'aria-invalid="true"' in field
    assert "Kept as typed" in answer.text and settings_of(branch.db, 1).version == 0


def test_two_who_change_one_line_do_not_undo_each_other(branch: Branch, chief: Browser) -> None:
    fields = form_of(chief)
    with write(branch.db):
        change(branch.db, 1, {"hold_s": 9}, "somebody", "2026-11-22T04:00:00.000Z")
    answer = chief.post("/settings/lines/1", fields | {"hold_s": "3"})
    assert answer.status == 400 and "Somebody else has changed this line" in answer.text
    assert settings_of(branch.db, 1).settings.hold_s == 9


def test_settings_are_copied_to_the_ticked_lines_but_for_the_name(branch: Branch, chief: Browser) -> None:
    save(chief, hold_s="7", trigger="manual")
    token = {"form_token": chief.form_token()}
    assert chief.post("/settings/lines/1/copy", token).status == 400
    assert chief.post("/settings/lines/1/copy", token | {"to-3": "1"}).status == 303
    third, second = settings_of(branch.db, 3).settings, settings_of(branch.db, 2).settings
    assert (third.hold_s, third.trigger, third.name) == (7, "manual", "Line 3")
    assert second.hold_s == 5
    assert changes_of(branch.db, 3)[0].changed_by == "chief"
    assert chief.post("/settings/lines/1/copy", token | {"to-3": "1", "to-9": "1"}).status == 404


@pytest.mark.parametrize("line", ["0", "4", "x", "9999", "-1"])
def test_lines_that_are_not_there(chief: Browser, line: str) -> None:
    assert chief.get(f"/settings/lines/{line}").status == 404


def test_settings_lead_to_the_first_line_and_are_nobody_elses(branch: Branch, chief: Browser) -> None:
    assert chief.get("/settings").headers["Location"] == "/settings/lines/1"
    other = branch.browser()
    other.log_in("lin")
    assert other.get("/settings/lines/1").status == 403 and 'href="/settings"' not in other.get("/lines").text


NUMBERS = [
    ({"area_code": "0871", "access_digit": "9", "offers_minimal_card": "1"}, ""),
    ({"area_code": "010"}, ""),
    ({}, ""),
    ({"area_code": "871"}, "An area code is written like"),
    ({"access_digit": "5"}, "is 0 or 9"),
]


@pytest.mark.parametrize(("fields", "fault"), NUMBERS)
def test_rules_of_numbers(branch: Branch, chief: Browser, fields: dict[str, str], fault: str) -> None:
    answer = chief.post("/settings/numbers", fields | {"form_token": chief.form_token()})
    rules = number_rules(branch.db)
    if fault:
        assert answer.status == 400 and fault in answer.text and rules.area_code == ""
    else:
        assert answer.status == 303 and ("number_settings", "done", "chief", "") in branch.operations()
        assert (rules.area_code, rules.offers_minimal_card) == (
            fields.get("area_code", ""), "offers_minimal_card" in fields
        )  # fmt: skip
