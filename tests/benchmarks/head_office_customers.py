"""How soon two Chinese characters find their customer among a million at head office; a sheet taken in.

On SQLite and on PostgreSQL, through the same functions as the page, by somebody of one branch, of a city's or
of all. Four customers of five are people; the rest are firms, whose names share words that stand in a fifth,
a fiftieth or none of all names. CUSTOMERS=100000 makes fewer, to try it.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Connection, Engine

from cloud.customers.record import Record
from cloud.customers.taking_in import judge
from cloud.field_keys import FieldKey, Keyring
from cloud.store import customer_imports as imports
from cloud.store.customer_rows import Row, Whose, main_row, part_rows
from cloud.store.customer_tables import customer_numbers, customers
from cloud.store.customer_writes import New, Stamp
from cloud.store.customers import Boxes, CustomerFilter, list_customers
from cloud.store.database import open_engine, read, write
from sync import bulk
from sync.ids import new_id
from sync.particulars import Particulars
from sync.sheets import CUSTOMERS, read_sheet, write_sheet
from tests.benchmarks.building import BULK, Progress, foremost, giving_way, indexes_after, load
from tests.benchmarks.customers import FAMILY, GIVEN, ROWS, rows
from tests.benchmarks.figures import Figure, percentile
from tests.postgres import PostgresServer

CUSTOMERS_KEPT = int(os.environ.get("CUSTOMERS", "1000000"))
IMPORTED = min(ROWS, CUSTOMERS_KEPT)
BATCH = 5_000
BRANCHES = 200
QUERIES = 100  # of each kind
AT = "2026-03-02T04:00:00.000Z"
BY = Stamp("bench", AT)
RING = Keyring((FieldKey.new(AT),))
CITIES = ("昆明", "大理", "曲靖", "玉溪", "保山", "昭通", "丽江", "普洱", "临沧", "楚雄")
TRADES = ("商贸", "科技", "餐饮", "建材", "物流")
COINED = "鑫宏泰瑞祥盛源丰达恒信安顺康福隆兴昌荣华"
ASKED: dict[str, Callable[[random.Random], str]] = {  # of how many names the two characters are part
    "a name": lambda chance: chance.choice((FAMILY, GIVEN)[chance.randrange(2)]) + chance.choice(GIVEN),
    "a word in every 5th": lambda _: "公司",
    "a word in every 25th": lambda chance: chance.choice(TRADES),
    "a word in every 50th": lambda chance: chance.choice(CITIES),
    "a word in every 2000th": lambda chance: chance.choice(COINED) + chance.choice(COINED),
    "a word of nobody": lambda _: "鳌龘",
}
ASKERS: dict[str, Boxes] = {
    "all branches": None,
    "150 branches": frozenset(f"box-{number}" for number in range(150)),
    "20 branches": frozenset(f"box-{number}" for number in range(20)),
    "one branch": frozenset({"box-7"}),
}


@contextmanager
def databases(folder: Path) -> Iterator[dict[str, tuple[PostgresServer, Engine]]]:
    """An empty database of each kind."""
    server = PostgresServer(BULK)
    server.start()
    try:
        engines = {
            "SQLite": open_engine(f"sqlite:///{folder / 'head-office.db'}"),
            "PostgreSQL": open_engine(server.url(server.make_database())),
        }
        yield {name: (server, engine) for name, engine in engines.items()}
        for engine in engines.values():
            engine.dispose()
    finally:
        server.stop()


def fill(engine: Engine, chance: random.Random, count: int) -> None:
    """`count` customers with a number each, of 200 branches; what only looks them up is made afterwards."""
    progress = Progress(f"customers on {engine.dialect.name}")
    with indexes_after(engine, customers.name, customer_numbers.name, "customers_search_pairs"):
        for first in range(0, count, BATCH):
            with write(engine) as db:
                _add(db, chance, min(BATCH, count - first))
            if first // BATCH % 40 == 39:
                progress.done(f"{first + BATCH:,} of {count:,}")
    progress.done("indexes")


def _add(db: Connection, chance: random.Random, count: int) -> None:
    """As `add_customers`, but for the history."""
    made: dict[str, list[Row]] = {customers.name: [], customer_numbers.name: []}
    common = {"version": 1, "changed_utc": AT, "created_by": BY.user_name, "created_utc": AT}
    for _ in range(count):
        record = Record(Particulars(name(chance), numbers=(f"13{chance.randrange(10**9):09}",)))
        whose = Whose(new_id(), f"box-{chance.randrange(BRANCHES)}")
        row = main_row(whose, record, RING) | common | {"id": whose.id, "box_id": whose.box_id}
        made[customers.name].append(row)
        made[customer_numbers.name] += part_rows(whose, record, RING)[customer_numbers.name]
    for table in (customers, customer_numbers):
        columns = tuple(made[table.name][0])
        bulk.insert(db, table, columns, [tuple(row.values()) for row in made[table.name]])


def name(chance: random.Random) -> str:
    """Of a person, or one time in five of a firm."""
    if chance.random() < 0.8:
        return chance.choice(FAMILY) + "".join(chance.choices(GIVEN, k=2))
    return chance.choice(CITIES) + "".join(chance.sample(COINED, 2)) + chance.choice(TRADES) + "有限公司"


def search_ms(engine: Engine, chance: random.Random, kind: str, box_ids: Boxes) -> list[float]:
    """How long each of many two-character searches took."""
    found_ms = []
    for _ in range(QUERIES):
        asked = CustomerFilter(words=ASKED[kind](chance))
        begun_s = time.monotonic()
        with read(engine) as db:
            list_customers(db, asked, box_ids, "newest", None, 51)
        found_ms.append((time.monotonic() - begun_s) * 1000)
    return found_ms


def search_figures(database: str, engine: Engine, chance: random.Random) -> list[Figure]:
    """For each asker the kind of words that took longest."""
    figures = []
    for who, box_ids in ASKERS.items():
        p95_ms = {kind: percentile(search_ms(engine, chance, kind, box_ids), 95) for kind in ASKED}
        told = ", ".join(f"{kind} {ms:.1f}" for kind, ms in p95_ms.items())
        sys.stderr.write(f"{database}, {who}: p95 in ms of {told}; {load()}\n")
        slowest = max(p95_ms, key=lambda kind: p95_ms[kind])
        of = f"{database}: two characters among {CUSTOMERS_KEPT:,} customers, {who}"
        figures.append(Figure(f"{of}, slowest kind ({slowest}), p95", p95_ms[slowest], "ms", target=50))
    return figures


def import_s(engine: Engine, sheet: bytes) -> float:
    """From the bytes of a sheet to its customers in the database, looked at as on the page."""
    begun_s = time.monotonic()
    cells = read_sheet(CUSTOMERS, sheet)
    with write(engine) as db:
        kept = imports.keep_sheet(db, RING, "user", None, sheet, len(cells), AT)
    many = [New(Whose(new_id(), None), one.record) for one in judge(cells, set()) if one.record]
    assert len(many) == IMPORTED
    assert imports.add_all(engine, RING, kept, many, BY, datetime.now(UTC))
    return time.monotonic() - begun_s


def measure() -> list[Figure]:
    """Both databases: the sheet into an empty one, then a million, then searches."""
    chance, figures = random.Random(7), []
    sheet = write_sheet(CUSTOMERS, rows(chance)[:IMPORTED])
    with TemporaryDirectory(prefix="bench-") as folder, databases(Path(folder)) as engines:
        for database, (server, engine) in engines.items():
            of = f"{database}: a sheet of {IMPORTED:,} customers taken in"
            figures.append(Figure(of, import_s(engine, sheet), "s", target=120))
            sys.stderr.write(f"{of}: {figures[-1].value:.1f} s; {load()}\n")
            with giving_way(server, engine):
                fill(engine, chance, CUSTOMERS_KEPT - IMPORTED)
            with foremost(server, engine):
                figures += search_figures(database, engine, chance)
    return figures
