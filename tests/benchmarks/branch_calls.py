"""How long the Calls page takes to answer with a million calls: any filter, any page of it, two characters.

The calls are made once (minutes) and kept in build/bench; all times are of the whole request, page rendered.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

from edge.store.call_list import CallFilter, newest_calls
from edge.store.call_search import catch_up
from edge.store.rights import LEVEL_RIGHTS
from edge.store.schema import open_store
from edge.store.users import Profile, any_user, make_user
from edge.web.app import build_app
from edge.web.settings import WebSettings
from sync.db import connect, write
from sync.ids import new_id
from sync.moment import to_text
from tests.benchmarks.customers import FAMILY, GIVEN
from tests.benchmarks.figures import Figure, percentile
from tests.edge.web.conftest import PASSWORD, Browser
from tests.fakes import FakeClock

CALLS = 1_000_000
LINES = 8
FOLDER = Path(__file__).parents[2] / "build" / "bench" / "million"
NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
EVERY = timedelta(seconds=63)  # two years of them
ROUNDS = 5
COLUMNS = (
    "id", "line", "line_name", "state", "direction", "outcome", "started_utc", "ended_utc", "duration_ms",
    "ring_count", "caller_number", "caller_name", "caller_presentation", "dialled",
)  # fmt: skip


def calls(chance: random.Random) -> Iterator[tuple[object, ...]]:
    """A million calls of two years: half of them come in, a third of those is missed."""
    for at in range(CALLS):
        started = NOW - EVERY * (CALLS - at)
        direction = chance.choices(("in", "out", "unknown"), (60, 39, 1))[0]
        outcome = "missed" if direction == "in" and chance.random() < 0.33 else "answered"
        outcome = "unknown" if direction == "out" else outcome
        number = f"1{chance.choice('3578')}{chance.randrange(10**9):09}"
        name = chance.choice(FAMILY) + "".join(chance.choices(GIVEN, k=2)) if direction == "in" else None
        line = chance.choices(range(1, LINES + 1), (30, 25, 20, 10, 8, 5, 1.9, 0.1))[0]
        ended = to_text(started + timedelta(seconds=30))
        caller, dialled = (number, None) if direction == "in" else (None, number)
        yield (
            f"{at:09}-{new_id()}", line, f"Line {line}", "ended", direction, outcome, to_text(started), ended,
            30_000, 2, caller, name, "available", dialled,
        )  # fmt: skip


def database() -> Path:
    """The million calls, made when they are not there yet."""
    path = FOLDER / "branch.db"
    if (FOLDER / "whole").exists():
        return path
    FOLDER.mkdir(parents=True, exist_ok=True)
    for left in FOLDER.iterdir():
        left.unlink()
    with closing(open_store(path)) as db:
        db.execute("PRAGMA synchronous=OFF")
        marks = ", ".join("?" * len(COLUMNS))
        with write(db):
            db.executemany(
                f"INSERT INTO calls ({', '.join(COLUMNS)}) VALUES ({marks})", calls(random.Random(6))
            )
        for line in range(1, LINES + 1):
            db.execute(
                "INSERT INTO lines (line, name, state, since_utc) VALUES (?, ?, 'idle', ?)",
                (line, f"Line {line}", to_text(NOW)),
            )
        with write(db):
            db.execute("INSERT INTO call_tags SELECT 'vip', id FROM calls WHERE rowid % 997 = 0")
            db.execute("INSERT INTO call_stars SELECT id FROM calls WHERE rowid % 4999 = 0")
        catch_up(db)
    (FOLDER / "whole").touch()
    return path


# what people ask, common and rare, alone and together
ASKED: tuple[dict[str, str], ...] = (
    {},
    {"line": "1"},
    {"line": "8"},
    {"direction": "in"},
    {"direction": "unknown"},
    {"outcome": "missed"},
    {"outcome": "unknown"},
    {"direction": "out", "outcome": "missed"},  # there is none
    {"line": "8", "outcome": "missed"},
    {"line": "7", "direction": "unknown"},
    {"tag": "vip"},
    {"tag": "vip", "line": "8"},
    {"starred": "1"},
    {"starred": "1", "tag": "vip", "outcome": "missed"},
    {"text": "138*"},
    {"text": "*8000"},
    {"text": "138*00"},
    {"text": "13800138000"},
    {"text": "0013"},
    {"text": "王伟", "outcome": "missed"},
    {"text": "no such name"},
    {"from": "2025-03-01", "to": "2025-03-01"},
    {"from": "2025-03-01", "to": "2025-05-31", "outcome": "missed", "line": "6"},
    {"from": "2025-03-01", "to": "2025-03-31", "text": "138*"},
    {"to": "2025-01-31", "text": "敏", "direction": "in"},
)


def measure() -> list[Figure]:
    """Each filter's first page and a page far down, for a user of all lines and for one of two lines."""
    path = database()
    clock = FakeClock(NOW)
    app = build_app(WebSettings(path, FOLDER, time_zone="Asia/Shanghai", language="en"), clock)
    with closing(connect(path)) as db:
        if not any_user(db):
            for name, level in (("all", "super"), ("two", "ordinary")):
                profile = Profile(name, level, lines=frozenset({5, 8}), rights=LEVEL_RIGHTS[level])
                make_user(db, profile, PASSWORD, clock.utc())
    figures, worst = [], (0.0, "")
    for name in ("all", "two"):
        browser = Browser(app)
        assert browser.log_in(name, PASSWORD).status == 303
        taken_ms: list[float] = []
        for _ in range(ROUNDS):
            for asked in ASKED:
                key = f"{to_text(NOW - EVERY * (CALLS // 2))}~x"
                for page in (asked, {**asked, "older": key}):
                    begun_s = time.monotonic()
                    assert browser.get(f"/calls?{urlencode(page)}").status == 200
                    taken_ms.append((time.monotonic() - begun_s) * 1000)
                    worst = max(worst, (taken_ms[-1], f"{name} {page}"))
        says = f"Calls page, {CALLS} calls, any of {len(ASKED)} filters, user of {name} lines, p95"
        figures.append(Figure(says, percentile(taken_ms, 95), "ms", target=200))
    figures.append(Figure(f"the slowest of them ({worst[1]})", worst[0], "ms"))
    figures.append(_two_characters(path))
    return figures


def _two_characters(path: Path) -> Figure:
    """Two characters, newest 50, without the page around it."""
    chance, taken_ms = random.Random(7), []
    with closing(connect(path)) as db:
        for _ in range(200):
            words = chance.choice((
                chance.choice(FAMILY) + chance.choice(GIVEN), "".join(chance.choices(GIVEN, k=2)),
                f"{chance.randrange(100):02}",
            ))  # fmt: skip
            begun_s = time.monotonic()
            newest_calls(db, CallFilter(text=words), 50)
            taken_ms.append((time.monotonic() - begun_s) * 1000)
    return Figure(f"two characters among {CALLS} calls, p95", percentile(taken_ms, 95), "ms", target=50)
