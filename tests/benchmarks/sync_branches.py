"""A thousand branches in their busy hour against one ingest process: does it fall behind, and at what cost?

Each branch has a connection of its own, with TLS and its own certificate, through a real mosquitto to a real
ingest process with PostgreSQL, durable. It has eight lines of fifteen calls an hour; each call is a record
and what became of its recording, told in two batches as they happen (no audio: `sync_audio` measures that, so
each recording is told as lost). At half time the hour ends for all branches in the same second, and each
sends the manifest of everything it said. At last all send what they held back (`sync_backlog`).

BRANCHES=50 BRANCHES_S=20 measures less. One more process plays the branches; its CPU is not counted.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from cloud import pki
from cloud.shards import LEASE_S
from cloud.store import boxes
from cloud.store.database import open_engine, read, write
from sync import manifest, topics
from sync.envelope import canonical, chained, entry_bytes, genesis, pack_batch
from sync.events import RecordingLost, SyncEvent
from sync.ids import new_id
from sync.keys import DeviceKey
from sync.manifest import BOX_KEY, Chain, Files, Manifest, Part, Statement, Verdict, entry_leaf, root_of
from sync.messages import Ack, Hello, Welcome, pack, unpack
from sync.moment import to_text
from sync.reach import Reach
from sync.transport import Arrived, Link, LinkSettings, utc_now
from tests.benchmarks import sync_backlog
from tests.benchmarks.building import load
from tests.benchmarks.figures import Figure, percentile
from tests.benchmarks.sync_ingest import DURABLE, server_cpu_s
from tests.benchmarks.sync_lab import cpu_s, running
from tests.postgres import PostgresServer
from tests.sync import processes
from tests.sync.station import Station, call_ended, days

BRANCHES = int(os.environ.get("BRANCHES", "1000"))
SECONDS = float(os.environ.get("BRANCHES_S", "180"))
CALLS_AN_HOUR = 8 * 15  # of a branch
CALLS_A_SECOND = BRANCHES * CALLS_AN_HOUR / 3600
CONNECT_S = 300.0
AT_ONCE = 40  # connections that are being made
ROUND = 50  # of so many turns each quiet connection gets one, for its keepalive
LATE_S = 2.0  # p95 from sent to acknowledged; more is not the present any more
DRAIN_S = 120.0
HELLO_S = 3.0
PATIENCE_S = 10.0  # before a batch is sent again
STREAMS = ("evt", "meta")


def measure() -> list[Figure]:
    """The whole installation for SECONDS."""
    server = PostgresServer(DURABLE)
    server.start()
    try:
        with TemporaryDirectory() as folder, installation(Path(folder), server) as at:
            assert at.mosquitto is not None
            with running(processes.start_worker(1, LEASE_S, at)) as ingest, played(at) as crowd:
                return figures(at, crowd, server, {"ingest": ingest.pid, "mosquitto": at.mosquitto.pid})
    finally:
        server.stop()


@contextmanager
def installation(folder: Path, server: PostgresServer) -> Iterator[Station]:
    """Certificates, database and broker, all branches registered."""
    at = Station(folder, database_url=server.url(server.make_database()))
    engine = open_engine(at.database_url)
    with write(engine) as db:
        for name in names():
            boxes.register(db, name, name)
    engine.dispose()
    for name in names():
        pki.make_box(at.pki, name, days())
    at.start_broker()
    try:
        yield at
    finally:
        at.kill_broker()


def names() -> list[str]:
    return [f"branch-{number}" for number in range(BRANCHES)]


@contextmanager
def played(at: Station) -> Iterator[subprocess.Popen[str]]:
    """The process of all branches, connected."""
    command = [sys.executable, "-m", "tests.benchmarks.sync_branches", str(at.folder), str(at.port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        sys.stderr.write(process.stdout.readline())
        yield process
    finally:
        process.kill()
        process.wait()


def figures(
    at: Station, crowd: subprocess.Popen[str], server: PostgresServer, pids: dict[str, int]
) -> list[Figure]:
    """What the branches saw, what it cost, and what head office has of it."""
    assert crowd.stdout is not None
    begun_s = time.monotonic()
    before = {name: cpu_s(pid) for name, pid in pids.items()} | {"PostgreSQL": server_cpu_s(server)}
    told: dict[str, Any] = json.loads(crowd.stdout.readline())
    took_s = time.monotonic() - begun_s
    after = {name: cpu_s(pid) for name, pid in pids.items()} | {"PostgreSQL": server_cpu_s(server)}
    held_back, backlog = sync_backlog.figures(crowd, server, pids["ingest"], BRANCHES)
    busy = {name: 100 * (after[name] - before[name]) / took_s for name in before}
    waiting, third = told["waiting"], len(told["waiting"]) // 3
    engine = open_engine(at.database_url)
    with read(engine) as db:
        calls, closed = (
            int(db.exec_driver_sql(f"SELECT count(*) FROM {what}").scalar_one())
            for what in ("calls", "manifests WHERE state = 'closed'")
        )
    engine.dispose()
    sys.stderr.write(f"{told['calls']} calls, {told['left']} batches never acknowledged,"
                     f" {told['again']} sent again; waiting each second: {waiting}; {load()}\n")  # fmt: skip
    of = f"{BRANCHES} branches, {CALLS_A_SECOND:.1f} calls/s"
    return [
        Figure(f"{of}, sent to acknowledged after the commit, p95 until the hour ends",
               percentile(told["late_s"][: told["before"]], 95), "s", target=LATE_S),
        Figure(f"{of}, the same with the end of the hour", percentile(told["late_s"], 95), "s",
               target=LATE_S),
        Figure(f"{of}, batches not yet acknowledged, last third on average; against one second of them",
               sum(waiting[-third:]) / third, "batches", CALLS_A_SECOND * len(STREAMS), ratio_target=LATE_S),
        Figure(f"{of}, calls at head office of those sent", 100 * calls / (told["calls"] + held_back), "%",
               target=100, at_least=True),
        Figure(f"{of}, hours closed of {told['hours']} that ended in the same second",
               100 * closed / told["hours"], "%", target=100, at_least=True),
        Figure(f"{of}, calls at branches that had lost their connection", told["cut_off"], "calls", target=0),
        Figure("from the hour's end to its last verdict", told["closed_s"], "s", target=60),
        *(Figure(f"{of}, {name} of one core", percent, "%") for name, percent in busy.items()),
        Figure(f"{of}, ingest and PostgreSQL of one core", busy["ingest"] + busy["PostgreSQL"], "%",
               target=80),
        *backlog,
    ]  # fmt: skip


# -- the branches, in a process of their own


@dataclass(slots=True)
class Stream:
    """One stream of a branch's outbox, as far as its hash chain and its manifest need it."""

    h: str
    leaves: list[bytes] = field(default_factory=list)
    size_bytes: int = 0


