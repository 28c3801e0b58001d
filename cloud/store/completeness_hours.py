"""One hour of one branch: what its manifests say was written, what of it is here, what differs or came late.

What came after its manifest had come was missing before and was sent again: it is told as mended. Rows that
were damaged here, or were the wrong one of two, were set aside when the right one came.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, func, select

from cloud.kept import Announced, announced_in, held
from cloud.store import schema
from sync.envelope import EnvelopeError
from sync.manifest import Part, read_statement, runs

DAY_STREAM = "day"
MOST_SHOWN = 16  # runs of numbers


@dataclass(frozen=True, slots=True)
class PartOfHour:
    """A run of entries of one stream: said by the box, and found here."""

    stream: str
    first: int
    last: int
    agrees: bool
    missing: tuple[tuple[int, int], ...]  # runs of numbers, MOST_SHOWN at most
    missing_count: int
    unsound: int  # rows whose columns and bytes disagree
    mended: int  # entries that came after the manifest had

    @property
    def count(self) -> int:
        """Entries the box says it wrote."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class ManifestOfHour:
    """One manifest; an hour to which a clock came back has several."""

    n: int
    state: str  # open | waiting | closed
    items: int
    received_utc: str
    closed_utc: str | None
    audited_utc: str | None
    countersigned: bool
    parts: tuple[PartOfHour, ...]
    announced: int  # recordings
    stored: int
    lost: int
    readable: bool  # whether the statement could be read


def manifests_of(db: Connection, box_id: str, span: str) -> list[ManifestOfHour]:
    """The manifests of that hour, the oldest first."""
    table = schema.manifests
    query = select(table).where(table.c.box_id == box_id, table.c.span == span)
    rows = db.execute(query.order_by(table.c.received_utc, table.c.n)).mappings().all()
    return [_manifest(db, row) for row in rows]


def set_aside_count(db: Connection, box_id: str, first_utc: str, until_utc: str) -> int:
    """How many rows came into quarantine from that branch between those moments."""
    table = schema.inbox_tables.quarantine
    within = (table.c.box_id == box_id, table.c.received_utc >= first_utc, table.c.received_utc < until_utc)
    return int(db.execute(select(func.count()).select_from(table).where(*within)).scalar_one())


def _manifest(db: Connection, row: RowMapping) -> ManifestOfHour:
    try:
        parts: Sequence[Part] = read_statement(bytes(row["body"])).parts
        readable = True
    except EnvelopeError:
        parts, readable = (), False
    told: list[PartOfHour] = []
    announced: list[Announced] = []
    for part in parts:
        if part.stream == DAY_STREAM:
            continue
        found = held(db, row["box_id"], row["epoch"], part)
        mine = found.stretch
        missing = mine.missing(part.first, part.last)
        late = [seq for seq, rows in found.rows.items() if rows[-1]["received_utc"] > row["received_utc"]]
        agrees = mine.root(part.first, part.last) == part.root and not found.unsound
        told.append(
            PartOfHour(
                part.stream, part.first, part.last, agrees, tuple(runs(missing)[:MOST_SHOWN]), len(missing),
                len(found.unsound), len(late),
            )
        )  # fmt: skip
        announced += announced_in(found)
    states = _recording_states(db, [one.recording_id for one in announced])
    return ManifestOfHour(
        n=row["n"],
        state=row["state"],
        items=row["items"],
        received_utc=row["received_utc"],
        closed_utc=row["closed_utc"],
        audited_utc=row["audited_utc"],
        countersigned=bool(row["witness_sig"]),
        parts=tuple(told),
        announced=len(announced),
        stored=states.count("stored"),
        lost=states.count("lost"),
        readable=readable,
    )


def _recording_states(db: Connection, ids: Sequence[str]) -> list[str]:
    found: list[str] = []
    for start in range(0, len(ids), 500):
        some = schema.recordings.c.id.in_(ids[start : start + 500])
        found += db.execute(select(schema.recordings.c.state).where(some)).scalars()
    return found
