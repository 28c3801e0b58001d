"""Recordings are read back and stored beside the loop: what is answered meanwhile, and what afterwards."""

from __future__ import annotations

import hashlib
import select
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine

from cloud.arrivals import FilesDesk
from cloud.objects import FolderObjects, StoreUnreachable
from sync.chunks import Chunk
from sync.ids import new_id
from sync.messages import At, Declined, Fin, Grow, Open, Stored, Sums
from sync.topics import shard_of
from tests.cloud.test_ingest import AUDIO, LATER, SHA256, Office
from tests.sync.station import BOX, Later


class Away(FolderObjects):
    """A store that cannot be reached."""

    def take(self, file: Path, sha256: str) -> str:
        raise StoreUnreachable("the line to it is cut")


@pytest.fixture
def works() -> Later:
    return Later()


@pytest.fixture
def office(engine: Engine, tmp_path: Path, works: Later) -> Office:
    office = Office(engine, tmp_path / "objects")
    office.files = FilesDesk(office.engine, office.objects, office.incoming, works=works)
    return office


def sent(office: Office, audio: bytes = AUDIO) -> str:
    """A recording of which everything was sent."""
    rid = new_id()
    assert not [one for one in office.upload(rid, audio) if not isinstance(one, At)]
    return rid


def rings(office: Office) -> bool:
    """Whether the loop is woken."""
    return bool(select.select([office.files.bell], [], [], 0)[0])


def states(office: Office) -> list[str]:
    return [str(row["state"]) for row in office.rows("transfers")]


def test_stored_is_said_when_the_work_is_done_and_not_before(office: Office, works: Later) -> None:
    rid = sent(office)
    assert not rings(office)
    assert office.file() == []
    assert states(office) == ["open"]
    works.work()
    assert rings(office)
    assert office.file() == [Stored(rid=rid, sha256=SHA256)]
    assert (states(office), rings(office), office.file()) == (["stored"], False, [])


def test_meanwhile_other_recordings_arrive(office: Office, works: Later) -> None:
    first = sent(office)
    second = sent(office, AUDIO[1:])
    works.work()
    assert [one.rid for one in office.file() if isinstance(one, Stored)] == [first, second]


def test_a_file_that_is_read_back_is_not_touched(office: Office, works: Later) -> None:
    rid = sent(office)
    other = Open(rid=rid, size=3, sha256=hashlib.sha256(b"abc").hexdigest())
    sums = Sums(rid=rid, start=0, end=len(AUDIO), step=len(AUDIO), sums=("00" * 32,))
    for message in (Fin(rid=rid), other, sums, Grow(rid=rid)):
        assert office.file(message) == []
    assert office.file(Chunk(rid, 0, b"other bytes")) == [At(rid=rid, offset=len(AUDIO))]
    assert len(works.jobs) == 1
    works.work()
    assert office.file() == [Stored(rid=rid, sha256=SHA256)]
    assert b"".join(office.objects.read(SHA256, 0, len(AUDIO))) == AUDIO


def test_damage_is_said_when_it_was_found(office: Office, works: Later) -> None:
    rid = sent(office)
    office.incoming.path(f"{BOX}.{rid}").write_bytes(bytes(len(AUDIO)))
    works.work()
    assert office.file() == [At(rid=rid, offset=len(AUDIO), doubt=True)]
    assert office.objects.size(SHA256) is None


def test_a_store_that_is_away_costs_a_fin(office: Office, works: Later) -> None:
    office.files = FilesDesk(office.engine, Away(office.objects.folder), office.incoming, works=works)
    rid = sent(office)
    works.work()
    assert office.file() == []  # the box asks again
    assert states(office) == ["open"]
    office.files = FilesDesk(office.engine, office.objects, office.incoming, works=works)
    office.file(Fin(rid=rid))
    works.work()
    assert office.file() == [Stored(rid=rid, sha256=SHA256)]


def test_what_a_box_gave_to_another_worker_is_not_answered(office: Office, works: Later) -> None:
    sent(office)
    office.files.forget_all_but(set(range(64)) - {shard_of(BOX)})
    works.work()
    assert (office.file(), states(office), rings(office)) == ([], ["open"], False)


def test_of_two_that_are_done_both_are_said_even_if_one_is_wrong(office: Office, works: Later) -> None:
    good, bad = sent(office), sent(office, AUDIO[1:])
    office.incoming.path(f"{BOX}.{bad}").write_bytes(bytes(len(AUDIO) - 1))
    works.work()
    answers = {one.rid: one for one in office.file() if isinstance(one, Stored | At | Declined)}
    assert isinstance(answers[good], Stored)
    assert answers[bad] == At(rid=bad, offset=len(AUDIO) - 1, doubt=True)


def test_with_threads_it_is_the_same(office: Office) -> None:
    rids = [new_id() for _ in range(8)]
    with ThreadPoolExecutor(2) as works:
        office.files = FilesDesk(office.engine, office.objects, office.incoming, works=works)
        answers = [one for number, rid in enumerate(rids) for one in office.upload(rid, AUDIO[number:])]
    answers += office.file()
    assert sorted(one.rid for one in answers if isinstance(one, Stored)) == sorted(rids)
    assert {(row["state"], row["done_utc"]) for row in office.rows("transfers")} == {("stored", LATER)}
