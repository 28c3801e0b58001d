"""The documents are held to the code: what they name exists, what exists is named where one would look."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from hw.virtual.steps import STEPS
from sync.events import EVENT_TYPES
from tests.benchmarks.__main__ import BENCHMARKS

ROOT = Path(__file__).parents[1]
ROOMS = ("firmware", "hw", "edge", "sync", "cloud", "tests")
README_LINES = 60
DOCUMENTS = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not {".venv", "node_modules", "build", ".pytest_cache", ".git"} & set(path.relative_to(ROOT).parts)
)


def text(path: str | Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_has_a_readme_of_a_page(room: str) -> None:
    readme = text(f"{room}/README.md")
    assert len(readme.splitlines()) <= README_LINES
    assert "purpose" in readme.lower() and "decisions" in readme.lower()


def test_top_readme_opens_with_what_a_newcomer_needs() -> None:
    first = "\n".join(text("README.md").splitlines()[:36])
    for part in ("make run", "make test", "## Try it", "## Install on a Pi", "## Where to read on", "-->"):
        assert part in first
    assert all(f"({room}/README.md)" in text("README.md") for room in ROOMS)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_named_exist(path: Path) -> None:
    named = re.findall(r"`([\w./-]+\.(?:py|c|toml|md|html|css|js))`", path.read_text(encoding="utf-8"))
    places = [path.parent, ROOT, *(ROOT / room for room in ROOMS)]
    installed = [name for name in named if name.startswith("/etc/")]
    named = [name for name in named if name not in installed]
    missing = [name for name in named if not any((place / name).exists() for place in places)]
    assert missing == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_make_targets_named_exist(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", text("Makefile"), re.MULTILINE))
    named = set(
        re.findall(r"\bmake ([a-z-]+)", "\n".join(re.findall(r"`[^`]+`", path.read_text(encoding="utf-8"))))
    )
    assert named <= targets


def test_make_lists_its_targets() -> None:
    said = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {"run", "test", "check", "bench", "measure"} <= set(re.findall(r"make ([a-z-]+)", said))


@pytest.mark.parametrize(
    "command",
    [
        "record",
        "web",
        "sync",
        "decode",
        "replay",
        "doctor",
        "user add",
        "verify",
        "evidence",
        "storage",
        "upload",
        "quarantine",
        "backup",
        "restore",
    ],
)
def test_every_command_of_the_box_is_in_its_readme(command: str) -> None:
    assert f"`{command}`" in text("edge/README.md") or f"edge {command}`" in text("edge/README.md")


@pytest.mark.parametrize("command", ["ingest", "web", "admin"])
def test_every_command_of_head_office_is_in_its_readme(command: str) -> None:
    assert command in text("cloud/README.md")


@pytest.mark.parametrize("kind", sorted(EVENT_TYPES))
def test_every_sync_event_is_in_the_readme_of_sync(kind: str) -> None:
    assert f"`{kind}`" in text("sync/README.md") + text("sync/PROTOCOL.md")


@pytest.mark.parametrize("step", sorted(STEPS))
def test_every_script_step_is_in_the_readme_of_hw(step: str) -> None:
    assert f"`{step}`" in text("hw/README.md")


@pytest.mark.parametrize("name", sorted(BENCHMARKS))
def test_every_benchmark_is_in_a_readme(name: str) -> None:
    assert any(f"BENCH={name}" in path.read_text(encoding="utf-8") for path in DOCUMENTS)


def test_units_are_valid_and_start_what_exists() -> None:
    units = sorted((ROOT / "edge" / "systemd").glob("*.service")) + sorted(
        (ROOT / "cloud" / "systemd").glob("*.service")
    )
    assert len(units) >= 5
    for unit in units:
        (command,) = re.findall(r"^ExecStart=.* -m (edge|cloud)\b", unit.read_text(), re.MULTILINE)
        assert (ROOT / command / "__main__.py").exists()
        assert "User=" in unit.read_text()
        timer = unit.with_suffix(".timer")
        assert ("Type=oneshot" if timer.exists() else "Restart=always") in unit.read_text()


def test_the_units_put_the_recorder_first() -> None:
    killed: dict[str, int] = {}
    for unit in (ROOT / "edge" / "systemd").glob("*.service"):
        says = dict(re.findall(r"^(\w+)=(.*)$", unit.read_text(), re.MULTILINE))
        killed[unit.stem] = int(says.get("OOMScoreAdjust", "0"))
        assert (says.get("CPUSchedulingPolicy") == "fifo") == (unit.stem == "branchline-record")
        assert "CPUSchedulingResetOnFork" not in says, "threads would not have the priority"
    assert sorted(killed, key=killed.__getitem__) == [
        "branchline-record", "branchline-web", "branchline-sync", "branchline-backup"
    ]  # fmt: skip


def test_no_lock_file_names_a_registry() -> None:
    locks = [*sorted((ROOT / "requirements").glob("*.txt")), ROOT / "package-lock.json"]
    for lock in locks:
        assert not re.findall(
            r"https?://|--index-url|--find-links|resolved", lock.read_text(encoding="utf-8")
        )


def test_locks_agree_on_every_version() -> None:
    pins: dict[str, set[str]] = {}
    for lock in sorted((ROOT / "requirements").glob("*.txt")):
        for name, version in re.findall(r"^([\w.-]+)==(\S+)", lock.read_text(encoding="utf-8"), re.MULTILINE):
            pins.setdefault(name, set()).add(version)
    assert {name: versions for name, versions in pins.items() if len(versions) > 1} == {}
