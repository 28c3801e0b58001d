"""What head office answers to one manifest: it closes only what follows what was said before, and is whole.

The box is written out here, so that it can say what no box of ours would: another past, another key, other
recordings than its entries announce, a day that is not the sum of its hours.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine, update

from cloud.apply import APPLY
from cloud.objects import FolderObjects
from cloud.reconcile import Reconciler
from cloud.store import boxes, schema, troubles
from cloud.store.database import open_engine, read, write
from sync.arriving import Origin
from sync.envelope import canonical, chained, entry_bytes, genesis, pack_batch, unpack_batch
from sync.events import EVENT_TYPES, SyncEvent
from sync.ids import new_id
from sync.inbox import Inbox
from sync.keys import DeviceKey
from sync.manifest import (
    BOX_KEY,
    GENESIS,
    WITNESS,
    Ask,
    Chain,
    Files,
    Hashes,
    Manifest,
    ManifestError,
    Part,
    Resend,
    Statement,
    Verdict,
    Want,
    digest,
    entry_leaf,
    file_leaf,
    holds,
    pack,
    root_of,
    sign,
    unpack_from_office,
)
from tests.sync.station import AT, BOX, call_ended, recording_ready

EPOCH = "0123456789abcdef"
ORIGIN = Origin(BOX, AT)
HOUR, DAY = "2026-11-22T04", "2026-11-22"
KEY, OTHER_KEY = DeviceKey.new(), DeviceKey.new()
AUDIO = b"fLaC and a call"
NO_FILES = Files(0, 0, root_of([]))


class Branch:
    """Head office's reconciler, and a box of which every byte is made here."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self.folder = engine, folder
        self.objects = FolderObjects(folder / "objects")
        self.reconciler = Reconciler(Inbox(schema.inbox_tables, APPLY), self.objects)
        self.bodies: dict[str, list[bytes]] = {"evt": [], "meta": []}
        with write(engine) as db:
            boxes.register(db, BOX, "Nanjing Road")

    def sends(self, *events: SyncEvent) -> None:
        """Entries that arrive."""
        for event in events:
            stream = next(stream for kind, stream in EVENT_TYPES.values() if isinstance(event, kind))
            bodies = self.bodies[stream]
            prev = genesis(EPOCH, stream)
            for body in bodies:
                prev = chained(prev, body)
            body = entry_bytes(event, new_id(), AT, len(bodies) + 1)
            batch = pack_batch(BOX, EPOCH, stream, len(bodies) + 1, prev, chained(prev, body), [body])
            bodies.append(body)
            with write(self.engine) as db:
                self.reconciler.inbox.accept(db, ORIGIN, unpack_batch(batch))

    def has_stored(self, recording_id: str, data: bytes, size: int) -> str:
        """Audio in the store, of which the rows say that it has `size` bytes."""
        file = self.folder / "audio"
        file.write_bytes(data)
        sha256 = hashlib.sha256(data).hexdigest()
        key = self.objects.take(file, sha256)
        values = {"recording_id": recording_id, "box_id": BOX, "size_bytes": size, "sha256": sha256,
                  "state": "stored", "failures": 0, "opened_utc": AT, "done_utc": AT}  # fmt: skip
        with write(self.engine) as db:
            db.execute(schema.inbox_tables.transfers.insert().values(values))
        return key

    def part(self, stream: str, first: int = 1) -> Part:
        bodies = self.bodies[stream][first - 1 :]
        leaves = [entry_leaf(seq, digest(body)) for seq, body in enumerate(bodies, first)]
        last = first + len(bodies) - 1
        return Part(stream, first, last, sum(map(len, bodies)), root_of(leaves))

    def says(self, message: Any) -> list[Any]:
        with write(self.engine) as db:
            answers = self.reconciler.answer(db, ORIGIN, pack(message))
        return [unpack_from_office(payload) for channel, payload in answers if channel == "m"]

    def states(self) -> list[str]:
        table = schema.manifests
        with read(self.engine) as db:
            return [row.state for row in db.execute(table.select().order_by(table.c.n))]

    def troubles(self) -> list[str]:
        with read(self.engine) as db:
            return [row["kind"] for row in troubles.open_troubles(db, BOX)]


@pytest.fixture
def branch(database_url: str, tmp_path: Path) -> Iterator[Branch]:
    engine = open_engine(database_url)
    yield Branch(engine, tmp_path)
    engine.dispose()


def manifest(*parts: Part, n: int = 1, prev: str = GENESIS, key: DeviceKey = KEY, **changes: Any) -> Manifest:
    said: dict[str, Any] = {
        "box": BOX, "epoch": EPOCH, "n": n, "prev": prev, "span": HOUR, "made": AT, "parts": parts,
        "files": NO_FILES, "chain": Chain(0, GENESIS), "key": key.public,
    }  # fmt: skip
    body = canonical(Statement(**(said | changes)))
    return Manifest(body=msgspec.Raw(body), sig=sign(key, BOX_KEY, digest(body)))


