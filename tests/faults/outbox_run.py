"""A short life of a box's outbox for power-cut tests: calls saved, batches confirmed, an epoch begun anew.

Printed lines are promises a power cut must not break: `put EID` (the entry was committed), `acked EPOCH UPTO`
(head office has it, and the box has noted so).
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

from sync import db as sqlite_db
from sync import outbox
from tests.sync.station import AT, call_ended

TURNS = 60


def say(text: str) -> None:
    """One write, so that the trace has it whole and in its place."""
    os.write(1, f"{text}\n".encode())


def main(folder: Path, seed: int) -> None:
    """Live through TURNS turns of saving and confirming."""
    choice, said = random.Random(seed), set[str]()
    db = sqlite_db.connect(folder / "branch.db")
    sqlite_db.migrate(db, outbox.migrations)
    for turn in range(TURNS):
        with sqlite_db.write(db):
            for _ in range(choice.randint(1, 4)):
                outbox.put(db, call_ended(f"1{turn:03d}"), AT)
        for (eid,) in db.execute("SELECT eid FROM outbox WHERE state = 'new'").fetchall():
            if eid not in said:
                said.add(eid)
                say(f"put {eid}")
        epoch = outbox.epoch_of(db)
        if turn % 3 == 2:
            upto = outbox.heads(db)["evt"] - choice.randint(0, 2)
            with sqlite_db.write(db):
                outbox.mark_acked(db, epoch, "evt", upto)
            say(f"acked {epoch} {upto}")
        if turn == TURNS // 2:
            with sqlite_db.write(db):
                outbox.start_epoch(db)
        if turn % 5 == 4:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
