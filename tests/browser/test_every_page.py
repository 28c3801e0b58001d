"""Every page and every state of one, in both languages, wide and narrow: pictures, no serious fault by axe.

The pictures are kept in build/screenshots. axe looks at the Chinese pages at both widths, for the English
ones have the same elements; that nothing is too wide for its screen is looked at everywhere.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from edge.web.app import PAGES
from edge.web.authority import Authority
from edge.web.settings import UploadRules, UploadWindow
from sync import outbox
from sync.db import write
from sync.ids import new_id
from sync.sheets import CUSTOMERS, write_sheet
from tests.browser.a_days_work import AFTERNOON, fill, ring
from tests.browser.conftest import AXE, PICTURES, log_in, served_page
from tests.edge.web.conftest import Branch
from tests.sync.station import AT, call_ended

pytestmark = pytest.mark.browser

WIDTHS = (1280, 390)
SETTLE = "() => { for (const one of document.getAnimations()) one.cancel(); }"
AXE_RUN = "axe.run(document, {resultTypes: ['violations']}).then((result) => result.violations)"


def as_it_opens(page: Page) -> None:
    """Nothing is done on it."""


def drawn(page: Page) -> None:
    page.wait_for_selector(".wave.drawn")


def noting(page: Page) -> None:
    page.click("#line-2 [data-act=note]")
    page.fill("#note textarea", "约周六上门")


def filtering(page: Page) -> None:
    button = page.locator(".unfold")
    if button.is_visible() and button.get_attribute("aria-expanded") == "false":
        button.click()


def deleting(page: Page) -> None:
    drawn(page)
    page.click("details.clear summary")


def pausing(page: Page) -> None:
    page.click("main button[value=pause]")
    page.wait_for_selector("main button[value=resume]")


def dismissing(page: Page) -> None:
    page.click(".set-aside summary >> nth=0")


def clearing(page: Page) -> None:
    page.click("details.clear summary")


def playing(page: Page) -> None:
    page.click("table.calls a.play >> nth=0")
    expect(page.locator("#dock")).to_be_visible()


def popped_up(page: Page) -> None:
    expect(page.locator(".popup")).to_have_count(2)


def guessing(page: Page) -> None:
    page.fill("[name=name]", "nobody")
    page.fill("[name=password]", "wrong-password")
    page.click("main button")
    page.wait_for_selector("[role=alert]")


def uploading(*names: str) -> Callable[[Page], None]:
    """Have a sheet of customers of these names looked at; one without a name has a fault."""
    rows = [("", "个人", name, "13600136000") + ("",) * 8 for name in names]
    sheet = {"name": "customers.xlsx", "mimeType": "", "buffer": write_sheet(CUSTOMERS, rows)}

    def upload(page: Page) -> None:
        page.set_input_files("[type=file]", sheet)  # type: ignore[arg-type]
        page.click("form.fields button")
        page.wait_for_selector("section.card")

    return upload


def printing(page: Page) -> None:
    page.locator("[formaction='/calls/print']").evaluate("button => { button.formTarget = '' }")
    page.click("[formaction='/calls/print']")
    page.wait_for_selector("table.print")


def resetting(page: Page) -> None:
    page.click(".acts button.secondary")
    page.wait_for_selector("code.secret")


@dataclass(frozen=True)
class State:
    """A page, and what is done on it before it is looked at."""

    path: str
    prepare: Callable[[Page], None] = as_it_opens


FILES = ("export.xlsx", "template.xlsx", "import/<import_id>/reasons.xlsx")
OF_STAFF = {
    "lines": State("/lines"),
    "lines-note": State("/lines", noting),
    "calls": State("/calls"),
    "calls-filters": State("/calls?outcome=missed&line=1", filtering),
    "calls-nothing": State("/calls?text=000"),
    "calls-asked-badly": State("/calls?from=2026-11-22&to=2026-11-20"),
    "calls-playing": State("/calls", playing),
    "calls-print": State("/calls", printing),
    "call": State("/calls/call-1", drawn),
    "call-delete": State("/calls/call-1", deleting),
    "call-without-recording": State("/calls/call-10"),
    "customers": State("/customers"),
    "customers-nothing": State("/customers?text=000"),
    "customers-clear": State("/customers", clearing),
    "customer": State("/customers/CUSTOMER"),
    "customer-new": State("/customers/new?number=13800138000"),
    "customer-delete": State("/customers/CUSTOMER", clearing),
    "communications": State("/communications"),
    "communication": State("/communications/new"),
    "import": State("/customers/import"),
    "import-good": State("/customers/import", uploading("李雷", "韩梅梅")),
    "import-faults": State("/customers/import", uploading("李雷", "", "")),
    "import-communications": State("/communications/import"),
    "line-settings": State("/settings/lines/1"),
    "number-settings": State("/settings/numbers"),
    "upload-settings": State("/settings/uploads"),
    "users": State("/users"),
    "user": State("/users/new"),
    "user-edit": State("/users/USER"),
    "one-time-password": State("/users/USER", resetting),
    "groups": State("/groups"),
    "log": State("/log"),
    "log-nothing": State("/log?user=nobody", filtering),
    "password": State("/password"),
    "error": State("/nothing"),
    "refused": State("/calls/nothing"),
    "upload-settings-paused": State("/settings/uploads", pausing),
}
OF_WHAT_IS_SET_ASIDE = {"upload-settings-set-aside": State("/settings/uploads", dismissing)}
OF_NOBODY = {
    "log-in": State("/log-in"),
    "log-in-wrong": State("/log-in", guessing),
    "trust": State("/trust?language=LANGUAGE"),
    "error-outside": State("/nothing"),
}
OF_AN_EMPTY_BOX = {
    "empty-lines": State("/lines"),
    "empty-calls": State("/calls"),
    "empty-customers": State("/customers"),
    "empty-communications": State("/communications"),
    "empty-groups": State("/groups"),
}
NO_PAGES = {
    "/", "/static/<path:path>", "/trust/ca.crt", "/lines/stream", "/popup/stream", "/popup/<call_id>",
    "/lines/<line>/listen", "/recordings/<recording_id>/audio", "/recordings/<recording_id>/peaks",
    "/recordings/<recording_id>/file", "/communications/<communication_id>/recording", "/settings",
    *(f"/{one}/{file}" for one in ("customers", "communications") for file in FILES),
}  # fmt: skip
OF_A_CALL = {"popup": State("/lines", popped_up), "popup-calls": State("/calls", popped_up)}


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Branch]:
    """A branch with an authority of its own."""
    authority = Authority(tmp_path / "tls", "东风路营业厅", ("localhost",), lambda: ("127.0.0.1",))
    authority.keep(datetime.now(UTC))
    night = UploadWindow("daily 00:00-06:00", 0, lambda _local: False)
    by_day = UploadWindow("mon-fri 08:00-18:00", 512, lambda _local: True)
    made = Branch(
        tmp_path,
        authority=authority,
        box_name="东风路营业厅",
        time_zone=AFTERNOON,
        uploads=UploadRules(2048, 20.0, (night, by_day)),
    )
    yield made
    made.db.close()


def set_aside(db: sqlite3.Connection) -> None:
    """What head office could not use: two messages and a recording."""
    with write(db):
        for code in ("unknown_kind", "apply_failed"):
            seq = outbox.put(db, call_ended(), AT)
            outbox.mark_acked(db, outbox.epoch_of(db), "evt", 0, (), [(seq, code)])
        outbox.put_file(db, new_id(), f"2026/11/22/{new_id()}.flac", 9, "ab" * 32)
        (refused,) = db.execute("SELECT max(recording_id) FROM outbox_files").fetchone()
        outbox.mark_file(db, refused, "refused", "wrong_hash")


@contextmanager
def opened(box: Branch, chromium: Browser, language: str) -> Iterator[tuple[Page, str]]:
    """A page of that box, and its address."""
    box.db.execute("UPDATE users SET language = ?", (language,))
    with served_page(replace(box.settings, language=language)) as served:
        locale = {"zh": "zh-CN", "en": "en-GB"}[language]
        context = chromium.new_context(
            bypass_csp=True, locale=locale
        )  # axe is a script of its own in the page
        context.clear_permissions()
        yield context.new_page(), served.address
        context.close()


def faults_of(page: Page, with_axe: bool) -> list[str]:
    """What is too wide, and what axe finds serious or critical."""
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    found = [f"{wide} px too wide"] if wide > 0 else []
    if not with_axe:
        return found
    return found + [
        f"{one['id']}: {node['html'][:140]}"
        for one in page.evaluate(AXE_RUN)
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"][:2]
    ]


def look_at(page: Page, address: str, language: str, states: dict[str, State], **known: str) -> None:
    """Take each picture and collect the faults of all."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    faults: dict[str, list[str]] = {}
    for name, state in states.items():
        path = state.path
        for word, value in (known | {"LANGUAGE": language}).items():
            path = path.replace(word, value)
        page.set_viewport_size({"width": min(WIDTHS), "height": 900})
        page.goto(f"{address}{path}")
        state.prepare(page)
        page.evaluate(SETTLE)
        if language == "zh":
            page.add_script_tag(path=AXE)
        for width in sorted(WIDTHS):
            page.set_viewport_size({"width": width, "height": 900})
            page.screenshot(path=PICTURES / f"branch-{name}-{language}-{width}.png", full_page=True)
            if found := faults_of(page, with_axe=language == "zh"):
                faults[f"{name} {width}"] = found
    assert faults == {}, json.dumps(faults, indent=1, ensure_ascii=False)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_pages_of_staff(box: Branch, chromium: Browser, language: str) -> None:
    customers = fill(box)
    (user,) = box.db.execute("SELECT id FROM users WHERE name = '王丽'").fetchone()
    with opened(box, chromium, language) as (page, address):
        log_in(page, address, "root", "/lines")
        look_at(page, address, language, OF_STAFF, CUSTOMER=customers[1], USER=user)
        set_aside(box.db)
        look_at(page, address, language, OF_WHAT_IS_SET_ASIDE)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_pages_while_two_lines_ring(box: Branch, chromium: Browser, language: str) -> None:
    fill(box)
    ring(box, "call-8", "13800138000")
    ring(box, "call-9", "87165999999", line=2)
    with opened(box, chromium, language) as (page, address):
        log_in(page, address, "root", "/lines")
        look_at(page, address, language, OF_A_CALL)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_pages_of_nobody_and_of_an_empty_box(box: Branch, chromium: Browser, language: str) -> None:
    box.user("root", "super")
    with opened(box, chromium, language) as (page, address):
        look_at(page, address, language, OF_NOBODY)
        box.db.execute("DELETE FROM operation_log")  # the wrong guesses above would ask for a pause
        log_in(page, address, "root", "/lines")
        look_at(page, address, language, OF_AN_EMPTY_BOX)


def test_every_page_has_its_picture() -> None:
    """A page that no state shows would be one that nobody looked at; files and streams are none."""
    groups = (OF_STAFF, OF_NOBODY, OF_AN_EMPTY_BOX)
    paths = {state.path.split("?")[0] for group in groups for state in group.values()}
    patterns = {page.path: re.sub("<[^>]*>", "[^/]+", page.path) for page in PAGES if page.method == "GET"}
    unseen = {
        path for path, pattern in patterns.items() if not any(re.fullmatch(pattern, one) for one in paths)
    }
    assert unseen == NO_PAGES
