"""The page of uploads: paused and resumed by somebody who is named; cap, month, and what waits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from edge.config import Config
from edge.services import web_settings
from edge.store import set_aside
from edge.store.rights import LEVEL_RIGHTS
from edge.web.settings import UploadRules, UploadWindow
from edge.web.uploads import SHOWN, WHATS
from sync import outbox
from sync.db import write
from sync.events import EVENT_TYPES
from sync.uploads import note_month, pause_of
from tests.edge.test_allowance import NOON, config_of
from tests.edge.web.conftest import Answer, Branch, Browser
from tests.sync.station import AT, call_ended

NIGHT = UploadWindow("daily 00:00-06:00", 0, lambda local: local.hour < 6)
RULES = UploadRules(512, 2.0, (NIGHT,))


@pytest.fixture
def branch(tmp_path: Path) -> Iterator[Branch]:
    made = Branch(tmp_path, uploads=RULES)
    made.user("chief", "super")
    made.user("deputy", "super")
    made.user("lin", "leader", rights=LEVEL_RIGHTS["leader"])
    yield made
    made.stop.set()
    made.db.close()


def logged_in(branch: Branch, name: str = "chief") -> Browser:
    browser = branch.browser()
    browser.log_in(name)
    return browser


def act(browser: Browser, what: str) -> int:
    fields = {"act": what, "form_token": browser.form_token("/settings/uploads")}
    return browser.post("/settings/uploads", fields).status


def done(branch: Branch) -> list[tuple[str, str | None]]:
    rows = branch.db.execute("SELECT operation, user_name FROM operation_log WHERE operation LIKE '%uploads'")
    return [tuple(row) for row in rows]


def test_pause_and_resume_are_rows_with_a_name(branch: Branch) -> None:
    chief, deputy = logged_in(branch), logged_in(branch, "deputy")
    assert "Not paused" in chief.get("/settings/uploads").text
    assert act(chief, "pause") == 303
    assert act(deputy, "pause") == 303, "it is paused already"
    paused = pause_of(branch.db)
    assert paused is not None and paused.by == "chief"
    page = chief.get("/settings/uploads").text
    assert "Paused by chief" in page and 'value="pause"' not in page
    assert "Recordings are not sent: paused by chief" in chief.get("/calls").text, "everybody is told"
    assert act(deputy, "resume") == 303
    assert act(deputy, "resume") == 303
    assert pause_of(branch.db) is None
    assert done(branch) == [("pause_uploads", "chief"), ("resume_uploads", "deputy")]
    assert "not sent" not in chief.get("/calls").text


def test_a_pause_by_name_is_no_second_trouble(branch: Branch) -> None:
    """The syncer notes that audio cannot go; while somebody paused it, that is why and nothing is broken."""
    chief = logged_in(branch)
    branch.insert(
        "health", part="upload", state="lost", since_utc="2026-11-22T04:00:00.000Z", detail="paused by chief"
    )
    assert "A recording could not be sent" in chief.get("/calls").text
    act(chief, "pause")
    assert "A recording could not be sent" not in chief.get("/calls").text


@pytest.mark.parametrize("what", ["", "stop", "pause resume", "<b>"])
def test_other_acts_are_refused(branch: Branch, what: str) -> None:
    chief = logged_in(branch)
    assert act(chief, what) == 400
    assert pause_of(branch.db) is None and done(branch) == []


def test_a_leader_may_not(branch: Branch) -> None:
    leader = logged_in(branch, "lin")
    assert leader.get("/settings/uploads").status == 403
    fields = {"act": "pause", "form_token": leader.form_token()}
    assert leader.post("/settings/uploads", fields).status == 403
    assert leader.post("/api/settings/uploads", fields).status == 403
    assert pause_of(branch.db) is None


def test_without_the_token_of_the_form_nothing_is_paused(branch: Branch) -> None:
    assert logged_in(branch).post("/settings/uploads", {"act": "pause"}).status == 403
    assert pause_of(branch.db) is None


@pytest.mark.parametrize(
    ("used", "says"),
    [
        (1_250_000_000, "1.25 GB of 2.00 GB<"),
        (2_000_000_000, "2.00 GB of 2.00 GB · used up"),
        (0, "0 B of 2.00 GB<"),
    ],
)
def test_the_month(branch: Branch, used: int, says: str) -> None:
    now = branch.clock.utc().astimezone(ZoneInfo(branch.settings.time_zone))
    with write(branch.db):
        note_month(branch.db, f"{now:%Y-%m}", used)
        note_month(branch.db, "2001-01", 10**12)  # no other month counts
    assert says in logged_in(branch).get("/settings/uploads").text


def test_a_box_alone_has_nothing_to_pause(tmp_path: Path) -> None:
    branch = Branch(tmp_path, is_alone=True)
    branch.user("chief", "super")
    page = logged_in(branch).get("/settings/uploads").text
    assert "works alone" in page and 'name="act"' not in page
    branch.db.close()


def test_programs_are_told_the_same(branch: Branch) -> None:
    chief = logged_in(branch)
    told = json.loads(chief.get("/api/settings/uploads").text)["uploads"]
    assert (told["cap_kbit_s"], told["window"], told["paused"]) in ((512, "", None), (0, NIGHT.when, None))
    assert told["month_limit_bytes"] == 2_000_000_000 and told["waiting"]["files"] == 0
    fields = {"act": "pause", "form_token": chief.form_token()}
    answer = json.loads(chief.post("/api/settings/uploads", fields).text)
    assert answer["uploads"]["paused"]["by"] == "chief"


def aside(branch: Branch, count: int = 2) -> list[str]:
    """So many entries that head office could not use, and one recording; their ids as listed."""
    with write(branch.db):
        for _ in range(count):
            outbox.put(branch.db, call_ended(), AT)
        nacks = [(number, "unknown_kind") for number in range(1, count + 1)]
        outbox.mark_acked(branch.db, outbox.epoch_of(branch.db), "evt", count, (), nacks)
        outbox.put_file(branch.db, "rec-1", "<b>.flac", 9, "ab" * 32)
        outbox.mark_file(branch.db, "rec-1", "refused", "<i>odd</i>")
    return [one.id for one in set_aside.items(branch.db)]


def settle(browser: Browser, item_id: str, act: str, reason: str = "") -> Answer:
    token = browser.form_token("/settings/uploads")
    fields = {"act": act, "id": item_id, "reason": reason, "form_token": token}
    return browser.post("/settings/uploads", fields)


def test_what_was_set_aside_is_listed_with_its_reason(branch: Branch) -> None:
    chief = logged_in(branch)
    assert "Nothing was set aside" in chief.get("/settings/uploads").text
    ids = aside(branch)
    page = chief.get("/settings/uploads").text
    assert "Nothing was set aside" not in page and page.count('value="again"') == 3
    assert all(f'value="{one}"' in page for one in ids)
    assert "older version" in page and page.count("<strong>Call record</strong>") == 2
    assert "<b>" not in page and "<i>odd" not in page and "&lt;b&gt;.flac" in page
    told = json.loads(chief.get("/api/settings/uploads").text)["uploads"]
    assert [one["id"] for one in told["set_aside"]] == ids and told["set_aside_count"] == 3


def test_every_kind_of_entry_has_its_words() -> None:
    assert set(WHATS) == set(EVENT_TYPES)


def test_a_long_list_says_that_it_is_cut(branch: Branch) -> None:
    aside(branch, SHOWN + 5)
    page = logged_in(branch).get("/settings/uploads").text
    assert page.count('value="again"') == SHOWN and f"{SHOWN} of {SHOWN + 6} are shown" in page


def test_it_is_sent_again_or_dismissed_by_somebody_who_is_named(branch: Branch) -> None:
    first, second, recording = aside(branch)
    chief = logged_in(branch)
    assert settle(chief, first, "again").status == 303
    assert settle(chief, second, "dismiss", "a test").status == 303
    assert [one.id for one in set_aside.items(branch.db)] == [recording]
    assert outbox.waiting(branch.db).entries == 1
    query = "SELECT operation, user_name, subject, reason FROM operation_log WHERE subject IN (?, ?)"
    assert sorted(map(tuple, branch.db.execute(query, (first, second)))) == [
        ("dismiss", "chief", second, "a test"),
        ("send_again", "chief", first, ""),
    ]
    late = settle(chief, first, "again")
    assert late.status == 303 and "settled before" in chief.get(late.headers["Location"]).text
    log = chief.get("/log").text
    assert "What was set aside sent again" in log and "What was set aside dismissed" in log


@pytest.mark.parametrize("reason", ["", "  ", "x" * 201])
def test_dismissing_takes_a_reason(branch: Branch, reason: str) -> None:
    first, *_ = aside(branch)
    assert settle(logged_in(branch), first, "dismiss", reason).status == 400
    assert len(set_aside.items(branch.db)) == 3


@pytest.mark.parametrize(
    ("local", "kbit_s"), [(NOON, 512), (NOON.replace(hour=20), 100), (NOON.replace(hour=3), 0)]
)
def test_the_page_knows_the_caps_of_the_settings_file(tmp_path: Path, local: datetime, kbit_s: int) -> None:
    """The same file makes the syncer's cap (tests/edge/test_allowance.py) and the page's."""
    config: Config = config_of(tmp_path, cap_kbit_s=100, month_gb=1.5)
    rules = web_settings(replace(config, web=replace(config.web, https="off"))).uploads
    window = rules.window_at(local)
    assert (window.cap_kbit_s if window else rules.cap_kbit_s) == kbit_s
    assert rules.month_gb == 1.5
