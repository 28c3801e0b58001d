"""Every page of head office, wide and on a phone, in both languages: pictures, and what axe says of each."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import PICTURES
from tests.browser.conftest import chromium as chromium
from tests.browser.office_pages import Served, every_page, faults_of, served_office

pytestmark = [pytest.mark.faults, pytest.mark.browser]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served_office(tmp_path_factory.mktemp("office")) as served:
        yield served


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_page_has_its_picture(served: Served, chromium: Browser, language: str, width: int) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    pages = {role: served.context(chromium, role, language, width).new_page() for role in served.sessions}
    faults: dict[str, list[str]] = {}
    for pattern, path, role in every_page(served.house):
        pages[role].goto(served.address + path)
        name = re.sub(r"[^a-z]+", "-", pattern).strip("-") or "bench"
        pages[role].screenshot(path=PICTURES / f"office-{name}-{language}-{width}.png", full_page=True)
        if found := faults_of(pages[role]):
            faults[pattern] = found
    for page in pages.values():
        page.context.close()
    assert faults == {}, json.dumps(faults, indent=1, ensure_ascii=False)
