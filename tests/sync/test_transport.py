"""The link itself, at a real mosquitto: limits, TLS, TCP, and what it says when it breaks."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cloud import pki
from sync import topics
from sync.reach import Reach
from sync.reasons import REASONS, LinkError
from sync.transport import Link, LinkSettings, PacketTooLarge, utc_now, wait
from tests.sync.station import BOX, Station, free_port


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    station = Station(tmp_path_factory.mktemp("link"), max_packet_bytes=20_000)
    station.start_broker()
    yield station
    station.kill_broker()


def settings(station: Station, name: str = BOX) -> LinkSettings:
    pair = pki.pair_of(station.pki, name)
    topic = "x/1/+/+/up/#" if name == "head-office" else topics.build(BOX, "dn", "a")
    return LinkSettings("localhost", station.port, station.pki / "ca.pem", pair.cert, pair.key, (topic,))


def step_until(done: Callable[[], bool], *links: Link) -> None:
    deadline_s = time.monotonic() + 10
    while not done():
        assert time.monotonic() < deadline_s
        for link in links:
            link.step()
        wait(links, 0.02)


@pytest.fixture
def link(station: Station) -> Iterator[Link]:
    link = Link(settings(station))
    link.connect(utc_now())
    step_until(lambda: link.up, link)
    yield link
    link.close()


def test_the_broker_keeps_freed_memory_for_the_next_chunk(station: Station) -> None:
    assert station.mosquitto is not None
    given = Path(f"/proc/{station.mosquitto.pid}/environ").read_bytes().split(b"\0")
    assert {b"MALLOC_MMAP_THRESHOLD_=1048576", b"MALLOC_TRIM_THRESHOLD_=16777216"} <= {*given}


def test_the_brokers_limit_is_learnt_and_kept(station: Station, link: Link) -> None:
    assert link.max_packet == 20_000
    topic = topics.build(BOX, "up", "e")
    with pytest.raises(PacketTooLarge, match=r"up/e: 200\d\d bytes, the broker takes 20000"):
        link.publish(topic, bytes(20_000))
    largest = 20_000 - 16 - len(topic)
    link.publish(topic, bytes(largest))  # and the broker keeps the connection
    step_until(lambda: link.room == 100, link)
    assert link.up


def test_the_connection_is_tls_1_2_or_later_and_not_delayed(link: Link) -> None:
    assert link._client is not None
    sock = link._client.socket()
    assert isinstance(sock, ssl.SSLSocket)
    assert sock.version() in ("TLSv1.2", "TLSv1.3")
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_messages_arrive_whole_and_in_order(station: Station, link: Link) -> None:
    office = Link(replace(settings(station, "head-office"), manual_ack=True))
    office.connect(utc_now())
    step_until(lambda: office.up, office)
    sent = [bytes([number]) * (number * 60) for number in range(250)]
    heard: list[bytes] = []
    waiting = list(sent)
    deadline_s = time.monotonic() + 20
    while len(heard) < len(sent) and time.monotonic() < deadline_s:
        while waiting and link.room:
            link.publish(topics.build(BOX, "up", "e"), waiting.pop(0))
        link.step()
        for arrived in office.step():
            heard.append(arrived.payload)
            office.done(arrived)
        wait([link, office], 0.02)
    assert heard == sent
    office.close()


def test_what_the_next_says_again_waits_for_no_acknowledgement(station: Station, link: Link) -> None:
    office = Link(settings(station, "head-office"))
    office.connect(utc_now())
    step_until(lambda: office.up, office)
    link.publish(topics.build(BOX, "up", "e"), b"said once", certain=False)
    assert link.room == 100
    heard: list[bytes] = []
    step_until(lambda: bool(heard.extend(one.payload for one in office.step()) or heard), link)
    assert heard == [b"said once"]
    office.close()


def test_a_broker_that_goes_away_is_noticed(tmp_path: Path) -> None:
    station = Station(tmp_path)
    station.start_broker()
    link = Link(settings(station))
    link.connect(utc_now())
    step_until(lambda: link.up, link)
    station.kill_broker()
    with pytest.raises(LinkError, match=rf"the connection to localhost:{station.port} was lost") as raised:
        step_until(lambda: False, link)
    assert raised.value.code == "closed"
    assert (link.up, link.connecting, link.step()) == (False, False, [])
    with pytest.raises(LinkError):
        link.publish("x", b"")


@pytest.mark.parametrize(
    ("answer", "code"), [(b"HTTP/1.1 400 Bad Request\r\n\r\n", "not_tls"), (b"", "unreachable")]
)
def test_something_else_listens_there(station: Station, answer: bytes, code: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(10)
                connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        link = Link(replace(settings(station), port=server.getsockname()[1], host="127.0.0.1"))
        link.connect(utc_now())
        with pytest.raises(LinkError) as raised:
            step_until(lambda: False, link)
        thread.join(timeout=10)
    assert raised.value.code == code
    assert str(raised.value).startswith(f"127.0.0.1:{link.settings.port} ")


def test_every_reason_is_a_sentence_about_someone() -> None:
    for code, text in REASONS.items():
        assert text[0].islower() or text[0] == "{", code
        assert "{address}" in text or text.startswith("our "), code


def test_a_connection_that_ends_once_is_no_trouble_yet(station: Station) -> None:
    """`Reach` tries again before it says so; a refusal is said at once."""
    reach = Reach(Link(replace(settings(station), port=free_port())), chance=lambda: 0.5)
    deadline_s = time.monotonic() + 10
    while not reach.failure and time.monotonic() < deadline_s:
        assert reach.step(0.0, utc_now()) == []
        wait([reach.link], 0.02)
    assert "nothing listens" in reach.failure
    assert reach.step(0.4, utc_now()) == []  # not yet: half of the first second
    assert not reach.link.connecting
    reach.link.settings = settings(station)
    deadline_s = time.monotonic() + 10
    while not reach.link.up and time.monotonic() < deadline_s:
        reach.step(0.6, utc_now())
        wait([reach.link], 0.02)
    assert reach.failure  # until what runs on it says that it is well
    reach.well()
    assert reach.failure == ""
    reach.link.close()


def test_waiting_without_a_connection_takes_its_time() -> None:
    begun_s = time.monotonic()
    wait([], 0.05)
    assert 0.04 <= time.monotonic() - begun_s < 1.0
