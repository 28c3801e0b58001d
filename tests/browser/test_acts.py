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
from tests.browser.test_branch_page import address, chromium, now, page, server  # noqa: F401
from tests.edge.web.conftest import Branch
from tests.fakes import wait_for

pytestmark = pytest.mark.browser


@pytest.fixture
def branch(tmp_path: Path) -> Iterator[Branch]:
    """Line 1 talks; its ring gets 100 ms of sound every 100 ms."""
    ring, over = RingWriter.create(tmp_path / "hat0.ring", 8000, 2, 4.0), threading.Event()
    folder = tmp_path / "box"
    folder.mkdir()
    made = Branch(folder, rings=(ring.path,))
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


def test_a_line_is_heard_and_recorded_by_hand(branch: Branch, page: Page, address: str) -> None:  # noqa: F811
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
