"""What keeping room costs: Opus against FLAC for an hour of speech, the keeper beside 100,000 recordings."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from edge.codec import encode_flac
from edge.config import BoxSettings, Config, HatSettings, KeepSettings, StorageSettings
from edge.finished import Encoded
from edge.opus import encode_opus
from edge.part import pack_blocks
from edge.storage.keeper import build_keeper
from edge.storage.survey import Question, survey
from edge.store.schema import open_store
from hw.virtual.speech import passage, speak
from sync.db import write
from sync.moment import to_text
from tests.benchmarks.figures import Figure, percentile
from tests.fakes import AtOnce

RATE_HZ = 8000
SPEECH_S = 600
SPEECH_DBM0, NOISE_DBFS = -15.0, -60.0  # a caller at the usual level on a quiet line
RECORDINGS = 100_000
IDLE_STEPS = 500
NOW = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
RULES = (
    KeepSettings(line=1, keep_days=90, opus_after_days=7),
    KeepSettings(keep_days=3650, opus_after_days=3649),
)


def measure() -> list[Figure]:
    """Sizes and CPU of the codecs; times of survey and idle step."""
    with TemporaryDirectory() as folder:
        return codecs(Path(folder)) + keeping(Path(folder))


def codecs(folder: Path) -> list[Figure]:
    """Ten minutes of speech both ways, given per hour."""
    part = folder / "x.part"
    part.write_bytes(b"".join(pack_blocks(second) for second in np.split(caller(), SPEECH_S)))
    hours = SPEECH_S / 3600
    flac, flac_s = timed(lambda: encode_flac(part, folder / "x.flac", RATE_HZ, SPEECH_S * RATE_HZ))
    sha256 = hashlib.sha256((folder / "x.flac").read_bytes()).hexdigest()
    kbit_s = StorageSettings().opus_kbit_s
    opus, opus_s = timed(
        lambda: encode_opus(folder / "x.flac", folder / "x.opus", sha256, flac.samples, kbit_s)
    )
    sizes_mb = [one.size_bytes / hours / 1e6 for one in (opus, flac)]
    return [
        Figure("Opus, an hour of speech; against FLAC", *_with_unit(sizes_mb, "MB"), ratio_target=0.5),
        Figure("CPU to pack an hour; against FLAC", *_with_unit([opus_s / hours, flac_s / hours], "s")),
    ]


def caller() -> NDArray[np.int16]:
    """One voice reading its passage over and over, in the noise of a line."""
    speech = speak("cmn", passage("cmn"), RATE_HZ) * 10 ** (SPEECH_DBM0 / 20)
    noise = np.random.default_rng(4).normal(0, 10 ** (NOISE_DBFS / 20), SPEECH_S * RATE_HZ)
    return (np.clip(np.resize(speech, len(noise)) + noise, -1, 1) * 32767).astype(np.int16)


def timed(work: Callable[[], Encoded]) -> tuple[Encoded, float]:
    """What `work` makes, and its CPU seconds."""
    began_s = time.process_time()
    made = work()
    return made, time.process_time() - began_s


def keeping(folder: Path) -> list[Figure]:
    """A branch of 100,000 recordings with nothing due."""
    config = Config(
        box=BoxSettings(id="b", data_dir=folder),
        hats=(HatSettings(name="hat0", alsa_device="x", lines=4),),
        keep=RULES,
        storage=StorageSettings(ballast_mb=1),
    )
    config.recordings_dir.mkdir()
    db = open_store(config.database)
    fill(db)
    now_utc = to_text(NOW)
    began_s = time.process_time()
    found = survey(Question(config.database, RULES, False, True, now_utc))
    survey_s = time.process_time() - began_s
    assert not found.delete and not found.pack and found.removable_bytes
    keeper = build_keeper(config, db, AtOnce, lambda: "ntp")
    keeper.step(now_utc)
    steps_ms = []
    for number in range(IDLE_STEPS):
        began_s = time.perf_counter()
        keeper.step(to_text(NOW + timedelta(seconds=number)))
        steps_ms.append((time.perf_counter() - began_s) * 1000)
    return [
        Figure(f"survey of {RECORDINGS} recordings, each hour, in the worker", survey_s, "s", target=10.0),
        Figure("step of the keeper with nothing due, 99 %", percentile(steps_ms, 99), "ms", target=5.0),
    ]


def fill(db: sqlite3.Connection) -> None:
    """Rows only: no file is looked at while nothing is due."""
    with write(db):
        for number in range(RECORDINGS):
            at_utc = to_text(NOW - timedelta(minutes=1 + number // 20))
            db.execute(
                "INSERT INTO calls (id, line, line_name, state, direction, outcome, started_utc)"
                " VALUES (?, ?, '', 'ended', 'in', 'answered', ?)",
                (f"call-{number}", 1 + number % 4, at_utc),
            )
            db.execute(
                "INSERT INTO recordings (id, call_id, state, file, started_utc, rate_hz, samples, codec,"
                " size_bytes, sha256) VALUES (?, ?, 'ready', ?, ?, 8000, 800000, 'flac', 900000, '')",
                (f"rec-{number}", f"call-{number}", f"rec-{number}.flac", at_utc),
            )
            db.execute(
                "INSERT INTO outbox_files (recording_id, file, size_bytes, sha256, state)"
                " VALUES (?, ?, 900000, '', 'stored')",
                (f"rec-{number}", f"rec-{number}.flac"),
            )
            db.execute("INSERT INTO manifest_files VALUES (?, 'e', ?)", (f"rec-{number}", number // 100))
        db.execute(
            "INSERT INTO manifests (epoch, n, span, body, h, sig, state, made_utc)"
            " SELECT DISTINCT epoch, n, '', x'00', '', '', 'closed', '' FROM manifest_files"
        )


def _with_unit(pair: list[float], unit: str) -> tuple[float, str, float]:
    return pair[0], unit, pair[1]
