"""A note on a line's tile: which call it is for, what the tile shows of it, and who may see it."""

from __future__ import annotations

import re

import pytest

from edge.store.listing import lines_now
from tests.edge.web.conftest import Branch, Browser


def tile(browser: Browser, line: int = 1) -> str:
    return browser.get("/lines").text.split(f'id="line-{line}"')[1].split("</article>")[0]


def noted_call(html: str) -> str | None:
    found = re.search(r'data-note="([^"]*)"', html)
    return found[1] if found else None


def note(browser: Browser, call_id: str, text: str) -> int:
    token = browser.form_token()
    return browser.post(f"/calls/{call_id}/notes", {"text": text, "form_token": token}).status


STATES = [
    ("ringing", "now"),
    ("talking", "now"),
    ("dialling", "now"),
    ("idle", "before"),
    ("line_lost", "before"),
]


@pytest.mark.parametrize(("state", "call_id"), STATES)
def test_a_note_is_for_the_call_that_goes_on_else_for_the_last(
    branch: Branch, staff: Browser, state: str, call_id: str
) -> None:
    branch.call("before", 600, caller_number="01062345678")
    if call_id == "now":
        branch.call("now", 5, state="open", outcome="open")
    branch.line(1, state, call_id="now" if call_id == "now" else None)
    html = tile(staff)
    assert noted_call(html) == call_id
    assert f'href="/calls/{call_id}#remarks"' in html  # also without a script


def test_a_line_without_any_call_has_nothing_to_note(branch: Branch, staff: Browser) -> None:
    branch.line(1)
    assert noted_call(tile(staff)) is None


def test_the_tile_shows_the_newest_note_that_stands(branch: Branch, staff: Browser) -> None:
    branch.line(1, "talking", call_id=branch.call("now", 5, state="open", outcome="open"))
    assert "tile-note" not in tile(staff)
    assert note(staff, "now", "wants <b>fibre</b>") == 303
    branch.clock.advance(1)
    assert note(staff, "now", "call back at 3") == 303
    assert "call back at 3" in tile(staff) and "fibre" not in tile(staff)
    branch.db.execute("UPDATE call_notes SET struck_utc = 'x' WHERE text = 'call back at 3'")
    assert "wants &lt;b&gt;fibre" in tile(staff)


def test_the_next_caller_does_not_see_the_note_on_the_last(branch: Branch, staff: Browser) -> None:
    branch.line(1)
    branch.call("before", 600)
    note(staff, "before", "is angry")
    assert "is angry" in tile(staff)
    branch.call("now", 1, state="open", outcome="open")
    branch.db.execute("UPDATE lines SET state = 'ringing', call_id = 'now'")
    assert "is angry" not in tile(staff)
    assert lines_now(branch.db)[0].note == ""


def test_a_program_sees_it_too(branch: Branch, staff: Browser) -> None:
    branch.line(1)
    branch.call("before", 600)
    note(staff, "before", "is angry")
    assert '"note":"is angry"' in staff.get("/api/lines").text.replace(": ", ":")
