"""SIGKILL of box, broker and ingest in turn, at random moments, while calls keep coming: each arrives once.

The victims are processes of their own with real sockets and databases; what is counted at the end is read
past our own code. One in five messages reaches head office again, at once or in a later life of it
(tests.sync.echo). KILLS says how many kills the nightly run has; the victim is started anew after each.
"""

from __future__ import annotations

import os
import random
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sync.transport import wait
from tests.edge.test_syncer_kills import VICTIMS, Installation
from tests.sync import processes
from tests.sync.echo import counted
from tests.sync.station import Box, call_ended

QUICK = 10
NIGHTLY = 1000
STALLED_S = 300.0
RECORDED = 5  # a recording with every fifth kill
SEED = 20261122


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    installation = Installation(tmp_path, office="echoing", begin=processes.fork)
    yield installation
    installation.close()


@dataclass
class Told:
    """What the recorder has saved, and what was killed meanwhile."""

    calls: set[str] = field(default_factory=set)
    audio: dict[str, bytes] = field(default_factory=dict)  # by its SHA-256
    killed: Counter[str] = field(default_factory=Counter)


def campaign(installation: Installation, kills: int) -> Counter[str]:
    """Kill so many times; how often each."""
    told = kill_often(installation, kills)
    everything_once(installation.station.folder / "head-office.db", told.calls)
    office = installation.looking_at_office
    assert all(office.audio(sha256) == data for sha256, data in told.audio.items())
    heard, again = counted(installation.station.folder / "echoes")
    assert again > heard / 100, f"{again} of {heard} messages were repeated"
    sys.stderr.write(
        f"{len(told.calls)} calls, {heard} messages, {again} of them again, killed {dict(told.killed)}\n"
    )
    return told.killed


def kill_often(installation: Installation, kills: int) -> Told:
    """Calls keep coming, somebody is killed and started anew; until nothing is owed any more."""
    choice, told = random.Random(SEED), Told()
    box = installation.looking_at_box
    for number in range(kills):
        events = [call_ended() for _ in range(choice.randint(50, 400))]
        told.calls |= {event.call_id for event in events}
        box.put(*events)
        if number % RECORDED == 0:
            data = choice.randbytes(100_000)
            call, ready = box.record(data)
            told.calls.add(call.call_id)
            told.audio[ready.sha256] = data
        wait([], choice.uniform(0.0, 0.8))  # somewhere between the first byte and the last ack
        victim = VICTIMS[number % len(VICTIMS)] if number < len(VICTIMS) else choice.choice(VICTIMS)
        installation.kill(victim)
        installation.start(victim)
        told.killed[victim] += 1
        if number % 20 == 19:  # what is owed does not grow without end
            drain(box)
    drain(box)
    return told


def drain(box: Box) -> None:
    """Wait until nothing is owed, as long as it becomes less: a busy machine takes its time."""
    owed, since_s = box.owes, time.monotonic()
    while owed:
        wait([], 0.05)
        now_owed = box.owes
        if now_owed < owed:
            since_s = time.monotonic()
        owed = now_owed
        assert time.monotonic() < since_s + STALLED_S, f"{owed} still owed: {box.troubles()}"


def everything_once(database: Path, told: set[str]) -> None:
    """No call is missing, none is there twice, none was written twice, nothing is set aside, no hole."""
    db = sqlite3.connect(database)
    try:
        calls = [call for (call,) in db.execute("SELECT id FROM calls")]
        assert len(calls) == len(told) and set(calls) == told
        written_again = (  # a row that is written over takes a later time than its entry
            "SELECT count(*) FROM inbox JOIN calls"
            " ON calls.id = json_extract(CAST(body AS TEXT), '$.data.call_id')"
            " WHERE kind = 'call_ended' AND calls.received_utc <> inbox.received_utc"
        )
        assert db.execute(written_again).fetchone() == (0,)
        eids = Counter(eid for (eid,) in db.execute("SELECT eid FROM inbox WHERE kind = 'call_ended'"))
        assert len(eids) == len(told) and set(eids.values()) == {1}
        assert db.execute("SELECT count(*) FROM quarantine").fetchone() == (0,)
        streams = "SELECT count(*) FROM inbox_streams WHERE ranges <> '[]' OR broken_seq IS NOT NULL"
        assert db.execute(streams).fetchone() == (0,)
    finally:
        db.close()


@pytest.mark.xdist_group("kill campaign")
def test_ten_kills_lose_nothing_and_double_nothing(installation: Installation) -> None:
    assert set(campaign(installation, QUICK)) == set(VICTIMS)


@pytest.mark.faults
def test_a_thousand_kills(installation: Installation) -> None:
    campaign(installation, int(os.environ.get("KILLS", NIGHTLY)))
