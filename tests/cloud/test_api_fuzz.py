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
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.cloud.house import House, open_house

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
def schema_of_api(house: House) -> Any:
    return schemathesis.openapi.from_dict(house.app.openapi())


schema = schemathesis.pytest.from_fixture("schema_of_api")


@schema.parametrize()
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_one_the_description_promises(case: Case, house: House) -> None:
    client = house.visitor("admin")
    case.headers = {
        **(case.headers or {}),
        "X-CSRF-Token": house.csrf_token(client),
        "Origin": "http://testserver",
    }
    case.call_and_validate(session=client, base_url="http://testserver", checks=CHECKS)