@dataclass(slots=True)
class Branch:
    """A box that says what happens, as it happens."""

    name: str
    link: Link
    reach: Reach
    epoch: str = field(default_factory=lambda: secrets.token_hex(8))
    key: DeviceKey = field(default_factory=DeviceKey.new)
    streams: dict[str, Stream] = field(default_factory=dict)
    waiting: dict[tuple[str, int], tuple[float, bytes]] = field(default_factory=dict)  # (stream, seq) -> sent
    again_s: float = 0.0  # when what is still waiting was sent once more
    repeats: int = 0
    welcome: bool = False
    hello_s: float = 0.0  # when to say (the next) hello
    hour: bytes = b""  # its manifest, until that is sent
    hour_last: dict[str, int] = field(default_factory=dict)  # stream -> last entry of the hour
    closed: bool = False
    patience_s: float = PATIENCE_S

    def call(self, now_s: float, chance: random.Random) -> None:
        """A call has ended."""
        at = to_text(utc_now())
        number = f"1{chance.randrange(3 * 10**9, 10**10):010}"
        length_ms = round(chance.expovariate(1 / 120_000))
        call = replace(
            call_ended(number),
            line=chance.randrange(1, 9),
            started_utc=at,
            ended_utc=at,
            duration_ms=length_ms,
        )
        self._send("evt", call, at, now_s)
        self._send("meta", RecordingLost(new_id(), call.call_id, "disk_full"), at, now_s)

    def stream(self, name: str) -> Stream:
        """A stream of its outbox, begun when it is first asked for."""
        return self.streams.setdefault(name, Stream(genesis(self.epoch, name)))

    def _send(self, name: str, event: SyncEvent, at_utc: str, now_s: float) -> None:
        stream = self.stream(name)
        seq = len(stream.leaves) + 1
        body = entry_bytes(event, new_id(), at_utc, seq)
        prev, stream.h = stream.h, chained(stream.h, body)
        stream.leaves.append(entry_leaf(seq, manifest.digest(body)))
        stream.size_bytes += len(body)
        packed = pack_batch(self.name, self.epoch, name, seq, prev, stream.h, [body])
        self.waiting[name, seq] = now_s, packed
        self.link.publish(topics.build(self.name, "up", "e"), packed)

    def _send_again(self, now_s: float) -> None:
        """As a box does with what nobody acknowledged."""
        late = [packed for sent_s, packed in self.waiting.values() if now_s - sent_s > self.patience_s]
        if late and now_s - self.again_s > self.patience_s and self.link.up:
            self.again_s, self.repeats = now_s, self.repeats + len(late)
            for packed in late:
                self.link.publish(topics.build(self.name, "up", "e"), packed)

    def end_hour(self) -> bool:
        """Sign the manifest of everything until now; False if that is nothing."""
        parts = tuple(
            Part(name, 1, len(one.leaves), one.size_bytes, root_of(one.leaves))
            for name, one in self.streams.items()
        )
        if not parts:
            return False
        now_utc = to_text(utc_now())
        statement = Statement(
            box=self.name, epoch=self.epoch, n=1, prev=manifest.GENESIS, span=now_utc[: manifest.HOUR],
            made=now_utc, parts=parts, files=Files(0, 0, root_of([])), chain=Chain(0, "0" * 64),
            key=self.key.public,
        )  # fmt: skip
        body = canonical(statement)
        sig = manifest.sign(self.key, BOX_KEY, manifest.digest(body))
        self.hour = manifest.pack(Manifest(body=msgspec.Raw(body), sig=sig))
        self.hour_last = {part.stream: part.last for part in parts}
        return True

    def seal(self) -> None:
        """Send the manifest once, when nothing of its hour is on its way any more."""
        if self.hour and not any(seq <= self.hour_last.get(name, 0) for name, seq in self.waiting):
            self.link.publish(topics.build(self.name, "up", "m"), self.hour)
            self.hour = b""

    def step(self, now_s: float) -> list[float]:
        """One turn; how long what was acknowledged took."""
        late_s: list[float] = []
        for arrived in self.reach.step(now_s, utc_now()):
            late_s += self._hear(arrived, now_s)
        if self.link.up and not self.welcome and now_s >= self.hello_s:
            self.hello_s = now_s + HELLO_S
            hello = Hello(nonce="0" * 16, epoch=self.epoch, heads={})
            self.link.publish(topics.build(self.name, "up", "p"), pack(hello))
        self._send_again(now_s)
        return late_s

    def _hear(self, arrived: Arrived, now_s: float) -> list[float]:
        if arrived.topic.endswith("/m"):
            verdict = manifest.unpack_from_office(arrived.payload)
            assert isinstance(verdict, Verdict), verdict
            assert verdict.state == "closed", verdict
            self.closed = True
            return []
        said = unpack(arrived.payload)
        if isinstance(said, Welcome):
            self.welcome = True
            return []
        assert isinstance(said, Ack), said
        done = [one for one in self.waiting if one[0] == said.stream and one[1] <= said.upto]
        return [now_s - self.waiting.pop(one)[0] for one in done]


