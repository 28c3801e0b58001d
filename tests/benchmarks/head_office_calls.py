"""How long head office's list of ten million calls takes on PostgreSQL: every filter, every pair of filters.

The calls are made by the server itself in monthly parts, with values from common to absent, and with pairs
that never meet (missed and long). A time is that of a page of fifty: its calls, recordings and gaps.
CALLS=200000 makes fewer, to try it.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any

from sqlalchemy import Engine, text

from cloud.calls.facets import AUDIO, DIRECTIONS, GAP, LENGTHS_MS, OUTCOMES, Wish
from cloud.calls.numbers import read_numbers
from cloud.store.call_search import CallFilter, find_calls
from cloud.store.calls import gaps_of, recordings_of
from cloud.store.database import open_engine, read, write
from cloud.store.partitions import PARTITIONED, make_month, month_after
from sync.moment import to_text
from tests.benchmarks.building import BULK, Progress, foremost, giving_way, indexes_after, load, unlogged
from tests.benchmarks.figures import Figure, percentile
from tests.postgres import PostgresServer

CALLS = int(os.environ.get("CALLS", "10000000"))
BOXES = 200
MONTHS = 13
END = datetime(2026, 11, 22, tzinfo=UTC)
SPAN = timedelta(days=365)
PAGE = 50
ROUNDS = 20  # of each filter; of a pair PAIR_ROUNDS
PAIR_ROUNDS = 5
TARGET_MS = 200.0
SHOWN = 12
PART = 1_000_000  # calls made in one transaction
HOT = "087163100000"  # a hundredth of all calls in and out


@dataclass(frozen=True, slots=True)
class Case:
    """A filter, the field of the form it belongs to, and a name."""

    field: str
    name: str
    wanted: CallFilter


def measure() -> list[Figure]:
    """Every filter, every pair of filters of different fields, and one pair as a plain statement."""
    server = PostgresServer(BULK)
    server.start()
    try:
        engine = open_engine(server.url(server.make_database()))
        with giving_way(server, engine):
            make_calls(engine)
        with foremost(server, engine):
            return figures(engine)
    finally:
        server.stop()


def figures(engine: Engine) -> list[Figure]:
    wanted = cases(engine)
    singles = {case.name: times_ms(engine, case.wanted, ROUNDS) for case in wanted}
    tell("one filter", singles)
    pairs = {name: pair_ms(engine, pair) for name, pair in pairs_of(wanted)}
    tell("two filters", pairs)
    worst, worst_pair = slowest(singles), slowest(pairs)
    together = [one for times in (*singles.values(), *pairs.values()) for one in times]
    never = plain_ms(engine)
    million = f"{CALLS / 1e6:g} M calls"
    return [
        Figure(f"list of {million}, slowest of {len(singles)} filters ({worst[0]}), p95", worst[1], "ms",
               target=TARGET_MS),
        Figure(f"list of {million}, slowest of {len(pairs)} pairs ({worst_pair[0]}), p95", worst_pair[1],
               "ms", target=TARGET_MS),
        Figure(f"list of {million}, all filters and pairs, p95", percentile(together, 95), "ms",
               target=TARGET_MS),
        Figure("two filters that never meet (missed, a minute or longer); against a plain WHERE",
               never[0], "ms", never[1], ratio_target=0.5),
    ]  # fmt: skip


def tell(kind: str, found: dict[str, list[float]]) -> None:
    """The slowest and the load, on stderr."""
    sys.stderr.write(f"{kind}: {len(found)} of them; {load()}\n")
    for name, times in sorted(found.items(), key=lambda one: -percentile(one[1], 95))[:SHOWN]:
        ms = percentile(times, 50), percentile(times, 95)
        sys.stderr.write(f"{kind}: {name}: median {ms[0]:.1f} ms, p95 {ms[1]:.1f} ms\n")


def pair_ms(engine: Engine, wanted: CallFilter) -> list[float]:
    """Few times of a pair; as many as of a single filter when those are not well within the target."""
    times = times_ms(engine, wanted, PAIR_ROUNDS)
    return times if max(times) < TARGET_MS / 2 else times_ms(engine, wanted, ROUNDS)


def slowest(found: dict[str, list[float]]) -> tuple[str, float]:
    """The name and the 95th percentile of the slowest."""
    return max(((name, percentile(times, 95)) for name, times in found.items()), key=lambda one: one[1])


def times_ms(engine: Engine, wanted: CallFilter, rounds: int) -> list[float]:
    """Times of the first page, each in a transaction of its own as a request has it."""
    page_ms(engine, wanted)  # what a first look reads from disk is the disk's time
    return [page_ms(engine, wanted) for _ in range(rounds)]


def page_ms(engine: Engine, wanted: CallFilter) -> float:
    began_s = time.perf_counter()
    with read(engine) as db:
        rows = find_calls(db, wanted, None, PAGE + 1)
        found = recordings_of(db, [row["id"] for row in rows])
        gaps_of(db, [row["id"] for row in found])
    return (time.perf_counter() - began_s) * 1000


def plain_ms(engine: Engine) -> tuple[float, float]:
    """A pair that no call fulfils: as the page asks, and as one WHERE over the same indexes."""
    wanted = CallFilter(wish=Wish(outcome="missed", shortest_ms=60_000))
    ours_ms = percentile(times_ms(engine, wanted, ROUNDS), 50)
    sql = (
        "SELECT id FROM calls WHERE outcome = 'missed' AND duration_ms >= 60000"
        " ORDER BY started_utc DESC, id DESC LIMIT 51"
    )
    began_s = time.perf_counter()
    with read(engine) as db:
        db.execute(text(sql)).all()
    return ours_ms, (time.perf_counter() - began_s) * 1000


def pairs_of(singles: list[Case]) -> Iterator[tuple[str, CallFilter]]:
    """Every two filters of different fields, as one."""
    for one, other in combinations(singles, 2):
        if one.field != other.field:
            yield f"{one.name} + {other.name}", merged(one.wanted, other.wanted)


def merged(one: CallFilter, other: CallFilter) -> CallFilter:
    """What both want."""
    empty, none = CallFilter(), Wish()
    wishes = {
        name: getattr(other.wish, name)
        for name in Wish.__dataclass_fields__
        if getattr(other.wish, name) != getattr(none, name)
    }
    rest: dict[str, Any] = {
        name: getattr(other, name)
        for name in CallFilter.__dataclass_fields__
        if name != "wish" and getattr(other, name) != getattr(empty, name)
    }
    return replace(one, wish=replace(one.wish, **wishes), **rest)


def cases(engine: Engine) -> list[Case]:
    """Each field of the form with values that are common, rare and absent."""
    with read(engine) as db:
        some = db.execute(
            text("SELECT party FROM calls WHERE party <> :hot LIMIT 1"), {"hot": HOT}
        ).scalar_one()
    boxes = [f"box-{number:03}" for number in range(BOXES)]
    tiny = frozenset(boxes[-20:])
    return [
        Case("none", "no filter", CallFilter()),
        Case("branch", "a large branch", CallFilter(box_ids=frozenset(boxes[:1]))),
        Case("branch", "a tiny branch", CallFilter(box_ids=frozenset(boxes[-1:]))),
        Case("branch", "an unknown branch", CallFilter(box_ids=frozenset({"nowhere"}))),
        Case("branch", "a city of 20 tiny branches", CallFilter(box_ids=tiny)),
        Case("branch", "a province of 150 branches", CallFilter(box_ids=frozenset(boxes[:150]))),
        *line_cases(boxes),
        *(Case("direction", one, CallFilter(wish=Wish(direction=one))) for one in DIRECTIONS),
        *(Case("outcome", one, CallFilter(wish=Wish(outcome=one))) for one in OUTCOMES),
        *duration_cases(),
        *(Case("audio", f"audio {one}", CallFilter(wish=Wish(has_audio=one))) for one in (True, False)),
        Case("gap", "with a gap", CallFilter(wish=Wish(has_gap=True))),
        *number_cases(some),
        Case("name", "a name", CallFilter(name="Wang 17")),
        Case("name", "a name of nobody", CallFilter(name="Nobody")),
        *(Case("flag", flag, CallFilter(flags=frozenset({flag}))) for flag in ("note", "star", "tag:none")),
        *span_cases(),
        Case("order", "oldest first", CallFilter(oldest_first=True)),
    ]


def line_cases(boxes: list[str]) -> list[Case]:
    one = frozenset(boxes[:1])
    return [
        Case("branch", f"line {line} of a large branch", CallFilter(box_ids=one, line=line))
        for line in (1, 9)
    ]


def duration_cases() -> list[Case]:
    spans = {"0 s": (0, 0), "a minute and more": (60_000, None), "57 s to 58 s": (57_000, 58_000),
             "an hour and more": (3_600_000, None), "3 hours and more": (10_800_000, None)}  # fmt: skip
    return [
        Case("duration", name, CallFilter(wish=Wish(shortest_ms=shortest, longest_ms=longest)))
        for name, (shortest, longest) in spans.items()
    ]


def number_cases(some: str) -> list[Case]:
    typed = {"a number": some, "a number of many calls": HOT, "a number of nobody": "13900000000",
             "last four": some[-4:], "last eight": some[-8:], "ends": f"{some[:3]}*{some[-4:]}"}  # fmt: skip
    return [Case("number", name, CallFilter(numbers=read_numbers(text_))) for name, text_ in typed.items()]


def span_cases() -> list[Case]:
    day = timedelta(days=1)
    spans = {"last day": (END - day, END), "a day long ago": (END - SPAN, END - SPAN + day),
             "a month": (END - timedelta(days=90), END - timedelta(days=60)),
             "before all": (datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 2, 1, tzinfo=UTC))}  # fmt: skip
    return [
        Case("span", name, CallFilter(from_utc=to_text(first), until_utc=to_text(last)))
        for name, (first, last) in spans.items()
    ]


def make_calls(engine: Engine) -> None:
    """CALLS calls of a year, their recordings and gaps, what people put on some; indexes made afterwards."""
    progress = Progress("calls")
    with write(engine) as db:
        for month in range(MONTHS + 1):
            for table, key in PARTITIONED.items():
                make_month(db, table, key, month_after(END, month - MONTHS).replace(day=1))
        db.execute(text("INSERT INTO boxes (id, name) SELECT 'box-' || lpad(n::text, 3, '0'), 'Branch ' || n"
                        " FROM generate_series(0, :last) n"), {"last": BOXES - 1})  # fmt: skip
    unlogged(engine, "gaps", "recordings", "calls")
    with indexes_after(engine, "calls", "recordings"):
        for first in range(1, CALLS + 1, PART):
            last = min(CALLS, first + PART - 1)
            with write(engine) as db:
                db.execute(text(_CALLS), {**_numbers(_CALLS), "first": first, "last": last})
            progress.done(f"{last:,} of {CALLS:,}")
        for statement in _MORE:
            with write(engine) as db:
                db.execute(text(statement), _numbers(statement))
            progress.done(" ".join(statement.split()[:3]).lower())
    progress.done("indexes")


def _numbers(statement: str) -> dict[str, Any]:
    end_ms, span_ms = int(END.timestamp() * 1000), int(SPAN.total_seconds() * 1000)
    known = {"calls": CALLS, "end_ms": end_ms, "span_ms": span_ms, "boxes": BOXES, "hot": HOT,
             "audio": AUDIO, "gap": GAP}  # fmt: skip
    return {name: value for name, value in known.items() if f":{name}" in statement}


_LENGTH_CLASS = " + ".join(f"(duration_ms >= {bound})::int" for bound in LENGTHS_MS)
# Of every thousand: 550 in (a third missed, 2 % voicemail), 440 out, 10 unknown. Branches are of very
# different size: half of all calls at the first tenth, some dozens at each of the last.
_CALLS = """
    INSERT INTO calls (id, box_id, line, line_name, direction, outcome, started_utc, answered_utc, ended_utc,
        duration_ms, ring_count, caller_number, caller_name, caller_presentation, dialled, end_reason,
        hook_known, clock_quality, received_utc, party, last4, last8, facet)
    SELECT substr(hex, 1, 8) || '-' || substr(hex, 9, 4) || '-7' || substr(hash, 1, 3) || '-8'
            || substr(hash, 4, 3) || '-' || substr(hash, 7, 12),
        box, line, 'Line ' || line, way, outcome, started, started, started, duration_ms, 2,
        CASE WHEN way <> 'out' THEN party END,
        CASE WHEN way <> 'out' AND n % 50 = 0 THEN 'Wang ' || n % 5000 END, 'available',
        CASE WHEN way = 'out' THEN party END, 'hung_up', true, 'ntp', started,
        party, right(party, 4), right(party, 8),
        array_position('{in,out,unknown}'::text[], way) - 1
        + ((array_position('{answered,missed,voicemail,busy,no_answer,unknown}'::text[], outcome) - 1) << 2)
        + ((%(length)s) << 5)
        + CASE WHEN duration_ms > 0 AND n % 199 <> 0 THEN :audio ELSE 0 END
        + CASE WHEN duration_ms > 0 AND n % 2003 = 0 THEN :gap ELSE 0 END
    FROM (
        SELECT *, lpad(to_hex(at_ms), 12, '0') AS hex, md5(n::text) AS hash,
            to_char(to_timestamp(at_ms / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
                AS started,
            'box-' || lpad(least(:boxes - 1, floor(:boxes * power(a, 3)))::int::text, 3, '0') AS box,
            CASE WHEN b < 0.5 THEN 1 ELSE 2 + (n % 7)::int END AS line,
            CASE WHEN c < 0.01 THEN :hot
                 ELSE '1' || (ARRAY['38','59','77','86'])[1 + (n % 4)::int]
                     || lpad((n * 7919 % 8000000)::text, 8, '0')
            END AS party,
            CASE WHEN outcome IN ('missed', 'busy', 'no_answer') THEN 0
                 WHEN n % 10007 = 0 THEN 3600000 + (d * 3600000)::bigint
                 ELSE (1000 + 240000 * d * d)::bigint END AS duration_ms
        FROM (
            SELECT *, CASE way WHEN 'in' THEN CASE WHEN d < 0.33 THEN 'missed' WHEN d < 0.35 THEN 'voicemail'
                                                   ELSE 'answered' END
                               WHEN 'out' THEN CASE WHEN d < 0.2 THEN 'no_answer' WHEN d < 0.2001 THEN 'busy'
                                                    ELSE 'answered' END
                               ELSE 'unknown' END AS outcome
            FROM (
                SELECT n, :end_ms - :span_ms + (n * :span_ms / :calls)::bigint AS at_ms,
                    random() AS a, random() AS b, random() AS c, random() AS d,
                    CASE WHEN n % 100 < 55 THEN 'in' WHEN n % 100 < 99 THEN 'out' ELSE 'unknown' END AS way
                FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) n) drawn) told) made
    """.replace("%(length)s", _LENGTH_CLASS)
_MORE = (
    """
    INSERT INTO recordings (id, call_id, box_id, state, started_utc, rate_hz, samples, codec, size_bytes,
        sha256)
    SELECT substr(id, 1, 14) || '7fff' || substr(id, 19), id, box_id,
        CASE WHEN facet & :audio > 0 THEN 'stored' ELSE 'announced' END, started_utc, 8000, duration_ms * 8,
        'flac', duration_ms * 4, md5(id) || md5(id)
    FROM calls WHERE duration_ms > 0
    """,
    """
    INSERT INTO gaps SELECT r.id, 8000, 800, 'overrun' FROM recordings r JOIN calls c ON c.id = r.call_id
    WHERE c.facet & :gap > 0
    """,
    "INSERT INTO call_facets SELECT DISTINCT box_id, facet FROM calls",
    """
    INSERT INTO call_flags SELECT flag, started_utc, id, box_id, facet, duration_ms FROM calls
    JOIN (VALUES ('note', 100), ('star', 1000)) AS marks (flag, every)
        ON ('x' || substr(id, 30, 7))::bit(28)::int % every = 0
    """,
)
