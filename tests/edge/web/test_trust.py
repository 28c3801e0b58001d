"""HTTPS by the box's own authority: what it signs, when it renews, the trust page, plain HTTP sent on."""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import subprocess
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from edge.web.authority import PAGE_LASTS, RENEW_BEFORE, Authority
from tests.edge.web.conftest import Branch
from tests.edge.web.test_server import local, served
from tests.world import free_ports

NOW = datetime.now(UTC).replace(microsecond=0)
NAMES = ("localhost", "box.local")
ADDRESSES = ("127.0.0.1", "192.168.1.20", "::1", "203.0.113.9")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    made = Authority(tmp_path / "tls", "城南门店", NAMES, lambda: ADDRESSES)
    assert made.keep(NOW)
    return made


def page_of(authority: Authority) -> x509.Certificate:
    return x509.load_pem_x509_certificate(authority.certificate.read_bytes())


def test_keys_are_nobody_elses(authority: Authority) -> None:
    modes = {file.name: file.stat().st_mode & 0o777 for file in authority.folder.iterdir()}
    assert modes.keys() == {"authority.pem", "authority-key.pem", "page.pem", "page-key.pem"}
    assert {modes["authority-key.pem"], modes["page-key.pem"]} == {0o600}


def test_openssl_trusts_the_page_by_the_authority_and_only_for_its_names(authority: Authority) -> None:
    check = ["openssl", "verify", "-CAfile", str(authority.folder / "authority.pem"), "-x509_strict"]
    for name, option, good in [
        ("box.local", "-verify_hostname", True),
        ("192.168.1.20", "-verify_ip", True),
        ("bank.example", "-verify_hostname", False),
        ("203.0.113.9", "-verify_ip", False),  # no private address: it cannot be signed for
    ]:
        result = subprocess.run([*check, option, name, str(authority.certificate)], capture_output=True)
        assert (result.returncode == 0) is good, (name, result.stderr)


def test_a_certificate_for_another_site_does_not_hold(authority: Authority) -> None:
    """Whoever has the key can sign what they like; browsers hold the authority to its names."""
    thief = Authority(authority.folder, "x", ("bank.example",), lambda: ("8.8.8.8",))
    assert thief.keep(NOW)
    check = [
        "openssl",
        "verify",
        "-CAfile",
        str(authority.folder / "authority.pem"),
        str(authority.certificate),
    ]
    result = subprocess.run(check, capture_output=True, text=True)
    assert result.returncode != 0 and "permitted subtree violation" in result.stderr


def test_it_is_renewed_in_time_and_for_other_names_but_the_authority_stays(authority: Authority) -> None:
    trusted, first = authority.fingerprint, page_of(authority).serial_number
    assert not authority.keep(NOW + PAGE_LASTS - RENEW_BEFORE - timedelta(days=1))
    assert page_of(authority).serial_number == first
    assert authority.keep(NOW + PAGE_LASTS - RENEW_BEFORE + timedelta(days=1))
    moved = Authority(authority.folder, "城南门店", NAMES, lambda: ("10.0.0.7",))
    assert moved.keep(NOW) and not moved.keep(NOW)
    shown = page_of(authority).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert shown.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("10.0.0.7")]
    assert authority.fingerprint == trusted


@pytest.mark.parametrize("damaged", ["page.pem", "page-key.pem"])
def test_what_is_damaged_is_made_anew(authority: Authority, damaged: str) -> None:
    (authority.folder / damaged).write_text("nothing")
    assert authority.keep(NOW) and not authority.keep(NOW)


def test_the_trust_page_and_its_certificate_in_both_languages(branch: Branch, authority: Authority) -> None:
    folder = authority.folder.parent / "own"
    folder.mkdir()
    own = Branch(folder, authority=authority, port=8443)
    browser = own.browser()
    page = browser.get("/trust").text
    assert authority.fingerprint in page and "https://127.0.0.1:8443/" in page and "Windows" in page
    assert "信任本机" in browser.get("/trust?language=zh").text
    assert x509.load_der_x509_certificate(browser.get("/trust/ca.crt").body)
    assert branch.browser().get("/trust").status == 404  # certificates come from elsewhere
    own.db.close()


def test_https_by_the_authority_and_plain_http_sent_on(branch: Branch, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "tls", "box", ("localhost",), lambda: ("127.0.0.1",))
    plain_port, port = free_ports(2)
    files = {"certificate": authority.certificate, "key": authority.key}
    settings = replace(local(branch, authority=authority, http_port=plain_port, **files), port=port)
    with served(settings) as address:
        assert address == f"https://127.0.0.1:{port}"
        trusting = ssl.create_default_context(cafile=str(tmp_path / "tls" / "authority.pem"))
        body = b"name=lin&password=orchard-bridge-7"
        request = urllib.request.Request(f"{address}/log-in", body, {"Origin": address})
        opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=trusting), NoRedirect())
        cookie = opener.open(request).headers["Set-Cookie"]
        assert cookie.startswith("__Host-session=") and "Secure" in cookie and "HttpOnly" in cookie

        plain = http.client.HTTPConnection("127.0.0.1", plain_port)
        assert ask(plain, "GET", "/calls?text=138*") == (307, f"https://127.0.0.1:{port}/calls?text=138*")
        assert ask(plain, "GET", "/a%0d%0aSet-Cookie:x") == (
            307,
            f"https://127.0.0.1:{port}/a%0D%0ASet-Cookie%3Ax",
        )
        assert ask(plain, "POST", "/log-in") == (403, None)
        assert ask(plain, "GET", "/calls", "evil.example") == (421, None)
        assert ask(plain, "GET", "/trust") == (200, None)
        assert ask(plain, "GET", "/trust/ca.crt") == (200, None)
        plain.close()

        silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(3)]
        with urllib.request.urlopen(f"{address}/log-in", context=trusting, timeout=5) as answer:
            assert answer.status == 200  # those who never shake hands keep nobody waiting
        for one in silent:
            one.close()


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def http_error_303(self, request, answer, code, message, headers):  # type: ignore[no-untyped-def]
        return answer


def ask(
    plain: http.client.HTTPConnection, method: str, path: str, host: str = "127.0.0.1"
) -> tuple[int, str | None]:
    plain.request(method, path, headers={"Host": host, "Content-Length": "0"})
    answer = plain.getresponse()
    answer.read()
    return answer.status, answer.getheader("Location")
