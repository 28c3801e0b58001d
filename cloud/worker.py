"""What head office does by itself, besides taking in and showing: steps, each at its own pace.

A step that fails is logged and tried again when it is due next; the others go on. Several workers may run:
each step is written so that doing it twice does no harm.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Engine

from cloud import trail
from cloud.access.patterns import suspicions
from cloud.branch_customers import take_in
from cloud.config import Settings
from cloud.field_keys import KeyFile
from cloud.orders import erasing, keeping
from cloud.releases import files
from cloud.releases.rules import BROKE_OFF
from cloud.s3 import open_objects
from cloud.store import (
    answered,
    deletions,
    export_jobs,
    findings,
    happenings,
    reported_calls,
    webhooks,
    write_ahead,
)
from cloud.store.customer_imports import undo_stale
from cloud.store.customer_tags import apply_rules
from cloud.store.customer_writes import KEPT_FOR, purge
from cloud.store.database import read, write
from cloud.trail import Notary
from cloud.webhooks.delivery import Office
from cloud.webhooks.reach import Reach, read_networks
from cloud.webhooks.sending import new_pool
from sync.keys import key_in
from sync.moment import to_text

TEN_MINUTES_S, HOUR_S, DAY_S = 600, 3600, 24 * 3600
LOOK_BACK = timedelta(hours=24)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Works:
    """What the steps work with."""

    settings: Settings
    engine: Engine

    @property
    def notary(self) -> Notary:
        """Who signs anchors and stubs of the audit trail."""
        return notary_of(self.settings)


@dataclass(frozen=True, slots=True)
class Step:
    """Something to be done again and again."""

    every_s: int
    run: Callable[[Works, datetime], object]


def anchor_trail(works: Works, now: datetime) -> None:
    """Sign where the audit trail ends."""
    trail.anchor(works.engine, works.notary, to_text(now))


def shorten_trail(works: Works, now: datetime) -> None:
    """Let go of audit rows that were kept long enough."""
    gone = trail.retain(works.engine, works.notary, works.settings.audit_days, now)
    if gone:
        _log.info("%d audit rows were kept for %d days and are gone", gone, works.settings.audit_days)


def look_for_patterns(works: Works, now: datetime) -> None:
    """Look for abnormal use in the last day of the audit trail."""
    zone = works.settings.zone
    with read(works.engine) as db:
        rows = findings.used_since(db, now - LOOK_BACK)
    found = list(suspicions(rows, zone))
    with write(works.engine) as db:
        fresh = findings.keep(db, found, zone, now)
    if fresh:
        _log.warning("%d new findings of abnormal use wait on the audit page", fresh)


def tell_webhooks(works: Works, now: datetime) -> None:
    """Tell webhooks what has happened."""
    with read(works.engine) as db:
        if not webhooks.is_due(db, to_text(now)):
            return
    ring = KeyFile(works.settings.keys_file).ring(to_text(now))
    reach = Reach(read_networks(works.settings.hook_networks))
    count = Office(works.engine, ring, new_pool(), reach).deliver(now)
    _log.info("%d deliveries of webhooks tried", count)


def forget_answers(works: Works, now: datetime) -> None:
    """Let go of old answers to requests sent twice, of events, of reported calls whose end never was."""
    with write(works.engine) as db:
        answered.forget_old(db, to_text(now - answered.KEPT))
        reported_calls.forget_old(db, to_text(now - answered.KEPT))
        happenings.forget_old(db, to_text(now - happenings.KEPT))


def empty_recycle_bin(works: Works, now: datetime) -> None:
    """Delete for good what was in the recycle bin long enough; and what an import left half added."""
    with write(works.engine) as db:
        gone = purge(db, to_text(now - KEPT_FOR))
    if gone:
        _log.info("%d customers left the recycle bin for good", gone)
    undo_stale(works.engine, now)


def let_audio_go(works: Works, now: datetime) -> None:
    """Let go of audio that was kept as long as head office's own rules say."""
    gone = keeping.let_go(works.engine, now)
    if gone:
        _log.info("the audio of %d recordings was kept long enough and is gone", gone)


