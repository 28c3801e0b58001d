"""Every page in both languages, wide and narrow: pictures in build/screenshots, no serious fault by axe."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from edge.store.line_settings import LineSettings, change, note_file
from sync.db import write
from tests.browser.test_branch_page import address, branch, chromium, hang_up, now, ring, server  # noqa: F401
from tests.edge.web.conftest import PASSWORD, Branch

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "build" / "screenshots"
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
WIDTHS = (1280, 390)
PAGES = {
    "lines": "/lines",
    "calls": "/calls",
    "call": "/calls/call-1",
    "customers": "/customers",
    "customer": "/customers/new?number=13800138000",
    "communications": "/communications",
    "communication": "/communications/new",
    "import": "/customers/import",
    "line-settings": "/settings/lines/1",
    "number-settings": "/settings/numbers",
    "users": "/users",
    "user": "/users/new",
    "groups": "/groups",
    "log": "/log",
    "password": "/password",
}


def happen(branch: Branch, call_id: str) -> None:  # noqa: F811
    """Keys, a second caller and a fax tone in the call."""
    marks = [
        (400, "key", "1"), (600, "key", "0"), (800, "key", "2"), (1200, "waiting", "alert"),
        (1500, "waiting", "01062345678"), (1900, "flash", ""), (2400, "fax", "cng"), (2800, "tone", "busy"),
    ]  # fmt: skip
    for at_ms, kind, detail in marks:
        branch.insert("call_marks", call_id=call_id, at_ms=at_ms, kind=kind, detail=detail)
    branch.db.execute(
        "UPDATE calls SET is_fax = 1, second_number = '01062345678', second_name = '李强',"
        " second_presentation = 'available' WHERE id = ?",
        (call_id,),
    )
    branch.db.execute(
        "UPDATE recordings SET started_utc = (SELECT started_utc FROM calls WHERE id = call_id)"
        " WHERE call_id = ?",
        (call_id,),
    )


@pytest.fixture
def admin(branch: Branch, chromium: Browser, address: str) -> Iterator[Page]:  # noqa: F811
    """The page of an administrator, with two calls to look at."""
    branch.user("root", "super")
    branch.insert("groups", id="g1", name="前台")
    ring(branch, "call-1", "13800138000")
    hang_up(branch, "call-1")
    happen(branch, "call-1")
    branch.call("call-2", 3600, outcome="missed", line=2, line_name="Line 2", caller_number="01062345678")
    with write(branch.db):
        note_file(branch.db, [LineSettings(line=line, name=f"Line {line}") for line in (1, 2)], 60.0)
        change(branch.db, 1, {"hold_s": 7, "never_record": "95555 bank"}, "root", now())
    branch.call("call-3", state="open", outcome="open", line=2, line_name="Line 2", caller_name="王小明")
    branch.db.execute("UPDATE lines SET state = 'talking', call_id = 'call-3' WHERE line = 2")
    context = chromium.new_context(bypass_csp=True)  # axe is put into the page as a script of its own
    page = context.new_page()
    page.goto(f"{address}/log-in")
    page.fill("[name=name]", "root")
    page.fill("[name=password]", PASSWORD)
    page.click("main button")
    page.wait_for_url("**/lines")
    yield page
    context.close()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_pictures_and_axe(branch: Branch, admin: Page, address: str, language: str) -> None:  # noqa: F811
    PICTURES.mkdir(parents=True, exist_ok=True)
    branch.db.execute("UPDATE users SET language = ?", (language,))
    faults: dict[str, list[str]] = {}
    for name, path in PAGES.items():
        for width in WIDTHS:
            admin.set_viewport_size({"width": width, "height": 900})
            admin.goto(f"{address}{path}")
            if name == "call":
                admin.wait_for_selector(".wave.drawn")
            admin.screenshot(path=PICTURES / f"branch-{name}-{language}-{width}.png", full_page=True)
            wide = admin.evaluate("document.documentElement.scrollWidth - innerWidth")
            if wide > 0:
                faults[f"{name} {width}"] = [f"{wide} px too wide"]
        admin.add_script_tag(path=AXE)
        found = admin.evaluate("axe.run().then((result) => result.violations)")
        serious = [
            f"{one['id']}: {one['nodes'][0]['html'][:120]}"
            for one in found
            if one["impact"] in ("serious", "critical")
        ]
        if serious:
            faults[name] = serious
    assert faults == {}, json.dumps(faults, indent=1, ensure_ascii=False)
