"""Which ingest worker serves which shard: leases in the database, and a fence before every write.

    shard_leases    shard, worker, term, until_utc     term grows each time a shard changes hands
    ingest_workers  worker, until_utc                  who is alive, so that shards are shared evenly

A worker renews what it holds and takes what has lapsed, by the database's clock alone. Each transaction that
writes for a shard first asks the fence whether the shard is still this worker's under the same term; one that
was paused for longer than its lease finds another term there and writes nothing. Nothing depends on the
broker: a message to a worker that lost the shard is not acknowledged, so the box sends it again. What a
paused worker has locked is set free: whoever takes its shards over ends its sessions first.

    Fenced    a shard was taken over by another worker
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine, RowMapping, bindparam, select, text

from cloud.store.database import write
from cloud.store.schema import ingest_workers, shard_leases
from sync import bulk
from sync.topics import SHARDS

LEASE_S = 10.0
RENEWALS = 4  # within one lease
RENEWAL_LOCK = 0x6272_6C73  # PostgreSQL's, any number
FREE = ""  # until_utc of a shard that was given up: earlier than any time
_COLUMNS = ("shard", "worker", "term", "until_utc")

_NOW = {
    "sqlite": "SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now', :plus || ' seconds')",
    "postgresql": "SELECT to_char((clock_timestamp() + CAST(:plus || ' seconds' AS interval))"
    " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')",
}

_END_SESSIONS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE application_name = ANY(%s) AND pid <> pg_backend_pid() AND datname = current_database()
"""

# Built once, as whatever each batch and each recording asks: to build it takes longer than to ask.
_HOLD = (
    select(shard_leases)
    .where(shard_leases.c.shard.in_(bindparam("shards", expanding=True)))
    .order_by(shard_leases.c.shard)
    .with_for_update(read=True)
)

log = logging.getLogger(__name__)


class Fenced(RuntimeError):
    """A shard was taken over by another worker; nothing may be written for it."""


def database_utc(db: Connection, plus_s: float = 0.0) -> str:
    """The database's own time, or that many seconds later, as UTC text."""
    return str(db.execute(text(_NOW[db.dialect.name]), {"plus": f"{plus_s:.3f}"}).scalar_one())


@dataclass(slots=True)
class Leases:
    """The shards of one worker. Not two workers of one name: the one that began later takes all."""

    engine: Engine
    worker: str
    lease_s: float = LEASE_S
    utc: Callable[[Connection, float], str] = database_utc
    held: dict[int, int] = field(default_factory=dict)  # shard -> term
    _begun: bool = False
    _next_s: float = 0.0

    def step(self, now_s: float) -> bool:
        """Renew when it is time; whether what is held has changed."""
        if now_s < self._next_s:
            return False
        self._next_s = now_s + self.lease_s / RENEWALS
        before = dict(self.held)
        self.renew()
        return before != self.held

    def renew(self) -> None:
        """Keep what is held, give up what is more than a fair share, take what has lapsed."""
        with write(self.engine) as db:  # one that was paused in the midst of this holds the lock
            self._end_lapsed_sessions(db, self.utc(db, 0.0))
        with write(self.engine) as db:
            _alone(db, self.lease_s / RENEWALS)
            now, until = self.utc(db, 0.0), self.utc(db, self.lease_s)
            self._end_lapsed_sessions(db, now)
            fair = self._fair_share(db, now, until)
            rows = {row["shard"]: row for row in db.execute(select(shard_leases)).mappings()}
            mine = [shard for shard, term in self.held.items() if self._is_ours(rows.get(shard), term)]
            held = {shard: self.held[shard] for shard in sorted(mine)[:fair]}
            free = [shard for shard in range(SHARDS) if self._may_take(rows.get(shard), now)]
            taken = [shard for shard in free if shard not in mine][: fair - len(held)]
            given_up = [(shard, self.worker, self.held[shard], FREE) for shard in mine if shard not in held]
            held |= {shard: rows[shard]["term"] + 1 if shard in rows else 1 for shard in taken}
            renewed = [(shard, self.worker, term, until) for shard, term in held.items()]
            bulk.upsert(db, shard_leases, _COLUMNS, renewed + given_up)
        self._tell(held)
        self.held, self._begun = held, True

    def fence(self, db: Connection, shards: Iterable[int]) -> None:
        """Hold these shards until the transaction ends; Fenced if one is no longer ours."""
        wanted = set(shards)
        rows = {row["shard"]: row for row in db.execute(_HOLD, {"shards": sorted(wanted)}).mappings()}
        lost = [shard for shard in wanted if not self._is_ours(rows.get(shard), self.held.get(shard, 0))]
        if lost:
            self.held = {shard: term for shard, term in self.held.items() if shard not in lost}
            raise Fenced(f"worker {self.worker} no longer serves shards {', '.join(map(str, sorted(lost)))}")

    def give_up(self) -> None:
        """Let the others have everything at once."""
        with write(self.engine) as db:
            for shard, term in self.held.items():
                own = (shard_leases.c.shard == shard, shard_leases.c.term == term)
                db.execute(shard_leases.update().where(*own).values(until_utc=FREE))
            db.execute(ingest_workers.delete().where(ingest_workers.c.worker == self.worker))
        self.held = {}

    def _fair_share(self, db: Connection, now: str, until: str) -> int:
        bulk.upsert(db, ingest_workers, ("worker", "until_utc"), [(self.worker, until)])
        db.execute(ingest_workers.delete().where(ingest_workers.c.until_utc < now))
        alive = len(db.execute(select(ingest_workers.c.worker)).all())
        return -(-SHARDS // alive)

    def _end_lapsed_sessions(self, db: Connection, now: str) -> None:
        """End what workers that did not renew have left open: a paused one would keep its rows locked.

        Before shards are taken, by the same `now` as they are: a worker that lapsed in between would be
        forgotten with its session open.
        """
        if db.dialect.name != "postgresql":
            return  # whoever is paused while it writes to SQLite holds up everybody
        workers = db.execute(
            select(ingest_workers.c.worker).where(ingest_workers.c.until_utc < now)
        ).scalars()
        names = [application_name(worker) for worker in workers]
        if not self._begun:
            names.append(application_name(self.worker))  # of before we began
        db.exec_driver_sql(_END_SESSIONS, (names,))

    def _is_ours(self, row: RowMapping | None, term: int) -> bool:
        return row is not None and (row["worker"], row["term"]) == (self.worker, term)

    def _may_take(self, row: RowMapping | None, now: str) -> bool:
        """A shard nobody has, one whose lease has lapsed, or our own of before we began."""
        return row is None or row["until_utc"] < now or (row["worker"] == self.worker and not self._begun)

    def _tell(self, held: dict[int, int]) -> None:
        if set(held) != set(self.held):
            log.info("worker %s serves %d of %d shards", self.worker, len(held), SHARDS)


def application_name(worker: str) -> str:
    """What PostgreSQL knows the sessions of a worker by."""
    return f"branchline-ingest-{worker}"


def _alone(db: Connection, wait_s: float) -> None:
    """One worker renews at a time, or OperationalError after `wait_s`; SQLite has one writer anyway."""
    if db.dialect.name == "postgresql":
        db.exec_driver_sql(f"SET LOCAL lock_timeout = {round(wait_s * 1000)}")
        db.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": RENEWAL_LOCK})
