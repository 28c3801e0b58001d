"""What all branches held back, sent at once: as fast as ingest goes, beside COPY of such rows.

Each branch of `sync_branches` sends BACKLOG calls in batches, as after a day without a line, one batch under
way; the clock runs from the first to the last acknowledgement after its commit. COPY takes as many rows of
the same kind, of calls and of the inbox, a thousand in a transaction, all made before.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cloud.store.database import write
from sync import topics
from sync.envelope import chained, entry_bytes, pack_batch
from sync.ids import new_id
from sync.moment import to_text
from sync.transport import utc_now
from tests.benchmarks.building import load
from tests.benchmarks.figures import Figure
from tests.benchmarks.sync_ingest import (
    BATCH,
    CALL_COLUMNS,
    INBOX_COLUMNS,
    MESSAGES,
    chunks,
    copy,
    fresh,
    made,
    server_cpu_s,
)
from tests.benchmarks.sync_lab import cpu_s
from tests.postgres import PostgresServer
from tests.sync.station import call_ended

if TYPE_CHECKING:
    from tests.benchmarks.sync_branches import Branch, Crowd

BACKLOG, ENTRIES = 40, 20  # calls of each branch, in a batch
ENDS_S = 300.0  # no batch is sent again before that
RUNS = 3
ROWS = BATCH * MESSAGES  # of a transaction of COPY
Held = list[tuple[int, bytes]]  # batches, each with its last number


def figures(
    crowd: subprocess.Popen[str], server: PostgresServer, ingest_pid: int, branches: int
) -> tuple[int, list[Figure]]:
    """How many calls all held back; that by the clock and by CPU, against COPY of as many such rows."""
    assert crowd.stdout is not None
    before_s = cpu_s(ingest_pid) + server_cpu_s(server)
    calls, took_s = json.loads(crowd.stdout.readline())
    spent_s = cpu_s(ingest_pid) + server_cpu_s(server) - before_s
    runs = [copied(server, calls) for _ in range(RUNS)]
    copy_s, copy_cpu_s = (min(run[at] for run in runs) for at in (0, 1))
    sys.stderr.write(f"{calls} calls held back: {took_s:.1f} s; COPY {calls * copy_s:.1f} s; {load()}\n")
    of = f"{branches} branches, {calls} calls held back"
    return calls, [
        Figure(f"{of}; against raw COPY", calls / took_s, "calls/s", 1 / copy_s),
        Figure(f"{of}, CPU of ingest and PostgreSQL of a call; against that of raw COPY",
               spent_s / calls * 1e6, "us", copy_cpu_s * 1e6),
    ]  # fmt: skip


def copied(server: PostgresServer, count: int) -> tuple[float, float]:
    """Seconds of a call, by the clock and of CPU, ours and the server's, when COPY takes about that many."""
    engine, (_, calls, inbox) = fresh(server), made(events=count)
    before_s, begun_s = time.process_time() + server_cpu_s(server), time.monotonic()
    for pair in zip(chunks(calls, ROWS), chunks(inbox, ROWS), strict=True):
        with write(engine) as db:
            cursor: Any = db.connection.cursor()
            copy(cursor, "calls", CALL_COLUMNS, pair[0])
            copy(cursor, "inbox", INBOX_COLUMNS, pair[1])
    took_s = time.monotonic() - begun_s
    engine.dispose()
    spent_s = time.process_time() + server_cpu_s(server) - before_s
    return took_s / len(calls), spent_s / len(calls)


# -- the branches, in their process


def play(crowd: Crowd, chance: random.Random) -> tuple[int, float]:
    """All send what they held back; how many calls, and how long until the last is acknowledged."""
    there = [(branch, hold_back(branch, chance)) for branch in crowd.branches if branch.link.up]
    begun_s = time.monotonic()
    while any(held or branch.waiting for branch, held in there):
        assert time.monotonic() < begun_s + ENDS_S, "the backlog does not end"
        for branch, held in there:
            if held and not branch.waiting:
                last, packed = held.pop(0)
                branch.waiting["evt", last] = time.monotonic(), packed
                branch.link.publish(topics.build(branch.name, "up", "e"), packed)
        crowd.step(0.05)
    return BACKLOG * len(there), time.monotonic() - begun_s


def hold_back(branch: Branch, chance: random.Random) -> Held:
    """Calls that go on where the branch's stream is."""
    branch.patience_s = ENDS_S
    stream, at_utc, held = branch.stream("evt"), to_text(utc_now()), Held()
    for _ in range(0, BACKLOG, ENTRIES):
        first, prev, bodies = len(stream.leaves) + 1, stream.h, []
        for seq in range(first, first + ENTRIES):
            call = call_ended(f"1{chance.randrange(3 * 10**9, 10**10):010}")
            call = replace(call, started_utc=at_utc, ended_utc=at_utc)
            bodies.append(entry_bytes(call, new_id(), at_utc, seq))
            stream.h = chained(stream.h, bodies[-1])
            stream.leaves.append(b"")  # there is no manifest of it
        packed = pack_batch(branch.name, branch.epoch, "evt", first, prev, stream.h, bodies)
        held.append((len(stream.leaves), packed))
    return held
