"""The branch page in Chromium: log in, see a line ring as it rings, open the call, hear it."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Browser, Page, expect, sync_playwright

from edge.web.server import serve
from sync.db import write
from sync.moment import to_text
from tests.edge.web.conftest import PASSWORD, Branch
from tests.fakes import wait_for

pytestmark = pytest.mark.browser

QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--no-first-run", "--autoplay-policy=no-user-gesture-required")  # fmt: skip
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


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture
def branch(tmp_path: Path) -> Iterator[Branch]:
    made = Branch(tmp_path)
    made.user("lin", "ordinary")
    for line in (1, 2):
        made.line(line, name=f"Line {line}", since_utc=now())
    yield made
    made.db.close()


@dataclass
class Served:
    """The page's server, and a way to end it in mid test."""

    address: str
    stop: threading.Event
    thread: threading.Thread

    def end(self) -> None:
        self.stop.set()
        self.thread.join(10)


@pytest.fixture
def server(branch: Branch) -> Iterator[Served]:
    stop, addresses = threading.Event(), list[str]()
    settings = replace(branch.settings, host="127.0.0.1", port=0)
    thread = threading.Thread(target=serve, args=(settings, stop, addresses.append))
    thread.start()
    served = Served(wait_for(lambda: addresses and addresses[0], what="the server"), stop, thread)
    yield served
    served.end()


@pytest.fixture
def address(server: Served) -> str:
    return server.address


@pytest.fixture
def page(chromium: Browser, address: str) -> Iterator[Page]:
    """A page that is logged in; an error of its own (a refused request is none) fails the test."""
    context = chromium.new_context(viewport={"width": 1280, "height": 850}, locale="en-GB")
    page, complaints = context.new_page(), list[str]()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.goto(f"{address}/calls")
    page.fill("[name=name]", "lin")
    page.fill("[name=password]", PASSWORD)
    page.click("main button")
    page.wait_for_url("**/calls")
    yield page
    context.close()
    assert [text for text in complaints if not text.startswith("Failed to load resource")] == []


def becomes(page: Page, expression: str) -> None:
    """Wait until the expression is true on the page (whose policy forbids Playwright's own way to ask)."""
    wait_for(lambda: page.evaluate(f"Boolean({expression})"), what=expression)


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
    expect(tile.locator(".timer")).to_have_text("0:01", timeout=4000)
    hang_up(branch, "call-1")
    expect(tile).to_contain_text("Idle")

    page.click("#today a.play")  # in the list
    dock = page.locator("#dock audio")
    becomes(page, "document.querySelector('#dock audio').currentTime > 0.2")
    expect(dock).to_be_visible()

    tile.locator("a").click()
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
