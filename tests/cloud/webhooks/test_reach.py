"""Where deliveries may go: to public addresses and to networks that the settings name."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import urllib3

from cloud import pki
from cloud.webhooks.reach import OutOfReach, Reach, is_within_reach, read_networks
from cloud.webhooks.sending import send
from tests.sync.station import days

OURS = read_networks("10.20.0.0/16 127.0.0.0/8")


@pytest.mark.parametrize(
    ("address", "alone", "with_ours"),
    [
        ("203.0.114.9", True, True),
        ("2a00:1450:4001::1", True, True),
        ("10.20.3.4", False, True),
        ("10.21.3.4", False, False),
        ("127.0.0.1", False, True),
        ("::1", False, False),
        ("::ffff:127.0.0.1", False, True),
        ("::ffff:10.21.3.4", False, False),
        ("2002:0a15:0304::", False, False),
        ("64:ff9b::10.21.3.4", False, False),
        ("64:ff9b::203.0.114.9", True, True),
        ("169.254.169.254", False, False),
        ("fe80::1%eth0", False, False),
        ("0.0.0.0", False, False),
        ("::", False, False),
        ("224.0.0.1", False, False),
        ("100.64.0.1", False, False),
        ("192.168.1.1", False, False),
        ("fd00::1", False, False),
    ],
)
def test_addresses(address: str, alone: bool, with_ours: bool) -> None:
    assert (is_within_reach(address, ()), is_within_reach(address, OURS)) == (alone, with_ours)


def test_no_setting_opens_what_is_never_reached() -> None:
    everything = read_networks("0.0.0.0/0 ::/0")
    assert not any(is_within_reach(one, everything) for one in ("169.254.169.254", "0.0.0.0", "fe80::1"))


@pytest.mark.parametrize("found", [["127.0.0.1"], ["203.0.114.9", "192.168.1.1"], []])
def test_one_address_out_of_reach_is_enough(found: list[str]) -> None:
    with pytest.raises(OutOfReach):
        Reach(resolve=lambda _host, _port: found).address_of("crm.example.cn", 443)


@pytest.mark.parametrize("host", ["no-such-name.invalid", "x" * 70 + ".cn"])
def test_a_name_that_is_none(host: str) -> None:
    with pytest.raises(OutOfReach, match="no name"):
        Reach().address_of(host, 443)


@pytest.mark.parametrize("host", ["0x7f.1", "2130706433", "127.1", "0177.0.0.1"])
def test_another_way_to_write_this_machine(host: str) -> None:
    with pytest.raises(OutOfReach):
        Reach().address_of(host, 80)


@contextmanager
def receiver_of(folder: Path, name: str) -> Iterator[tuple[int, list[str]]]:
    """A receiver here with the certificate of `name`: its port, and the Host headers that came."""
    pki.make_ca(folder, days())
    pki.make_server(folder, [name], days())
    pair, came = pki.pair_of(folder, "server"), []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            came.append(self.headers["Host"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.cert, pair.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server.server_port, came
        server.shutdown()


@pytest.mark.parametrize(("host", "status"), [("crm.example.cn", 204), ("other.example.cn", 0)])
def test_the_certificate_is_that_of_the_name_though_the_connection_goes_to_an_address(
    tmp_path: Path, host: str, status: int
) -> None:
    asked = []

    def resolve(name: str, port: int) -> list[str]:
        asked.append((name, port))
        return ["127.0.0.1"]

    with receiver_of(tmp_path, "crm.example.cn") as (port, came):
        pool = urllib3.PoolManager(ca_certs=str(tmp_path / "ca.pem"), retries=False)
        answer = send(pool, f"https://{host}:{port}/hook", b"{}", {}, Reach(OURS, resolve))
    assert answer.status == status and asked == [(host, port)]
    assert came == ([f"{host}:{port}"] if status else []) and bool(answer.fault) == (status == 0)
