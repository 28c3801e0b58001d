"""Head office in this process with a day's work in it, and what is looked for on each of its pages."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page

from cloud.access.guard import Open
from cloud.access.roles import rights_of
from cloud.store.database import write
from cloud.store.schema import manifests, presence
from cloud.web.app import PAGES
from sync.moment import to_text
from tests.browser.conftest import AXE
from tests.cloud.house import NOON, House, open_house
from tests.cloud.planting import path_of
from tests.fakes import wait_for

ROLES = ("admin", "approver_2", "manager")  # a page is opened by the first of them that may
PARTS = (  # of a page, and files: no pages of their own
    "/calls/rows", "/quick", "/export", "/template", "/errors", "/drawer", "/recordings", "/file",
    "/openapi.json", "/webhooks/{hook_id}",
)  # fmt: skip
AXE_RUN = "axe.run(document, {resultTypes: ['violations']}).then((result) => result.violations)"


@dataclass(frozen=True)
class Served:
    """The page, and a session of each role."""

    house: House
    address: str
    sessions: dict[str, str]

    def context(self, chromium: Browser, role: str, language: str, width: int) -> BrowserContext:
        """A browser of somebody of that role."""
        context = chromium.new_context(viewport={"width": width, "height": 900})
        cookies = {"session": self.sessions[role], "language": language}
        context.add_cookies([{"name": k, "value": v, "url": self.address} for k, v in cookies.items()])
        return context


@contextmanager
def served_office(folder: Path) -> Iterator[Served]:
    """Head office on a port of its own, until the end."""
    house = open_house(folder)
    fill(house)
    sessions = {role: house.visitor(role).cookies["session"] for role in ROLES}
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(house.app, log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        wait_for(lambda: server.started, what="the server")
        yield Served(house, f"http://127.0.0.1:{listening.getsockname()[1]}", sessions)
        server.should_exit = True
        thread.join(10)


def fill(house: House) -> None:
    """Three branches: one at work, one silent, one never heard of; calls, a recording with a gap, hours."""
    for box_id, name in (("box-01", "昆明营业厅"), ("box-02", "大理营业厅"), ("box-03", "曲靖营业厅")):
        house.add_box(box_id, name)
    calls = [
        house.add_call(
            box_id=f"box-0{1 + number % 2}",
            started_utc=to_text(NOON - timedelta(minutes=9 * number)),
            outcome="missed" if number % 4 == 3 else "answered",
            duration_ms=0 if number % 4 == 3 else 61_000 * (number + 1),
            caller_number=f"138001380{number:02}",
            caller_name="王小明" if number % 5 == 0 else None,
        )
        for number in range(12)
    ]
    house.add_gap(house.add_recording(calls[0], b"fLaC"), 30_000, 4000, "overrun")
    house.add_note(calls[0], "客户询问宽带续约，约定周五回电。")
    row = {"since_utc": to_text(NOON), "nonce": "n", "boot": "b", "boots_before": "[]", "born": "{}"}
    with write(house.parts.engine) as db:
        for number, online in ((1, True), (2, False)):
            db.execute(presence.insert().values(box_id=f"box-0{number}", online=online, **row))
        for number, state in enumerate(("closed", "waiting", "open", "closed"), start=1):
            span = to_text(NOON - timedelta(hours=number))[:13]
            db.execute(
                manifests.insert().values(
                    box_id="box-01", epoch="e", n=number, span=span, h="", body=b"", sig="", state=state,
                    items=3 if state == "open" else 0, received_utc=to_text(NOON),
                )
            )  # fmt: skip


def every_page(house: House) -> Iterator[tuple[str, str, str]]:
    """(pattern, path, role) of every page, what its parameters name being there."""
    for address, route in PAGES.items():
        method, pattern = address.split(" ")
        if method != "GET" or pattern.endswith(PARTS):
            continue
        needs = route.needs
        role = next(one for one in ROLES if isinstance(needs, Open) or needs in rights_of(one))
        yield pattern, path_of(house, address), role


def faults_of(page: Page, with_axe: bool = True) -> list[str]:
    """What is too wide, and what axe finds serious or critical."""
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    found = [f"{wide} px too wide"] if wide > 0 else []
    if not with_axe:
        return found
    page.evaluate(Path(AXE).read_text())
    return found + [
        f"{one['id']}: {node['html'][:140]}"
        for one in page.evaluate(AXE_RUN)
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"][:2]
    ]
