"""How soon people see a call: caller ID to the page's DOM, hang-up to playable here and at head office.

The virtual HAT knows when each thing truly happened on the line (`story.jsonl`, CLOCK_MONOTONIC); Chromium
tells when the number stood in the page, and HTTP requests tell when the audio could be played.
"""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
from playwright.sync_api import sync_playwright

from tests.benchmarks.figures import Figure, percentile
from tests.fakes import wait_for
from tests.world import USER, World

LINES = 4
CALLS = 32
LONGEST_S = 240.0
CHROMIUM = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", "--no-first-run")  # fmt: skip
# Notes when a number comes to stand in a tile, by the wall clock.
WATCH = """() => {
    window.seen = [];
    const last = {};
    new MutationObserver(() => {
        for (const tile of document.querySelectorAll('article.tile')) {
            const number = tile.querySelector('a.party:not(.rest) .number')?.textContent ?? '';
            const state = tile.dataset.state;
            if (/^[0-9]+$/.test(number) && state === 'ringing' && last[tile.id] !== number)
                window.seen.push([tile.id.replace('line-', ''), number, Date.now()]);
            last[tile.id] = state === 'ringing' ? number : '';
        }
    }).observe(document.body, {childList: true, subtree: true, characterData: true, attributes: true});
}"""


def script(lines: int = LINES) -> str:
    """Short answered calls on every line, each line out of step with the others."""
    text = "loop = true\n"
    for line in range(1, lines + 1):
        text += f'[callers.c{line}]\nnumber = "0215550010{line}"\nname = "顾客{line}"\n'
    for line in range(1, lines + 1):
        text += f"""[[lines]]
steps = [
  {{ do = "wait", s = [{1 + line}, {2 + line}] }},
  {{ do = "ring", bursts = 1, caller = "c{line}" }},
  {{ do = "pick_up", after_s = 3.0 }},
  {{ do = "say", who = "far", s = 3 }},
  {{ do = "hang_up", who = "staff" }},
]
"""
    return text


def measure() -> list[Figure]:
    """Run the world until enough calls have passed."""
    with TemporaryDirectory(prefix="bench-") as folder:
        path = Path(folder)
        (path / "script.toml").write_text(script(), encoding="utf-8")
        world = World(path, path / "script.toml", lines=LINES)
        world.prepare()
        world.start()
        try:
            return _watch(world)
        finally:
            world.stop()


def _watch(world: World) -> list[Figure]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(CHROMIUM))
        page = browser.new_page()
        page.goto(world.branch_page)
        page.fill("[name=name]", USER)
        page.fill("[name=password]", world.password)
        page.click("main button")
        page.wait_for_selector("article.tile")
        page.evaluate(WATCH)
        branch, head_office = _playable(world)
        seen = page.evaluate("() => window.seen")
        browser.close()
    calls = true_calls(world)
    shown = [
        ms / 1000 - call["caller_id_end_wall"]
        for call in calls
        for line, number, ms in seen
        if int(line) == call["line"] and number == call["caller"]["number"]
        and 0 < ms / 1000 - call["caller_id_end_wall"] < 3
    ]  # fmt: skip
    here = [at - call["end_wall"] for call in calls for at in [_after(branch, call)] if at]
    there = [at - call["end_wall"] for call in calls for at in [_after(head_office, call)] if at]
    figures = []
    for name, values, target in (
        ("end of caller ID to the number on the branch page", shown, 0.3),
        ("hang-up to playable at the branch", here, 2.0),
        ("hang-up to playable at head office", there, 5.0),
    ):
        assert len(values) >= CALLS // 2, f"{name}: only {len(values)} calls were seen"
        figures.append(Figure(f"{name}, p95 of {len(values)}", percentile(values, 95), "s", target=target))
        figures.append(Figure(f"{name}, median", percentile(values, 50), "s"))
    return figures


def _playable(world: World) -> tuple[list[tuple[int, float]], list[tuple[int, float]]]:
    """(line, wall time) at which each new recording could first be fetched, here and at head office."""
    found: tuple[list[tuple[int, float]], list[tuple[int, float]]] = ([], [])
    asked: tuple[set[str], set[str]] = (set(), set())
    places = (
        (world.branch_page, world.config.database, "ready", "recordings/{}/audio"),
        (
            world.head_office_page,
            world.folder / "head-office" / "head-office.db",
            "stored",
            "api/v1/recordings/{}/audio",
        ),
    )
    clients = [sign_in(address, world) for address, *_ in places]

    def look() -> bool:
        for at, (_, database, state, path) in enumerate(places):
            with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
                rows = db.execute(
                    "SELECT r.id, c.line FROM recordings r JOIN calls c ON c.id = r.call_id"
                    " WHERE r.state = ?",
                    (state,),
                ).fetchall()
            for recording_id, line in rows:
                if recording_id not in asked[at]:
                    clients[at].get("/" + path.format(recording_id)).raise_for_status()
                    asked[at].add(recording_id)
                    found[at].append((line, time.time()))
        return len(found[1]) >= CALLS

    wait_for(look, timeout_s=LONGEST_S, what=f"{CALLS} calls at head office")
    for client in clients:
        client.close()
    return found


def sign_in(address: str, world: World) -> httpx.Client:
    client = httpx.Client(base_url=address, follow_redirects=True, timeout=10)
    origin = {"Origin": address.rstrip("/")}
    client.post("/log-in", data={"name": USER, "password": world.password}, headers=origin).raise_for_status()
    return client


def true_calls(world: World) -> list[dict]:
    """The true calls, with wall-clock times added."""
    monotonic_is_wall = time.time() - time.monotonic()
    calls = [json.loads(line) for line in (world.folder / "story.jsonl").read_text().splitlines()]
    for call in calls:
        for key in ("end", "caller_id_end"):
            if call.get(f"{key}_ns"):
                call[f"{key}_wall"] = call[f"{key}_ns"] / 1e9 + monotonic_is_wall
    return [call for call in calls if call.get("caller_id_end_ns")]


def _after(found: list[tuple[int, float]], call: dict) -> float | None:
    """The first recording of the call's line that became playable after the call's end."""
    times = [at for line, at in found if line == call["line"] and 0 < at - call["end_wall"] < 8]
    return min(times, default=None)