def remove_releases(works: Works, now: datetime) -> None:
    """Remove files that lay aside for a review and that nobody may open any more."""
    files.remove_old(works.engine, works.settings.data, to_text(now))
    with write(works.engine) as db:
        export_jobs.forget_old(db, now, BROKE_OFF)


def remove_objects(works: Works, now: datetime) -> None:
    """Remove audio that was deleted by order or for its age from the store of recordings."""
    with read(works.engine) as db:
        if not deletions.waiting(db, 1):
            return
    settings = works.settings
    objects = open_objects(settings.objects, settings.objects_folder, settings.s3)
    gone = keeping.remove_objects(works.engine, objects, to_text(now))
    if gone:
        _log.info("%d recordings were removed from the store", gone)


def erase_calls(works: Works, now: datetime) -> None:
    """Erase what branches had sent of calls that were deleted by order."""
    if gone := erasing.sweep(works.engine, to_text(now)):
        _log.info("what was received of %d deleted calls is erased", gone)


def take_in_customers(works: Works, now: datetime) -> None:
    """Take in the customers that branches have saved."""
    ring = KeyFile(works.settings.keys_file).ring(to_text(now))
    while count := take_in(works.engine, ring, to_text(now)):
        _log.info("%d customers of branches looked at", count)


def apply_tag_rules(works: Works, now: datetime) -> None:
    """Give and take the tags that follow from rules; some depend on the day."""
    apply_rules(works.engine, now.astimezone(works.settings.zone).date(), to_text(now))


def watch_log(works: Works, now: datetime) -> None:
    """Look whether a reader that never ends makes the database's log grow."""
    if says := write_ahead.watch(works.engine, to_text(now)):
        _log.warning("%s", says)


STEPS: Mapping[str, Step] = {
    "tell_webhooks": Step(1, tell_webhooks),
    "take_in_customers": Step(2, take_in_customers),
    "forget_answers": Step(HOUR_S, forget_answers),
    "anchor_trail": Step(HOUR_S, anchor_trail),
    "shorten_trail": Step(DAY_S, shorten_trail),
    "look_for_patterns": Step(TEN_MINUTES_S, look_for_patterns),
    "let_audio_go": Step(HOUR_S, let_audio_go),
    "remove_releases": Step(HOUR_S, remove_releases),
    "remove_objects": Step(2, remove_objects),
    "erase_calls": Step(2, erase_calls),
    "empty_recycle_bin": Step(TEN_MINUTES_S, empty_recycle_bin),
    "watch_log": Step(TEN_MINUTES_S, watch_log),
    "apply_tag_rules": Step(DAY_S, apply_tag_rules),
}


@dataclass(slots=True)
class Rounds:
    """Which steps are due; moments are of a clock that only goes forward."""

    works: Works
    steps: Mapping[str, Step] = field(default_factory=lambda: STEPS)
    _due_s: dict[str, float] = field(default_factory=dict)

    def step(self, now: datetime, at_s: float) -> float:
        """Do what is due; returns the seconds until something is again."""
        for name, one in self.steps.items():
            if self._due_s.get(name, at_s) <= at_s:
                self._due_s[name] = at_s + one.every_s
                self._try(name, one, now)
        return min(self._due_s.values()) - at_s

    def _try(self, name: str, one: Step, now: datetime) -> None:
        try:
            one.run(self.works, now)
        except Exception:  # the door of every step: one that fails must not hold up the others
            _log.exception("step %s failed; it is tried again in %d s", name, one.every_s)


def run(works: Works, stop: threading.Event, now: Callable[[], datetime], at_s: Callable[[], float]) -> None:
    """Go round until `stop` is set."""
    rounds = Rounds(works)
    while not stop.is_set():
        stop.wait(rounds.step(now(), at_s()))


def notary_of(settings: Settings) -> Notary:
    """Head office's own key, made when missing, and the file of anchors in the data folder."""
    return Notary(key_in(settings.data / "witness.key"), settings.data / "trail-anchors.jsonl")
