"""Starts one end as a process of its own, so that a test may kill it. A thousand are forked, not begun anew.

`python -m tests.sync.processes box|office|... FOLDER PORT BIND [WORKER LEASE_S DATABASE]` runs it until then.
LINKS has offices that hear some messages twice (tests.sync.echo), or end at a certain moment.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path

from cloud import ingest, pki
from cloud.shards import LEASE_S
from edge import syncer
from sync.transport import Link, LinkSettings, wait
from tests.sync.echo import EchoingLink
from tests.sync.station import Station, days

ROOT = Path(__file__).parents[2]
_forks = multiprocessing.get_context("forkserver")


def start(end: str, station: Station) -> subprocess.Popen[bytes]:
    """Start `box` or `office` of a station."""
    return _start(end, station)


def start_worker(number: int, lease_s: float, station: Station) -> subprocess.Popen[bytes]:
    """Start one of several ingest workers of a station."""
    return _start("office", station, str(number), str(lease_s), station.database_url)


def _start(end: str, station: Station, *more: str) -> subprocess.Popen[bytes]:
    words = [end, str(station.folder), str(station.port), station.bind]
    return subprocess.Popen([sys.executable, "-m", "tests.sync.processes", *words, *more], cwd=ROOT)


def fork(end: str, station: Station) -> BaseProcess:
    """The same, forked off a process that has imported everything: without a second of CPU for that."""
    _forks.set_forkserver_preload([__name__])
    process = _forks.Process(target=main, args=(end, str(station.folder), str(station.port), station.bind))
    process.start()
    return process


def kill(process: subprocess.Popen[bytes] | BaseProcess) -> None:
    """End a process as a power cut would."""
    process.kill()
    if isinstance(process, BaseProcess):
        process.join()
    else:
        process.wait()


def main(
    end: str,
    folder: str,
    port: str,
    bind: str,
    worker: str = "1",
    lease_s: str = str(LEASE_S),
    database: str = "",
) -> None:
    """Run one end until killed."""
    station = Station(Path(folder), int(port), bind=bind, database_url=database)
    stop = threading.Event()
    if end == "box":
        syncer.run(station.box_settings, stop)
        return
    if end in LINKS:
        offices(station, LINKS[end](station))
        return
    pair = pki.make_head_office(station.pki, days(), int(worker))
    settings = replace(
        station.office_settings,
        worker=worker,
        lease_s=float(lease_s),
        cert_file=pair.cert,
        key_file=pair.key,
    )
    ingest.run(settings, stop)


@dataclass(slots=True)
class MuteLink(Link):
    """A link whose process ends when it is about to say a certain thing."""

    unsaid: bytes = b""

    def publish(
        self, topic: str, payload: bytes, *, retain: bool = False, at_once: bool = True, certain: bool = True
    ) -> None:
        """Say it, or end."""
        if self.unsaid in payload:
            os.kill(os.getpid(), signal.SIGKILL)
        super(MuteLink, self).publish(topic, payload, retain=retain, at_once=at_once, certain=certain)


LINKS: dict[str, Callable[[Station], Callable[[LinkSettings], Link]]] = {  # of offices like the real one
    "echoing": lambda station: partial(EchoingLink, folder=station.folder / "echoes"),
    "mute": lambda station: partial(MuteLink, unsaid=b'"t":"ack"'),
    "mute about audio": lambda station: partial(MuteLink, unsaid=b'"t":"stored"'),
}


def offices(station: Station, link_of: Callable[[LinkSettings], Link]) -> None:
    """Run an office behind such a link."""
    office = station.office(registered=False, link_of=link_of)
    while True:
        office.step()
        wait([office.link], office.ingest.wait_s)


if __name__ == "__main__":
    main(*sys.argv[1:])
