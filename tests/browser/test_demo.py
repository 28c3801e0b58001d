"""What a newcomer sees after `make run`, in Chromium: a line rings with a name, the call plays twice.

The pictures taken on the way are kept in build/screenshots.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.fakes import wait_for

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("demo")]

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "build" / "screenshots"
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--no-first-run", "--autoplay-policy=no-user-gesture-required")  # fmt: skip


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What the demo prints once it runs."""
    folder = tmp_path_factory.mktemp("demo")
    log = folder / "said"
    with log.open("wb") as sink:
        demo = subprocess.Popen(
            [sys.executable, "-m", "tests.demo", str(folder / "world")], cwd=ROOT, stdout=sink, stderr=sink
        )
    try:
        wait_for(
            lambda: "Ctrl-C" in log.read_text() or demo.poll() is not None, timeout_s=60, what="the demo"
        )
        assert demo.poll() is None, log.read_text()
        yield log.read_text()
    finally:
        demo.send_signal(signal.SIGINT)
        assert demo.wait(timeout=30) == 0, log.read_text()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(QUIET))
        yield browser
        browser.close()


def log_in(chromium: Browser, said: str, place: str, language: str) -> Page:
    """Use the address and log-in just as they were printed."""
    found = re.search(rf"{place}\s+(\S+)\s+user (\S+)\s+password (\S+)", said)
    assert found, said
    address, user, password = found.groups()
    page = chromium.new_context(viewport={"width": 1280, "height": 900}, locale=language).new_page()
    page.goto(address)
    page.fill("[name=name]", user)
    page.fill("[name=password]", password)
    page.click("main button")
    page.wait_for_load_state()
    return page


def plays(page: Page) -> None:
    """Start the page's recording and see it move on, then seek."""
    audio = page.locator("audio").first
    expect(audio).to_be_attached(timeout=20_000)
    audio.evaluate("player => player.play()")
    wait_for(lambda: audio.evaluate("player => player.currentTime") > 0.5, what="sound")
    audio.evaluate("player => { player.currentTime = player.duration / 2 }")
    half = audio.evaluate("player => player.duration / 2")
    wait_for(lambda: audio.evaluate("player => player.currentTime") > half + 0.3, what="sound after a seek")


def test_a_newcomer_hears_a_call_at_the_branch_and_at_head_office(chromium: Browser, said: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    branch = log_in(chromium, said, "branch page", "zh-CN")
    head_office = log_in(chromium, said, "head office", "zh-CN")
    expect(branch.get_by_text("王芳").first).to_be_visible(timeout=60_000)
    branch.screenshot(path=PICTURES / "branch-lines.png", full_page=True)
    # the call ends, is listed under the tiles, opens with a click and plays
    ended = branch.locator("tr", has_text="王芳").filter(has=branch.locator("a.play")).first
    expect(ended).to_be_visible(timeout=60_000)
    ended.locator("a[href^='/calls/']").first.click()
    plays(branch)
    branch.screenshot(path=PICTURES / "branch-call.png", full_page=True)
    # head office has it without a reload
    head_office.get_by_role("link", name="通话记录").click()
    there = head_office.locator("tr", has_text="王**").first
    expect(there).to_be_visible(timeout=30_000)
    head_office.screenshot(path=PICTURES / "head-office-calls.png", full_page=True)
    there.locator("a").first.click()
    plays(head_office)
    head_office.screenshot(path=PICTURES / "head-office-call.png", full_page=True)
