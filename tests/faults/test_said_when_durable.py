"""Head office's promises in the order of its system calls: first the disk has it, then the box is told.

A power cut shows what was lost only if it falls badly; the order shows it each time.
"""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.databases import new_sqlite
from tests.sync.processes import ROOT

CALLS = "fsync,fdatasync,link,linkat,rename,renameat,renameat2,write,pwrite64"
TURNS = 14  # two recordings
STORED = [  # since the word before, in this order
    r"fsync\(\d+<.*/incoming/branch-1\.[^>]*>\)",  # the bytes
    r"link(?:at)?\(.*/incoming/branch-1\..*/objects/objects/",  # their name
    r"fsync\(\d+<.*/objects/objects/[0-9a-f]{2}>\)",
    r"pwrite64\(\d+<.*head-office\.db-wal>",  # the row
    r"fdatasync\(\d+<.*head-office\.db-wal>\)",
]
ACKED = [r"pwrite64\(\d+<.*head-office\.db-wal>", r"fdatasync\(\d+<.*head-office\.db-wal>\)"]


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The system calls of a short life of head office."""
    folder = tmp_path_factory.mktemp("office")
    new_sqlite(folder / "head-office.db")
    traced = folder / "traced"
    command = ["strace", "-f", "-y", "-e", f"trace={CALLS}", "-o", str(traced)]
    life = [sys.executable, "-m", "tests.faults.office_run", str(folder), "1", str(TURNS)]
    subprocess.run([*command, *life], cwd=ROOT, check=True, capture_output=True, timeout=120)
    return traced.read_text().splitlines()


def last(pattern: str, calls: list[str]) -> int:
    """Where the last such call is; -1: there is none."""
    return max((at for at, call in enumerate(calls) if re.search(pattern, call)), default=-1)


@pytest.mark.parametrize(("word", "wanted"), [("acked", ACKED), ("stored", STORED)])
def test_the_disk_has_it_before_the_box_is_told(calls: list[str], word: str, wanted: list[str]) -> None:
    told = [at for at, call in enumerate(calls) if re.search(r'write\(1<.*"(acked|stored|ready)', call)]
    promises = [at for at in told if f'"{word} ' in calls[at]]
    assert len(promises) >= 2
    for at in promises:
        before = calls[:at]
        found = [last(pattern, before) for pattern in wanted]
        assert found == sorted(found) and found[0] >= 0, dict(zip(wanted, found, strict=True))
