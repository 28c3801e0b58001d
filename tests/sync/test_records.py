"""The socket under paho: small packets together, order kept, nothing lost when the line takes no more."""

from __future__ import annotations

import os
import select
import socket
import ssl
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud import pki
from sync.records import RECORD_BYTES, RecordSocket
from tests.sync.station import days

SIZES = [1, 4, 300, RECORD_BYTES - 1, RECORD_BYTES, RECORD_BYTES + 1, 300_000]
Pair = tuple[RecordSocket, ssl.SSLSocket]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pki")
    pki.make_ca(folder, days())
    pki.make_server(folder, ["localhost"], days())
    return folder


def connected(certificates: Path) -> Pair:
    """Both ends of a connection whose hands are shaken; neither blocks."""
    pair = pki.pair_of(certificates, "server")
    there = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    there.load_cert_chain(pair.cert, pair.key)
    here = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
    here.sslsocket_class = RecordSocket
    ours, theirs = socket.socketpair()
    for one in (ours, theirs):
        one.setblocking(False)
    client = here.wrap_socket(ours, server_hostname="localhost", do_handshake_on_connect=False)
    server = there.wrap_socket(theirs, server_side=True, do_handshake_on_connect=False)
    waiting = [client, server]
    while waiting:
        for one in list(waiting):
            try:
                one.do_handshake()
                waiting.remove(one)
            except ssl.SSLWantReadError:
                continue
    assert isinstance(client, RecordSocket)
    return client, server


@pytest.fixture
def pair(certificates: Path) -> Iterator[Pair]:
    client, server = connected(certificates)
    yield client, server
    client.close()
    server.close()


def heard(server: ssl.SSLSocket) -> bytes:
    """What has arrived so far."""
    found = b""
    while True:
        try:
            data = server.recv(RECORD_BYTES)
        except ssl.SSLWantReadError:
            return found
        if not data:
            return found
        found += data


def test_small_packets_wait_and_go_as_one_record(pair: Pair) -> None:
    client, server = pair
    for number in range(10):
        assert client.send(bytes([number]) * 100) == 100
    assert heard(server) == b""
    assert client.holds
    client.flush()
    assert not client.holds
    assert len(server.recv(RECORD_BYTES)) == 1000  # a record is never joined with the next


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.sampled_from(SIZES)))
def test_whatever_the_sizes_all_arrives_in_order(certificates: Path, sizes: list[int]) -> None:
    client, server = connected(certificates)
    sent = arrived = b""
    for size in sizes:
        packet = os.urandom(size)
        sent += packet
        while packet:
            try:
                packet = packet[client.send(packet) :]
            except ssl.SSLWantWriteError:
                arrived += heard(server)
    while client.holds:
        client.flush()
        arrived += heard(server)
    assert arrived + heard(server) == sent
    client.close()
    server.close()


def test_a_line_that_takes_nothing_is_said_and_nothing_is_lost(pair: Pair) -> None:
    client, server = pair
    sent, packet = b"", b""
    with pytest.raises(ssl.SSLWantWriteError):
        while True:
            packet = packet or os.urandom(RECORD_BYTES + 1)
            taken = client.send(packet)
            sent, packet = sent + packet[:taken], packet[taken:]
    arrived = heard(server)
    assert arrived
    while packet:  # the same bytes again, as TLS wants it
        taken = client.send(packet)
        sent, packet = sent + packet[:taken], packet[taken:]
    client.flush()
    assert arrived + heard(server) == sent


def test_what_is_held_goes_out_before_the_goodbye(pair: Pair) -> None:
    client, server = pair
    client.send(b"disconnect")
    client.close()
    assert heard(server) == b"disconnect"


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=st.lists(st.sampled_from(SIZES)),
    asks=st.lists(st.sampled_from([1, 2, 300, RECORD_BYTES, 70_000, 500_000]), min_size=1, max_size=5),
)
def test_however_much_is_asked_for_all_is_read_in_order(
    certificates: Path, sizes: list[int], asks: list[int]
) -> None:
    client, server = connected(certificates)
    sent = arrived = b""
    ask = cycle(asks)
    for size in sizes:
        packet = os.urandom(size)
        sent += packet
        while packet:
            try:
                packet = packet[server.send(packet) :]
            except ssl.SSLWantWriteError:
                arrived += read(client, 1 << 16)
    server.close()
    while len(arrived) < len(sent):
        most = next(ask)
        data = client.recv(most)
        assert 0 < len(data) <= most
        arrived += data
    assert arrived == sent
    client.close()


def read(client: RecordSocket, most: int) -> bytes:
    """What has arrived, up to so much."""
    try:
        return client.recv(most)
    except ssl.SSLWantReadError:
        return b""


def test_what_was_read_ahead_is_not_forgotten(pair: Pair) -> None:
    client, server = pair
    server.send(b"0123456789")
    assert select.select([client], [], [], 5)[0]
    assert client.recv(1) == b"0"
    assert not select.select([client], [], [], 0)[0]  # poll knows nothing of it
    assert client.pending() == 9
    assert client.recv(300_000) == b"123456789"
    assert client.pending() == 0
    with pytest.raises(ssl.SSLWantReadError):
        client.recv(300_000)


def test_several_records_are_read_at_once(pair: Pair) -> None:
    client, server = pair
    server.send(bytes(RECORD_BYTES) + b"more")
    assert select.select([client], [], [], 5)[0]
    assert client.recv(2 * RECORD_BYTES) == bytes(RECORD_BYTES) + b"more"


def test_an_error_is_told_to_who_reads(pair: Pair) -> None:
    client, server = pair
    server.close()
    for _ in range(3):  # the first may still be taken by the socket
        client.send(b"x")
        client.flush()
    assert client.broken
    assert not client.holds
    with pytest.raises(OSError):
        client.recv(1)
    assert select.select([client], [], [], 0)[0]
