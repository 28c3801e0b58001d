"""What a branch allows its uploads: read from the settings, kept over restarts, said on the page."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from edge.config import BoxSettings, Config, HatSettings, UploadSettings, UploadWindow
from edge.services import sync_settings
from edge.store.schema import open_store
from edge.syncer.allowance import Allowance
from edge.uploads import cap_at, run_upload
from sync import outbox
from sync.budget import Month
from sync.db import write
from sync.uploads import month_bytes, pause, pause_of, resume
from tests.fakes import AtOnce
from tests.sync.station import AT, BOX, Office, Station, call_ended, until

ZONE = ZoneInfo("Asia/Shanghai")
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=ZONE)  # a Monday


def config_of(folder: Path, **upload: object) -> Config:
    return Config(
        box=BoxSettings(id="b", data_dir=folder),
        hats=(HatSettings(name="hat0", alsa_device="x", lines=4),),
        upload=UploadSettings(**upload),
        upload_windows=(
            UploadWindow(when="mon-fri 08:00-18:00", cap_kbit_s=512),
            UploadWindow(when="daily 00:00-06:00", cap_kbit_s=0),
        ),
    )


@pytest.mark.parametrize(
    ("local", "kbit_s"),
    [(NOON, 512), (NOON.replace(hour=20), 100), (NOON.replace(hour=3), 0), (NOON + timedelta(days=5), 100)],
)
def test_the_cap_follows_the_time_of_the_day(tmp_path: Path, local: datetime, kbit_s: int) -> None:
    assert cap_at(config_of(tmp_path, cap_kbit_s=100))(local) == kbit_s * 125


def test_settings_reach_the_syncer(tmp_path: Path) -> None:
    settings = sync_settings(config_of(tmp_path, month_gb=1.5, oldest_percent=40, during_call=False))
    assert (settings.month_bytes, settings.oldest_share, settings.early_margin_s) == (
        1_500_000_000,
        0.4,
        None,
    )
    assert settings.zone == ZONE
    assert settings.cap_at(NOON) == 64_000


def test_a_month_is_kept_over_a_restart_and_ends(tmp_path: Path) -> None:
    db = open_store(tmp_path / "branch.db")
    for _ in range(2):
        allowance = Allowance(db, ZONE, lambda _: 0.0, Month(1_000_000))
        allowance.step(0.0, NOON)
        allowance.spend(300_000, 0.0)
    assert 600_000 < month_bytes(db, "2026-11") <= 600_000 * 1.1 + 2 * 64_000
    allowance.spend(500_000, 0.0)
    assert "this month's 0.001 GB" in allowance.refusal
    assert not allowance.may(0.0)
    allowance.step(1.0, NOON + timedelta(days=8))
    assert allowance.may(1.0)
    db.close()


def test_the_month_is_that_of_the_branch(tmp_path: Path) -> None:
    db = open_store(tmp_path / "branch.db")
    allowance = Allowance(db, ZONE, lambda _: 0.0, Month(10))
    allowance.step(0.0, datetime(2026, 11, 30, 23, 30, tzinfo=ZoneInfo("UTC")))
    assert allowance.month.month == "2026-12"
    db.close()


def test_a_chunk_fits_the_cap(tmp_path: Path) -> None:
    db = open_store(tmp_path / "branch.db")
    allowance = Allowance(db, ZONE, lambda _: 125_000.0, Month())
    allowance.step(0.0, NOON)
    assert 7_000 < allowance.largest(262_144) < 10_000
    db.close()


def test_the_command_shows_pauses_and_resumes(tmp_path: Path) -> None:
    config = config_of(tmp_path, month_gb=2.0)
    said = run_upload(config, "show", "wang", NOON)
    assert said.splitlines()[:3] == ["uploads: running", "cap now: 512 kbit/s", "this month: 0.00 of 2 GB"]
    assert "uploads: paused by wang since 2026-11-23T04:00:00.000Z" in run_upload(
        config, "pause", "wang", NOON
    )
    assert "paused by wang" in run_upload(config, "pause", "li", NOON)  # the first one counts
    assert "uploads: running" in run_upload(config, "resume", "li", NOON)


# At a real broker.


def test_paused_audio_waits_and_call_records_go(station: Station, office: Office) -> None:
    box = station.box()
    try:
        with write(box.db):
            pause(box.db, "wang", AT)
        box.record(os.urandom(100_000))
        until(lambda: outbox.waiting(box.db).entries == 0, box, office)
        until(lambda: box.troubles("upload") == ["the upload of audio was paused by wang"], box, office)
        assert outbox.waiting(box.db).files == 1
        assert pause_of(box.db) is not None
        with write(box.db):
            resume(box.db)
        until(lambda: box.owes == 0, box, office)
        until(lambda: box.troubles("upload") == [], box, office)
    finally:
        box.close()


def test_call_records_are_counted_in_a_cap_and_never_held_back(station: Station, office: Office) -> None:
    cap = 8_000.0
    box = station.box(cap_at=lambda _: cap)
    try:
        box.put(*(replace(call_ended(), caller_name=os.urandom(2_000).hex()) for _ in range(100)))
        took_s = until(lambda: box.owes == 0, box, office)
        assert took_s < 0.5 * 200_000 / cap, "they did not wait for the cap"
        assert not box.syncer._allowance.may(time.monotonic()), "audio makes up for them"
        assert box.syncer._allowance.may(time.monotonic() + 400_000 / cap)
    finally:
        box.close()


def test_a_used_up_month_stops_audio_and_no_call_record(station: Station, office: Office) -> None:
    box = station.box(month_bytes=50_000)
    try:
        box.record(os.urandom(200_000))
        until(lambda: box.troubles("upload") != [], box, office)
        until(lambda: outbox.waiting(box.db).entries == 0, box, office)
        assert box.syncer.files_published <= 50_000
        assert outbox.waiting(box.db).files == 1
    finally:
        box.close()


def test_call_records_count_for_the_month_and_for_the_cap(station: Station, office: Office) -> None:
    box = station.box(month_bytes=10**9, cap_at=lambda _: 1_000.0)
    try:
        box.put(*(call_ended() for _ in range(300)))
        until(lambda: box.owes == 0, box, office)
        allowance = box.syncer._allowance
        assert allowance.month.used > box.syncer._entries_reach.link.published_bytes > 10_000
        assert not allowance.bucket.may(time.monotonic()), "audio makes up for them"
    finally:
        box.close()


class Noting(AtOnce):
    """Notes which files are read back, in order."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.names.append(str(args[0]))
        return super().submit(fn, *args, **kwargs)


