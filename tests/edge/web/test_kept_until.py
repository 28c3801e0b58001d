"""How long a recording is kept, as its call says it: by age, size and number, whichever comes first."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from edge.config import BoxSettings, Config, HatSettings, KeepSettings, WebPageSettings
from edge.services import web_settings
from edge.web.settings import KeepRule
from tests.edge.web.conftest import Branch

AGE, SIZE, COUNT = "2026-12-22", "newer recordings fill 50 GB", "1000 newer recordings are there"
NOTHING, FIRST = "space is needed for it", "whichever comes first"
ALL = {AGE, SIZE, COUNT, NOTHING, FIRST}
RULES: list[tuple[tuple[KeepRule, ...], set[str]]] = [
    ((), {NOTHING}),
    ((KeepRule(0, "any", 0),), {NOTHING}),
    ((KeepRule(0, "any", 30),), {AGE}),
    ((KeepRule(0, "any", 0, 50.0),), {SIZE}),
    ((KeepRule(0, "any", 0, 0.0, 1000),), {COUNT}),
    ((KeepRule(0, "any", 30, 50.0),), {AGE, SIZE, FIRST}),
    ((KeepRule(0, "any", 30, 50.0, 1000),), {AGE, SIZE, COUNT, FIRST}),
    ((KeepRule(2, "any", 30), KeepRule(0, "any", 0, 50.0)), {SIZE}),  # the first is for another line
    ((KeepRule(1, "out", 30), KeepRule(1, "in", 0, 0.0, 1000)), {COUNT}),  # for other calls
    ((KeepRule(1, "in", 30), KeepRule(0, "any", 0, 50.0)), {AGE}),  # the first that fits, and no other
]


def a_branch(folder: Path, rules: tuple[KeepRule, ...], **call: Any) -> Branch:
    branch = Branch(folder, keep=rules)
    branch.user("lin", "ordinary")
    branch.recording("rec-1", branch.call("call-1", **call))
    return branch


def said(branch: Branch) -> str:
    staff = branch.browser()
    staff.log_in()
    found = re.search(r"<dt>Kept until</dt><dd>(.*?)</dd>", staff.get("/calls/call-1").text, re.DOTALL)
    assert found
    return found[1]


@pytest.mark.parametrize(("rules", "words"), RULES)
def test_what_the_rules_say(tmp_path: Path, rules: tuple[KeepRule, ...], words: set[str]) -> None:
    html = said(a_branch(tmp_path, rules))
    assert {one for one in ALL if one in html} == words


def test_a_missed_call_has_its_own_rule(tmp_path: Path) -> None:
    rules = (KeepRule(0, "missed", 0, 0.0, 1000), KeepRule(0, "in", 30))
    assert COUNT in said(a_branch(tmp_path, rules, outcome="missed"))


def test_on_hold_no_rule_counts(tmp_path: Path) -> None:
    branch = a_branch(tmp_path, (KeepRule(0, "any", 30, 50.0, 1000),))
    branch.insert("holds", call_id="call-1", reason="x", placed_by="y", placed_utc="2026-11-22T04:00:00.000Z")
    html = said(branch)
    assert "the hold ends" in html and not any(one in html for one in ALL)


def test_a_program_is_told_the_limits(tmp_path: Path) -> None:
    branch = a_branch(tmp_path, (KeepRule(0, "any", 30, 50.0, 1000),))
    staff = branch.browser()
    staff.log_in()
    kept = json.loads(staff.get("/api/calls/call-1").text)["kept_until"]["rec-1"]
    assert kept == {"until_utc": "2026-12-22T04:00:00.000Z", "newest_gb": 50.0, "newest_recordings": 1000}


def test_the_page_is_told_all_three_limits_of_the_settings_file(tmp_path: Path) -> None:
    config = Config(
        box=BoxSettings(id="b", data_dir=tmp_path),
        hats=(HatSettings(name="hat0", alsa_device="x", lines=4),),
        web=WebPageSettings(https="off"),
        keep=(KeepSettings(calls="in", keep_days=30, keep_gb=50.0, keep_recordings=1000),),
    )
    assert web_settings(config).keep == (KeepRule(0, "in", 30, 50.0, 1000),)
