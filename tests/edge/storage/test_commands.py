"""`edge storage`, `backup` and `restore` as typed: a sentence, an exit code; looking changes nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.edge.storage.conftest import Branch

ROOT = Path(__file__).parents[3]
CONFIG = """
[box]
id = "b"
data_dir = "{folder}"
[[hats]]
name = "hat0"
alsa_device = "x"
lines = 4
[[keep]]
keep_days = 30
{extra}
"""


def edge(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edge", *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.fixture
def box(tmp_path: Path) -> tuple[Branch, Path]:
    branch = Branch(tmp_path / "data")
    branch.record("old", 4000, samples=500)
    branch.record("older", 5000, samples=500)
    path = tmp_path / "box.toml"
    path.write_text(CONFIG.format(folder=branch.config.box.data_dir, extra=""))
    return branch, path


def test_storage_looks_and_previews(box: tuple[Branch, Path]) -> None:
    branch, path = box
    shown = edge("storage", "--config", path)
    assert shown.returncode == 0, shown.stderr
    for part in ("% full", "2 flac", "0 calls on hold", "2 to be deleted", "backup   none"):
        assert part in shown.stdout
    said = edge("storage", "--preview", "--config", path).stdout
    assert said.startswith("this would delete the audio of 2 calls: 2 recordings,") and "(age 2)" in said
    assert len(branch.ready()) == 2, "looking changes nothing"


def test_a_hold_is_placed_and_lifted(box: tuple[Branch, Path]) -> None:
    branch, path = box
    held = edge("storage", "--hold", "call-old", "--reason", "case 7", "--config", path)
    assert held.returncode == 0 and "is on hold" in held.stdout
    assert "of 1 calls" in edge("storage", "--preview", "--config", path).stdout
    assert branch.one("SELECT reason FROM holds WHERE lifted_utc IS NULL")["reason"] == "case 7"
    assert edge("storage", "--lift", "call-old", "--config", path).returncode == 0
    operations = [row[0] for row in branch.db.execute("SELECT operation FROM operation_log ORDER BY id")]
    assert operations == ["hold", "lift_hold"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--hold", "call-old"], "a hold needs a reason"),
        (["--hold", "nobody", "--reason", "x"], "there is no call 'nobody'"),
        (["--lift", "call-old"], "call 'call-old' is not on hold"),
    ],
)
def test_wrong_holds_are_refused(box: tuple[Branch, Path], arguments: list[str], says: str) -> None:
    done = edge("storage", *arguments, "--config", box[1])
    assert (done.returncode, done.stdout) == (2, "") and says in done.stderr
    assert "Traceback" not in done.stderr


def test_backup_verify_and_restore(tmp_path: Path, box: tuple[Branch, Path]) -> None:
    _, path = box
    disk = tmp_path / "usb"
    away = edge("backup", "--to", disk, "--config", path)
    assert away.returncode == 2 and "is the disk plugged in" in away.stderr
    disk.mkdir()
    done = edge("backup", "--to", disk, "--config", path)
    assert done.returncode == 0 and "2 calls, 2 recordings; 2 copied now" in done.stdout
    assert edge("backup", "--verify", "--to", disk, "--config", path).returncode == 0
    assert edge("restore", disk, "--config", path).returncode == 2
    new = tmp_path / "new.toml"
    new.write_text(CONFIG.format(folder=tmp_path / "new", extra=""))
    back = edge("restore", disk, "--config", new)
    assert back.returncode == 0 and "2 calls, 2 recordings" in back.stdout, back.stderr
    (disk / "recordings" / "old.flac").write_bytes(b"")
    wrong = edge("backup", "--verify", "--to", disk, "--config", path)
    assert wrong.returncode == 1 and "old.flac is damaged" in wrong.stdout


def test_without_a_folder_there_is_no_backup_and_it_says_so(box: tuple[Branch, Path]) -> None:
    done = edge("backup", "--config", box[1])
    assert done.returncode == 0 and "no folder is set" in done.stdout


def test_doctor_asks_for_a_backup_that_does_not_happen(tmp_path: Path, box: tuple[Branch, Path]) -> None:
    branch, path = box
    disk = tmp_path / "usb"
    disk.mkdir()
    extra = f'[storage]\nbackup_dir = "{disk}"'
    path.write_text(CONFIG.format(folder=branch.config.box.data_dir, extra=extra))

    def finding() -> dict[str, object]:
        lines = edge("doctor", "--json", "--config", path).stdout.splitlines()
        (found,) = [row for row in map(json.loads, lines) if row["part"] == "backup"]
        return dict(found)

    assert not finding()["well"] and finding()["advice"]
    assert edge("backup", "--config", path).returncode == 0
    assert finding()["well"] and "2 recordings" in str(finding()["says"])
