"""Whatever a request says, it is answered with a page, a refusal or a sentence, and never by breaking."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from cloud.web.app import ROUTES
from cloud.web.query import SENTENCES
from tests.cloud.house import SITE, House

GET_PATHS = [address.split(" ")[1] for address in ROUTES if address.startswith("GET ")]
CORPUS = st.sampled_from(
    [
        "' OR '1'='1",
        "1; DROP TABLE calls",
        "{{config}}",
        "${7*7}",
        "<svg onload=alert(1)>",
        "../../../etc/passwd",
        "%00",
        "\0",
        "\r\nX-Injected: 1",
        "9" * 400,
        "-1",
        "1e309",
        "NaN",
        "\ud7ff\u202e",
        "*" * 64,
        "%_\\",
        "2026-02-29",
        "0000-00-00",
    ]
)
TEXTS = CORPUS | st.text(max_size=70)
PARAMETER = re.compile(r"{\w+}")
OFTEN = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def client(house: House) -> TestClient:
    """A logged-in administrator of a head office with one call."""
    house.add_recording(house.add_call(), b"fLaC")
    return house.visitor("admin")


def check(status: int, headers: Mapping[str, str], text: str) -> None:
    assert status < 500
    assert "x-injected" not in headers
    assert "Traceback" not in text
    if "html" in headers.get("content-type", ""):
        assert "<svg onload" not in text


@OFTEN
@given(
    path=st.sampled_from(GET_PATHS), fields=st.dictionaries(st.sampled_from(list(SENTENCES)) | TEXTS, TEXTS)
)
def test_queries(client: TestClient, path: str, fields: dict[str, str]) -> None:
    answer = client.get(PARAMETER.sub("x", path), params=fields)
    check(answer.status_code, answer.headers, answer.text)


@OFTEN
@given(path=st.sampled_from([one for one in GET_PATHS if "{" in one]), text=TEXTS)
def test_ids(client: TestClient, path: str, text: str) -> None:
    escaped = quote(text, safe="")
    answer = client.get(PARAMETER.sub(lambda _: escaped, path))
    check(answer.status_code, answer.headers, answer.text)


@OFTEN
@given(fields=st.dictionaries(st.sampled_from(["name", "password", "back", "language", "csrf_token"]), TEXTS))
def test_forms(client: TestClient, fields: dict[str, str]) -> None:
    visitor = TestClient(client.app, SITE, raise_server_exceptions=False, follow_redirects=False)
    for path in ("/language", "/log-out"):
        answer = visitor.post(path, data=fields, headers={"Origin": SITE})
        check(answer.status_code, answer.headers, answer.text)


@OFTEN
@given(
    body=st.binary(max_size=300),
    kind=st.sampled_from(["application/json", "multipart/form-data", "text/plain"]),
)
def test_bodies(client: TestClient, body: bytes, kind: str) -> None:
    visitor = TestClient(client.app, SITE, raise_server_exceptions=False, follow_redirects=False)
    answer = visitor.post("/log-in", content=body, headers={"Origin": SITE, "Content-Type": kind})
    assert answer.status_code in (400, 422)


@OFTEN
@given(header=st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), max_size=60))
def test_headers(client: TestClient, header: str) -> None:
    headers = {"Range": header, "Cookie": f"language={header}", "If-Range": header}
    visitor = TestClient(client.app, SITE, raise_server_exceptions=False, follow_redirects=False)
    answer = visitor.get("/log-in", headers=headers)
    check(answer.status_code, answer.headers, answer.text)
