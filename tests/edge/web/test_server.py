"""The server itself: over plain HTTP and TLS, its limits, its end."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from edge.web.server import serve
from edge.web.settings import WebSettings
from tests.edge.web.conftest import Branch
from tests.fakes import wait_for


@contextmanager
def served(settings: WebSettings) -> Iterator[str]:
    """The address of the page while it is served."""
    stop, addresses = threading.Event(), list[str]()
    thread = threading.Thread(target=serve, args=(settings, stop, addresses.append))
    thread.start()
    try:
        yield wait_for(lambda: addresses and addresses[0], what="the server")
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive()


def local(branch: Branch, **values: object) -> WebSettings:
    return replace(branch.settings, host="127.0.0.1", port=0, **values)  # type: ignore[arg-type]


def test_it_serves_and_stops_and_frees_its_port(branch: Branch) -> None:
    with served(local(branch)) as address:
        with urllib.request.urlopen(f"{address}/log-in") as answer:
            assert answer.status == 200 and b"Log in" in answer.read()
        port = int(address.rsplit(":", 1)[1])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)


def test_a_body_beyond_the_limit_is_refused(branch: Branch) -> None:
    with served(local(branch)) as address:
        request = urllib.request.Request(f"{address}/log-in", b"x" * 200_000, {"Origin": address})
        with pytest.raises((urllib.error.HTTPError, ConnectionError, urllib.error.URLError)) as refusal:
            urllib.request.urlopen(request)
        if isinstance(refusal.value, urllib.error.HTTPError):
            assert refusal.value.code == 413
        assert urllib.request.urlopen(f"{address}/log-in").status == 200


def test_a_port_that_is_taken_is_an_error(branch: Branch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = replace(local(branch), port=taken.getsockname()[1])
        with pytest.raises(OSError):
            serve(settings, threading.Event())


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 and its key."""
    certificate, key = tmp_path / "box.crt", tmp_path / "box.key"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-keyout", str(key), "-out", str(certificate), "-days", "2", "-subj", "/CN=box"]
    subprocess.run([*command, "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    return certificate, key


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_over_tls_nothing_older_than_1_2(branch: Branch, certificate: tuple[Path, Path]) -> None:
    settings = local(branch, certificate=certificate[0], key=certificate[1])
    with served(settings) as address:
        assert address.startswith("https://")
        trusting = ssl.create_default_context(cafile=str(certificate[0]))
        with urllib.request.urlopen(f"{address}/log-in", context=trusting) as answer:
            assert answer.status == 200
        old = ssl.create_default_context(cafile=str(certificate[0]))
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        old.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.raises(urllib.error.URLError, match=r"(?i)protocol|version"):
            urllib.request.urlopen(f"{address}/log-in", context=old)


def test_a_key_that_is_none_is_an_error(branch: Branch, certificate: tuple[Path, Path]) -> None:
    certificate[1].write_text("no key")
    with pytest.raises(ssl.SSLError):
        serve(local(branch, certificate=certificate[0], key=certificate[1]), threading.Event())