def hash_of(said: Manifest) -> str:
    return digest(bytes(said.body))


def test_what_is_whole_is_closed_and_countersigned(branch: Branch) -> None:
    branch.sends(call_ended(), call_ended())
    said = manifest(branch.part("evt"))
    (verdict,) = branch.says(said)
    assert isinstance(verdict, Verdict) and (verdict.state, verdict.h) == ("closed", hash_of(said))
    assert holds(verdict.key, WITNESS, verdict.h, verdict.sig)
    assert branch.says(said) == [verdict], "and again when it is asked again"


@pytest.mark.parametrize(
    ("n", "prev", "code"),
    [(2, "right", "closed"), (2, "f" * 64, "other_history"), (1, GENESIS, "other_history"),
     (3, "right", "missing_before")],
)  # fmt: skip
def test_a_manifest_follows_the_one_before_or_is_refused(
    branch: Branch, n: int, prev: str, code: str
) -> None:
    branch.sends(call_ended())
    first = manifest(branch.part("evt"))
    branch.says(first)
    branch.sends(call_ended())
    before = hash_of(first) if prev == "right" else prev
    (verdict,) = branch.says(manifest(branch.part("evt", 2), n=n, prev=before, span="2026-11-22T05"))
    assert code == (verdict.code if verdict.state == "refused" else verdict.state)
    assert branch.troubles() == (["other_history"] if code == "other_history" else [])
    assert branch.states() == ["closed", "closed"] if code == "closed" else ["closed"]


def test_another_key_than_before_is_a_trouble(branch: Branch) -> None:
    prev, found = GENESIS, []
    for n, key in enumerate((KEY, KEY, OTHER_KEY), 1):
        branch.sends(call_ended())
        said = manifest(branch.part("evt", n), n=n, prev=prev, key=key)
        (verdict,) = branch.says(said)
        assert verdict.state == "closed"
        prev = hash_of(said)
        found.append(branch.troubles())
    assert found == [[], [], ["key_changed"]]


def test_recordings_that_no_entry_announces_are_refused(branch: Branch) -> None:
    branch.sends(recording_ready(new_id(), new_id(), AUDIO))
    leaf = file_leaf(new_id(), len(AUDIO), hashlib.sha256(AUDIO).hexdigest())
    with pytest.raises(ManifestError, match="not those that its entries announce"):
        branch.says(manifest(branch.part("meta"), files=Files(1, len(AUDIO), root_of([leaf]))))
    with pytest.raises(ManifestError, match="not those that its entries announce"):
        branch.says(manifest(branch.part("meta")))


@pytest.mark.parametrize(("kept", "state"), [(AUDIO, "closed"), (AUDIO[:-1], "waiting"), (None, "waiting")])
def test_audio_has_to_be_there_with_every_byte(branch: Branch, kept: bytes | None, state: str) -> None:
    """Of the size that was announced, whatever a row says."""
    ready = recording_ready(new_id(), new_id(), AUDIO)
    branch.sends(ready)
    key = branch.has_stored(ready.recording_id, AUDIO, len(AUDIO))
    (stored,) = (branch.folder / "objects").rglob(key)
    if kept is None:
        stored.unlink()
    else:
        stored.chmod(0o640)
        stored.write_bytes(kept)
    leaf = file_leaf(ready.recording_id, ready.size_bytes, ready.sha256)
    (verdict,) = branch.says(manifest(branch.part("meta"), files=Files(1, len(AUDIO), root_of([leaf]))))
    assert verdict.state == state
    assert verdict.lacks == (() if state == "closed" else (ready.recording_id,))
    with read(branch.engine) as db:
        transfers = db.execute(schema.inbox_tables.transfers.select()).mappings().all()
    assert [row["state"] for row in transfers] == ["stored" if state == "closed" else "open"], "comes again"


@pytest.mark.parametrize(
    ("transfer", "of_the_recording", "state"),
    [(None, "announced", "waiting"), (None, "lost", "closed"), (None, "deleted", "closed"),
     ("stored", "lost", "waiting"), ("of another box", "announced", "waiting")],
)  # fmt: skip
def test_audio_that_is_not_here_is_waited_for_unless_nobody_has_it(
    branch: Branch, transfer: str | None, of_the_recording: str, state: str
) -> None:
    ready = recording_ready(new_id(), new_id(), AUDIO)
    branch.sends(ready)
    if transfer:
        key = branch.has_stored(ready.recording_id, AUDIO, len(AUDIO))
        table = schema.inbox_tables.transfers
        with write(branch.engine) as db:
            if transfer == "stored":  # and then it went
                next((branch.folder / "objects").rglob(key)).unlink()
            else:
                boxes.register(db, "branch-2", "Beijing Road")
                db.execute(update(table).values(box_id="branch-2"))
    with write(branch.engine) as db:
        db.execute(update(schema.recordings).values(state=of_the_recording))
    leaf = file_leaf(ready.recording_id, ready.size_bytes, ready.sha256)
    (verdict,) = branch.says(manifest(branch.part("meta"), files=Files(1, len(AUDIO), root_of([leaf]))))
    assert verdict.state == state


