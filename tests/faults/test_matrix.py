"""The fault matrix is true: 32 rows, and each test it names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = {
    row[1]: re.findall(r"`([\w/]+\.py)::(\w+)`", row[0])
    for row in re.finditer(r"^\| (F\d+) \|.*$", (ROOT / "tests/faults/README.md").read_text(), re.MULTILINE)
}


def test_no_row_is_missing() -> None:
    assert list(ROWS) == [f"F{number}" for number in range(1, 33)]


@pytest.mark.parametrize("row", ROWS)
def test_each_test_named_exists(row: str) -> None:
    assert ROWS[row]
    for file, name in ROWS[row]:
        assert re.search(rf"^((def|class) {name}\(|{name} = )", (ROOT / file).read_text(), re.MULTILINE), name