@dataclass(slots=True)
class Crowd:
    """All branches, each stepped when its socket has something to read, or its turn comes."""

    branches: list[Branch]
    late_s: list[float] = field(default_factory=list)
    _poll: select.epoll = field(default_factory=select.epoll)
    _by_fd: dict[int, Branch] = field(default_factory=dict)
    _turn: int = 0

    def connect(self) -> None:
        """Until all are welcome, some at a time."""
        until_s = time.monotonic() + CONNECT_S
        while missing := [one for one in self.branches if not one.welcome]:
            assert time.monotonic() < until_s, f"{len(missing)} branches are not welcome"
            self._turn = (self._turn + 1) % ROUND
            welcome = [one for one in self.branches[self._turn :: ROUND] if one.welcome]
            for branch in [*missing[:AT_ONCE], *welcome]:
                branch.step(time.monotonic())
        for branch in self.branches:
            client = branch.link._client
            assert client is not None
            sock: Any = client.socket()
            self._by_fd[sock.fileno()] = branch
            self._poll.register(sock.fileno(), select.EPOLLIN)

    def step(self, wait_s: float) -> None:
        """Those that hear something, and a few of the others."""
        ready = {id(one): one for fd, _ in self._poll.poll(wait_s) if (one := self._by_fd.get(fd))}
        self._turn = (self._turn + 1) % ROUND
        for branch in [*ready.values(), *self.branches[self._turn :: ROUND]]:
            self.late_s += branch.step(time.monotonic())

    @property
    def waiting(self) -> int:
        return sum(len(one.waiting) for one in self.branches)

    @property
    def repeats(self) -> int:
        return sum(one.repeats for one in self.branches)


