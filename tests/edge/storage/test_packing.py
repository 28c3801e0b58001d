"""FLAC becomes Opus: both hashes kept, the original last to go, and a kill anywhere is made good."""

from __future__ import annotations

import hashlib
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
import soundfile

from edge.adopt import adopt_leftovers
from edge.codec import settle_worker
from edge.config import KeepSettings
from edge.ledger import Ledger
from edge.store.retention import ask_removal, place_hold
from edge.store.seals import links_of
from sync import outbox
from sync.db import write
from sync.ids import new_id
from tests.edge.storage.conftest import NOW_UTC, Branch, killed_at
from tests.fakes import AtOnce, wait_for

MONTH = KeepSettings(opus_after_days=30)


def packed(branch: Branch, steps: int = 3) -> Branch:
    branch.keep(MONTH)
    keeper = branch.keeper()
    for _ in range(steps):
        keeper.step(NOW_UTC)
    branch.whole()
    return branch


def test_old_flac_becomes_opus_and_both_hashes_stay(branch: Branch) -> None:
    branch.record("old", 31, samples=8000)
    branch.record("new", 29)
    before = branch.one("SELECT * FROM recordings WHERE id = 'old'")
    packed(branch)
    after = branch.one("SELECT * FROM recordings WHERE id = 'old'")
    assert branch.files() == {"old.opus", "new.flac"}
    assert (after["state"], after["codec"], after["file"]) == ("ready", "opus", "old.opus")
    assert (after["samples"], after["rate_hz"]) == (8000, 8000)
    step = branch.one("SELECT * FROM conversions")
    assert (step["state"], step["from_codec"], step["to_codec"]) == ("done", "flac", "opus")
    assert (step["from_sha256"], step["from_bytes"]) == (before["sha256"], before["size_bytes"])
    assert (step["to_sha256"], step["to_bytes"]) == (after["sha256"], after["size_bytes"])
    assert len(links_of(branch.db, "old")) == 2, "the seal knows both files"
    assert branch.one("SELECT count(*) FROM removals")[0] == 0


@pytest.mark.parametrize(
    ("facts", "codec"),
    [({}, "opus"), ({"confirmed": False}, "flac"), ({"held": True}, "flac")],
)
def test_protections(branch: Branch, facts: dict[str, bool], codec: str) -> None:
    branch.record("x", 400, **facts)
    packed(branch)
    assert branch.files() == {f"x.{codec}"}


def test_without_head_office_a_later_one_is_promised_the_file_there_is(tmp_path: Path) -> None:
    branch = Branch(tmp_path / "data", head_office=False)
    branch.record("x", 400, confirmed=False)
    packed(branch)
    row = outbox.next_file(branch.db)
    assert row is not None and row.file == "x.opus"
    assert row.sha256 == hashlib.sha256((branch.folder / "x.opus").read_bytes()).hexdigest()
    bodies = [
        entry["body"]
        for entry in branch.db.execute("SELECT body FROM outbox WHERE kind = 'recording_ready' ORDER BY seq")
    ]
    assert len(bodies) == 2 and row.sha256.encode() in bodies[1] and b'"opus"' in bodies[1]


def test_a_damaged_original_stays_and_is_not_tried_again(branch: Branch) -> None:
    branch.record("x", 400)
    file = branch.folder / "x.flac"
    file.write_bytes(file.read_bytes()[:-10])
    branch.keep(MONTH)
    keeper = branch.keeper()
    for _ in range(4):
        keeper.step(NOW_UTC)
    assert branch.files() == {"x.flac"}
    step = branch.one("SELECT * FROM conversions")
    assert step["state"] == "failed" and "damaged" in step["detail"]
    assert branch.one("SELECT codec FROM recordings")["codec"] == "flac"


class Slow(Executor):
    """A worker that works only when told to."""

    def __init__(self) -> None:
        self.jobs: list[tuple[Future[Any], Any]] = []

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.jobs.append((future, lambda: fn(*args, **kwargs)))
        return future

    def work(self) -> None:
        for future, job in self.jobs:
            future.set_result(job())
        self.jobs = []

    def die(self) -> None:
        for future, _ in self.jobs:
            future.set_exception(BrokenProcessPool("the worker is gone"))
        self.jobs = []


def under_way(branch: Branch) -> tuple[Any, Slow]:
    """A keeper whose worker has a file to pack."""
    branch.record("x", 400)
    branch.keep(MONTH)
    slow = Slow()
    keeper = branch.keeper()
    keeper.worker = keeper.packing.worker = lambda: slow
    keeper.step(NOW_UTC)
    slow.work()
    keeper.step(NOW_UTC)
    keeper.step(NOW_UTC)
    assert branch.one("SELECT state FROM conversions")["state"] == "begun"
    return keeper, slow


