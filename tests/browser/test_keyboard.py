"""The branch page by keyboard alone: every step of a day's work, and at each stop a focus one can see."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from sync.db import write
from tests.browser.a_days_work import AFTERNOON, fill, ring
from tests.browser.conftest import becomes, clean_page
from tests.edge.web.conftest import PASSWORD, Branch

pytestmark = pytest.mark.browser

MOST_STOPS = 150
# Of the element that has the focus: what it is, whether it shows, and how the focus is drawn on it.
STOP = """([wanted, name]) => {
    const one = document.activeElement;
    one.dataset.stop ??= name;
    const style = getComputedStyle(one), box = one.getBoundingClientRect();
    const ringed = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
    return {reached: one.matches(wanted), name: one.dataset.stop, what: one.outerHTML.slice(0, 120),
            nowhere: one === document.body, ringed,
            shown: box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight};
}"""
CONTROLS = "a, button, input, select, textarea, summary, audio, [tabindex]"
TABBABLE = """(controls) => [...document.querySelectorAll(controls)]
    .filter((one) => one.tabIndex >= 0 && !one.disabled && one.type !== "hidden" && one.checkVisibility())
    .length"""


@pytest.fixture
def branch(tmp_path: object) -> Iterator[Branch]:
    made = Branch(tmp_path, time_zone=AFTERNOON)  # type: ignore[arg-type]
    fill(made)
    yield made
    made.db.close()


@pytest.fixture
def page(chromium: Browser, address: str) -> Iterator[Page]:
    """Root's page, logged in with keys."""
    context = chromium.new_context(viewport={"width": 1280, "height": 850}, locale="en-GB")
    with clean_page(context) as page:
        page.goto(f"{address}/log-in")
        expect(page.locator("[name=name]")).to_be_focused()
        page.keyboard.type("root")
        page.keyboard.press("Tab")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url("**/lines")
        yield page


def tab_to(page: Page, selector: str, key: str = "Tab") -> None:
    """Press Tab until `selector` has the focus; every stop on the way has to be one that is seen."""
    for _ in range(MOST_STOPS):
        page.keyboard.press(key)
        stop = page.evaluate(STOP, [selector, ""])
        assert stop["nowhere"] or (stop["ringed"] and stop["shown"]), stop
        if stop["reached"]:
            return
    raise AssertionError(f"{MOST_STOPS} stops and no {selector}")


def test_the_first_stop_leads_past_the_menu(page: Page) -> None:
    page.keyboard.press("Tab")
    skip = page.locator(".skip")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    tab_to(page, "main *")
    assert page.evaluate("document.querySelectorAll('main a, main button')[0] === document.activeElement")


@pytest.mark.parametrize("path", ["/calls", "/calls/call-1", "/customers"])
def test_every_control_is_a_stop_in_the_order_of_the_page(page: Page, address: str, path: str) -> None:
    page.goto(f"{address}{path}")
    wanted, stops = page.evaluate(TABBABLE, CONTROLS), list[str]()
    for at in range(wanted):
        page.keyboard.press("Tab")
        stop = page.evaluate(STOP, ["*", str(at)])
        assert stop["ringed"] and stop["shown"], stop
        stops.append(stop["name"])
    in_order = page.evaluate("[...document.querySelectorAll('[data-stop]')].map((one) => one.dataset.stop)")
    assert stops == sorted(stops, key=int) and in_order == list(dict.fromkeys(stops))
    assert len(in_order) > 10 and page.evaluate(
        "[...document.querySelectorAll('[tabindex]')].every((one) => one.tabIndex <= 0)"
    )


def test_a_call_is_opened_heard_and_noted(branch: Branch, page: Page) -> None:
    tab_to(page, "#today a[href='/calls/call-1']")
    page.keyboard.press("Enter")
    page.wait_for_url("**/calls/call-1")
    tab_to(page, ".wave")
    assert "play" not in {one[0] for one in branch.operations()}
    page.keyboard.press("ArrowRight")
    expect(page.locator(".wave")).to_have_attribute("aria-valuetext", "0:05")
    page.keyboard.press("Home")
    expect(page.locator(".wave")).to_have_attribute("aria-valuenow", "0")
    page.keyboard.press(" ")
    becomes(page, "document.querySelector('audio').currentTime > 0.3")
    page.keyboard.press("]")
    becomes(page, "document.querySelector('audio').playbackRate === 1.25")
    page.keyboard.press(" ")
    becomes(page, "document.querySelector('audio').paused")
    tab_to(page, "[data-step='5']")
    page.keyboard.press(" ")  # presses the button, and does not play
    becomes(page, "document.querySelector('audio').currentTime > 5 && document.querySelector('audio').paused")
    tab_to(page, ".note-form textarea")
    page.keyboard.type("call back at three")
    tab_to(page, ".note-form button")
    page.keyboard.press("Enter")
    expect(page.locator("#remarks")).to_contain_text("call back at three")


