"""How soon two Chinese characters find their customer among a million at head office; a sheet taken in.

On SQLite and on PostgreSQL, through the same functions as the page, by somebody of one branch or of all.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Engine, text

from cloud.customers.record import Record
from cloud.customers.taking_in import judge
from cloud.field_keys import FieldKey, Keyring
from cloud.store import customer_imports as imports
from cloud.store.customer_rows import Whose
from cloud.store.customer_writes import New, Stamp, add_customers
from cloud.store.customers import Boxes, CustomerFilter, list_customers
from cloud.store.database import open_engine, read, write
from sync.ids import new_id
from sync.particulars import Particulars
from sync.sheets import CUSTOMERS, read_sheet, write_sheet
from tests.benchmarks.customers import FAMILY, GIVEN, ROWS, rows
from tests.benchmarks.figures import Figure, percentile
from tests.postgres import PostgresServer

CUSTOMERS_KEPT = 1_000_000
BATCH = 5_000
BRANCHES = 200
QUERIES = 200
AT = "2026-03-02T04:00:00.000Z"
BY = Stamp("bench", AT)
RING = Keyring((FieldKey.new(AT),))


@contextmanager
def databases(folder: Path) -> Iterator[dict[str, Engine]]:
    """An empty database of each kind."""
    server = PostgresServer()
    server.start()
    try:
        name = server.make_database()
        engines = {
            "SQLite": open_engine(f"sqlite:///{folder / 'head-office.db'}"),
            "PostgreSQL": open_engine(server.url(name)),
        }
        yield engines
        for engine in engines.values():
            engine.dispose()
    finally:
        server.stop()


def fill(engine: Engine, chance: random.Random, count: int) -> None:
    """`count` customers with a number each, of 200 branches."""
    for _ in range(0, count, BATCH):
        many = []
        for _ in range(BATCH):
            name = chance.choice(FAMILY) + "".join(chance.choices(GIVEN, k=2))
            what = Particulars(name, numbers=(f"13{chance.randrange(10**9):09}",))
            many.append(New(Whose(new_id(), f"box-{chance.randrange(BRANCHES)}"), Record(what)))
        with write(engine) as db:
            add_customers(db, RING, many, BY)
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
            db.execute(text("VACUUM ANALYZE"))


def search_ms(engine: Engine, chance: random.Random, box_ids: Boxes) -> list[float]:
    """How long each of many two-character searches took."""
    found_ms = []
    for _ in range(QUERIES):
        first = chance.choice((FAMILY, GIVEN))
        asked = CustomerFilter(words=chance.choice(first) + chance.choice(GIVEN))
        begun_s = time.monotonic()
        with read(engine) as db:
            list_customers(db, asked, box_ids, "newest", None, 51)
        found_ms.append((time.monotonic() - begun_s) * 1000)
    return found_ms


def import_s(engine: Engine, sheet: bytes) -> float:
    """From the bytes of a sheet to its customers in the database, looked at as on the page."""
    begun_s = time.monotonic()
    cells = read_sheet(CUSTOMERS, sheet)
    with write(engine) as db:
        kept = imports.keep_sheet(db, RING, "user", None, sheet, len(cells), AT)
    many = [New(Whose(new_id(), None), one.record) for one in judge(cells, set()) if one.record]
    assert len(many) == ROWS
    assert imports.add_all(engine, RING, kept, many, BY, datetime.now(UTC))
    return time.monotonic() - begun_s


def measure() -> list[Figure]:
    """Both databases: the sheet into an empty one, then a million, then searches."""
    chance, figures = random.Random(7), []
    sheet = write_sheet(CUSTOMERS, rows(chance))
    with TemporaryDirectory(prefix="bench-") as folder, databases(Path(folder)) as engines:
        for name, engine in engines.items():
            taken_s = import_s(engine, sheet)
            figures.append(Figure(f"{name}: a sheet of {ROWS} customers taken in", taken_s, "s", target=120))
            fill(engine, chance, CUSTOMERS_KEPT - ROWS)
            for who, box_ids in (("all branches", None), ("one branch", frozenset({"box-7"}))):
                figures.append(
                    Figure(
                        f"{name}: two characters among {CUSTOMERS_KEPT} customers, {who}, p95",
                        percentile(search_ms(engine, chance, box_ids), 95), "ms", target=50,
                    )
                )  # fmt: skip
    return figures
