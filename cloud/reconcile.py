"""Head office's side of channel `m`: compares manifests with what is here, and has the differences mended.

Each message is answered from the database alone, so a restart in the middle costs one round. What is closed
is countersigned: afterwards neither side can change it without the other's signature saying so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, select

from cloud.kept import Announced, Held, announced_in, bytes_of, chain_holds, drop, held, here_digest, leaf_of
from cloud.objects import Objects
from cloud.store import late_hours, schema, troubles
from cloud.store.deletions import DELETED
from sync.arriving import Origin
from sync.envelope import chained, pack_batch
from sync.inbox import Inbox
from sync.keys import DeviceKey
from sync.manifest import (
    GENESIS,
    MOST_RANGES,
    WITNESS,
    Ask,
    FromOffice,
    Hashes,
    Manifest,
    ManifestError,
    Part,
    Resend,
    Standing,
    Statement,
    Stretch,
    Verdict,
    Want,
    checked,
    compare,
    digest,
    entry_leaf,
    file_leaf,
    pack,
    read_statement,
    root_of,
    runs,
    sign,
    unpack_from_box,
)

MOST_LACKS = 64
MOST_OPEN = 512
DAY_STREAM = "day"

Answer = tuple[str, bytes]  # channel, payload


@dataclass(frozen=True, slots=True)
class Reconciler:
    """What is needed to judge a manifest."""

    inbox: Inbox
    objects: Objects
    witness: DeviceKey = field(default_factory=DeviceKey.new)

    def answer(self, db: Connection, origin: Origin, payload: bytes) -> list[Answer]:
        """What to say to a message on channel `m`; an EnvelopeError if it is none."""
        said = unpack_from_box(payload)
        if isinstance(said, Want):
            return self._wanted(db, origin, said)
        if isinstance(said, Hashes):
            return self._hashes(db, origin, said)
        answers: list[FromOffice] = (
            self._manifest(db, origin, said)
            if isinstance(said, Manifest)
            else [self._standing(db, origin, said)]
        )
        late_hours.note(db, origin.box_id, origin.received_utc)
        return [("m", pack(answer)) for answer in answers]

    # -- standing

    def _standing(self, db: Connection, origin: Origin, asked: Standing) -> Standing:
        table = schema.manifests
        own = (table.c.box_id == origin.box_id, table.c.epoch == asked.epoch)
        newest = db.execute(
            select(table.c.n, table.c.h).where(*own).order_by(table.c.n.desc()).limit(1)
        ).first()
        n, h = (newest.n, newest.h) if newest else (0, GENESIS)
        return Standing(epoch=asked.epoch, top=n, h=h, open=self._open(db, origin, asked.epoch))

    def _open(self, db: Connection, origin: Origin, epoch: str) -> tuple[int, ...]:
        table = schema.manifests
        query = select(table.c.n).where(
            table.c.box_id == origin.box_id, table.c.epoch == epoch, table.c.state != "closed"
        )
        return tuple(db.execute(query.order_by(table.c.n).limit(MOST_OPEN)).scalars())

    # -- a manifest

    def _manifest(self, db: Connection, origin: Origin, manifest: Manifest) -> list[FromOffice]:
        statement, h = checked(manifest, origin.box_id), digest(bytes(manifest.body))
        fault = self._misfit(db, origin, statement, h)
        if fault:
            return [Verdict(epoch=statement.epoch, n=statement.n, state="refused", h=h, code=fault)]
        _save_new(db, origin, manifest, statement, h)
        return self._judge(db, origin, statement, h)

    def _misfit(self, db: Connection, origin: Origin, statement: Statement, h: str) -> str | None:
        """Why a manifest does not fit those before it."""
        there = _row(db, origin.box_id, statement.epoch, statement.n)
        before = _row(db, origin.box_id, statement.epoch, statement.n - 1)
        if before is None and statement.n > 1:
            return "missing_before"
        prev = before["h"] if before else GENESIS
        if there is not None and digest(bytes(there["body"])) != there["h"]:
            there = None  # damaged here: taken anew
        if statement.prev != prev or (there is not None and there["h"] != h):
            detail = f"manifest {statement.n} of epoch {statement.epoch}, {statement.span}"
            troubles.begin(db, origin.box_id, "other_history", detail, origin.received_utc)
            return "other_history"
        if before is not None and read_statement(bytes(before["body"])).key != statement.key:
            detail = f"since manifest {statement.n}, {statement.span}"
            troubles.begin(db, origin.box_id, "key_changed", detail, origin.received_utc)
        return None

    def _judge(self, db: Connection, origin: Origin, statement: Statement, h: str) -> list[FromOffice]:
        helds: list[Held] = []
        answers: list[FromOffice] = []
        items = 0
        for part in statement.parts:
            if part.stream == DAY_STREAM:
                items += self._day_differs(db, origin, statement.epoch, part)
                continue
            found = held(db, origin.box_id, statement.epoch, part)
            helds.append(found)
            off, answer = self._part(db, origin, statement, part, found)
            items += off
            answers += answer
        key = (origin.box_id, statement.epoch, statement.n)
        if items:
            _save(db, key, state="open", items=items)
            return answers or [self._verdict(db, origin, statement, h, "open")]
        return [self._files(db, origin, statement, h, helds, key)]

    def _part(
        self, db: Connection, origin: Origin, statement: Statement, part: Part, found: Held
    ) -> tuple[int, list[FromOffice]]:
        """How many entries are known to be off, and what to ask for."""
        mine = found.stretch
        if mine.root(part.first, part.last) == part.root and not found.unsound:
            return 0, []
        epoch, n, stream = statement.epoch, statement.n, part.stream
        missing = mine.missing(part.first, part.last)
        if missing or found.unsound:
            drop(db, self.inbox, found.unsound, origin.received_utc, "damaged")
            again = sorted({*missing, *(row["seq"] for row in found.unsound)})
            return len(again), [Resend(epoch=epoch, n=n, stream=stream, ranges=runs(again)[:MOST_RANGES])]
        return 1, [Ask(epoch=epoch, n=n, stream=stream, ranges=((part.first, part.last),))]

    def _day_differs(self, db: Connection, origin: Origin, epoch: str, part: Part) -> int:
        table = schema.manifests
        query = select(table.c.n, table.c.h).where(
            table.c.box_id == origin.box_id, table.c.epoch == epoch, table.c.n.between(part.first, part.last)
        )
        mine = Stretch({n: entry_leaf(n, h) for n, h in db.execute(query)})
        return int(mine.root(part.first, part.last) != part.root)

    def _files(
        self, db: Connection, origin: Origin, statement: Statement, h: str, helds: list[Held],
        key: tuple[str, str, int],
    ) -> Verdict:  # fmt: skip
        announced = [one for found in helds for one in announced_in(found)]
        leaves = [file_leaf(one.recording_id, one.size_bytes, one.sha256) for one in announced]
        if root_of(leaves) != statement.files.root:
            raise ManifestError("its recordings are not those that its entries announce")
        lacks = self._missing_audio(db, origin, announced)
        if lacks:
            _save(db, key, state="waiting", items=0)
            return self._verdict(db, origin, statement, h, "waiting", lacks)
        public, sig = self.witness.public, sign(self.witness, WITNESS, h)
        row, now_utc = _row(db, *key), origin.received_utc
        moments = (row["received_utc"] if row else None, now_utc, now_utc)
        _save(
            db, key, state="closed", items=0, closed_utc=now_utc, witness_key=public, witness_sig=sig,
            here=here_digest(db, origin.box_id, helds, moments), audited_utc=now_utc,
        )  # fmt: skip
        return self._verdict(db, origin, statement, h, "closed")

    def _verdict(
        self, db: Connection, origin: Origin, statement: Statement, h: str, state: str,
        lacks: Sequence[str] = (),
    ) -> Verdict:  # fmt: skip
        closed = state == "closed"
        older = tuple(n for n in self._open(db, origin, statement.epoch) if n < statement.n)
        return Verdict(
            epoch=statement.epoch, n=statement.n, state=state, h=h, open=older, lacks=tuple(lacks),
            key=self.witness.public if closed else "", sig=sign(self.witness, WITNESS, h) if closed else "",
        )  # fmt: skip

    def _missing_audio(self, db: Connection, origin: Origin, announced: list[Announced]) -> list[str]:
        """The recordings that are not here and not known to be lost."""
        states = _audio_states(db, origin.box_id, [one.recording_id for one in announced])
        lacks: list[str] = []
        for one in announced:
            transfer, state = states.get(one.recording_id, (None, None))
            if state == DELETED:  # on purpose, and for good
                continue
            if transfer == "stored" and self.objects.size(one.sha256) == one.size_bytes:
                continue
            if transfer != "stored" and state == "lost":
                continue
            if transfer == "stored":
                forget_audio(db, origin.box_id, one.recording_id)
            lacks.append(one.recording_id)
        return lacks[:MOST_LACKS]

    # -- what differs

    def _hashes(self, db: Connection, origin: Origin, said: Hashes) -> list[Answer]:
        row = _row(db, origin.box_id, said.epoch, said.n)
        parts = read_statement(bytes(row["body"])).parts if row else ()
        part = next((one for one in parts if one.stream == said.stream), None)
        if part is None:
            raise ManifestError(f"there is no manifest {said.n} with a part of {said.stream}")
        found = held(db, origin.box_id, said.epoch, part)
        within = [one for one in said.hashes if part.first <= one[0] <= one[1] <= part.last]
        further, single = compare(found.stretch, within)
        answers: list[Answer] = []
        if further:
            ask = Ask(epoch=said.epoch, n=said.n, stream=said.stream, ranges=tuple(further))
            answers.append(("m", pack(ask)))
        theirs = {first: bytes.fromhex(h) for first, last, h in within if first == last}
        again = [seq for seq in single if self._give_up(db, origin, found, seq, theirs[seq])]
        if again:
            resend = Resend(epoch=said.epoch, n=said.n, stream=said.stream, ranges=runs(again))
            answers.append(("m", pack(resend)))
        kept = tuple(seq for seq in single if seq not in again)
        if kept:
            detail = f"{said.stream} {', '.join(map(str, kept[:10]))} of epoch {said.epoch}"
            troubles.begin(db, origin.box_id, "differs", detail, origin.received_utc)
            answers += self._wanted(db, origin, Want(epoch=said.epoch, stream=said.stream, seqs=kept))
        return answers

    def _give_up(self, db: Connection, origin: Origin, found: Held, seq: int, theirs: bytes) -> bool:
        """Set our own row aside unless our chain vouches for it; False if the box is the one that differs."""
        rows = found.rows.get(seq, [])
        if theirs in found.leaves.get(seq, []):  # one of two that claim this number is the box's
            others = [row for row in rows if leaf_of(row) != theirs]
            drop(db, self.inbox, others, origin.received_utc, "twin")
            return False
        if rows and all(chain_holds(db, row) for row in rows):
            return False
        drop(db, self.inbox, rows, origin.received_utc, "damaged")
        return True

    def _wanted(self, db: Connection, origin: Origin, want: Want) -> list[Answer]:
        """The entries a box has lost, each as a batch."""
        part = Part(want.stream, min(want.seqs, default=1), max(want.seqs, default=1), 0, GENESIS)
        found = held(db, origin.box_id, want.epoch, part)
        answers: list[Answer] = []
        for seq in want.seqs[: 2 * MOST_RANGES]:
            if seq not in found.leaves:
                continue
            body = bytes_of(found.rows[seq][-1])
            head = chained(GENESIS, body)
            batch = pack_batch(origin.box_id, want.epoch, want.stream, seq, GENESIS, head, [body])
            answers.append(("e", batch))
        return answers


def _row(db: Connection, box_id: str, epoch: str, n: int) -> RowMapping | None:
    return db.execute(select(schema.manifests).where(*_is((box_id, epoch, n)))).mappings().one_or_none()


def _is(key: tuple[str, str, int]) -> tuple[Any, Any, Any]:
    table = schema.manifests
    return table.c.box_id == key[0], table.c.epoch == key[1], table.c.n == key[2]


def _save_new(db: Connection, origin: Origin, manifest: Manifest, statement: Statement, h: str) -> None:
    key = (origin.box_id, statement.epoch, statement.n)
    if _row(db, *key) is not None:
        _save(db, key, h=h, span=statement.span, body=bytes(manifest.body), sig=manifest.sig)
        return
    row = {
        "box_id": origin.box_id,
        "epoch": statement.epoch,
        "n": statement.n,
        "span": statement.span,
        "h": h,
        "body": bytes(manifest.body),
        "sig": manifest.sig,
        "state": "open",
        "items": 0,
        "received_utc": origin.received_utc,
    }
    db.execute(schema.manifests.insert().values(row))


def _save(db: Connection, key: tuple[str, str, int], **values: object) -> None:
    db.execute(schema.manifests.update().where(*_is(key)).values(values))


def _audio_states(
    db: Connection, box_id: str, recording_ids: list[str]
) -> dict[str, tuple[str | None, str | None]]:
    """(state of the transfer, state of the recording) by recording."""
    transfers, recordings = schema.inbox_tables.transfers, schema.recordings
    moved = dict(_states(db, transfers, transfers.c.recording_id, box_id, recording_ids))
    known = dict(_states(db, recordings, recordings.c.id, box_id, recording_ids))
    return {one: (moved.get(one), known.get(one)) for one in recording_ids}


def _states(
    db: Connection, table: Table, key: Any, box_id: str, wanted: list[str]
) -> Sequence[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for at in range(0, len(wanted), 500):
        query = select(key, table.c.state).where(table.c.box_id == box_id, key.in_(wanted[at : at + 500]))
        rows += [(str(one), str(state)) for one, state in db.execute(query)]
    return rows


def forget_audio(db: Connection, box_id: str, recording_id: str) -> None:
    """The stored audio of a recording is gone or damaged: it is to come again."""
    transfers, recordings = schema.inbox_tables.transfers, schema.recordings
    db.execute(
        transfers.update()
        .where(transfers.c.box_id == box_id, transfers.c.recording_id == recording_id)
        .values(state="open", failures=0, done_utc=None)
    )
    db.execute(
        recordings.update()
        .where(recordings.c.box_id == box_id, recordings.c.id == recording_id)
        .values(state="announced", object_key=None, stored_utc=None)
    )
