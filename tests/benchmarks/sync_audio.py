"""Recordings from box to head office: rate and CPU beside plain MQTT, bytes on the line, what a cut costs."""

from __future__ import annotations

import os
import random
import time
from contextlib import ExitStack

from cloud.incoming import Incoming
from sync import outbox, spans
from sync.transport import wait
from tests.benchmarks import sync_box
from tests.benchmarks.figures import Figure
from tests.benchmarks.sync_lab import Flow, cheapest, cpu_s, plain_flow, running, station, until, usual
from tests.sync import processes
from tests.sync.station import BOX, Box, Office, Station

FILES, FILE_BYTES = 40, 4_800_000  # ten minutes of a call each
CHUNK = 256 * 1024
IN_FLIGHT = 4
TURNS = 5  # of all in turn
CUT_BYTES, CUTS = 40_000_000, 12


def measure() -> list[Figure]:
    """All of it."""
    raw, kept, ours = [], [], []
    for _ in range(TURNS):
        with station() as at:
            raw.append(chunks(at, "subscribe"))
            kept.append(chunks(at, "keep"))
            flow, on_the_line = durable_flow(at)
            ours.append(flow)
    return [
        Figure("recordings stored, MB a second; against MQTT chunks of the same size",
               usual(ours) / 1e6, "MB/s", usual(raw) / 1e6, ratio_target=0.9, at_least=True),
        Figure("CPU for a MB of recording, box, broker and head office; against those chunks",
               cheapest(ours) * 1e9, "ms", cheapest(raw) * 1e9, ratio_target=1.5),
        Figure("recordings stored, MB a second; against such chunks written to files, hashed and synced",
               usual(ours) / 1e6, "MB/s", usual(kept) / 1e6),
        Figure("CPU for a MB of recording; against such chunks written to files, hashed and synced",
               cheapest(ours) * 1e9, "ms", cheapest(kept) * 1e9),
        Figure("bytes published for a byte of recording", on_the_line, "B", 1.0, ratio_target=1.02),
        *cuts(),
    ]  # fmt: skip


def chunks(at: Station, reader: str) -> Flow:
    """As many bytes by plain MQTT; whoever hears them lets them go, or keeps them."""
    plain = plain_flow(at, CHUNK, FILES * FILE_BYTES // CHUNK, IN_FLIGHT, reader)
    return Flow(plain.count * CHUNK, plain.seconds, plain.cpu_s)


def durable_flow(at: Station) -> tuple[Flow, float]:
    """Recordings sent by a real box and stored for certain by a real head office."""
    assert at.mosquitto is not None
    at.office().close()  # registers the box
    box = at.box()
    noise = random.Random(1)
    for _ in range(FILES):
        box.record(noise.randbytes(FILE_BYTES))
    with running(processes.start("office", at)) as office, running(sync_box.start(at.box_settings)) as sender:
        pids = (office.pid, sender.pid, at.mosquitto.pid)
        begun_s = until(lambda: outbox.waiting(box.db).files < FILES)
        left, begun_cpu_s = outbox.waiting(box.db).files, cpu_s(*pids)
        ended_s = until(lambda: outbox.waiting(box.db).files == 0)
        used_s = cpu_s(*pids) - begun_cpu_s
    box.close()
    return Flow(left * FILE_BYTES, ended_s - begun_s, used_s), published(at)


def published(at: Station) -> float:
    """MQTT bytes of a recording, open to stored, for each byte of it."""
    box, office = at.box(), at.office()
    try:
        box.record(os.urandom(FILE_BYTES))
        turn_until(lambda: outbox.waiting(box.db).files == 0, box, office)
        return box.syncer.files_published / FILE_BYTES
    finally:
        box.close()
        office.close()


def cuts() -> list[Figure]:
    """Connections that end in mid file: bytes sent twice for each, against what was on the way."""
    with station() as at, ExitStack() as stack:
        box, office = at.box(), at.office()
        stack.callback(box.close)
        stack.callback(office.close)
        _, ready = box.record(os.urandom(CUT_BYTES))
        incoming = Incoming(office.settings.incoming_folder)
        name = f"{BOX}.{ready.recording_id}"
        windows = 0
        for number in range(1, CUTS + 1):
            goal = number * CUT_BYTES // (CUTS + 2)
            turn_until(lambda goal=goal: spans.from_zero(incoming.held(name)) > goal, box, office)
            windows += box.syncer.files.on_the_way
            at.kill_broker()
            at.start_broker()
        turn_until(lambda: box.owes == 0, box, office)
        again = box.syncer.files_published - CUT_BYTES
    return [
        Figure("bytes sent again for a cut; against what was on the way", again / CUTS, "B",
               max(1.0, windows / CUTS), ratio_target=1.0 + 0.01 * CUT_BYTES / max(1, windows)),
    ]  # fmt: skip


def turn_until(done: object, box: Box, office: Office) -> None:
    """Step both ends in turn until a fact."""
    assert callable(done)
    deadline_s = time.monotonic() + 60
    while not done():
        assert time.monotonic() < deadline_s, "not within a minute"
        box.step()
        office.step()
        wait([], 0.001)
