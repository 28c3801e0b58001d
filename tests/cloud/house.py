"""A head office for tests: an empty database, a clock moved by hand, people of every role, facts of boxes."""

from __future__ import annotations

import copy
import functools
import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from fastapi import FastAPI
from sqlalchemy import Connection, select
from starlette.datastructures import State
from starlette.testclient import TestClient

from cloud.access.log import Actor
from cloud.app import open_parts
from cloud.calls.facets import facet_of
from cloud.calls.numbers import LAST4, LAST8, party_of
from cloud.config import S3Settings, Settings
from cloud.customers.record import Record
from cloud.objects import Objects
from cloud.store import boxes, call_notes, call_reports, facets, people
from cloud.store.customer_rows import Whose
from cloud.store.customer_writes import New, Stamp, add_customers
from cloud.store.database import write
from cloud.store.schema import calls, gaps, inbox_tables, recordings, users
from cloud.web.app import build_app
from cloud.web.parts import Clock, Parts
from sync.accounts import hash_password
from sync.ids import new_id
from sync.moment import to_text
from sync.particulars import Particulars
from sync.settings import read_mapping
from tests.databases import new_sqlite
from tests.fakes import FakeClock

SOMEBODY = Actor(user_id="somebody", name="Li")
PASSWORD = "correct horse battery"
PASSWORD_HASH = hash_password(PASSWORD)
NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)  # in Shanghai
SITE = "http://testserver"


def make_settings(folder: Path, database_url: str = "", objects: str = "", **web: object) -> Settings:
    """Settings as a file would give them, for a head office in `folder`."""
    pki = folder / "pki"
    document = {
        "data": str(folder / "data"),
        "database_url": database_url,
        "objects": objects,
        "broker": {
            "ca": str(pki / "ca.pem"),
            "cert": str(pki / "head-office.pem"),
            "key": str(pki / "head-office-key.pem"),
        },
        "web": web,
    }
    return read_mapping(document, Settings, "test")


@dataclass(frozen=True, slots=True)
class House:
    """The page with all its parts."""

    parts: Parts
    app: FastAPI
    clock: FakeClock

    def add_user(self, name: str, role: str = "manager") -> str:
        """A user with PASSWORD; returns the id."""
        with write(self.parts.engine) as connection:
            people.add_user(connection, name, role, PASSWORD_HASH, self.parts.clock.now_utc())
            row = people.find_user(connection, name)
        assert row is not None
        return str(row["id"])

    def visitor(self, role: str | None = None) -> TestClient:
        """A browser: of nobody, or of somebody of `role` who is logged in."""
        client = TestClient(
            self.app, SITE, raise_server_exceptions=False, follow_redirects=False, headers={"Origin": SITE}
        )
        if role is not None:
            user_id = self.add_user(f"{role} {new_id()[-6:]}", role)
            with write(self.parts.engine) as connection:
                token = people.open_session(connection, user_id, self.parts.clock.now_utc())
            client.cookies.set("session", token)
        return client

    def csrf_token(self, client: TestClient) -> str:
        """The token that the forms of this browser's session carry."""
        with write(self.parts.engine) as connection:
            row = people.find_session(connection, client.cookies["session"])
        assert row is not None
        return str(row["csrf_token"])

    def add_box(self, box_id: str, name: str) -> None:
        """A registered box."""
        with write(self.parts.engine) as connection:
            boxes.register(connection, box_id, name)

    def add_call(self, **fields: object) -> str:
        """A call from a box, incoming and answered unless `fields` say otherwise; returns its id."""
        return self.add_calls([fields])[0]

    def add_calls(self, many: Sequence[Mapping[str, object]]) -> list[str]:
        """Calls in one transaction, each with its own fields; returns their ids."""
        rows = [call_row(**fields) for fields in many]
        with write(self.parts.engine) as connection:
            connection.execute(calls.insert(), rows)
            facets.note(connection, ((row["box_id"], row["facet"]) for row in rows))
        return [str(row["id"]) for row in rows]

    def add_recording(self, call_id: str, audio: bytes | None = None, **fields: object) -> str:
        """The recording of a call: stored with `audio`, else announced; returns its id."""
        row: dict[str, Any] = {
            "id": new_id(),
            "call_id": call_id,
            "box_id": "box-01",
            "state": "announced",
            "started_utc": to_text(NOON),
            "rate_hz": 8000,
            "samples": 80_000,
            "codec": "flac",
            "size_bytes": 4000,
            "sha256": "0" * 64,
        }
        if audio is not None:
            row |= self._stored(audio)
        with write(self.parts.engine) as connection:
            connection.execute(recordings.insert().values({**row, **fields}))
            facets.refresh(connection, [call_id])
        return str({**row, **fields}["id"])

    def add_gap(self, recording_id: str, start_sample: int, length_samples: int, reason: str) -> None:
        """A gap in a recording."""
        row = {"start_sample": start_sample, "length_samples": length_samples, "reason": reason}
        with write(self.parts.engine) as connection:
            connection.execute(gaps.insert().values(recording_id=recording_id, **row))
            of_call = select(recordings.c.call_id).where(recordings.c.id == recording_id)
            facets.refresh(connection, connection.execute(of_call).scalars())

    def add_customer(self, name: str = "王小明", number: str = "13800138000", identity: str = "") -> str:
        """A customer of head office's own; returns its id."""
        whose = Whose(new_id(), None)
        with write(self.parts.engine) as connection:
            what = Particulars(name, numbers=(number,), address=f"{name}家", remark=f"回电 {number}")
            record = Record(what, identity=identity)
            stamp = Stamp("wang", self.parts.clock.now_utc())
            add_customers(connection, self.parts.ring, [New(whose, record)], stamp)
        return whose.id

    def add_note(self, call_id: str, text: str) -> str:
        """A note on a call, by somebody; returns its id."""
        with write(self.parts.engine) as connection:
            return call_notes.write_note(
                connection, self._call(connection, call_id), text, SOMEBODY, self.parts.clock.now_utc()
            )

    def add_report(self, call_id: str, text: str = "wrong number") -> str:
        """A report that the record of a call is wrong, by somebody; returns its id."""
        with write(self.parts.engine) as connection:
            return call_reports.make(
                connection, self._call(connection, call_id), text, SOMEBODY, self.parts.clock.now_utc()
            )

    @staticmethod
    def _call(connection: Connection, call_id: str) -> call_notes.Call:
        query = select(calls.c.id, calls.c.box_id, calls.c.started_utc).where(calls.c.id == call_id)
        return call_notes.Call(*connection.execute(query).one())

    def set_aside(self, **fields: object) -> str:
        """Something in quarantine; returns its id."""
        row: dict[str, Any] = {
            "id": new_id(),
            "box_id": "box-01",
            "topic": "entry",
            "eid": new_id(),
            "kind": "later_kind",
            "code": "unknown_kind",
            "detail": "kind later_kind version 1 is not known here",
            "body": b"{}",
            "received_utc": to_text(NOON),
        } | fields
        with write(self.parts.engine) as connection:
            connection.execute(inbox_tables.quarantine.insert().values(row))
        return str(row["id"])

    def disable(self, user_name: str) -> None:
        """Take a user's log-in away."""
        with write(self.parts.engine) as connection:
            gone = users.update().where(users.c.name == user_name)
            connection.execute(gone.values(disabled_utc=self.parts.clock.now_utc()))

    def _stored(self, audio: bytes) -> dict[str, Any]:
        sha256 = hashlib.sha256(audio).hexdigest()
        key = store_audio(self.parts.objects, audio, self.parts.settings.objects_folder)
        return {
            "state": "stored",
            "size_bytes": len(audio),
            "sha256": sha256,
            "object_key": key,
            "stored_utc": to_text(NOON + timedelta(minutes=3)),
        }