@dataclass(slots=True)
class Played:
    """What happened."""

    calls: int = 0
    cut_off: int = 0  # calls at branches without a connection
    waiting: list[int] = field(default_factory=list)  # batches not yet acknowledged, each second
    hours: int = 0  # that ended
    before: int = 0  # batches acknowledged before that
    ended_s: float = 0.0
    closed_s: float = 0.0  # after that

    def rings(self, branch: Branch, now_s: float, chance: random.Random) -> None:
        """A call at a branch."""
        if branch.link.up:
            branch.call(now_s, chance)
            self.calls += 1
        else:
            self.cut_off += 1


def play(crowd: Crowd, chance: random.Random) -> Played:
    """Calls at random moments for SECONDS, all hours ending in the middle, then until nothing is owed."""
    told, owed = Played(), set[str]()
    begun_s = next_s = time.monotonic()
    while (now_s := time.monotonic()) < begun_s + SECONDS + DRAIN_S:
        if now_s < begun_s + SECONDS:
            while next_s <= now_s:
                told.rings(chance.choice(crowd.branches), now_s, chance)
                next_s += chance.expovariate(CALLS_A_SECOND)
            if len(told.waiting) < now_s - begun_s:
                told.waiting.append(crowd.waiting)
        elif not crowd.waiting and not owed:
            break
        if not told.ended_s and now_s >= begun_s + SECONDS / 2:
            owed = {one.name for one in crowd.branches if one.end_hour()}
            told.hours, told.ended_s, told.before = len(owed), now_s, len(crowd.late_s)
        for branch in crowd.branches if owed else ():
            branch.seal()
            if branch.closed:
                owed.discard(branch.name)
        if told.ended_s and not owed and not told.closed_s:
            told.closed_s = now_s - told.ended_s
        crowd.step(max(0.0, min(next_s - time.monotonic(), 0.05)))
    return told


def main(folder: str, port: str) -> None:
    """Play all branches; say when they are connected, and what happened."""
    at = Station(Path(folder), int(port))
    chance = random.Random(7)
    crowd = Crowd([_branch(at, name) for name in names()])
    begun_s = time.monotonic()
    crowd.connect()
    sys.stdout.write(f"{BRANCHES} branches connected in {time.monotonic() - begun_s:.0f} s\n")
    sys.stdout.flush()
    told = play(crowd, chance)
    names_ = ("calls", "cut_off", "waiting", "hours", "before", "closed_s")
    said: dict[str, Any] = {name: getattr(told, name) for name in names_}
    said |= {"late_s": crowd.late_s, "left": crowd.waiting, "again": crowd.repeats}
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()
    sys.stdout.write(json.dumps(sync_backlog.play(crowd, chance)) + "\n")
    sys.stdout.flush()


def _branch(at: Station, name: str) -> Branch:
    pair = pki.pair_of(at.pki, name)
    answers = tuple(topics.build(name, "dn", channel) for channel in ("a", "m"))
    link = Link(LinkSettings(at.host, at.port, at.pki / "ca.pem", pair.cert, pair.key, answers))
    return Branch(name, link, Reach(link, random.random))


if __name__ == "__main__":
    main(*sys.argv[1:])
