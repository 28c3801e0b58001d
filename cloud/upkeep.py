"""What an administrator does about boxes at the command line: quarantine, quotas, completeness, two boxes."""

from __future__ import annotations

import argparse
import getpass
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Engine

from cloud import quarantine
from cloud.access.log import Actor
from cloud.admin import AdminError, open_database
from cloud.apply import APPLY
from cloud.audit import Auditor
from cloud.config import Settings
from cloud.quarantine import QuarantineError, Who
from cloud.reconcile import Reconciler
from cloud.s3 import open_objects
from cloud.store import allowed, completeness, presences, troubles
from cloud.store.allowed import EVERY_BOX, Quota
from cloud.store.database import read, write
from cloud.store.schema import inbox_tables
from sync.inbox import WAITING, Inbox
from sync.keys import key_in
from sync.manifest import HOUR
from sync.moment import to_text
from sync.topics import HEAD_OFFICE


def show_quarantine(settings: Settings, asked: argparse.Namespace) -> str:
    """List what was set aside."""
    with read(open_database(settings)) as db:
        rows = quarantine.items(db, asked.box or "", asked.all)
    lines = []
    for row in rows:
        settled = "" if row["state"] == WAITING else f"  {row['state']} by {row['settled_by']}"
        lines.append(f"{row['id']}  {row['received_utc']}  {row['box_id']}  {row['kind'] or row['topic']}")
        lines.append(f"    {row['code']}: {row['detail']}{settled}")
    return "\n".join([*lines, f"{len(rows)} items"])


def retry_quarantine(settings: Settings, asked: argparse.Namespace) -> str:
    """Try one item again, or all."""

    def work(db: Connection, who: Who) -> str:
        inbox = Inbox(inbox_tables, APPLY)
        if asked.id == "all":
            done, left = quarantine.retry_all(db, inbox, who)
            return f"{done} applied now, {left} still wait"
        fault = quarantine.retry(db, inbox, asked.id, who)
        return "applied now" if fault is None else f"still waits: {fault}"

    return _as_admin(settings, work)


def dismiss_quarantine(settings: Settings, asked: argparse.Namespace) -> str:
    """Dismiss one item."""

    def work(db: Connection, who: Who) -> str:
        quarantine.dismiss(db, asked.id, asked.reason, who)
        return "dismissed; its bytes are kept"

    return _as_admin(settings, work)


def show_completeness(settings: Settings, _asked: argparse.Namespace) -> str:
    """One line per branch: the number, and what it is made of."""
    since = to_text(datetime.now(UTC) - timedelta(days=2))[:HOUR]
    with read(open_database(settings)) as db:
        branches = completeness.branches(db, since)
        own = troubles.open_troubles(db, HEAD_OFFICE)
    lines = [f"        head office since {one['since_utc']} {one['kind']}: {one['detail']}" for one in own]
    for one in branches:
        closed = f"closed up to {one.last_closed}" if one.last_closed else "nothing closed yet"
        lines.append(f"{one.unreconciled:6}  {one.name} ({one.box_id}): {closed}, {one.set_aside} set aside")
        for trouble in one.troubles:
            lines.append(f"        since {trouble['since_utc']} {trouble['kind']}: {trouble['detail']}")
    lines.append(f"{sum(one.unreconciled for one in branches):6}  items not yet reconciled in all")
    return "\n".join(lines)


def audit(settings: Settings, asked: argparse.Namespace) -> str:
    """Look at everything in closed hours; what was altered is mended or asked for again."""
    inbox = Inbox(inbox_tables, APPLY)
    objects = open_objects(settings.objects, settings.objects_folder, settings.s3)
    reconciler = Reconciler(inbox, objects, key_in(settings.data / "witness.key"))
    auditor = Auditor(reconciler, audio=not asked.rows_only)
    faults = list(auditor.run(open_database(settings), to_text(datetime.now(UTC))))
    return "\n".join(
        [*(f"{one.box_id}  {one.what}  {one.detail}" for one in faults), f"{len(faults)} alterations found"]
    )


def change_quota(settings: Settings, asked: argparse.Namespace) -> str:
    """Show the quotas, or set those that are given."""
    engine, box_id = open_database(settings), asked.box or EVERY_BOX
    given = (asked.bytes_a_day, asked.entries_a_day, asked.quarantine_rows)
    if any(value is not None for value in given):
        if any(value is not None and value < 0 for value in given):
            raise AdminError("a quota is 0 or more")
        with write(engine) as db:
            old = allowed.quota_of(db, box_id)
            was = (old.bytes_a_day, old.entries_a_day, old.quarantine_rows)
            new = [before if value is None else value for before, value in zip(was, given, strict=True)]
            allowed.set_quota(db, box_id, Quota(*new))
    with read(engine) as db:
        rows = allowed.quotas(db)
    return "\n".join(
        f"{row['box_id']}: {row['bytes_a_day']} bytes and {row['entries_a_day']} entries a day,"
        f" {row['quarantine_rows']} set aside"
        for row in rows
    ) or f"no quota was set; every box has {Quota()}"  # fmt: skip


def release_box(settings: Settings, asked: argparse.Namespace) -> str:
    """Only one box is left that uses the identity: take its data again."""
    with write(open_database(settings)) as db:
        if not presences.release(db, asked.id, to_text(datetime.now(UTC))):
            raise AdminError(f"box {asked.id!r} is not held back")
    return f"box {asked.id} may send again"


def add_parsers(things: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The commands of this module."""
    aside = things.add_parser("quarantine", help="what was set aside").add_subparsers(
        required=True, metavar="list | retry | dismiss"
    )
    listing = aside.add_parser("list", help="what waits")
    listing.add_argument("--box", help="of this box only")
    listing.add_argument("--all", action="store_true", help="what was settled, too")
    listing.set_defaults(run=show_quarantine)
    again = aside.add_parser("retry", help="apply it after all, as after an upgrade")
    again.add_argument("id", help="as listed, or: all")
    again.set_defaults(run=retry_quarantine)
    away = aside.add_parser("dismiss", help="it is of no use to anybody")
    away.add_argument("id")
    away.add_argument("--reason", required=True)
    away.set_defaults(run=dismiss_quarantine)
    things.add_parser("completeness", help="items not yet reconciled, per branch").set_defaults(
        run=show_completeness
    )
    look = things.add_parser("audit", help="whether anything stored was altered; mends what was")
    look.add_argument("--rows-only", action="store_true", help="do not hash recordings")
    look.set_defaults(run=audit)
    quota = things.add_parser("quota", help="what a box may send in a day")
    quota.add_argument("--box", help="this box; without it, all that have no quota of their own")
    quota.add_argument("--bytes-a-day", type=int)
    quota.add_argument("--entries-a-day", type=int)
    quota.add_argument("--quarantine-rows", type=int)
    quota.set_defaults(run=change_quota)


def _as_admin(settings: Settings, work: Callable[[Connection, Who], str]) -> str:
    engine: Engine = open_database(settings)
    try:
        with write(engine) as db:
            return work(db, Who(Actor(name=getpass.getuser(), channel="command"), to_text(datetime.now(UTC))))
    except QuarantineError as error:
        raise AdminError(str(error)) from error
