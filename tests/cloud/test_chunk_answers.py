"""Chunks are answered, and acknowledged to the broker, a few at a time; whatever else has come, at once."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from cloud.ingest import ANSWER_BYTES, ANSWER_S, Ingest
from sync.chunks import MAX_CHUNK, Chunk, pack_chunk
from sync.ids import new_id
from sync.messages import AnyMessage, At, Open, pack, unpack
from sync.topics import build
from sync.transport import Arrived, Link, LinkSettings
from tests.cloud.test_ingest import Office
from tests.sync.station import BOX

NOW = datetime(2026, 11, 22, 4, 5, 6, tzinfo=UTC)
NOWHERE = LinkSettings("nowhere", 0, Path(), Path(), Path(), ())


@dataclass(slots=True)
class Line(Link):
    """A link on which comes what a test says."""

    comes: list[Arrived] = field(default_factory=list)
    said: list[AnyMessage] = field(default_factory=list)
    acknowledged: list[int] = field(default_factory=list)

    @property
    def connecting(self) -> bool:
        return True

    def step(self) -> list[Arrived]:
        comes, self.comes = self.comes, []
        return comes

    def publish(
        self, topic: str, payload: bytes, *, retain: bool = False, at_once: bool = True, certain: bool = True
    ) -> None:
        self.said.append(unpack(payload))

    def done(self, arrived: Arrived) -> None:
        self.acknowledged.append(arrived.mid)

    def flush(self) -> None:
        return


@dataclass(slots=True)
class Upload:
    """Head office, a recording that was opened, and what it says about it."""

    line: Line
    ingest: Ingest
    rid: str = field(default_factory=new_id)
    offset: int = 0
    mid: int = 0

    def open(self) -> None:
        """Open another recording."""
        opened = Open(rid=new_id() if self.mid else self.rid, size=1 << 30, sha256="0" * 64)
        self._comes("f", pack(opened))

    def chunk(self, size: int = 1000) -> None:
        """The next bytes."""
        self._comes("c", pack_chunk(Chunk(self.rid, self.offset, os.urandom(size))))
        self.offset += size

    def _comes(self, channel: str, payload: bytes) -> None:
        self.mid += 1
        self.line.comes.append(Arrived(build(BOX, "up", channel, bulk=True), payload, self.mid))

    def step(self, now_s: float) -> tuple[list[int], list[int]]:
        """What is acknowledged then, and how far the recording is said to be."""
        before, said = len(self.line.acknowledged), len(self.line.said)
        self.ingest.step(now_s, NOW)
        told = [one.offset for one in self.line.said[said:] if isinstance(one, At) and not one.asked]
        return self.line.acknowledged[before:], told


@pytest.fixture
def upload(engine: Engine, tmp_path: Path) -> Upload:
    office = Office(engine, tmp_path / "objects")
    line = Line(NOWHERE, up=True)
    upload = Upload(line, Ingest(line, office.entries, office.files))
    upload.open()
    assert upload.step(0.0) == ([1], [])
    return upload


def test_chunks_are_answered_together_within_milliseconds(upload: Upload) -> None:
    for _ in range(2):
        upload.chunk()
        assert upload.step(1.0) == ([], [])
        assert upload.ingest.wait_s <= ANSWER_S
    assert upload.step(1.0 + ANSWER_S) == ([2, 3], [2000])
    assert upload.ingest.wait_s > ANSWER_S
    assert upload.step(2.0) == ([], [])


def test_a_megabyte_is_answered_at_once(upload: Upload) -> None:
    chunks = -(-ANSWER_BYTES // MAX_CHUNK)
    for number in range(1, chunks + 1):
        upload.chunk(MAX_CHUNK)
        all_of_them = [2 + one for one in range(chunks)]
        assert upload.step(1.0) == ((all_of_them, [chunks * MAX_CHUNK]) if number == chunks else ([], []))


def test_whatever_else_comes_is_answered_at_once_and_chunks_with_it(upload: Upload) -> None:
    upload.chunk()
    assert upload.step(1.0) == ([], [])
    upload.open()
    assert upload.step(1.0) == ([2, 3], [1000])


def test_another_connection_acknowledges_nothing_of_the_one_before(upload: Upload) -> None:
    upload.chunk()
    upload.step(1.0)
    upload.line.up = False
    upload.step(2.0)
    upload.line.up = True
    assert upload.step(3.0) == ([], [])
    upload.chunk()
    assert upload.step(4.0) == ([], [])
    assert upload.step(4.0 + ANSWER_S) == ([3], [2000])
