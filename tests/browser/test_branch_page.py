"""The branch page in Chromium: log in, see a line ring as it rings, open the call, hear it."""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Page, expect

from sync.db import write
from sync.moment import to_text
from tests.browser.a_days_work import AFTERNOON
from tests.browser.conftest import Served, becomes
from tests.edge.web.conftest import Branch

pytestmark = pytest.mark.browser

RATE_HZ = 8000
CHANGES = 20

# Notes when each wanted text came into the page, by the browser's clock, which is also this process's.
WATCH = """() => {
    window.seen = {};
    new MutationObserver(() => {
        const text = document.body.innerText;
        for (const found of text.match(/555\\d{4}/g) ?? []) window.seen[found] ??= Date.now();
    }).observe(document.body, {childList: true, subtree: true, characterData: true});
}"""


@pytest.fixture
def branch(tmp_path: Path) -> Iterator[Branch]:
    made = Branch(tmp_path, time_zone=AFTERNOON)
    made.user("lin", "ordinary")
    for line in (1, 2):
        made.line(line, name=f"Line {line}", since_utc=now())
    yield made
    made.db.close()


def now() -> str:
    return to_text(datetime.now(UTC))


def ring(branch: Branch, call_id: str, number: str, name: str = "王小明") -> None:
    """What the recorder writes when a line rings, in one commit."""
    with write(branch.db):
        branch.call(call_id, started_utc=now(), state="open", outcome="open", caller_number=number,
                    caller_name=name, duration_ms=0)  # fmt: skip
        branch.db.execute(
            "UPDATE lines SET state = 'ringing', since_utc = ?, call_id = ? WHERE line = 1", (now(), call_id)
        )


def hang_up(branch: Branch, call_id: str) -> None:
    """What it writes when the call is over and its three seconds of audio are saved."""
    tone = 0.3 * np.sin(2 * math.pi * 440 * np.arange(3 * RATE_HZ) / RATE_HZ)
    file = branch.recordings / "rec-1.flac"
    soundfile.write(file, tone, RATE_HZ, format="FLAC")
    with write(branch.db):
        branch.db.execute(
            "UPDATE calls SET state = 'ended', outcome = 'answered', duration_ms = 3000, ended_utc = ?",
            (now(),),
        )
        branch.db.execute("UPDATE lines SET state = 'idle', since_utc = ?, call_id = NULL", (now(),))
        content = file.read_bytes()
        branch.recording("rec-1", call_id, content, samples=3 * RATE_HZ)
        branch.insert("gaps", recording_id="rec-1", start_sample=8000, length_samples=400, reason="overrun")


def test_a_call_from_ringing_to_hearing_it(branch: Branch, page: Page, address: str) -> None:
    page.click("nav >> text=Lines")
    tile = page.locator("#line-1")
    expect(tile).to_contain_text("Idle")
    ring(branch, "call-1", "13800138000", "<b>王小明</b>")
    expect(tile).to_contain_text("Ringing")
    expect(tile).to_contain_text("<b>王小明</b>")
    expect(tile.locator(".timer")).to_have_text(re.compile(r"0:0[1-9]"))
    hang_up(branch, "call-1")
    expect(tile).to_contain_text("Idle")

    page.click("#today a.play")  # in the list
    dock = page.locator("#dock audio")
    becomes(page, "document.querySelector('#dock audio').currentTime > 0.2")
    expect(dock).to_be_visible()

    tile.locator("a.party").click()
    expect(page.locator("h1")).to_contain_text("13800138000")
    expect(page.locator("svg.track .gap")).to_have_count(1)
    page.evaluate("document.querySelector('audio').play()")
    becomes(page, "document.querySelector('audio').currentTime > 0.3")
    page.evaluate("document.querySelector('audio').pause()")
    page.locator("svg.track").click(position={"x": 2, "y": 10})
    becomes(page, "document.querySelector('audio').currentTime < 0.2")
    expect(page.locator(".wave.drawn")).to_be_visible()
    page.keyboard.press("]")
    becomes(page, "document.querySelector('audio').playbackRate === 1.25")
    assert ("play", "done", "lin", "rec-1") in branch.operations()


def test_from_commit_to_page_in_150_ms(branch: Branch, page: Page, address: str) -> None:
    page.goto(f"{address}/lines")
    page.evaluate(WATCH)
    pause, committed = threading.Event(), dict[str, float]()
    ring(branch, "call-1", "5559999")
    becomes(page, "window.seen['5559999']")
    for at in range(CHANGES):
        number = f"555{at:04}"
        with write(branch.db):
            branch.db.execute("UPDATE calls SET caller_number = ?", (number,))
        committed[number] = datetime.now(UTC).timestamp() * 1000
        pause.wait(0.137)  # not in step with the server's looks
    becomes(page, f"window.seen['555{CHANGES - 1:04}']")
    seen = page.evaluate("window.seen")
    delays_ms = sorted(seen[number] - at_ms for number, at_ms in committed.items() if number in seen)
    assert len(delays_ms) >= CHANGES - 2  # two changes within one look are shown as one
    assert delays_ms[int(len(delays_ms) * 0.95) - 1] <= 150


def test_the_page_says_when_it_is_no_longer_live(server: Served, page: Page, address: str) -> None:
    page.goto(f"{address}/lines")
    expect(page.locator("#stale")).to_be_hidden()
    server.end()
    expect(page.locator("#stale")).to_be_visible(timeout=15_000)


def test_a_session_that_ends_leads_back_to_the_log_in(branch: Branch, page: Page, address: str) -> None:
    page.goto(f"{address}/lines")
    branch.db.execute("DELETE FROM sessions")
    page.wait_for_url("**/log-in?next=**", timeout=15_000)
