"""Gives a visitor of a test house a live grant, as an approved application would."""

from __future__ import annotations

import json
from typing import Any

from starlette.testclient import TestClient

from cloud.access.applications import REFERENCES_OF
from cloud.store import people
from cloud.store.access_tables import access_requests
from cloud.store.database import write
from cloud.store.grants import add_grant
from tests.cloud.house import House
from tests.cloud.verdicts import make_grant


def grant_to(house: House, client: TestClient, role: str, **fields: Any) -> None:
    """A grant of grade 3 for everything about the calls, unless `fields` say otherwise."""
    with write(house.parts.engine) as db:
        row = people.find_session(db, client.cookies["session"])
        assert row is not None
        whole = {str: "x", int: 1, bool: False}
        columns = [one for one in access_requests.columns if not one.nullable]
        approved = {one.name: whole[one.type.python_type] for one in columns}
        documents = json.dumps(dict.fromkeys(REFERENCES_OF.get(role, ()), "1"))
        db.execute(access_requests.insert(), approved | {"id": row["user_id"], "documents": documents})
        grant = {"user_id": row["user_id"], "grade": 3, "request_id": row["user_id"]} | fields
        add_grant(db, make_grant(role, **grant))
