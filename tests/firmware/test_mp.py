"""The plain scripts of tests/firmware/mp, run by every Python at hand: CPython and MicroPython alike."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted(path for path in (ROOT / "tests/firmware/mp").glob("*.py") if path.name != "check.py")
RUNNERS = {
    "cpython": [sys.executable],
    "wasm": ["node", str(ROOT / "tests/firmware/run_mp.mjs"), str(ROOT)],
    "unix": [str(ROOT / "build/micropython/bin/micropython"), "-X", "heapsize=2m"],
}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
@pytest.mark.parametrize("runner", RUNNERS)
def test_script(runner: str, script: Path) -> None:
    if not shutil.which(RUNNERS[runner][0]):
        pytest.skip(f"{RUNNERS[runner][0]} is not installed")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MICROPYPATH": f"{ROOT}:.frozen"}
    command = [*RUNNERS[runner], str(script.relative_to(ROOT))]
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    last = ran.stdout.strip().rpartition("\n")[2]
    counted = re.fullmatch(r"(\d+) passed, (\d+) failed", last)
    assert counted, ran.stdout + ran.stderr
    assert int(counted[1]) > 0 and int(counted[2]) == 0, ran.stdout
