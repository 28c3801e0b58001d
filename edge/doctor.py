"""`edge doctor`: looks at everything the box needs, one check after another, and says what to do.

Each check is a function from the settings to a `Finding`; `CHECKS` is the list. Looking changes nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from edge.boards import status_of
from edge.clock import SystemClock
from edge.config import Config, HatSettings
from edge.ring import RingError, RingReader
from edge.services import page_authority
from edge.store.retention import last_backup
from sync import wal
from sync.knock import knock
from sync.moment import to_text
from sync.outbox import waiting
from sync.transport import LinkSettings

LEAST_FREE_BYTES = 1 << 30
BACKUP_EVERY = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check saw. `advice` is empty when nothing needs doing."""

    part: str
    well: bool
    says: str
    advice: str = ""


def audio(config: Config, hat: HatSettings) -> Finding:
    """The board's ALSA device gives what the settings say, or the recorder already has it."""
    from edge.sources.alsa import DeviceError, open_device

    part = f"audio {hat.name}"
    try:
        open_device(hat.alsa_device, hat.rate_hz, hat.lines).close()
    except DeviceError as error:
        if "busy" in str(error) and _ring_runs(config, hat):
            return Finding(part, True, f"{hat.alsa_device} is in use by the recorder, audio is coming in")
        return Finding(
            part, False, str(error), "is the board plugged in and its overlay loaded? See: arecord -L"
        )
    return Finding(part, True, f"{hat.alsa_device} gives {hat.lines} lines at {hat.rate_hz} Hz")


def readings(config: Config, hat: HatSettings) -> Finding:
    """The microcontroller answers: board, firmware, voltages, what it holds, errors of the link."""
    part = f"readings {hat.name}"
    if not hat.readings_port:
        return Finding(part, True, "none set: lines are followed by their audio alone")
    if not os.access(hat.readings_port, os.R_OK | os.W_OK):
        advice = "is the board plugged in, the UART enabled?"
        return Finding(part, False, f"{hat.readings_port} cannot be opened", advice)
    status = status_of(config, hat)
    if status is None:
        advice = "calls are followed by their audio meanwhile; is the board's program there? See: edge flash"
        return Finding(part, False, f"nobody answers at {hat.readings_port}", advice)
    if status.trouble:
        return Finding(part, False, status.trouble, "calls are followed by their audio meanwhile")
    if status.lines not in (None, hat.lines):
        says = f"{status.board} has {status.lines} lines, the settings say {hat.lines}"
        return Finding(part, False, says, f"set lines of board {hat.name}")
    volts = " ".join("-" if one is None else f"{one:.1f}" for one in status.voltages_v)
    held = ", ".join(map(str, status.held)) or "none"
    errors = (
        f"{status.refused} and {status.refused_there} frames refused here and there, {status.missed} missed"
    )
    return Finding(
        part, True,
        f"{status.board}, firmware {status.firmware}, protocol {status.protocol}, start {status.boots};"
        f" {volts} V; held: {held}; {errors}, {status.events_lost} events lost",
    )  # fmt: skip


def clock(config: Config) -> Finding:
    """The wall clock is disciplined."""
    quality = SystemClock().quality()
    advice = "" if quality == "ntp" else "set up a time server; calls are stamped with this doubt until then"
    return Finding(
        "clock", quality == "ntp", f"quality {quality}, {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC", advice
    )


def disk(config: Config) -> Finding:
    """There is room for recordings, and the memory folder holds the rings."""
    folder = _existing(config.box.data_dir)
    free = shutil.disk_usage(folder).free
    hours = free / (8000 * 2 * 0.6) / 3600  # FLAC of speech is about 0.6 of PCM
    says = f"{free / 1e9:.1f} GB free at {folder}, about {hours:,.0f} hours of calls"
    return Finding("disk", free > LEAST_FREE_BYTES, says, "" if free > LEAST_FREE_BYTES else "make room")


def database(config: Config) -> Finding:
    """The branch database is whole."""
    if not config.database.exists():
        return Finding("database", True, f"{config.database} does not exist yet; the recorder will make it")
    try:
        with sqlite3.connect(f"file:{config.database}?mode=ro", uri=True) as db:
            (answer,) = db.execute("PRAGMA quick_check").fetchone()
            (calls,) = db.execute("SELECT count(*) FROM calls").fetchone()
    except sqlite3.Error as error:
        return Finding("database", False, f"{config.database}: {error}", "restore it from the last backup")
    return Finding("database", answer == "ok", f"{calls} calls, check says {answer}")


