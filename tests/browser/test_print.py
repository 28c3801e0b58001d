"""The printed list of calls: what is on the sheets, in both languages, as a PDF kept beside the pictures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.a_days_work import AFTERNOON, LONG_NAME, ago, fill
from tests.browser.conftest import PICTURES, clean_page, log_in
from tests.edge.web.conftest import Branch

pytestmark = pytest.mark.browser

ROWS = 60
PAPER = {"width": 703, "height": 994}  # A4 without its margins, in CSS pixels
WORDS = {
    "zh": ("东风路营业厅 · 通话记录", "结果: 已接", "root 打印于", "来电姓名"),
    "en": ("东风路营业厅 · Calls", "Outcome: Answered", "Printed", "Caller"),
}


@pytest.fixture
def branch(tmp_path: Path) -> Iterator[Branch]:
    made = Branch(tmp_path, box_name="东风路营业厅", time_zone=AFTERNOON)
    fill(made)
    for at in range(ROWS):
        made.call(
            f"call-p{at}",
            started_utc=ago(hours=30, seconds=at),
            caller_name=LONG_NAME if at % 9 == 0 else "王芳",
        )
    yield made
    made.db.close()


@pytest.fixture(params=["zh", "en"])
def language(request: pytest.FixtureRequest, branch: Branch) -> str:
    branch.db.execute("UPDATE users SET language = ?", (request.param,))
    return str(request.param)


@pytest.fixture
def page(chromium: Browser, address: str, language: str) -> Iterator[Page]:
    """The calls that were answered, as they go to the printer."""
    context = chromium.new_context(viewport=PAPER)  # type: ignore[arg-type]
    with clean_page(context) as page:
        log_in(page, address, "root", "/calls?outcome=answered")
        with context.expect_page() as opened:
            page.click("[formaction='/calls/print']")
        yield opened.value


def test_the_sheets(page: Page, language: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    expect(page.locator("table.print tbody tr")).to_have_count(ROWS + 2)
    page.emulate_media(media="print")
    for words in WORDS[language]:
        expect(page.locator("main")).to_contain_text(words)
    for control in ("header.top", ".skip", "#popups", "[data-print]"):
        expect(page.locator(control)).to_be_hidden()
    assert page.evaluate("getComputedStyle(document.querySelector('thead')).display") == "table-header-group"
    assert page.evaluate("getComputedStyle(document.querySelector('tbody tr')).breakInside") == "avoid"
    assert page.evaluate("document.documentElement.scrollWidth") <= PAPER["width"]  # no column is cut off
    page.screenshot(path=PICTURES / f"branch-print-{language}.png")
    file = PICTURES / f"branch-print-{language}.pdf"
    pdf = page.pdf(path=file, prefer_css_page_size=True)
    sheets = len(re.findall(rb"/Type\s*/Page\b", pdf))
    assert 2 <= sheets <= 3, f"{sheets} sheets for {ROWS + 2} calls"
    boxes = re.findall(rb"/MediaBox\s*\[0 0 ([0-9.]+) ([0-9.]+)\]", pdf)
    assert {(round(float(width)), round(float(height))) for width, height in boxes} <= {
        (595, 842),
        (596, 842),
    }
    assert b"/Type /Font" in pdf and file.stat().st_size > 10_000


def test_what_is_ticked_is_said_instead_of_the_filter(page: Page, language: str) -> None:
    page.context.pages[0].check("[name=call-call-1]")
    with page.context.expect_page() as opened:
        page.context.pages[0].click("[formaction='/calls/print']")
    printed = opened.value
    expect(printed.locator("table.print tbody tr")).to_have_count(1)
    expect(printed.locator(".print-asked")).to_have_text(
        {"zh": "仅所选的通话", "en": "Only the ticked calls"}[language]
    )


def test_any_page_prints_without_its_controls(branch: Branch, page: Page) -> None:
    calls = page.context.pages[0]
    calls.emulate_media(media="print")
    expect(calls.locator("table.calls")).to_be_visible()
    for control in ("header.top", "form.search", ".takes", "#dock", ".day", "td.c-tick >> nth=0"):
        expect(calls.locator(control)).to_be_hidden()
