"""A short life of head office for power-cut tests: batches taken, recordings stored, each then acknowledged.

Printed lines are promises a power cut must not break: `acked EID` (the box ticks the entry off), `stored
SHA256` (the box may delete the recording when its hour is closed).
"""

from __future__ import annotations

import hashlib
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cloud.apply import APPLY
from cloud.arrivals import FilesDesk
from cloud.entries import EntriesDesk
from cloud.incoming import Incoming
from cloud.objects import FolderObjects
from cloud.store import boxes, schema
from cloud.store.database import open_engine, write
from sync.chunks import Chunk, pack_chunk
from sync.envelope import chained, entry_bytes, genesis, pack_batch
from sync.events import SyncEvent
from sync.ids import new_id
from sync.inbox import Inbox
from sync.messages import Ack, Fin, Open, Stored, pack, unpack
from sync.topics import Topic
from tests.fakes import AtOnce
from tests.faults.outbox_run import say
from tests.sync.station import AT, BOX, call_ended, recording_ready

TURNS = 400
RECORDED = 12
EPOCH = "0123456789abcdef"


@dataclass
class Stream:
    """A box's stream as it is sent."""

    name: str
    seq: int = 0
    head: str = ""

    def batch(self, events: Sequence[SyncEvent]) -> tuple[list[str], bytes]:
        """The next entries, each in the name of its eid."""
        eids, first, prev, bodies = [new_id() for _ in events], self.seq + 1, self.head, []
        for event, eid in zip(events, eids, strict=True):
            self.seq += 1
            bodies.append(entry_bytes(event, eid, AT, self.seq))
            self.head = chained(self.head, bodies[-1])
        return eids, pack_batch(BOX, EPOCH, self.name, first, prev, self.head, bodies)


def main(folder: Path, seed: int, turns: int = TURNS) -> None:
    """Live through so many turns of taking and storing."""
    choice = random.Random(seed)
    engine = open_engine(f"sqlite:///{folder / 'head-office.db'}")
    with write(engine) as db:
        boxes.register(db, BOX, BOX)
    entries = EntriesDesk(engine, Inbox(schema.inbox_tables, APPLY))
    files = FilesDesk(engine, FolderObjects(folder / "objects"), Incoming(folder / "incoming"), AtOnce())
    calls, audio = (Stream(name, head=genesis(EPOCH, name)) for name in ("evt", "meta"))
    say("ready")
    for turn in range(turns):
        take(entries, calls, [call_ended() for _ in range(choice.randint(1, 9))])
        if turn % RECORDED == 0:  # seldom: each fsync of a file brings others along
            data = choice.randbytes(choice.randint(1, 60_000))
            ready = recording_ready(new_id(), new_id(), data)
            take(entries, audio, [ready])
            send(files, ready.recording_id, data)


def take(entries: EntriesDesk, stream: Stream, events: Sequence[SyncEvent]) -> None:
    """A batch, to its acknowledgement."""
    eids, batch = stream.batch(events)
    (answer,) = entries.handle([(Topic(BOX, False, "up", "e"), batch)], AT)
    ack = unpack(answer[1])
    assert isinstance(ack, Ack) and ack.upto == stream.seq
    for eid in eids:
        say(f"acked {eid}")


def send(files: FilesDesk, rid: str, data: bytes) -> None:
    """A recording, to the word that it is stored."""
    sha256 = hashlib.sha256(data).hexdigest()
    said = [
        pack(Open(rid=rid, size=len(data), sha256=sha256)),
        pack_chunk(Chunk(rid, 0, data)),
        pack(Fin(rid=rid)),
    ]
    answers = [
        unpack(answer)
        for channel, payload in zip("fcf", said, strict=True)
        for _, answer in files.handle([(Topic(BOX, True, "up", channel), payload)], AT)
    ]
    if Stored(rid=rid, sha256=sha256) in answers:
        say(f"stored {sha256}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
