"""The pop-up in Chromium: on whatever page is open, in every tab, kept while one goes on, saved."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, Page, expect

from sync.db import write
from sync.moment import to_text
from tests.browser.conftest import clean_page, log_in
from tests.edge.customers.conftest import Shop, shop  # noqa: F401
from tests.edge.web.conftest import Branch

pytestmark = pytest.mark.browser


@pytest.fixture
def branch(shop: Shop) -> Branch:  # noqa: F811
    return shop.branch


@pytest.fixture
def page(chromium: Browser, address: str) -> Iterator[Page]:
    """Ann's page."""
    context = chromium.new_context(viewport={"width": 1280, "height": 850}, locale="en-GB")
    with clean_page(context) as page:
        log_in(page, address, "ann", "/customers")
        yield page


def ring(shop: Shop, call_id: str, number: str) -> None:  # noqa: F811
    now = to_text(datetime.now(UTC))
    with write(shop.db):
        shop.branch.call(call_id, started_utc=now, state="open", outcome="open", caller_number=number)
        shop.db.execute("UPDATE lines SET state = 'ringing', call_id = ? WHERE line = 1", (call_id,))


def test_a_stranger_calls_and_becomes_a_customer(shop: Shop, page: Page, address: str) -> None:  # noqa: F811
    other = page.context.new_page()
    other.goto(f"{address}/communications")
    ring(shop, "call-1", "13800138000")
    card = page.locator("[data-call=call-1].popup")
    expect(card).to_contain_text("138 0013 8000")
    expect(other.locator(".popup")).to_have_count(1)  # every tab, over one stream
    page.fill(".popup [name=name]", "王小明")
    page.fill(".popup textarea", "要装宽带")
    page.goto(f"{address}/calls")  # what is being written goes along
    expect(page.locator(".popup [name=name]")).to_have_value("王小明")
    expect(page.locator(".popup textarea")).to_have_value("要装宽带")
    page.click(".popup footer button")
    expect(page.locator(".popup")).to_contain_text("Saved")
    expect(page.locator(".popup .popup-customer")).to_contain_text("王小明")
    page.click(".popup .popup-close")
    expect(page.locator(".popup")).to_have_count(0)
    expect(other.locator(".popup")).to_have_count(0)  # closed once is closed

    with write(shop.db):
        shop.db.execute("UPDATE lines SET state = 'idle', call_id = NULL")
        shop.branch.recording("rec-1", "call-1")
    page.goto(f"{address}/communications")
    expect(page.locator("table.communications")).to_contain_text("要装宽带")
    expect(page.locator("a.play")).to_have_attribute("href", "/communications/" + record(shop) + "/recording")


def record(shop: Shop) -> str:  # noqa: F811
    return str(shop.db.execute("SELECT id FROM communications").fetchone()[0])


def test_what_is_wrong_is_said_in_the_card(shop: Shop, page: Page) -> None:  # noqa: F811
    ring(shop, "call-1", "13800138000")
    page.fill(".popup [name=name]", "a|b")
    page.click(".popup footer button")
    expect(page.locator(".popup-said")).to_contain_text("without ; | and line breaks")
    expect(page.locator(".popup [name=name]")).to_have_value("a|b")
    page.press(".popup [name=name]", "Escape")
    expect(page.locator(".popup")).to_have_count(0)