@pytest.mark.parametrize(
    ("meanwhile", "files", "state"),
    [
        (lambda db: place_hold(db, "call-x", "court", "lin", NOW_UTC), {"x.flac"}, "ready"),
        (lambda db: outbox.mark_file(db, "x", "new"), {"x.flac"}, "ready"),
    ],
    ids=["a hold", "head office lost it"],
)
def test_what_happens_meanwhile_wins(branch: Branch, meanwhile: Any, files: set[str], state: str) -> None:
    keeper, slow = under_way(branch)
    with write(branch.db):
        meanwhile(branch.db)
    slow.work()
    keeper.step(NOW_UTC)
    keeper.step(NOW_UTC)
    branch.whole()
    assert (branch.files(), branch.states()) == (files, {"x": state})
    assert branch.one("SELECT count(*) FROM conversions")[0] == 0


def test_a_deletion_meanwhile_wins(branch: Branch) -> None:
    keeper, slow = under_way(branch)
    branch.total_bytes = branch.audio_bytes()
    keeper.step(NOW_UTC)
    slow.work()
    branch.total_bytes *= 1000
    keeper.step(NOW_UTC)
    keeper.step(NOW_UTC)
    branch.whole()
    assert (branch.files(), branch.states()) == (set(), {"x": "deleted"})


def test_a_worker_that_died_is_given_the_file_again(branch: Branch) -> None:
    keeper, slow = under_way(branch)
    slow.die()
    keeper.step(NOW_UTC)
    keeper.packing.worker = AtOnce
    keeper.step(NOW_UTC)
    keeper.step(NOW_UTC)
    assert branch.files() == {"x.opus"}


def test_long_files_go_one_by_one_so_that_finished_calls_do_not_wait(branch: Branch) -> None:
    for number in range(3):
        branch.record(f"r{number}", 400)
    branch.db.execute("UPDATE recordings SET samples = 8000 * 3600")  # an hour each, as the rows say
    branch.keep(MONTH)
    slow = Slow()
    keeper = branch.keeper()
    keeper.worker = AtOnce
    keeper.packing.worker = lambda: slow
    keeper.step(NOW_UTC)
    keeper.step(NOW_UTC)
    ((_, job),) = slow.jobs
    assert len(job()) == 1


def test_a_worker_process_does_it(branch: Branch) -> None:
    """Question, survey, jobs and answers cross to another process and back."""
    branch.record("x", 400, samples=8000)
    branch.record("bad", 400)
    (branch.folder / "bad.flac").write_bytes(b"")
    branch.keep(MONTH)
    with ProcessPoolExecutor(1, get_context("spawn"), settle_worker) as worker:
        keeper = branch.keeper()
        keeper.worker = keeper.packing.worker = lambda: worker

        def done() -> bool:
            keeper.step(NOW_UTC)
            return branch.files() == {"x.opus", "bad.flac"}

        wait_for(done, 30, "the packed file")
    assert branch.one("SELECT state FROM conversions WHERE recording_id = 'bad'")["state"] == "failed"


@pytest.mark.parametrize("worked", [False, True], ids=["before the row", "before the removal"])
def test_the_start_of_the_recorder_takes_no_file_of_ours_for_an_orphan(branch: Branch, worked: bool) -> None:
    _, slow = under_way(branch)
    slow.work()
    if worked:
        branch.db.execute("UPDATE recordings SET file = 'x.opus', codec = 'opus'")
        branch.db.execute("UPDATE conversions SET state = 'done'")
        with write(branch.db):
            ask_removal(branch.db, "x.flac", NOW_UTC)
    ledger = Ledger(branch.db, branch.config, AtOnce, new_id)
    assert adopt_leftovers(ledger, NOW_UTC).orphans == 0
    assert branch.files() == {"x.flac", "x.opus"}


def test_killed_anywhere_the_next_run_finishes_the_packing(tmp_path: Path) -> None:
    point = 0
    finished = False
    while not finished:
        branch = Branch(tmp_path / str(point))
        branch.record("x", 400, samples=2000)
        branch.record("held", 400, held=True)
        branch.db.close()

        def work(count: Any, branch: Branch = branch) -> None:
            again = Branch(branch.config.box.data_dir)
            again.db.set_trace_callback(count)
            again.keep(MONTH)
            keeper = again.keeper()
            for _ in range(4):
                keeper.step(NOW_UTC)

        finished = not killed_at(point, work)
        after = Branch(branch.config.box.data_dir)
        after.whole()
        for half in after.folder.glob("*.encoding"):  # as adopt does at every start
            half.unlink()
        packed(after, 4)
        assert after.files() == {"x.opus", "held.flac"}
        assert soundfile.info(after.folder / "x.opus").frames == 2000
        assert after.one("SELECT state FROM conversions")["state"] == "done"
        after.db.close()
        point += 2
    assert point > 40
