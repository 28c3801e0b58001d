"""kill -9 of the box's syncer, of ingest and of the broker, in mid stream: nothing lost, nothing twice."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from cloud.incoming import Incoming
from sync import outbox
from sync.spans import from_zero
from sync.transport import wait
from tests.sync import processes
from tests.sync.station import Box, Office, Station, call_ended

PATIENCE_S = 120.0
MB = 1_000_000
VICTIMS = ("box", "office", "broker")


class Installation:
    """A station whose ends are processes; `box` and `office` here only look at their databases."""

    def __init__(
        self,
        folder: Path,
        office: str = "office",  # the kind of process
        begin: Callable[[str, Station], subprocess.Popen[bytes] | BaseProcess] = processes.start,
    ) -> None:
        self.station, self.office, self.begin = Station(folder), office, begin
        self.looking_at_office: Office = self.station.office()
        self.looking_at_box: Box = self.station.box()
        self.running: dict[str, subprocess.Popen[bytes] | BaseProcess] = {}
        self.start("broker")
        self.start("office")
        self.start("box")

    def start(self, end: str) -> None:
        if end == "broker":
            self.station.start_broker()
        else:
            self.running[end] = self.begin(self.office if end == "office" else end, self.station)

    def kill(self, end: str) -> None:
        if end == "broker":
            self.station.kill_broker()
        else:
            processes.kill(self.running.pop(end))

    def until(self, done: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + PATIENCE_S
        while not done():
            assert time.monotonic() < deadline_s, self.looking_at_box.troubles()
            wait([], 0.02)

    def offset(self, recording_id: str) -> int:
        """Bytes of a recording head office has so far."""
        incoming = Incoming(self.station.folder / "objects" / "incoming")
        return from_zero(incoming.held(f"branch-1.{recording_id}"))

    def close(self) -> None:
        for end in [*self.running]:
            self.kill(end)
        self.kill("broker")
        self.looking_at_box.close()
        self.looking_at_office.close()


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    installation = Installation(tmp_path)
    yield installation
    installation.close()


def test_killed_in_mid_stream(installation: Installation) -> None:
    box, office = installation.looking_at_box, installation.looking_at_office
    audio = os.urandom(20 * MB)
    calls = {box.record(audio)[0].call_id}
    for victim in VICTIMS:
        events = [call_ended() for _ in range(600)]
        calls |= {event.call_id for event in events}
        box.put(*events)
        owed = outbox.waiting(box.db).entries
        installation.until(lambda owed=owed: outbox.waiting(box.db).entries < owed)
        assert outbox.waiting(box.db).entries > 0
        installation.kill(victim)
        installation.start(victim)
    installation.until(lambda: box.owes == 0)
    assert {row["id"] for row in office.rows("calls")} == calls
    arrived = office.rows("inbox")
    assert len(arrived) == len({row["eid"] for row in arrived}) == 1 + 1800 + 1
    assert office.rows("quarantine") == []
    assert all((row["ranges"], row["broken_seq"]) == ("[]", None) for row in office.rows("inbox_streams"))
    (recording,) = office.rows("recordings")
    assert recording["state"] == "stored"
    assert office.audio(str(recording["object_key"])) == audio


def test_an_upload_goes_on_where_it_was(installation: Installation) -> None:
    box, office = installation.looking_at_box, installation.looking_at_office
    _, ready = box.record(os.urandom(100 * MB))
    reached = 0
    for victim in VICTIMS:
        offsets: list[int] = []

        def moved_on(offsets: list[int] = offsets, wanted: int = reached + 8 * MB) -> bool:
            offsets.append(installation.offset(ready.recording_id))
            return offsets[-1] > wanted

        installation.until(moved_on)
        assert min(offsets) >= reached
        installation.kill(victim)
        reached = installation.offset(ready.recording_id)
        assert reached < 100 * MB
        installation.start(victim)
    installation.until(lambda: box.owes == 0)
    (transfer,) = office.rows("transfers")
    assert (transfer["state"], transfer["failures"]) == ("stored", 0)
