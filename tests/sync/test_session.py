"""The sender's decisions as tables of what happened and what it does next; head office's first look."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.envelope import chained, entry_bytes, genesis, pack_batch
from sync.events import STREAMS
from sync.ids import new_id
from sync.messages import Ack, Hello, Refused, Standing, Welcome, pack
from sync.session import (
    FULL_CREDIT,
    SILENT_AFTER,
    SOON_S,
    UNKNOWN_BOX,
    WIDEST,
    WINDOW,
    Accepted,
    Read,
    SayHello,
    Sender,
    ack_of,
    next_credit,
    read_up,
    reconnect_s,
    reference,
    share,
    welcome_of,
)
from sync.topics import Topic
from tests.sync.station import AT, call_ended

EPOCH = "0123456789abcdef"
NONCE = "fedcba9876543210"
HASH = "ab" * 32


def hello(**heads: int) -> Hello:
    return Hello(nonce=NONCE, epoch=EPOCH, heads=heads)


def welcome(credit: int = FULL_CREDIT, nonce: str = NONCE) -> Welcome:
    return Welcome(nonce=nonce, streams={}, credit=credit, hq_utc=AT)


def ack(upto: int, *ranges: tuple[int, int], stream: str = "evt", credit: int = FULL_CREDIT) -> Ack:
    return Ack(epoch=EPOCH, stream=stream, upto=upto, ranges=ranges, credit=credit, hq_utc=AT)


def greeted(**heads: int) -> Sender:
    """A sender that was welcomed at second 0."""
    sender = Sender()
    sender.connected(0.0)
    assert sender.next(0.0) == SayHello()
    sender.said_hello(hello(**heads), "hello", 0.0)
    assert sender.welcomed(welcome())
    return sender


def send(sender: Sender, last: int, now_s: float = 0.0, ref: str = "") -> Read:
    """Let the sender read and send up to `last`."""
    read = sender.next(now_s)
    assert isinstance(read, Read)
    sender.sent(read, read.after_seq + 1, last, ref or f"{read.stream}{last}", now_s)
    return read


def drain(sender: Sender, now_s: float = 0.0) -> None:
    """Answer every read with: nothing there."""
    while isinstance(read := sender.next(now_s), Read):
        sender.nothing(read)


def test_nothing_is_done_without_a_connection() -> None:
    sender = Sender()
    sender.woken()
    assert sender.next(0.0) is None
    sender = greeted(evt=3)
    sender.lost()
    assert sender.next(99.0) is None


def test_no_entry_is_sent_before_the_welcome() -> None:
    sender = Sender()
    sender.connected(0.0)
    sender.said_hello(hello(evt=9), "ref", 0.0)
    assert sender.next(0.1) is None
    assert not sender.welcomed(welcome(nonce=EPOCH))  # an old one
    assert (sender.next(0.2), sender.ignored) == (None, 1)
    assert sender.welcomed(welcome())
    assert not sender.welcomed(welcome())  # the same again
    assert isinstance(sender.next(0.3), Read)


def test_hello_is_said_again_ever_more_slowly() -> None:
    sender = Sender()
    sender.connected(0.0)
    said, now_s = [], 0.0
    while len(said) < 7:
        if sender.next(now_s) == SayHello():
            said.append(now_s)
            sender.said_hello(hello(), "ref", now_s)
        now_s += 0.1
    waits = [round(b - a) for a, b in pairwise(said)]
    assert waits == [2, 4, 9, 18, 35, 60]
    assert sender.unanswered == 7


def test_streams_are_read_in_the_order_of_their_urgency() -> None:
    sender = greeted()
    order = []
    while isinstance(read := sender.next(0.0), Read):
        order.append(read.stream)
        sender.nothing(read)
    assert order == list(STREAMS) == ["crit", "evt", "meta", "log"]
    sender.woken()
    assert sender.next(0.0) == Read("crit", 0, None)


def test_the_window_is_kept_and_an_ack_opens_it() -> None:
    sender = greeted(crit=10_000)
    for number in range(WINDOW):
        assert send(sender, 100 * number + 100).after_seq == 100 * number
    assert sender.next(0.0) is None
    late_s = SOON_S + 0.1
    sender.acked(ack(150, stream="crit"), late_s)  # covers one batch and a half
    assert send(sender, 900).after_seq == 800
    assert sender.next(late_s) is None
    sender.acked(ack(150, (301, 400), stream="crit"), late_s)
    assert send(sender, 1000).after_seq == 900
    assert sender.next(late_s) is None


def test_acks_that_come_soon_widen_the_window_and_one_that_comes_late_narrows_it() -> None:
    sender = greeted(crit=1_000_000)
    upto = in_flight = 0
    for _ in range(5):
        while isinstance(sender.next(0.0), Read):
            in_flight += 1
            send(sender, upto + 100 * in_flight)
        assert in_flight == sender.window
        upto, in_flight = upto + 100 * in_flight, 0
        sender.acked(ack(upto, stream="crit"), SOON_S)
    assert sender.window == WIDEST
    send(sender, upto + 100)
    sender.acked(ack(upto + 100, stream="crit"), 2 * SOON_S)
    assert sender.window == WINDOW


@pytest.mark.parametrize(
    ("credit", "boxes", "wanted"), [(32, 0, 32), (32, 1, 32), (32, 2, 16), (32, 9, 8), (3, 1, 3), (3, 9, 3)]
)
def test_boxes_that_send_together_share_the_credit(credit: int, boxes: int, wanted: int) -> None:
    assert share(credit, boxes) == wanted


def in_flight(sender: Sender, after: int = 0) -> int:
    """How many batches of one entry it sends before it waits."""
    sent = 0
    while isinstance(sender.next(0.0), Read):
        sent += 1
        send(sender, after + sent)
    return sent


@pytest.mark.parametrize("credit", [1, 3, 100])
def test_credit_narrows_the_window_but_never_widens_it(credit: int) -> None:
    sender = greeted(crit=10_000)
    sender.credit = credit
    assert in_flight(sender) == min(credit, 8)


@pytest.mark.parametrize(("took_s", "credit", "wanted"), [(1.0, 100, 32), (1.1, 100, 8), (1.0, 20, 20)])
def test_eight_batches_are_in_flight_and_more_where_acks_come_soon(
    took_s: float, credit: int, wanted: int
) -> None:
    sender = greeted(crit=10_000)
    sender.credit = 100
    assert in_flight(sender) == 8
    upto = 8
    for _ in range(4):
        sender.acked(ack(upto, stream="crit", credit=credit), took_s)
        reached = in_flight(sender, upto)
        upto += reached
    assert reached == wanted


def test_no_credit_means_asking_until_there_is_some() -> None:
    sender = greeted(crit=10)
    send(sender, 5)
    sender.acked(ack(5, stream="crit", credit=0), 0.1)
    assert sender.next(0.1) is None
    assert sender.next(3.0) == SayHello()
    sender.said_hello(hello(crit=10), "hello", 3.0)
    assert sender.next(3.1) is None
    sender.welcomed(welcome(credit=1))
    assert isinstance(sender.next(3.2), Read)


def test_without_an_answer_everything_goes_again_from_what_is_owed() -> None:
    sender = greeted(crit=200)
    send(sender, 100)
    send(sender, 200)
    drain(sender)
    assert sender.next(2.1) is None
    assert sender.next(2.3) == Read("crit", 0, None)  # twice the round trip and two seconds later
    send(sender, 100, 2.3)
    drain(sender, 2.3)
    assert sender.next(6.6) is None
    assert sender.next(6.8) == Read("crit", 0, None)  # twice as patient
    slow = greeted(crit=100)
    slow.rtt_s = 100.0
    send(slow, 100)
    drain(slow)
    assert slow.next(59.9) is None
    assert slow.next(60.1) == Read("crit", 0, None)


def test_after_three_silences_it_asks_where_it_stands() -> None:
    sender, now_s = greeted(crit=100), 0.0
    for _ in range(SILENT_AFTER):
        assert sender.welcome
        send(sender, 100, now_s)
        now_s += 100.0
        action = sender.next(now_s)
    assert not sender.welcome
    assert action is None
    assert sender.next(now_s + 60.0) == SayHello()


def test_an_ack_ends_the_impatience() -> None:
    sender = greeted(crit=100)
    send(sender, 50)
    sender.next(100.0)
    assert sender.unanswered == 1
    send(sender, 50, 100.0)
    sender.acked(ack(50, stream="crit"), 100.5)
    assert sender.unanswered == 0
    assert sender.rtt_s == pytest.approx(0.2)


@pytest.mark.parametrize(
    "wrong",
    [
        ack(11),
        ack(5, (7, 11)),
        ack(1, stream="meta"),
        Ack(epoch="f" * 16, stream="evt", upto=5, credit=8, hq_utc=AT),
        Ack(epoch=EPOCH, stream="evt", upto=5, nacks=((12, "x"),), credit=8, hq_utc=AT),
    ],
    ids=["future", "future range", "other stream", "other epoch", "future nack"],
)
def test_an_ack_that_cannot_be_true_is_ignored(wrong: Ack) -> None:
    sender = greeted(evt=10)
    assert not sender.knows(wrong, EPOCH)
    assert sender.ignored == 1
    assert sender.knows(ack(10), EPOCH)


def test_a_refused_batch_goes_again_entry_by_entry_and_the_culprit_wrapped() -> None:
    sender = greeted(crit=5)
    send(sender, 3, ref="batch")
    sender.refused(Refused(ref="batch", code="not_a_batch"), 0.0)
    assert sender.refusal == "not_a_batch"
    assert sender.next(0.0) == Read("crit", 0, 1)
    send(sender, 1, ref="one")
    assert send(sender, 2, ref="two").limit == 1
    sender.acked(ack(1, stream="crit"), 0.0)
    sender.refused(Refused(ref="two", code="not_a_batch"), 0.0)
    assert sender.next(0.0) == Read("crit", 1, 1)
    assert sender.wraps("crit", 2)
    assert not sender.wraps("crit", 1)
    send(sender, 2, ref="wrapped")
    assert send(sender, 3).limit == 1
    sender.acked(ack(3, stream="crit"), 0.0)
    assert sender.refusal == ""
    assert sender.next(0.0) == Read("crit", 3, None)  # whole batches again


def test_a_wrapped_entry_that_is_refused_too_does_not_spin() -> None:
    sender = greeted(crit=5)
    for ref in ("one", "wrapped"):
        send(sender, 1, ref=ref)
        sender.refused(Refused(ref=ref, code="not_a_batch"), 0.0)
    assert (sender.welcome, sender.next(0.0)) == (False, None)
    assert sender.next(5.0) == SayHello()


def test_a_refusal_of_something_else_is_ignored() -> None:
    sender = greeted(crit=5)
    send(sender, 1)
    sender.refused(Refused(ref="?", code="not_a_batch"), 0.0)
    assert (sender.ignored, sender.refusal) == (1, "")


@pytest.mark.parametrize(
    ("ref", "code"), [("hello", UNKNOWN_BOX), ("crit1", UNKNOWN_BOX), ("hello", "wrong_version")]
)
def test_a_box_that_is_refused_itself_asks_again_later(ref: str, code: str) -> None:
    sender = greeted(crit=5)
    send(sender, 1)
    sender.refused(Refused(ref=ref, code=code), 0.0)
    assert (sender.welcome, sender.refusal, sender.next(1.0)) == (False, code, None)
    assert sender.next(3.0) == SayHello()


def test_what_was_in_flight_is_forgotten_with_the_connection() -> None:
    sender = greeted(crit=100)
    send(sender, 50)
    sender.lost()
    sender.connected(1.0)
    sender.said_hello(hello(crit=100), "ref", 1.0)
    sender.welcomed(welcome())
    assert sender.next(1.0) == Read("crit", 0, None)


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_reconnects_are_spread_over_at_most_a_minute(attempt: int, chance: float) -> None:
    assert reconnect_s(attempt, chance) == chance * min(60, 2 ** min(attempt, 6))
    assert reconnect_s(attempt, chance, 4.0) == min(reconnect_s(attempt, chance), 4.0 * chance)


@pytest.mark.parametrize(
    ("credit", "commit_s", "wanted"), [(8, 0.6, 4), (4, 9.0, 2), (1, 9.0, 1), (1, 0.1, 2), (32, 0.0, 32)]
)
def test_a_slow_database_lowers_the_credit(credit: int, commit_s: float, wanted: int) -> None:
    assert next_credit(credit, commit_s) == wanted


EVENTS = Topic("box-1", False, "up", "e")
ASKING = Topic("box-1", False, "up", "p")


def batch(box_id: str) -> bytes:
    body = entry_bytes(call_ended(), new_id(), AT, 1)
    prev = genesis(EPOCH, "evt")
    return pack_batch(box_id, EPOCH, "evt", 1, prev, chained(prev, body), [body])


@pytest.mark.parametrize(
    ("topic", "payload", "code"),
    [
        (EVENTS, b"junk", "not_a_batch"),
        (EVENTS, pack(hello()), "not_a_batch"),
        (EVENTS, batch("box-2"), "wrong_box"),
        (ASKING, b"junk", "not_a_message"),
        (ASKING, batch("box-1"), "not_a_message"),
        (ASKING, pack(welcome()), "not_here"),
        (ASKING, pack(Hello(v=2, nonce=NONCE, epoch=EPOCH, heads={})), "wrong_version"),
    ],
)
def test_head_office_refuses_by_name(topic: Topic, payload: bytes, code: str) -> None:
    refused = read_up(topic, payload)
    assert isinstance(refused, Refused)
    assert (refused.code, refused.ref) == (code, reference(payload))


def test_head_office_reads_what_is_good() -> None:
    assert read_up(ASKING, pack(hello(evt=3))) == hello(evt=3)
    assert read_up(EVENTS, batch("box-1")).box == "box-1"  # type: ignore[union-attr]


def test_answers_say_what_was_accepted() -> None:
    accepted = Accepted(EPOCH, "evt", 9, HASH, ((11, 12),), ((8, "unknown_kind"),), 3)
    assert ack_of(accepted, 4, AT) == Ack(
        epoch=EPOCH,
        stream="evt",
        upto=9,
        ranges=((11, 12),),
        nacks=((8, "unknown_kind"),),
        credit=4,
        hq_utc=AT,
    )
    answer = welcome_of(hello(), [accepted], 4, AT)
    assert (answer.nonce, answer.streams) == (
        NONCE,
        {"evt": Standing(9, HASH, ((11, 12),), ((8, "unknown_kind"),))},
    )
