"""Audio that is gone: the call stays on the page, and the page says why there is nothing to hear."""

from __future__ import annotations

import pytest

from tests.edge.web.conftest import Branch, Browser


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        ("age", "its time was over"),
        ("size", "more than the space"),
        ("count", "more than the number"),
        ("space", "to make room"),
        ("unconfirmed", "it is nowhere else"),
        ("erased", "by a person"),
        ("ordered", "by order of head office"),
        (None, "by a person"),
    ],
)
def test_the_row_stays_and_says_why(branch: Branch, staff: Browser, reason: str | None, says: str) -> None:
    call = branch.call("call-1")
    branch.recording("rec-1", call, state="deleted")
    if reason:
        branch.insert("deletions", recording_id="rec-1", reason=reason, at_utc="2026-11-22T06:00:00.000Z")
    staff.post("/language", {"language": "en", "form_token": staff.form_token()})
    for page in ("/calls", "/calls/call-1"):
        text = staff.get(page).text
        assert says in text and "/recordings/rec-1/audio" not in text
    assert staff.get("/recordings/rec-1/audio").status == 404


@pytest.mark.parametrize(
    ("part", "says"), [("storage", "The disk is filling up"), ("backup", "The backup failed")]
)
def test_the_strip_names_the_disk_and_the_backup(
    branch: Branch, staff: Browser, part: str, says: str
) -> None:
    branch.insert("health", part=part, state="lost", since_utc="2026-11-22T06:00:00.000Z", detail="91 % full")
    staff.post("/language", {"language": "en", "form_token": staff.form_token()})
    text = staff.get("/calls").text
    assert says in text and "91 % full" in text


def test_a_call_deleted_by_head_office_says_so_and_nothing_else(branch: Branch, staff: Browser) -> None:
    call = branch.call("call-1")
    staff.post("/language", {"language": "en", "form_token": staff.form_token()})
    before = staff.get(f"/calls/{call}").text
    branch.insert(
        "call_erasures",
        call_id=call,
        order_id="o",
        user_name="head office: li",
        at_utc="2026-11-22T06:00:00.000Z",
    )
    says = "Deleted by order of head office"
    assert says in staff.get(f"/calls/{call}").text and says not in before
