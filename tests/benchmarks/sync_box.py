"""A box's syncer as a process with nothing else in it: `python -m tests.benchmarks.sync_box SETTINGS CAP`."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import edge.services  # noqa: F401 - the service loads it, and it counts
from edge.syncer import SyncSettings, run


def start(settings: SyncSettings, cap_kbit_s: int = 0, inside: Sequence[str] = ()) -> subprocess.Popen[bytes]:
    """Start it, perhaps inside a namespace; the caller ends it."""
    file = settings.database.with_suffix(".settings")
    file.write_bytes(pickle.dumps(settings))
    command = [sys.executable, "-m", "tests.benchmarks.sync_box", str(file), str(cap_kbit_s)]
    return subprocess.Popen([*inside, *command])


def main(file: str, cap_kbit_s: str) -> None:
    """Run until killed."""
    settings: SyncSettings = pickle.loads(Path(file).read_bytes())
    run(replace(settings, cap_at=lambda _: int(cap_kbit_s) * 125.0), threading.Event())


if __name__ == "__main__":
    main(*sys.argv[1:])