def test_newest_first_with_a_share_for_the_oldest(station: Station) -> None:
    works = Noting()
    box, office = station.box(oldest_share=0.3), station.office(works=works)
    try:
        made = [box.record(os.urandom(20_000))[1].recording_id for _ in range(20)]
        until(lambda: box.owes == 0, box, office)
        order = [made.index(name.removeprefix(f"{BOX}.")) for name in works.names]
        assert order[0] == 19
        assert sorted(order) == list(range(20))
        oldest = [number for number in order[:10] if number < 10]
        assert 2 <= len(oldest) <= 4
        assert oldest == sorted(oldest)
    finally:
        box.close()
        office.close()


def test_a_new_recording_does_not_wait_for_an_old_long_one(station: Station, office: Office) -> None:
    """A turn ends; what was left goes on later where it was."""
    assert station.box_settings.turn_s == 10.0
    box = station.box(oldest_share=0.0, turn_s=0.5)
    try:
        old = os.urandom(8_000_000)
        box.record(old)
        until(lambda: box.syncer.files_published > 2_000_000, box, office)
        box.syncer._allowance.bucket.limit(400_000.0, time.monotonic())
        _, new = box.record(os.urandom(100_000))
        until(lambda: office.objects.size(new.sha256) is not None, box, office, within_s=30)
        assert office.objects.size(hashlib.sha256(old).hexdigest()) is None
        box.syncer._allowance.bucket.limit(0.0, time.monotonic())
        until(lambda: box.owes == 0, box, office)
        assert box.syncer.files_published <= 1.1 * (len(old) + new.size_bytes)
    finally:
        box.close()
