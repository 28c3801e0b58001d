"""Every form of every page, filled with hostile texts: a page or a sentence; what is refused did nothing.

What is taken is shown on all pages afterwards, as the text it is.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping

import pytest
from httpx import Response
from sqlalchemy import func, select
from starlette.testclient import TestClient

from cloud.store.database import read
from cloud.store.schema import metadata
from cloud.web.app import API, ROUTES
from tests.cloud.house import House
from tests.cloud.planting import path_of
from tests.cloud.test_doors import FORMS
from tests.cloud.test_hostile import check

FORM_ROUTES = [
    address
    for address in ROUTES
    if address.startswith("POST") and address not in API and address not in ("POST /log-out", "POST /log-in")
]
GET_PAGES = [address for address in ROUTES if address.startswith("GET") and address not in API]
BESIDE = ("access_log", "audit", "trail", "sessions", "signing_keys")  # what is not of the deed itself
MORE_FIELDS = (  # of forms that are read as they come
    "name", "number", "numbers", "email", "address", "identity", "remark", "tags", "text", "reason", "about",
    "query", "rule", "parent", "version", "kind", "from", "until", "subject",
)  # fmt: skip
HOSTILE = {
    "markup, template": "=1+1<svg onload=alert(1)>\"'onfocus=alert(1) '"
    "{{ 999983*999979 }}{% for x in y %}${999983*999979}",  # no id holds the product by chance
    "sql": "'); DROP TABLE calls; --",
    "nul and controls": "a\0b\r\nX-Injected: 1\x1b[2J\u202e",
    "long": "9" * 5000,
}
WITH_THE_REST_RIGHT = "sql"  # what a form needs is right, and only the rest is hostile
ON_POSTGRESQL = "nul and controls"  # which it cannot keep; the rest is the same on both


def fields_of(address: str) -> list[str]:
    """The names of the form's fields, as far as the function says them."""
    names = list(inspect.signature(ROUTES[address].endpoint).parameters)
    return [name for name in (*names, *MORE_FIELDS) if name != "request" and f"{{{name}}}" not in address]


def counts(house: House) -> Mapping[str, int]:
    """How many rows there are of everything that is not about the asking."""
    tables = [one for one in metadata.sorted_tables if not one.name.startswith(BESIDE)]
    with read(house.parts.engine) as db:
        return {one.name: db.execute(select(func.count()).select_from(one)).scalar_one() for one in tables}


@pytest.fixture
def client(house: House) -> TestClient:
    house.add_box("box-01", "大理店")
    return house.visitor("admin")


@pytest.mark.parametrize("kind", HOSTILE)
def test_no_form_breaks_or_does_half(house: House, client: TestClient, kind: str) -> None:
    if kind != ON_POSTGRESQL and house.parts.engine.dialect.name == "postgresql":
        return
    token, half_done = house.csrf_token(client), []
    paths = {address: path_of(house, address) for address in (*FORM_ROUTES, *GET_PAGES)}
    before = counts(house)
    for address in FORM_ROUTES:
        right = FORMS.get(address, {}) if kind == WITH_THE_REST_RIGHT else {}
        form = dict.fromkeys(fields_of(address), HOSTILE[kind]) | right | {"csrf_token": token}
        answer = client.post(paths[address], data=form)
        look_at(address, answer)
        after = counts(house)
        if answer.status_code >= 400 and after != before:
            half_done.append((address, answer.status_code, {n for n in after if after[n] != before[n]}))
        before = after
    assert half_done == []
    for address in GET_PAGES:
        look_at(address, client.get(paths[address]))


def look_at(address: str, answer: Response) -> None:
    """What holds of every answer."""
    check(answer.status_code, answer.headers, answer.text)
    assert "999962000357" not in answer.text, f"{address} carried a template out"