def test_a_search_and_a_recording_played_from_the_list(page: Page) -> None:
    tab_to(page, "nav a[href='/calls']")
    page.keyboard.press("Enter")
    page.wait_for_url("**/calls")
    tab_to(page, "[name=text]")
    page.keyboard.type("138*")
    page.keyboard.press("Enter")
    page.wait_for_url("**/calls?text=138*")
    expect(page.locator("table.calls tbody tr")).to_have_count(2)
    tab_to(page, "a.play")
    page.keyboard.press("Enter")
    becomes(page, "document.querySelector('#dock audio').currentTime > 0.1")
    page.keyboard.press("Enter")
    becomes(page, "document.querySelector('#dock audio').paused")
    tab_to(page, "[data-close]")
    page.keyboard.press("Escape")
    expect(page.locator("#dock")).to_be_hidden()
    expect(page.locator("a.play")).to_be_focused()


def test_a_customer_is_opened_and_changed(page: Page) -> None:
    tab_to(page, "nav a[href='/customers']")
    page.keyboard.press("Enter")
    page.wait_for_url("**/customers")
    tab_to(page, "table.records a")
    page.keyboard.press("Enter")
    page.wait_for_url("**/customers/*-*")
    tab_to(page, "[name=industry]")
    page.keyboard.type("tea")
    page.keyboard.press("Enter")
    page.wait_for_url("**/customers**")
    expect(page.locator("body")).to_contain_text("tea")


def test_a_card_is_entered_saved_and_left(branch: Branch, page: Page) -> None:
    tab_to(page, "#line-2 [data-act=note]")
    page.keyboard.press("Enter")
    page.keyboard.type("half a no")
    ring(branch, "call-8", "13600136000")
    expect(page.locator(".popup")).to_be_visible()
    page.keyboard.type("te")  # the card took nothing away
    expect(page.locator("#note textarea")).to_have_value("half a note")
    page.keyboard.press("F2")
    expect(page.locator(".popup [name=name]")).to_be_focused()
    page.keyboard.type("李雷")
    tab_to(page, ".popup textarea")
    page.keyboard.type("要装宽带")
    tab_to(page, ".popup footer button")
    page.keyboard.press("Enter")
    expect(page.locator(".popup")).to_contain_text("Saved")
    expect(page.locator(".popup .popup-close")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(".popup")).to_have_count(0)
    expect(page.locator("#note textarea")).to_be_focused()
    said = branch.db.execute(
        "SELECT customer_name, content, call_id FROM communications WHERE call_id = 'call-8'"
    )
    assert [tuple(row) for row in said] == [("李雷", "要装宽带", "call-8")]


def test_two_cards_are_gone_through_and_what_is_gone_gives_no_focus(branch: Branch, page: Page) -> None:
    ring(branch, "call-8", "13600136000")
    ring(branch, "call-9", "13700137000", line=2)
    expect(page.locator(".popup")).to_have_count(2)
    tab_to(page, "#line-1 [data-act=note]")
    for call in ("call-8", "call-9"):
        page.keyboard.press("F2")
        assert page.evaluate("document.activeElement.closest('article').dataset.call") == call
    page.keyboard.press("F2")
    expect(page.locator("#line-1 [data-act=note]")).to_be_focused()
    page.keyboard.press("F2")
    with write(branch.db):
        branch.db.execute("UPDATE lines SET state = 'idle', call_id = NULL WHERE line = 1")
    expect(page.locator("#line-1")).to_have_attribute("data-state", "idle")
    page.keyboard.press("Escape")  # the tile it came from is a new one
    expect(page.locator("main")).to_be_focused()
