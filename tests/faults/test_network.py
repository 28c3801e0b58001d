"""Network rows of the fault matrix on a line of its own: cuts, flapping, loss, silence, a slow head office.

Those that need a namespace (root, `ip`, `tc`, `nft`) are skipped without one, and the summary counts them.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sync import outbox
from sync.transport import KEEPALIVE_S, wait
from tests import netns
from tests.benchmarks import sync_box, sync_link
from tests.benchmarks.sync_lab import rss_mb, running
from tests.sync import processes
from tests.sync.station import Box, Office, Station, call_ended

pytestmark = pytest.mark.faults
MISSING = netns.why_not()
on_a_line = pytest.mark.skipif(bool(MISSING), reason=f"needs a line of its own: {MISSING}")
BROKER_MB = 64.0


class Branch:
    """A box behind a wire, head office and broker on this side, as processes."""

    def __init__(self, wire: netns.Wire, station: Station) -> None:
        self.wire, self.station = wire, station
        self.office: Office = station.office()
        self.box: Box = station.box()

    def until(self, done: Callable[[], bool], within_s: float = 60.0) -> float:
        begun_s = time.monotonic()
        while not done():
            assert time.monotonic() - begun_s < within_s, self.box.troubles()
            wait([], 0.02)
        return time.monotonic() - begun_s

    def passes(self, seconds: float) -> None:
        end_s = time.monotonic() + seconds
        while (left_s := end_s - time.monotonic()) > 0:
            wait([], left_s)

    def all_there(self) -> bool:
        return self.box.owes == 0

    def calls(self, count: int) -> set[str]:
        events = [call_ended() for _ in range(count)]
        self.box.put(*events)
        return {event.call_id for event in events}

    def has(self, calls: set[str]) -> bool:
        arrived = [str(row["id"]) for row in self.office.rows("calls")]
        assert len(arrived) == len(set(arrived))
        return calls <= set(arrived)


@contextmanager
def branch(folder: Path, kbit_s: int = 0) -> Iterator[Branch]:
    with netns.wire() as wire:
        if kbit_s:
            wire.rate(kbit_s)
        station = Station(folder, bind=wire.here)
        station.start_broker()
        try:
            made = Branch(wire, station)
            with (
                running(processes.start("office", station)),
                running(sync_box.start(station.box_settings, 0, wire.command())),
            ):
                yield made
            made.box.close()
            made.office.close()
        finally:
            station.kill_broker()


@on_a_line
def test_a_cut_line_is_waited_for(tmp_path: Path) -> None:
    with branch(tmp_path) as branch_:
        before = branch_.calls(10)
        branch_.until(branch_.all_there)
        branch_.wire.up(False)
        during = branch_.calls(500)
        branch_.passes(8.0)
        assert outbox.waiting(branch_.box.db).entries == 500
        branch_.wire.up(True)
        branch_.until(branch_.all_there)
        assert branch_.has(before | during)


@on_a_line
def test_a_flapping_line_makes_progress_and_sends_little_twice(tmp_path: Path) -> None:
    with branch(tmp_path, kbit_s=8000) as branch_:
        audio = os.urandom(6_000_000)
        _, ready = branch_.box.record(audio)
        sent = branch_.wire.sent_bytes()
        flaps = 4
        for _ in range(flaps):
            branch_.passes(1.5)
            branch_.wire.drop("drop")
            branch_.passes(1.5)
            branch_.wire.drop()
        branch_.until(branch_.all_there, 90.0)
        assert branch_.office.audio(ready.sha256) == audio
        window = 200_000  # 8 Mbit/s for its own delay and a tenth of a second
        assert branch_.wire.sent_bytes() - sent <= 1.1 * len(audio) + flaps * window


@on_a_line
def test_ten_percent_loss_costs_time_and_nothing_else(tmp_path: Path) -> None:
    with branch(tmp_path) as branch_:
        branch_.wire.drop(*["numgen", "random", "mod", "100", "<", "10", "drop"])
        _, ready = branch_.box.record(os.urandom(300_000))
        calls = branch_.calls(300)
        branch_.until(branch_.all_there, 120.0)
        assert branch_.has(calls)
        assert branch_.office.objects.size(ready.sha256) == 300_000


@on_a_line
def test_a_line_that_swallows_everything_is_noticed(tmp_path: Path) -> None:
    with branch(tmp_path) as branch_:
        branch_.calls(1)
        branch_.until(branch_.all_there)
        branch_.wire.drop_one_way()
        branch_.calls(1)
        branch_.until(lambda: branch_.box.troubles() != [], 1.5 * KEEPALIVE_S)
        branch_.wire.drop()
        branch_.until(branch_.all_there)


@on_a_line
@pytest.mark.parametrize("measure", [sync_link.beside_audio, sync_link.capped])
def test_a_slow_line_keeps_its_promises(measure: Callable[[], list[sync_link.Figure]]) -> None:
    assert [(figure.name, figure.value) for figure in measure() if not figure.ok] == []


def test_five_hundred_boxes_come_back_at_once() -> None:
    (figure,) = sync_link.back_at_once()
    assert figure.ok, figure.value


def test_a_head_office_that_stands_still_fills_no_broker(tmp_path: Path) -> None:
    station = Station(tmp_path)
    station.start_broker()
    assert station.mosquitto is not None
    office, box = station.office(), station.box()
    try:
        with (
            running(processes.start("office", station)) as ingest,
            running(sync_box.start(station.box_settings)),
        ):
            box.put(*(call_ended() for _ in range(20_000)))
            box.record(os.urandom(50_000_000))
            deadline_s = time.monotonic() + 60
            while outbox.waiting(box.db).entries > 19_000:
                assert time.monotonic() < deadline_s
                wait([], 0.02)
            ingest.send_signal(signal.SIGSTOP)
            most = 0.0
            end_s = time.monotonic() + 12
            while time.monotonic() < end_s:
                most = max(most, rss_mb(station.mosquitto.pid))
                wait([], 0.1)
            ingest.send_signal(signal.SIGCONT)
            while box.owes:
                assert time.monotonic() < deadline_s + 60
                wait([], 0.1)
        assert most < BROKER_MB
        assert len(office.rows("calls")) == 20_001
    finally:
        box.close()
        office.close()
        station.kill_broker()
