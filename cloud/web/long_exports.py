"""Exports that take long: made beside the request, watched on a page that can be left and come back to.

made within PATIENCE --> handed over at once, or laid aside for a review
    | no
a row says how far it is --> ready: a file among those of `cloud.web.releases`, for who asked alone
    +-- cancelled, failed, or the process ended: nothing is left, for until then the file has no name
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import RowMapping
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from cloud.access.log import Action
from cloud.exporting import Tell, TooMany
from cloud.reading import NotGiven, NothingThere
from cloud.releases.files import path_of
from cloud.releases.rules import BROKE_OFF
from cloud.store import export_jobs as jobs
from cloud.store import releases
from cloud.store.database import read, write
from cloud.web.answers import page, see_other
from cloud.web.door import note_deed, person_of
from cloud.web.export_file import ExportFile, handed_over
from cloud.web.parts import Parts, parts_of
from cloud.web.releases import KIND, Laid, held_back, lay
from sync.ids import new_id
from sync.locale import marked

TELL_EVERY_S = 1.0
MOST_AT_ONCE = 3  # of one person
ENOUGH = marked("Three of your exports are being made already. Wait for one of them, or cancel it.")
NO_SUCH = marked("There is no such file.")
REFUSED = marked("Nothing was exported: what was asked for may not be given, or no longer.")
TOO_LARGE = marked("Nothing was exported: it is more than one file holds. Narrow the filter.")
Make = Callable[[Tell], ExportFile]
_log = logging.getLogger(__name__)


class Cancelled(Exception):
    """Whoever asked for it wants it no more."""


@dataclass(slots=True)
class Job:
    """One export while it is made. As long as `watched` is unset, the request waits for it."""

    parts: Parts
    id: str
    ended: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    watched: bool = False
    made: ExportFile | None = None
    error: Exception | None = None
    _next_s: float = 0.0

    def tell(self, done: int, total: int) -> None:
        """How far it is, now and then; Cancelled."""
        now_s = self.parts.clock.monotonic_s()
        if not self.watched or now_s < self._next_s:
            return
        self._next_s = now_s + TELL_EVERY_S
        with write(self.parts.engine) as db:
            if not jobs.tell(db, self.id, done, total, self.parts.clock.now_utc()):
                raise Cancelled


def given_file(request: Request, laid: Laid, make: Make) -> Response:
    """The file, the page where it waits, or the one where it is seen being made; raises what `make` does."""
    parts = parts_of(request)
    with read(parts.engine) as db:
        mine = jobs.of_person(db, person_of(request).user_id)
    if sum(row["state"] == jobs.MAKING for row in mine) >= MOST_AT_ONCE:
        raise HTTPException(422, ENOUGH)
    job = Job(parts, new_id())
    if parts.patience_s <= 0:
        _watch(request, job, laid)
    threading.Thread(target=_work, args=(request, job, laid, make), daemon=True, name="export").start()
    if not job.watched and not job.ended.wait(parts.patience_s):
        with job.lock:
            if not job.ended.is_set():
                _watch(request, job, laid)
    if job.watched:
        return see_other(f"/exports/{job.id}")
    if job.error is not None:
        raise job.error
    assert job.made is not None
    waits = held_back(request, laid, job.made)
    return see_other(f"/releases/{waits}") if waits else handed_over(job.made)


def _watch(request: Request, job: Job, laid: Laid) -> None:
    row = {"id": job.id, "by_id": person_of(request).user_id, "kind": laid.kind, "form": laid.form}
    with write(job.parts.engine) as db:
        jobs.begin(db, row, job.parts.clock.now_utc())
    job.watched = True


def _work(request: Request, job: Job, laid: Laid, make: Make) -> None:
    try:
        job.made = make(job.tell)
    except Exception as error:  # the door of the thread: told to who waits, or on the page
        job.error = error
    with job.lock:
        job.ended.set()
        watched = job.watched
    if not watched:
        return
    try:
        _keep(request, job, laid)
    except Exception as error:
        _log.exception("export %s cannot be kept", job.id)
        job.error = error
        _fail(job)


def _keep(request: Request, job: Job, laid: Laid) -> None:
    """Lay the file aside and say that it is ready; of one that was cancelled meanwhile nothing is left."""
    if job.made is None:
        _fail(job)
        return
    now_utc = job.parts.clock.now_utc()
    with job.made.file:
        release_id = lay(request, laid, job.made)
    with write(job.parts.engine) as db:
        kept = jobs.end(db, job.id, jobs.READY, now_utc, release_id=release_id)
        if not kept:
            releases.drop(db, release_id)
    if not kept:
        path_of(job.parts.settings.data, release_id).unlink(missing_ok=True)


def _fail(job: Job) -> None:
    says = {NotGiven: REFUSED, NothingThere: REFUSED, TooMany: TOO_LARGE}.get(type(job.error), BROKE_OFF)
    if says is BROKE_OFF and not isinstance(job.error, Cancelled):
        _log.error("export %s broke off", job.id, exc_info=job.error)
    with write(job.parts.engine) as db:
        jobs.end(db, job.id, jobs.FAILED, job.parts.clock.now_utc(), code=says)


def export_page(request: Request, export_id: str) -> Response:
    """How far one's own export is."""
    return page(request, "export.html", job=_mine(request, export_id))


def progress(request: Request, export_id: str) -> Response:
    """The part of that page that changes."""
    return page(request, "_export.html", job=_mine(request, export_id))


def cancel(request: Request, export_id: str) -> Response:
    """Make it no more."""
    _mine(request, export_id)
    with write(parts_of(request).engine) as db:
        if jobs.end(db, export_id, jobs.CANCELLED, parts_of(request).clock.now_utc()):
            note_deed(request, db, Action.UPDATE, KIND, export_id, query={"step": "cancel"})
    return see_other(f"/exports/{export_id}")


def _mine(request: Request, export_id: str) -> RowMapping:
    with read(parts_of(request).engine) as db:
        row = jobs.find(db, export_id, person_of(request).user_id)
    if row is None:
        raise HTTPException(404, NO_SUCH)
    return row
