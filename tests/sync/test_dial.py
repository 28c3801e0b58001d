"""The way to the broker: every address gets its turn, and no step waits for any of them."""

from __future__ import annotations

import errno
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.dial import ADDRESS_S, LOOKUP_S, UNANSWERED_MS, Address, Dial, Lookup
from sync.transport import LinkSettings, tls_context, wait
from tests.sync.station import Station, free_port

NO_WAIT_S = 2.0  # a step takes microseconds; this is for a machine that is busy elsewhere


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    station = Station(tmp_path_factory.mktemp("dial"))
    station.start_broker()
    yield station
    station.kill_broker()


@pytest.fixture
def context(station: Station) -> ssl.SSLContext:
    box = station.box_settings
    settings = LinkSettings(box.host, box.port, box.ca_file, box.cert_file, box.key_file, ())
    return tls_context(settings, "here")


class Book(Lookup):
    """Answers a look-up from a list; None: it never does."""

    def __init__(self, addresses: list[Address] | None) -> None:
        super().__init__()
        self._found = addresses

    def start(self, host: str, port: int) -> None:
        """It is known already."""


def here(port: int) -> Address:
    return socket.AF_INET, ("127.0.0.1", port)


def shaken(dial: Dial, now_s: float = 0.0) -> ssl.SSLSocket:
    deadline_s = time.monotonic() + 10
    while time.monotonic() < deadline_s:
        if (ready := dial.step(now_s)) is not None:
            return ready
        wait([], 0.005)
    raise AssertionError("no connection")


def test_hands_are_shaken_a_step_at_a_time(station: Station, context: ssl.SSLContext) -> None:
    dial = Dial(Lookup(), "localhost", station.port, context, 0.0)
    with shaken(dial) as sock:
        assert sock.version() in ("TLSv1.2", "TLSv1.3")
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == UNANSWERED_MS
        assert not sock.getblocking()


def test_the_next_address_gets_its_turn(station: Station, context: ssl.SSLContext) -> None:
    dial = Dial(Book([here(free_port()), here(station.port)]), "localhost", station.port, context, 0.0)
    shaken(dial).close()


def test_the_last_failure_is_the_reason(context: ssl.SSLContext) -> None:
    dial = Dial(Book([here(free_port())]), "localhost", 1, context, 0.0)
    with pytest.raises(ConnectionRefusedError):
        shaken(dial)
    with pytest.raises(OSError, match="no address"):
        Dial(Book([]), "localhost", 1, context, 0.0).step(0.0)


def test_who_says_nothing_is_given_up_and_no_step_waits_for_it(
    station: Station, context: ssl.SSLContext
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        dial = Dial(Book([here(port), here(station.port)]), "localhost", port, context, 0.0)
        begun_s = time.monotonic()
        for _ in range(20):
            assert dial.step(1.0) is None
        assert time.monotonic() - begun_s < NO_WAIT_S
        assert dial.step(1.1 + ADDRESS_S) is None  # it had its time
        shaken(dial, 1.1 + ADDRESS_S).close()


def test_a_name_that_nobody_answers_for_is_given_up(context: ssl.SSLContext) -> None:
    dial = Dial(Book(None), "localhost", 1, context, 0.0)
    assert dial.step(LOOKUP_S - 0.1) is None
    assert dial.waits_on is None
    with pytest.raises(socket.gaierror):
        dial.step(LOOKUP_S + 0.1)


def test_a_name_that_is_not_there(context: ssl.SSLContext) -> None:
    dial = Dial(Lookup(), "no-such-host.invalid", 1, context, time.monotonic())
    deadline_s = time.monotonic() + 10
    with pytest.raises(socket.gaierror):
        while time.monotonic() < deadline_s:
            dial.step(0.0)
            wait([], 0.005)


def test_an_address_needs_no_look_up() -> None:
    lookup = Lookup()
    lookup.start("127.0.0.1", 8883)
    assert lookup.answer() == [here(8883)]


def test_given_up_is_closed(context: ssl.SSLContext) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        dial = Dial(Book([here(port)]), "localhost", port, context, 0.0)
        dial.step(0.0)
        assert dial.waits_on is not None
        sock = dial.waits_on[0]
        dial.close()
    with pytest.raises(OSError) as raised:
        sock.getpeername()
    assert raised.value.errno == errno.EBADF


def test_a_broker_that_shakes_hands_and_says_no_more(station: Station, tmp_path: Path) -> None:
    """Nothing in a step waits for the broker's answer either."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        box = station.box(host="127.0.0.1", port=silent.getsockname()[1], database=tmp_path / "box.db")
        try:
            slowest_s = 0.0
            for _ in range(40):
                begun_s = time.monotonic()
                box.step()
                slowest_s = max(slowest_s, time.monotonic() - begun_s)
                wait([], 0.005)
            assert slowest_s < NO_WAIT_S
        finally:
            box.close()
