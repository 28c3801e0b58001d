"""How soon a caller's card stands in the browser: from the end of the caller ID to the DOM, head office away.

No broker and no head office run, and the box's own syncer goes on trying to reach them. The virtual HAT knows
when each caller ID ended on the line; Chromium tells when the card was in the page, with its customer in it.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Page, sync_playwright

from tests.benchmarks.figures import Figure, percentile
from tests.benchmarks.first_call import CHROMIUM, LINES, script, true_calls
from tests.fakes import wait_for
from tests.world import USER, World

CARDS = 24
LONGEST_S = 240.0
LONGEST_POP_UP_S = 5.0
# Notes when each call's card came into the page, by the wall clock.
WATCH = """() => {
    window.cards = {};
    new MutationObserver(() => {
        for (const card of document.querySelectorAll("#popups article"))
            window.cards[card.dataset.call] ??= Date.now();
    }).observe(document.getElementById("popups"), {childList: true, subtree: true});
}"""


def measure() -> list[Figure]:
    """Let the lines ring until enough cards were seen."""
    with TemporaryDirectory(prefix="bench-") as folder:
        lines_script = Path(folder) / "short.toml"
        lines_script.write_text(script(), encoding="utf-8")
        world = World(Path(folder), lines_script, lines=LINES)
        world.prepare()
        try:
            world.start("hat", "record", "web", "sync")
            return _figures(world, _seen(world))
        finally:
            world.stop()


def _seen(world: World) -> dict[str, float]:
    """Call -> when its card was in the page, in seconds of the wall clock."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(CHROMIUM))
        page = browser.new_page()
        _log_in(page, world)
        page.evaluate(WATCH)
        wait_for(lambda: page.evaluate("Object.keys(cards).length") >= CARDS, LONGEST_S, "the cards")
        seen: dict[str, float] = page.evaluate("cards")
        browser.close()
    return {call: at_ms / 1000 for call, at_ms in seen.items()}


def _log_in(page: Page, world: World) -> None:
    page.goto(f"{world.branch_page}calls")
    page.fill("[name=name]", USER)
    page.fill("[name=password]", world.password)
    page.click("main button")
    page.wait_for_selector("#popups", state="attached")


def _figures(world: World, seen: dict[str, float]) -> list[Figure]:
    with closing(sqlite3.connect(world.config.database)) as db:
        lines = dict(db.execute("SELECT id, line FROM calls").fetchall())
        (waiting,) = db.execute("SELECT count(*) FROM outbox WHERE state = 'new'").fetchone()
    assert waiting > 0, "head office was reached, so this measured something else"
    ages_ms = [
        (at - call["caller_id_end_wall"]) * 1000
        for call in true_calls(world)
        for call_id, at in seen.items()
        if lines.get(call_id) == call["line"] and 0 < at - call["caller_id_end_wall"] < LONGEST_POP_UP_S
    ]
    said = "head office unreachable, caller ID to card in Chromium"
    assert len(ages_ms) >= CARDS / 2, f"{len(ages_ms)} cards of {len(seen)} belong to a caller ID"
    return [
        Figure(f"{said}: p95", percentile(ages_ms, 95), "ms", target=300),
        Figure(f"{said}: median", percentile(ages_ms, 50), "ms"),
        Figure(f"{said}: cards seen", len(ages_ms), "cards"),
    ]
