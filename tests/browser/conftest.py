"""Chromium, the branch page's own server, and a browser that is logged in to it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from edge.web.server import serve
from edge.web.settings import WebSettings
from tests.edge.web.conftest import PASSWORD, Branch
from tests.fakes import wait_for

PICTURES = Path(__file__).parents[2] / "build" / "screenshots"
AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--no-first-run", "--autoplay-policy=no-user-gesture-required")  # fmt: skip

expect.set_options(timeout=20_000)  # others use the machine, too; what never comes is still missed


@dataclass
class Served:
    """The page's server, and a way to end it in mid test."""

    address: str
    stop: threading.Event
    thread: threading.Thread

    def end(self) -> None:
        self.stop.set()
        self.thread.join(10)


@contextmanager
def served_page(settings: WebSettings) -> Iterator[Served]:
    """The page's server on a port of its own."""
    stop, addresses = threading.Event(), list[str]()
    settings = replace(settings, host="127.0.0.1", port=0)
    thread = threading.Thread(target=serve, args=(settings, stop, addresses.append))
    thread.start()
    served = Served(wait_for(lambda: addresses and addresses[0], what="the server"), stop, thread)
    try:
        yield served
    finally:
        served.end()


@contextmanager
def clean_page(context: BrowserContext) -> Iterator[Page]:
    """A page on which an error of its own (a refused request is none) fails the test."""
    page, complaints = context.new_page(), list[str]()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    yield page
    context.close()
    assert [text for text in complaints if not text.startswith("Failed to load resource")] == []


def log_in(page: Page, address: str, name: str = "lin", path: str = "/calls") -> None:
    """Log in by the form, on the way to `path`."""
    page.goto(f"{address}{path}")
    page.fill("[name=name]", name)
    page.fill("[name=password]", PASSWORD)
    page.click("main button")
    page.wait_for_url(f"**{path}")


def becomes(page: Page, expression: str) -> None:
    """Wait until the expression is true on the page (whose policy forbids Playwright's own way to ask)."""
    wait_for(lambda: page.evaluate(f"Boolean({expression})"), what=expression)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture
def server(branch: Branch) -> Iterator[Served]:
    with served_page(branch.settings) as served:
        yield served


@pytest.fixture
def address(server: Served) -> str:
    return server.address


@pytest.fixture
def page(chromium: Browser, address: str) -> Iterator[Page]:
    """Lin's page, in English."""
    context = chromium.new_context(viewport={"width": 1280, "height": 850}, locale="en-GB")
    with clean_page(context) as page:
        log_in(page, address)
        yield page
