"""Live listening and the record button in Chromium, over the server and a ring that goes on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from edge.ring import RingWriter
from edge.store.requests import new_requests
from edge.store.rights import LEVEL_RIGHTS, Right
from tests.browser.a_days_work import AFTERNOON
from tests.browser.test_branch_page import now
from tests.edge.web.conftest import Branch
from tests.fakes import wait_for

pytestmark = pytest.mark.browser


@pytest.fixture
def branch(tmp_path: Path) -> Iterator[Branch]:
    """Line 1 talks; its ring gets 100 ms of sound every 100 ms."""
    ring, over = RingWriter.create(tmp_path / "hat0.ring", 8000, 2, 4.0), threading.Event()
    folder = tmp_path / "box"
    folder.mkdir()
    made = Branch(folder, rings=(ring.path,), time_zone=AFTERNOON)
    made.user("lin", "ordinary", rights=LEVEL_RIGHTS["ordinary"] | {Right.LISTEN})
    made.call("call-1", state="open", outcome="open", started_utc=now())
    made.line(1, "talking", name="Front", call_id="call-1", since_utc=now())

    def talk() -> None:
        while not over.wait(0.1):
            ring.write(np.full((800, 2), 1000, np.int16))

    thread = threading.Thread(target=talk)
    thread.start()
    yield made
    over.set()
    thread.join()
    made.db.close()


def test_a_line_is_heard_and_recorded_by_hand(branch: Branch, page: Page, address: str) -> None:
    page.goto(f"{address}/lines")
    tile, bar = page.locator("#line-1"), page.locator("#listening")
    tile.get_by_role("button", name="Listen").click()
    expect(bar).to_contain_text("Listening to line 1 · Front")
    expect(tile.locator("[data-listen]")).to_have_attribute("aria-pressed", "true")
    wait_for(lambda: ("listen", "done", "lin", "call-1") in branch.operations(), what="the log")

    tile.get_by_role("button", name="Record").click()
    expect(tile).to_contain_text("Asked to record")
    assert [(one.line, one.keep) for one in new_requests(branch.db)] == [(1, True)]
    expect(tile.locator("[data-listen]")).to_have_attribute("aria-pressed", "true")  # the tile is a new one

    branch.db.execute("UPDATE lines SET state = 'idle', call_id = NULL")
    expect(bar).to_contain_text("The call is over.")


def test_a_note_is_written_on_the_tile_while_the_call_goes_on(
    branch: Branch, page: Page, address: str
) -> None:
    page.goto(f"{address}/lines")
    tile, form = page.locator("#line-1"), page.locator("#note")
    tile.get_by_role("link", name="Note").click()
    expect(form).to_contain_text("Note on the call 13800138000")
    text = form.locator("textarea")
    expect(text).to_be_focused()
    text.press_sequentially("要装")
    # the tile is put in anew in mid word, and the line goes on to another call
    branch.db.execute(
        "UPDATE lines SET state = 'ringing', call_id = ?", (branch.call("call-2", state="open"),)
    )
    expect(tile).to_have_attribute("data-state", "ringing")
    expect(text).to_be_focused()
    text.press_sequentially("宽带")
    form.get_by_role("button", name="Add note").click()
    expect(form).to_be_hidden()
    expect(page.locator("#saved")).to_have_text("Saved")
    rows = branch.db.execute("SELECT call_id, user_name, text FROM call_notes").fetchall()
    assert [tuple(row) for row in rows] == [("call-1", "lin", "要装宽带")]


def test_a_note_that_cannot_be_saved_is_kept_and_said(branch: Branch, page: Page, address: str) -> None:
    page.goto(f"{address}/lines")
    tile, text = page.locator("#line-1"), page.locator("#note textarea")
    tile.get_by_role("link", name="Note").click()
    text.fill("call back")
    page.keyboard.press("Escape")  # not lost, only put aside
    expect(tile.get_by_role("link", name="Note")).to_be_focused()
    tile.get_by_role("link", name="Note").press("Enter")
    expect(text).to_have_value("call back")
    branch.db.execute("UPDATE calls SET line = 9")  # no longer one of lin's
    page.get_by_role("button", name="Add note").click()
    expect(page.locator("#note [role=alert]")).to_have_text("It could not be saved. Try again.")
    expect(text).to_have_value("call back")


def test_a_press_that_comes_too_late_is_said(branch: Branch, page: Page, address: str) -> None:
    page.goto(f"{address}/lines")
    record = page.locator("#line-1").get_by_role("button", name="Record")
    expect(record).to_be_visible()
    page.route("**/record", lambda route: route.fulfill(status=409))
    record.click()
    expect(page.locator("#said")).to_have_text("It could not be done. The call may be over.")
