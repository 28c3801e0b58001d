"""`edge verify` against worn disks: every single bit of real recordings, thousands of the database file."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.edge.sealed_box import SealedBox, copy_of, furnish
from tests.edge.test_verify import contents

DATABASE_BITS = 3000


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    furnish(folder)
    return folder


@pytest.mark.faults
@pytest.mark.parametrize("which", ["rec-a", "rec-b"])
def test_every_bit_of_a_recording_counts(template: Path, tmp_path: Path, which: str) -> None:
    box = copy_of(template, tmp_path)
    file = box.audio / f"{which}.flac"
    whole = file.read_bytes()
    for at in range(len(whole)):
        for bit in range(8):
            file.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :])
            (fault,) = box.faults()
            assert f"recording {which}" in fault and "was changed" in fault, f"bit {bit} of byte {at}"
    file.write_bytes(whole)
    assert box.faults() == []


@pytest.mark.faults
def test_no_bit_of_the_database_changes_a_sealed_value_unseen(template: Path, tmp_path: Path) -> None:
    sealed, choice = contents(template / "branch.db"), random.Random(1)
    raw = (template / "branch.db").read_bytes()
    named = unseen = 0
    for _ in range(DATABASE_BITS):
        box: SealedBox = copy_of(template, tmp_path)
        damaged = bytearray(raw)
        damaged[choice.randrange(len(raw))] ^= 1 << choice.randrange(8)
        box.database.write_bytes(damaged)
        if box.faults():
            named += 1
        else:
            unseen += 1
            assert contents(box.database) == sealed, "a value reads otherwise, and nothing was said"
    assert named > DATABASE_BITS / 20 and unseen, "some bits lie in unused space"