def test_a_verdict_names_the_older_ones_that_are_open(branch: Branch) -> None:
    """So that a box hears of what an audit opened again with the next hour it closes."""
    prev = GENESIS
    for n in (1, 2, 3):
        branch.sends(call_ended())
        said = manifest(branch.part("evt", n), n=n, prev=prev)
        (verdict,) = branch.says(said)
        prev = hash_of(said)
        assert verdict.open == ((1,) if n == 3 else ())
        if n == 2:
            with write(branch.engine) as db:
                first = schema.manifests.c.n == 1
                db.execute(update(schema.manifests).where(first).values(state="open"))


@pytest.mark.parametrize(("of_the_day", "state"), [("right", "closed"), ("other", "open")])
def test_a_day_is_the_sum_of_its_manifests(branch: Branch, of_the_day: str, state: str) -> None:
    branch.sends(call_ended())
    hour = manifest(branch.part("evt"))
    branch.says(hour)
    h = hash_of(hour) if of_the_day == "right" else "f" * 64
    part = Part("day", 1, 1, 0, root_of([entry_leaf(1, h)]))
    (verdict,) = branch.says(manifest(part, n=2, prev=hash_of(hour), span=DAY))
    assert (verdict.state, branch.states()) == (state, ["closed", state])


def test_a_row_whose_columns_belie_its_bytes_is_sent_again(branch: Branch) -> None:
    """Its bytes alone would pass: what a query by the column finds would be wrong."""
    branch.sends(call_ended(), call_ended(), call_ended())
    inbox = schema.inbox_tables.inbox
    with write(branch.engine) as db:
        db.execute(update(inbox).where(inbox.c.seq == 2).values(kind="gone"))
    (answer,) = branch.says(manifest(branch.part("evt")))
    assert isinstance(answer, Resend) and answer.ranges == ((2, 2),)
    assert branch.states() == ["open"]


def test_a_stray_row_under_a_number_keeps_the_hour_open(branch: Branch) -> None:
    """Every entry is there; and a row more, that says it is one of them."""
    branch.sends(call_ended(), call_ended())
    inbox = schema.inbox_tables.inbox
    with write(branch.engine) as db:
        row = dict(db.execute(inbox.select().where(inbox.c.seq == 1)).mappings().one())
        db.execute(inbox.insert().values(row | {"eid": new_id(), "seq": 2}))
    (answer,) = branch.says(manifest(branch.part("evt")))
    assert isinstance(answer, Resend) and answer.ranges == ((2, 2),)


@pytest.mark.parametrize("damaged", ["h", "body"])
def test_a_manifest_that_was_damaged_here_is_taken_anew(branch: Branch, damaged: str) -> None:
    branch.sends(call_ended())
    said = manifest(branch.part("evt"))
    branch.says(said)
    with write(branch.engine) as db:
        db.execute(update(schema.manifests).values({damaged: "f" * 64 if damaged == "h" else b"{}"}))
    (verdict,) = branch.says(said)
    assert verdict.state == "closed" and branch.troubles() == []
    with read(branch.engine) as db:
        row = db.execute(schema.manifests.select()).mappings().one()
    assert (row["h"], bytes(row["body"])) == (hash_of(said), bytes(said.body))


def test_a_hash_outside_of_its_part_asks_for_nothing(branch: Branch) -> None:
    """Or a box could have any of its rows set aside in the name of any manifest."""
    branch.sends(*(call_ended() for _ in range(6)))
    first = branch.part("evt", 1)
    wrong = Part("evt", 1, 4, first.bytes, "f" * 64)
    (ask,) = branch.says(manifest(wrong))
    assert isinstance(ask, Ask) and ask.ranges == ((1, 4),)
    assert (
        branch.says(Hashes(epoch=EPOCH, n=1, stream="evt", hashes=((5, 6, "f" * 64), (5, 5, "f" * 64)))) == []
    )


def test_a_box_is_given_back_only_its_own_entries(branch: Branch) -> None:
    branch.sends(call_ended(), call_ended())
    with write(branch.engine) as db:
        boxes.register(db, "branch-2", "Beijing Road")
        mine, theirs = (
            branch.reconciler.answer(db, Origin(name, AT), pack(Want(epoch=EPOCH, stream="evt", seqs=(1, 9))))
            for name in (BOX, "branch-2")
        )
    assert [unpack_batch(payload).entries for _, payload in mine] == [[branch.bodies["evt"][0]]]
    assert theirs == []
