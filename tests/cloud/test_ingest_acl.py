"""What a box may not do at the broker: speak as another, read another, play head office or the broker.

Each attempt is made with a real certificate over TLS, by a plain MQTT client that keeps to no rule of ours.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cloud import pki
from sync import topics
from sync.reasons import LinkError
from sync.transport import Arrived, Link, LinkSettings, wait
from tests.sync.station import BOX, Station, days

OTHER = "branch-2"
WRONG_SHARD = (topics.shard_of(OTHER) + 1) % topics.SHARDS


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    station = Station(tmp_path_factory.mktemp("acl"))
    pki.make_box(station.pki, OTHER, days())
    station.start_broker()
    yield station
    station.kill_broker()


class Client:
    """A client with the certificate called `name`, subscribed to `topic`."""

    def __init__(self, station: Station, name: str, *topics_wanted: str) -> None:
        pair = pki.pair_of(station.pki, name)
        self.link = Link(
            LinkSettings(
                "localhost", station.port, station.pki / "ca.pem", pair.cert, pair.key, topics_wanted
            )
        )
        self.link.connect(datetime.now(UTC))
        self.heard: list[Arrived] = []
        deadline_s = time.monotonic() + 5
        while not self.link.up and time.monotonic() < deadline_s:
            self.listen(0.02)
        assert self.link.up

    def listen(self, for_s: float) -> None:
        deadline_s = time.monotonic() + for_s
        while time.monotonic() < deadline_s:
            self.heard += self.link.step()
            wait([self.link], 0.01)


@pytest.fixture
def head_office(station: Station) -> Iterator[Client]:
    client = Client(station, "head-office", "x/1/+/+/up/#")
    yield client
    client.link.close()


def up(box_id: str, channel: str = "e", *, bulk: bool = False) -> str:
    return topics.build(box_id, "up", channel, bulk=bulk)


def down(box_id: str, *, bulk: bool = False) -> str:
    return topics.build(box_id, "dn", "a", bulk=bulk)


def all_down(box_id: str) -> str:
    """All that head office could say to a box, under any shard."""
    return f"x/1/+/{box_id}/dn/#"


def test_a_box_is_heard_on_its_own_topics(station: Station, head_office: Client) -> None:
    events, bulk = Client(station, BOX, down(BOX)), Client(station, BOX + ".b", down(BOX, bulk=True))
    events.link.publish(up(BOX), b"1")
    bulk.link.publish(up(BOX, "c", bulk=True), b"2")
    head_office.listen(0.3)
    assert sorted(arrived.payload for arrived in head_office.heard) == [b"1", b"2"]


SPOOFS = {
    "another box": up(OTHER),
    "its own bulk connection": up(BOX, "c", bulk=True),
    "another box's bulk connection": up(OTHER, "c", bulk=True),
    "head office": down(OTHER),
    "head office to itself": down(BOX),
    "head office closing its own hour": topics.build(BOX, "dn", "m"),
    "head office mending its own entry": topics.build(BOX, "dn", "e"),
    "head office ordering itself": topics.build(BOX, "dn", "c"),
    "head office ordering another box": topics.build(OTHER, "dn", "c"),
    "the receipts of another box": up(OTHER, "r"),
    "receipts of its own bulk connection": up(BOX, "r", bulk=True),
    "an order under another shard": f"x/1/{WRONG_SHARD}/{OTHER}/dn/c",
    "receipts of another box under another shard": f"x/1/{WRONG_SHARD}/{OTHER}/up/r",
    "the birth of another box": up(OTHER, "b"),
    "the manifest of another box": up(OTHER, "m"),
    "another root": f"y/1/0/{BOX}/up/e",
    "a level too many": f"x/1/0/0/{BOX}/up/e",
    "no level": "x",
    "the broker": "$SYS/broker/uptime",
    "a name that only begins like its own": f"x/1/0/{BOX}-2/up/e",
}


@pytest.mark.parametrize("spoof", SPOOFS)
def test_a_box_cannot_speak_as(station: Station, head_office: Client, spoof: str) -> None:
    listener = Client(station, OTHER, all_down(OTHER))
    box = Client(station, BOX, all_down(BOX))
    box.link.publish(SPOOFS[spoof], b"spoof")
    box.link.publish(up(BOX), b"honest")  # sent after it, so once this is there the other would be
    for client in (box, head_office, listener):
        client.listen(0.3)
    assert [arrived.payload for arrived in head_office.heard] == [b"honest"]
    assert box.heard == listener.heard == []


@pytest.mark.parametrize(
    "wanted",
    [
        "#",
        "x/#",
        "+/+/+/+/dn/#",
        topics.build(OTHER, "dn", "m"),
        topics.build(OTHER, "dn", "e"),
        topics.build(OTHER, "dn", "c"),
        f"x/1/+/{OTHER}/dn/c",
        "x/1/+/+/dn/c",
        "x/+/+/+/+/c",
        f"$share/g/{topics.build(OTHER, 'dn', 'c')}",
        "$share/head-office/x/1/+/+/dn/#",
        up(OTHER, "b"),
        up(OTHER, "r"),
        "x/1/+/+/up/r",
        down(OTHER),
        up(OTHER),
        up(BOX),
        "$SYS/#",
        f"$share/g/{down(OTHER)}",
    ],
)
def test_a_box_cannot_read(station: Station, wanted: str) -> None:
    """The broker grants the subscription and delivers nothing of it."""
    thief = _try(station, BOX, wanted)
    if thief is None:
        return  # refused at once: as good
    other = Client(station, OTHER, down(OTHER), topics.build(OTHER, "dn", "c"))
    office = Client(station, "head-office", "x/1/+/+/up/#")
    other.link.publish(up(OTHER), b"a call record")
    other.link.publish(up(OTHER, "r"), b"a receipt")
    office.link.publish(down(OTHER), b"an answer")
    office.link.publish(topics.build(OTHER, "dn", "c"), b"an order")
    for client in (other, office, thief):
        client.listen(0.3)
    assert [arrived.payload for arrived in office.heard] == [b"a call record", b"a receipt"]
    assert [arrived.topic for arrived in thief.heard] == []
    if "$share" not in wanted:
        assert [arrived.payload for arrived in other.heard] == [b"an answer", b"an order"]


@pytest.mark.parametrize("group", ["ingest", "g", "head-office", "$share"])
def test_a_box_that_joins_a_shared_subscription_takes_nothing_from_head_office(
    station: Station, head_office: Client, group: str
) -> None:
    thief = _try(station, BOX, f"$share/{group}/x/1/+/+/up/#")
    other = Client(station, OTHER, down(OTHER))
    for number in range(20):
        other.link.publish(up(OTHER), b"%d" % number)
    for client in (other, head_office, *([thief] if thief else [])):
        client.listen(0.3)
    assert sorted(int(arrived.payload) for arrived in head_office.heard) == list(range(20))
    assert thief is None or thief.heard == []


def test_a_retained_birth_in_another_name_is_not_kept(station: Station) -> None:
    box = Client(station, BOX, down(BOX))
    box.link.publish(up(OTHER, "b"), b"spoof", retain=True)
    box.link.publish(up(BOX, "b"), b"honest", retain=True)
    box.listen(0.3)
    late = Client(station, "head-office", "x/1/+/+/up/#")
    late.listen(0.3)
    assert [arrived.payload for arrived in late.heard] == [b"honest"]
    box.link.publish(up(BOX, "b"), b"", retain=True)  # nothing is left for the others here
    box.listen(0.2)
    late.link.close()


def test_the_bulk_connection_cannot_read_the_answers_of_the_other(station: Station) -> None:
    thief = _try(station, BOX + ".b", f"x/1/+/{BOX}/dn/#")
    office = Client(station, "head-office", "x/1/+/+/up/#")
    box = Client(station, BOX, all_down(BOX))
    office.link.publish(down(BOX), b"an answer")
    office.link.publish(topics.build(BOX, "dn", "c"), b"an order")
    for client in (office, box, *([thief] if thief else [])):
        client.listen(0.3)
    assert [arrived.payload for arrived in box.heard] == [b"an answer", b"an order"]
    assert thief is None or thief.heard == []


def test_a_false_client_id_does_not_help(station: Station, head_office: Client, tmp_path: Path) -> None:
    """Our client id is made from the file name; the broker goes by the certificate."""
    pair = pki.pair_of(station.pki, BOX)
    (tmp_path / f"{OTHER}.pem").write_bytes(pair.cert.read_bytes())
    (tmp_path / "key.pem").write_bytes(pair.key.read_bytes())
    settings = LinkSettings(
        "localhost",
        station.port,
        station.pki / "ca.pem",
        tmp_path / f"{OTHER}.pem",
        tmp_path / "key.pem",
        (down(OTHER),),
    )
    link = Link(settings)
    link.connect(datetime.now(UTC))
    deadline_s = time.monotonic() + 0.5
    while time.monotonic() < deadline_s:
        link.step()
        wait([link], 0.02)
    link.publish(up(OTHER), b"spoof")
    head_office.listen(0.3)
    assert head_office.heard == []
    link.close()


@pytest.mark.parametrize("name", ["rogue", "server"])
def test_who_has_no_certificate_of_ours_is_not_let_in(station: Station, tmp_path: Path, name: str) -> None:
    """A self-made authority with the same names, and a server's certificate used as a client's."""
    folder = station.pki
    if name == "rogue":
        folder, name = tmp_path, BOX
        pki.make_ca(tmp_path, days())
        pki.make_box(tmp_path, BOX, days())
    pair = pki.pair_of(folder, name)
    link = Link(
        LinkSettings("localhost", station.port, station.pki / "ca.pem", pair.cert, pair.key, (down(BOX),))
    )
    with pytest.raises(LinkError) as raised:
        link.connect(datetime.now(UTC))
        deadline_s = time.monotonic() + 5
        while time.monotonic() < deadline_s:
            link.step()
            wait([link], 0.02)
    assert raised.value.code == "not_accepted"


@pytest.mark.parametrize(("begins_in", "said"), [(-9, "not_accepted"), (2, "not_accepted"), (-3, "")])
def test_who_has_a_certificate_of_another_time_is_not_let_in(
    station: Station, tmp_path: Path, begins_in: int, said: str
) -> None:
    """The broker looks for itself, at a client that does not care for the dates of its own certificate."""
    begins = datetime.now(UTC) + timedelta(days=begins_in)
    for of_the_authority in station.pki.glob("ca*"):
        (tmp_path / of_the_authority.name).write_bytes(of_the_authority.read_bytes())
    pair = pki.make_box(tmp_path, BOX, pki.Validity.days(begins, 7))[0]
    link = Link(
        LinkSettings("localhost", station.port, station.pki / "ca.pem", pair.cert, pair.key, (down(BOX),))
    )
    link.connect(begins + timedelta(days=3))  # a date that suits it
    deadline_s, code = time.monotonic() + 5, ""
    while not link.up and not code and time.monotonic() < deadline_s:
        try:
            link.step()
        except LinkError as error:
            code = error.code
        wait([link], 0.02)
    assert (code, link.up) == (said, not said)
    link.close()


def _try(station: Station, name: str, topic: str) -> Client | None:
    try:
        return Client(station, name, topic)
    except LinkError as error:
        assert error.code == "not_allowed"
        return None
