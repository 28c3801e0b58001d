"""A branch's line: call records beside audio on 1 Mbit/s, a cap as the line sees it, 500 boxes at once.

The first two need a network namespace (root); without one they say so and measure nothing.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import deque
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from cloud import pki
from cloud.store import boxes
from cloud.store.database import write
from sync import topics
from sync.messages import Hello, Welcome, pack, unpack
from sync.reach import Reach
from sync.transport import Link, LinkSettings, utc_now, wait
from tests import netns
from tests.benchmarks import sync_box
from tests.benchmarks.figures import Figure, percentile
from tests.benchmarks.sync_lab import plain, running, until
from tests.sync import processes
from tests.sync.station import Box, Office, Station, call_ended, days

LINE_KBIT_S, EVENTS = 1000, 50
CAP_KBIT_S, CAP_S = 1000, 25.0
BOXES = 500
SHARED = 12  # delays of the plain connection


def measure() -> list[Figure]:
    """All of it."""
    missing = netns.why_not()
    if missing:
        sys.stderr.write(f"SKIPPED, the line of a branch is not measured: {missing}\n")
        return back_at_once()
    return beside_audio() + capped() + back_at_once()


def beside_audio() -> list[Figure]:
    """A call record from its commit at the box to that at head office, while audio fills the line."""
    with netns.wire() as wire, TemporaryDirectory() as folder:
        at = Station(Path(folder), bind=wire.here)
        at.start_broker()
        wire.rate(LINE_KBIT_S)
        try:
            at.office().close()
            box = at.box()
            for _ in range(4):
                box.record(os.urandom(2_000_000))
            with running(processes.start("office", at)), running(start_inside(wire, at)):
                looking = at.office()
                until(lambda: len(looking.rows("transfers")) > 0)
                begun, begun_s = wire.sent_bytes(), time.monotonic()
                delays = [delay_of(box, looking) for _ in range(EVENTS)]
                used = (wire.sent_bytes() - begun) * 8 / 1000 / (time.monotonic() - begun_s)
                looking.close()
            shared = percentile(shared_delays(at, wire), 95)
            box.close()
        finally:
            at.kill_broker()
    return [
        Figure("a call record beside audio on 1 Mbit/s, p95; against one connection with 4 x 128 KB",
               percentile(delays, 95), "s", shared, target=0.25),
        Figure("of that line used meanwhile; against its rate", used, "kbit/s", LINE_KBIT_S,
               ratio_target=0.9, at_least=True),
    ]  # fmt: skip


def delay_of(box: Box, office: Office) -> float:
    """Seconds for one call record."""
    call = call_ended()
    begun_s = time.monotonic()
    box.put(call)
    arrived = "SELECT 1 FROM calls WHERE id = ?"

    def is_there() -> bool:
        with office.engine.connect() as db:
            return db.exec_driver_sql(arrived, (call.call_id,)).first() is not None

    ended_s = until(is_there, every_s=0.004)
    until(lambda: time.monotonic() > ended_s + random.uniform(0.05, 0.25))
    return ended_s - begun_s


def capped() -> list[Figure]:
    """A cap on a line that could carry far more, in frames counted outside the box."""
    with netns.wire() as wire, TemporaryDirectory() as folder:
        at = Station(Path(folder), bind=wire.here)
        at.start_broker()
        try:
            at.office().close()
            box = at.box()
            for _ in range(4):
                box.record(os.urandom(4_000_000))
            with running(processes.start("office", at)), running(start_inside(wire, at, CAP_KBIT_S)):
                looking = at.office()
                until(lambda: len(looking.rows("transfers")) > 0)
                looking.close()
                samples = sampled(wire, CAP_S)
            box.close()
        finally:
            at.kill_broker()
    cap = CAP_KBIT_S * 125.0
    seconds, total = samples[-1][0] - samples[0][0], samples[-1][1] - samples[0][1]
    return [
        Figure("most of any 10 s under a cap; against the cap", most_in_ten_s(samples) * 8 / 1000, "kbit/s",
               cap * 8 / 1000, ratio_target=1.02),
        Figure("used of a cap over 25 s; against the cap", total / seconds * 8 / 1000, "kbit/s",
               cap * 8 / 1000, ratio_target=0.95, at_least=True),
    ]  # fmt: skip


def sampled(wire: netns.Wire, seconds: float) -> list[tuple[float, int]]:
    """When, and how many bytes had come out of the namespace."""
    begun_s = time.monotonic()
    samples = []
    while time.monotonic() - begun_s < seconds:
        samples.append((time.monotonic(), wire.sent_bytes()))
        wait([], 0.02)
    return samples


def most_in_ten_s(samples: list[tuple[float, int]]) -> float:
    """The most bytes a second over any 10 s."""
    window: deque[tuple[float, int]] = deque()
    most = 0.0
    for at_s, total in samples:
        window.append((at_s, total))
        while at_s - window[0][0] > 10.0:
            since_s, before = window.popleft()
            most = max(most, (total - before) / (at_s - since_s))
    return most


def back_at_once() -> list[Figure]:
    """The broker is restarted under 500 boxes: until each has been welcomed again."""
    with TemporaryDirectory() as folder:
        at = Station(Path(folder))
        at.start_broker()
        office = at.office()
        names = [f"box-{number}" for number in range(BOXES)]
        with write(office.engine) as db:
            for name in names:
                boxes.register(db, name, name)
        office.close()
        try:
            with running(processes.start("office", at)):
                crowd = [Visitor(at, name) for name in names]
                all_welcome(crowd)
                at.kill_broker()
                for visitor in crowd:
                    visitor.welcome = False
                at.start_broker()
                took_s = all_welcome(crowd)
                for visitor in crowd:
                    visitor.link.close()
        finally:
            at.kill_broker()
    return [Figure(f"until {BOXES} boxes are back after the broker was killed", took_s, "s", target=30.0)]


class Visitor:
    """A box that connects, says hello and is content with the welcome."""

    def __init__(self, at: Station, name: str) -> None:
        pair = pki.make_box(at.pki, name, days())[0]
        answers = (topics.build(name, "dn", "a"),)
        self.name = name
        self.link = Link(LinkSettings(at.host, at.port, at.pki / "ca.pem", pair.cert, pair.key, answers))
        self.reach = Reach(self.link, random.random)
        self.hello_s = 0.0
        self.welcome = False

    def step(self) -> None:
        """One turn."""
        now_s = time.monotonic()
        for arrived in self.reach.step(now_s, utc_now()):
            if isinstance(unpack(arrived.payload), Welcome):
                self.welcome = True
                self.reach.well()
        if self.link.up and not self.welcome and now_s >= self.hello_s:
            self.hello_s = now_s + 3.0
            hello = Hello(nonce="0" * 16, epoch="0" * 16, heads={})
            self.link.publish(topics.build(self.name, "up", "p"), pack(hello))


def all_welcome(crowd: list[Visitor]) -> float:
    """Seconds until everybody is."""
    begun_s = time.monotonic()
    while not all(visitor.welcome for visitor in crowd):
        assert time.monotonic() - begun_s < 90
        for visitor in crowd:
            visitor.step()
    return time.monotonic() - begun_s


def start_inside(wire: netns.Wire, at: Station, cap_kbit_s: int = 0) -> subprocess.Popen[bytes]:
    """The box's syncer behind the line."""
    return sync_box.start(at.box_settings, cap_kbit_s, wire.command())


def shared_delays(at: Station, wire: netns.Wire) -> list[float]:
    """Delays of small messages on one plain connection that also carries audio."""
    with running(plain(at, "hear", [])) as hearing, running(plain(at, "mix", wire.command())):
        assert hearing.stdout is not None
        return [float(line) for line in islice(hearing.stdout, SHARED)]
