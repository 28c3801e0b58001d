"""Requests made up from the API's own description: whatever comes, the answer is one that it promises.

No answer is a fault of ours (5xx), each body is what the description says, and nothing is accepted that the
description forbids.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from cloud.web.app import API
from tests.cloud.house import SITE, House, open_house

CHECKS = (
    not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with tempfile.TemporaryDirectory() as folder:
        house = open_house(Path(folder))
        house.add_box("box-01", "昆明")
        for number in ("13800138000", None):
            house.add_recording(house.add_call(caller_number=number), b"fLaC")
        yield house
        house.parts.engine.dispose()


@pytest.fixture(scope="module")
def asked_by(house: House) -> dict[str, str]:
    """The headers of an administrator's browser."""
    client = house.visitor("admin")
    cookie = f"session={client.cookies['session']}"
    return {"Cookie": cookie, "X-CSRF-Token": house.csrf_token(client), "Origin": SITE}


@pytest.fixture(scope="module")
def described(house: House, asked_by: dict[str, str]) -> Any:
    """The API as it describes itself."""
    return schemathesis.openapi.from_asgi("/api/v1/openapi.json", house.app, headers=asked_by)


@pytest.mark.parametrize("address", API)
def test_every_answer_is_one_the_description_promises(
    described: Any, asked_by: dict[str, str], address: str
) -> None:
    ask_at_random(described, asked_by, address, 8)  # tests/faults asks 20 times as often


def ask_at_random(described: Any, asked_by: dict[str, str], address: str, examples: int) -> None:
    """So many requests that the description of `address` allows or forbids."""
    method, path = address.split(" ")

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=described[path][method].as_strategy())
    def ask(case: Any) -> None:
        (case.query or {}).pop("wait_s", None)  # whoever waits for events waits for seconds
        case.call_and_validate(headers=asked_by, checks=CHECKS)

    ask()
