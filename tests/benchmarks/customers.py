"""How long a sheet of 100,000 customers takes in, and how soon two characters find their customer in it."""

from __future__ import annotations

import random
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from edge.store import imports
from edge.store.customers import customers_page
from edge.store.operations import Operation
from edge.store.popup_settings import NumberRules
from edge.store.schema import open_store
from edge.store.scope import ALL, Author
from edge.store.taking_in import Importer, Judge
from sync.sheets import CUSTOMERS, read_sheet, write_sheet
from tests.benchmarks.figures import Figure, percentile

ROWS = 100_000
QUERIES = 200
FAMILY, GIVEN = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗", "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀兰霞平刚桂英"
PLACES = ("昆明东风", "大理古城", "官渡金马", "西山滇池", "盘龙北京路")


def rows(chance: random.Random) -> list[tuple[str, ...]]:
    """People with a mobile and a place, as people would type them."""
    made = []
    for _ in range(ROWS):
        name = chance.choice(FAMILY) + "".join(chance.choices(GIVEN, k=2))
        number = f"13{chance.randrange(10**9):09}"
        made.append(("", "个人", name, number, "", chance.choice(PLACES)) + ("",) * 6)
    return made


def measure() -> list[Figure]:
    """One import into an empty branch, then searches."""
    chance, now = random.Random(6), datetime.now(UTC)
    people = rows(chance)
    sheet = write_sheet(CUSTOMERS, people)
    with TemporaryDirectory(prefix="bench-") as folder, closing(open_store(Path(folder) / "branch.db")) as db:
        begun_s = time.monotonic()
        kept = imports.keep_file(db, "customers", "user", sheet, ROWS, now)
        judge = Judge(db, Importer(Author("demo", "1", None), True), NumberRules("0871"), now, kept.id)
        inserts = [one.insert for row in read_sheet(CUSTOMERS, sheet) if (one := judge.customer(row)).insert]
        assert len(inserts) == ROWS
        imports.add_all(db, kept, [one for one in inserts if one], Operation("import", "done", ""), now)
        taken_s = time.monotonic() - begun_s
        asked = [
            chance.choice((one[2][:2], one[2][1:], one[3][4:6])) for one in chance.sample(people, QUERIES)
        ]
        found_ms = []
        for words in asked:
            begun_s = time.monotonic()
            assert customers_page(db, ALL, words, "", 50)
            found_ms.append((time.monotonic() - begun_s) * 1000)
    return [
        Figure(f"a sheet of {ROWS} customers into an empty branch", taken_s, "s", target=120),
        Figure(f"two characters among {ROWS} customers, p95", percentile(found_ms, 95), "ms", target=50),
    ]
