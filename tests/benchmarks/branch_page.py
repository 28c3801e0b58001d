"""Twenty browsers with live pages while eight lines record and head office is out of reach.

Each browser holds its two streams, of the lines and of its pop-ups; meanwhile pages are asked for. The
virtual HAT knows when each caller ID ended on the line: a pop-up's age is from there to the browser's socket.
"""

from __future__ import annotations

import json
import re
import selectors
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from tests.benchmarks.figures import Figure, percentile
from tests.benchmarks.first_call import LINES, script, sign_in, true_calls
from tests.benchmarks.record_load import pss_mb
from tests.fakes import wait_for
from tests.world import World

BROWSERS = 20
SECONDS = 60.0
PAGES = ("/lines", "/calls", "/calls?text=0215*", "/calls?outcome=answered", "/customers", "/communications")
LONGEST_POP_UP_S = 5.0


@dataclass
class Listener:
    """All streams of all browsers, read in one thread."""

    stop: threading.Event = field(default_factory=threading.Event)
    parts: int = 0
    ready: float = 0.0  # wall time at which every stream was open
    cards: dict[tuple[socket.socket, str], float] = field(default_factory=dict)  # (browser, call) -> when
    _read: dict[socket.socket, bytes] = field(default_factory=dict)

    def open(self, port: int, path: str, cookie: str) -> None:
        """Ask for a stream."""
        one = socket.create_connection(("127.0.0.1", port))
        asked = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: session={cookie}\r\n\r\n"
        one.sendall(asked.encode())
        self._read[one] = b""

    def run(self) -> None:
        """Read until told to stop; note when each call's card came to each browser."""
        with selectors.DefaultSelector() as waiting:
            for one in self._read:
                waiting.register(one, selectors.EVENT_READ)
            while not self.stop.is_set():
                for key, _ in waiting.select(0.1):
                    self._take(key.fileobj)  # type: ignore[arg-type]
        for one in self._read:
            one.close()

    def _take(self, one: socket.socket) -> None:
        now, came = time.time(), self._read[one] + one.recv(1 << 16)
        *messages, self._read[one] = came.split(b"\n\n")
        for message in messages:
            self.parts += b"event: parts" in message
            if found := re.search(rb"event: cards\r?\ndata: (.*)", message):
                for call in json.loads(found[1]):
                    self.cards.setdefault((one, call), now)


def measure() -> list[Figure]:
    """One minute of it."""
    with TemporaryDirectory(prefix="bench-") as folder:
        lines_script = Path(folder) / "short.toml"
        lines_script.write_text(script(2 * LINES), encoding="utf-8")
        world = World(Path(folder), lines_script, lines=2 * LINES)
        world.prepare()
        try:
            world.start("hat", "record", "web")
            with _browsers(world) as (listener, client):
                pages_ms = _ask(client)
                memory_mb = pss_mb(world.programs["web"].pid)
            return _figures(world, listener, pages_ms, memory_mb)
        finally:
            world.stop()


@contextmanager
def _browsers(world: World) -> Iterator[tuple[Listener, httpx.Client]]:
    listener = Listener()
    with closing(sign_in(world.branch_page, world)) as client:
        for _ in range(BROWSERS):
            for path in ("/lines/stream", "/popup/stream"):
                listener.open(world.ports.web, path, client.cookies["session"])
        thread = threading.Thread(target=listener.run)
        thread.start()
        wait_for(lambda: listener.parts >= BROWSERS, what="the streams")
        listener.ready = time.time()
        try:
            yield listener, client
        finally:
            listener.stop.set()
            thread.join()


def _ask(client: httpx.Client) -> list[float]:
    """One page after the other, for SECONDS: how long each took."""
    taken_ms, until_s = list[float](), time.monotonic() + SECONDS
    pause = threading.Event()
    while time.monotonic() < until_s:
        for page in PAGES:
            begun_s = time.monotonic()
            client.get(page).raise_for_status()
            taken_ms.append((time.monotonic() - begun_s) * 1000)
            pause.wait(0.2)
    return taken_ms


def _figures(world: World, listener: Listener, pages_ms: list[float], memory_mb: float) -> list[Figure]:
    with closing(sqlite3.connect(world.config.database)) as db:
        (lost,) = db.execute("SELECT count(*) FROM gaps WHERE reason != 'restart'").fetchone()
        lines = dict(db.execute("SELECT id, line FROM calls").fetchall())
    ages_ms = [
        (at - call["caller_id_end_wall"]) * 1000
        for call in true_calls(world)
        if call["caller_id_end_wall"] > listener.ready
        for (_, call_id), at in listener.cards.items()
        if lines.get(call_id) == call["line"] and 0 < at - call["caller_id_end_wall"] < LONGEST_POP_UP_S
    ]
    said = f"{BROWSERS} browsers, {2 * LINES} lines recording"
    assert ages_ms and listener.parts > BROWSERS, "no call came to the browsers"
    return [
        Figure(f"{said}: a page, p95", percentile(pages_ms, 95), "ms", target=200),
        Figure(f"{said}: caller ID to pop-up, p95", percentile(ages_ms, 95), "ms", target=300),
        Figure(f"{said}: pop-ups seen", len(ages_ms), "cards"),
        Figure(f"{said}: edge web, memory", memory_mb, "MB (PSS)", target=120),
        Figure(f"{said}: places with lost samples", lost, "gaps", target=0),
    ]
