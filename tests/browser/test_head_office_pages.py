"""Every page of head office on a phone: no error, nothing too wide, nothing serious by axe; and its keys."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from tests.browser.conftest import chromium as chromium
from tests.browser.office_pages import Served, every_page, faults_of, served_office

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served_office(tmp_path_factory.mktemp("office")) as served:
        yield served


def listen(page: Page) -> list[str]:
    """What the page complains of, from now on."""
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            complaints.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return complaints


def test_a_day_at_the_keyboard(served: Served, chromium: Browser) -> None:
    context = served.context(chromium, "manager", "zh", 1280)
    page = context.new_page()
    complaints = listen(page)
    page.goto(f"{served.address}/calls")
    for key in ("j", "x", "j", "x"):
        page.keyboard.press(key)
    expect(page.locator("#list input:checked")).to_have_count(2)
    expect(page.locator("#which")).to_have_text("导出已选的 2 条：")
    served.house.add_call(caller_number="13911112222")  # the list renews itself; ticks and focus stay
    expect(page.locator("#list")).to_contain_text("139****2222")
    expect(page.locator("#list input:checked")).to_have_count(2)

    page.keyboard.press("Enter")
    expect(page.locator("#drawer h2").first).to_contain_text("138****8001")
    page.keyboard.press("Escape")
    expect(page.locator("#drawer")).to_be_empty()
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    expect(page.locator("#drawer h2").first).to_contain_text("138****8000")
    page.keyboard.press("Escape")

    page.fill("[name=text]", "回访")
    page.click("button[value=tag]")
    expect(page.locator("[role=status]")).to_contain_text("已处理 2 条通话")
    page.wait_for_load_state()  # the page's keys work once its scripts have run
    page.keyboard.press("Control+k")
    page.keyboard.type("网点")
    expect(page.locator("#quick-found a")).to_have_count(1)
    page.keyboard.press("Enter")
    page.wait_for_url("**/branches")
    page.goto(f"{served.address}/completeness/box-01")
    page.click(".day li.open a")
    expect(page.locator("#drawer")).to_contain_text("有缺漏")
    assert complaints == []
    context.close()


def test_every_page_on_a_phone(served: Served, chromium: Browser) -> None:
    contexts = {role: served.context(chromium, role, "zh", 390) for role in served.sessions}
    pages = {role: context.new_page() for role, context in contexts.items()}
    complaints = {role: listen(page) for role, page in pages.items()}
    faults: dict[str, list[str]] = {}
    for pattern, path, role in every_page(served.house):
        answer = pages[role].goto(served.address + path)
        found = faults_of(pages[role]) + complaints[role]
        complaints[role].clear()
        if answer is None or answer.status not in (200, 404):  # 404: there is nothing of theirs
            found.append(f"status {answer and answer.status}")
        if found:
            faults[pattern] = found
    for context in contexts.values():
        context.close()
    assert faults == {}, json.dumps(faults, indent=1, ensure_ascii=False)