def store_audio(objects: Objects, audio: bytes, folder: Path) -> str:
    """What ingest does with a recording that is all there; its key."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        file.write(audio)
        file.flush()
        return objects.take(Path(file.name), hashlib.sha256(audio).hexdigest())


def call_row(**fields: object) -> dict[str, Any]:
    """A row of calls."""
    row: dict[str, Any] = {
        "id": new_id(),
        "box_id": "box-01",
        "line": 2,
        "line_name": "Front desk",
        "direction": "in",
        "outcome": "answered",
        "started_utc": to_text(NOON),
        "answered_utc": to_text(NOON + timedelta(seconds=5)),
        "ended_utc": to_text(NOON + timedelta(seconds=65)),
        "duration_ms": 60_000,
        "ring_count": 2,
        "caller_number": "13800138000",
        "caller_name": None,
        "caller_presentation": "available",
        "caller_standard": "bell202",
        "dialled": None,
        "keys": None,
        "end_reason": "hung_up",
        "hook_known": True,
        "clock_quality": "ntp",
        "received_utc": to_text(NOON + timedelta(seconds=66)),
        "corrected_utc": None,
        "clock_error_ms": None,
    }
    unknown = fields.keys() - row.keys()
    assert not unknown, unknown
    return found_by({**row, **fields})


def found_by(row: dict[str, Any]) -> dict[str, Any]:
    """A row of calls with the columns that it is found by."""
    party = party_of(row["direction"], row["caller_number"], row["dialled"])
    return {
        **row,
        "party": party,
        "last4": party and party[-LAST4:],
        "last8": party and party[-LAST8:],
        "facet": facet_of(row["direction"], row["outcome"], row["duration_ms"]),
    }


def open_house(
    folder: Path, database_url: str = "", objects: str = "", s3: S3Settings | None = None, **web: object
) -> House:
    """A head office in `folder`, its clock at NOON; its database is a new one if none is given."""
    url = database_url or new_sqlite(folder / "data" / "head-office.db")
    clock = FakeClock(NOON)
    settings = replace(make_settings(folder, url, objects, **web), s3=s3 or S3Settings())
    parts = open_parts(settings, Clock(now=clock.utc, monotonic_s=clock.monotonic_s))
    parts = replace(parts, patience_s=60.0)  # exports are handed over at once, however busy the machine
    return House(parts, _application(parts), clock)


@functools.cache
def _routes() -> FastAPI:
    """The application without its parts: that takes longer than most tests."""
    return build_app(cast(Parts, None))


def _application(parts: Parts) -> FastAPI:
    """The application around `parts`; its routes are those of all houses."""
    app = copy.copy(_routes())
    app.state = State({"parts": parts})
    return app
