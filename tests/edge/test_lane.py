"""A recording on its way: read as its row says or not at all, and in packets that the broker takes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge.syncer import SyncSettings
from edge.syncer.allowance import Allowance
from edge.syncer.files import FilesEnd
from edge.syncer.lane import Lane, Unreadable
from sync import outbox
from sync.budget import Month, Share
from sync.chunks import unpack_chunk
from sync.db import write
from sync.ids import new_id
from sync.messages import At, Fin, Open, pack, unpack
from sync.outbox import FileRow
from sync.transport import PACKET_OVERHEAD, Arrived
from sync.upload import FileSender, SendChunk
from tests.sync.station import BOX
from tests.sync.weather import MadeUpLink, World

DATA = bytes(range(256)) * 2000
ROW = FileRow(new_id(), "a.flac", len(DATA), hashlib.sha256(DATA).hexdigest())


@pytest.fixture
def lane(tmp_path: Path) -> Iterator[Lane]:
    (tmp_path / "a.flac").write_bytes(DATA)
    lane = Lane(FileSender(), tmp_path, None)
    yield lane
    lane.close()


@pytest.mark.parametrize(("size", "says"), [(len(DATA) + 1, "has 512000 bytes, not 512001"), (5, "not 5")])
def test_a_file_of_another_size_than_its_row_is_not_begun(lane: Lane, size: int, says: str) -> None:
    with pytest.raises(Unreadable, match=says):
        lane.begin(FileRow(ROW.recording_id, ROW.file, size, ROW.sha256))


def test_a_file_that_became_shorter_is_not_sent_on(lane: Lane) -> None:
    lane.begin(ROW)
    good = lane.payload(SendChunk(100, 5000))
    assert isinstance(good, bytes) and bytes(unpack_chunk(good).data) == DATA[100:5100]
    with (lane.folder / "a.flac").open("r+b") as file:
        file.truncate(4000)
    with pytest.raises(Unreadable, match="became shorter than 5100 bytes"):
        lane.payload(SendChunk(100, 5000))


@dataclass
class Narrow(MadeUpLink):
    """A broker that cuts the connection at what is larger than it said."""

    largest: int = 0

    def publish(self, topic: str, payload: bytes) -> None:
        self.largest = max(self.largest, len(topic) + len(payload) + PACKET_OVERHEAD)
        super().publish(topic, payload)


@pytest.mark.parametrize("max_packet", [20_000, 5_000, 300_000])
def test_no_chunk_is_larger_than_the_broker_takes(tmp_path: Path, max_packet: int) -> None:
    world, nowhere = World(), Path("/nonexistent")
    (tmp_path / "a.flac").write_bytes(DATA)
    with write(world.db):
        outbox.put_file(world.db, ROW.recording_id, "a.flac", len(DATA), ROW.sha256)
    told = SyncSettings(BOX, world.branch, tmp_path, "x", 1, nowhere, nowhere, nowhere, nowhere, nowhere)
    link = Narrow(max_packet=max_packet)
    allowance = Allowance(world.db, told.zone, told.cap_at, Month(0))
    end = FilesEnd(told, world.db, link, allowance, None, Share(0.3))  # type: ignore[arg-type]
    end.woken()
    got, now_s = bytearray(), 1000.0
    while len(got) < len(DATA):
        end.step(True, now_s)
        now_s += 0.001
        while link.sent:
            topic, payload = link.sent.pop(0)
            if topic.endswith("/c"):
                chunk = unpack_chunk(payload)
                assert chunk.offset == len(got)
                got += chunk.data
                end.take(Arrived("", pack(At(rid=chunk.rid, offset=len(got))), 0), now_s)
            elif isinstance(unpack(payload), Open):
                end.take(Arrived("", pack(At(rid=ROW.recording_id, offset=0, asked=True)), 0), now_s)
            else:
                assert isinstance(unpack(payload), Fin)
    assert got == DATA
    assert min(max_packet, 60_000) * 0.7 < link.largest <= max_packet
    end.close()
    world.close()