def write_ahead(config: Config) -> Finding:
    """No reader that never ends makes the database's log grow."""
    size_bytes = wal.size_of(config.database)
    says = f"the database's log has {size_bytes / 1e6:.1f} MB"
    if size_bytes < wal.HELD_BYTES:
        return Finding("log", True, says)
    file = wal.wal_of(config.database)
    return Finding("log", False, says, f"something has been reading for long; who it is says: fuser {file}")


def backlog(config: Config) -> Finding:
    """How much head office does not have yet."""
    if not config.database.exists():
        return Finding("backlog", True, "nothing waits")
    with sqlite3.connect(f"file:{config.database}?mode=ro", uri=True) as db:
        db.row_factory = sqlite3.Row
        left = waiting(db)
    says = f"{left.entries} entries and {left.files} recordings wait for head office"
    return Finding(
        "backlog", True, says + (f", the oldest since {left.oldest_utc}" if left.oldest_utc else "")
    )


def backup(config: Config) -> Finding:
    """The nightly backup happens."""
    if not config.storage.backup_dir:
        return Finding("backup", True, "none set: what is here and not at head office is on one disk only")
    last = None
    if config.database.exists():
        with sqlite3.connect(f"file:{config.database}?mode=ro", uri=True) as db:
            try:
                last = last_backup(db)
            except sqlite3.Error as error:
                return Finding("backup", False, f"{config.database}: {error}", "start the recorder once")
    late = last is None or last.at_utc < to_text(datetime.now(UTC) - BACKUP_EVERY)
    says = f"the last one is of {last.at_utc}, {last.recordings} recordings" if last else "none was made yet"
    advice = "is its disk plugged in, branchline-backup.timer enabled? Try: python -m edge backup"
    return Finding("backup", not late, says, advice if late else "")


def head_office(config: Config) -> Finding:
    """The broker can be reached with this box's certificate."""
    if not config.head_office.host:
        return Finding("head office", True, "none set: the box works alone")
    office = config.head_office
    files = (Path(office.ca), Path(office.cert), Path(office.key))
    trouble = knock(LinkSettings(office.host, office.port, *files, topics=()), datetime.now(UTC))
    if trouble is None:
        return Finding("head office", True, f"{config.head_office.host} accepts this box's certificate")
    return Finding("head office", False, trouble, "the box goes on recording; nothing is lost while it waits")


def page(config: Config) -> Finding:
    """How the branch page is encrypted; of the box's own authority the fingerprint that people compare."""
    if config.web.https != "own":
        how = "off, for this machine only" if config.web.https == "off" else f"by {config.web.tls_cert}"
        return Finding("page", True, f"HTTPS {how}")
    authority = page_authority(config)
    try:
        return Finding("page", True, f"HTTPS by the box's own authority, SHA-256 {authority.fingerprint}")
    except (OSError, ValueError):
        return Finding(
            "page", True, "HTTPS by the box's own authority, which the page makes at its first start"
        )


CHECKS: tuple[Callable[[Config], Finding], ...] = (
    clock,
    disk,
    database,
    write_ahead,
    backlog,
    backup,
    head_office,
    page,
)
HAT_CHECKS: tuple[Callable[[Config, HatSettings], Finding], ...] = (audio, readings)


def examine(config: Config) -> Iterable[Finding]:
    """Every check's finding, one by one as they are made."""
    for hat in config.hats:
        for hat_check in HAT_CHECKS:
            yield hat_check(config, hat)
    for check in CHECKS:
        yield check(config)


def print_findings(findings: Iterable[Finding], as_json: bool) -> int:
    """Print them as they come; 1 if anything is not well."""
    all_well = True
    for finding in findings:
        all_well &= finding.well
        if as_json:
            line = json.dumps(asdict(finding), ensure_ascii=False)
        else:
            line = f"{'ok  ' if finding.well else 'FAIL'}  {finding.part:<14} {finding.says}"
            line += f"\n      {'':<14} -> {finding.advice}" if finding.advice else ""
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    return 0 if all_well else 1


def _ring_runs(config: Config, hat: HatSettings) -> bool:
    try:
        return RingReader.open(config.ring_path(hat)).position > 0
    except RingError:
        return False


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder
