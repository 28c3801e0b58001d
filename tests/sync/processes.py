"""Starts one end as a process of its own, so that a test may kill it.

`python -m tests.sync.processes box|office FOLDER PORT` runs the end until then.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

from cloud import ingest
from edge import syncer
from tests.sync.station import Station

ROOT = Path(__file__).parents[2]


def start(end: str, station: Station) -> subprocess.Popen[bytes]:
    """Start `box` or `office` of a station."""
    command = [sys.executable, "-m", "tests.sync.processes", end, str(station.folder), str(station.port)]
    return subprocess.Popen(command, cwd=ROOT)


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process as a power cut would."""
    process.kill()
    process.wait()


def main(end: str, folder: str, port: str) -> None:
    """Run one end until killed."""
    station = Station(Path(folder), int(port))
    stop = threading.Event()
    if end == "box":
        syncer.run(station.box_settings, stop)
    else:
        ingest.run(station.office_settings, stop)


if __name__ == "__main__":
    main(*sys.argv[1:])
