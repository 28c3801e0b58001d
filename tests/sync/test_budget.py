"""Caps, months and shares over made-up time."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.budget import Bucket, Month, Share, wire_bytes

WINDOW_S = 10.0


def most_in_ten_seconds(sent: list[tuple[float, int]]) -> float:
    """The most bytes that were sent within any 10 s."""
    window: deque[tuple[float, int]] = deque()
    inside = most = 0
    for at_s, size in sent:
        window.append((at_s, size))
        inside += size
        while window[0][0] <= at_s - WINDOW_S:
            inside -= window.popleft()[1]
        most = max(most, inside)
    return most


def greedy(
    bucket: Bucket, seconds: float, tick_s: float, idle: tuple[float, float] = (0, 0)
) -> list[tuple[float, int]]:
    """Send the largest messages that are allowed, looking every `tick_s`; nothing while idle."""
    sent = []
    for tick in range(int(seconds / tick_s)):
        now_s = tick * tick_s
        while not idle[0] <= now_s < idle[1] and bucket.may(now_s):
            assert bucket.largest is not None
            bucket.spend(bucket.largest, now_s)
            sent.append((now_s, bucket.largest))
    return sent


@settings(max_examples=25)
@given(
    st.floats(2_000, 1e7),
    st.sampled_from([0.001, 0.01, 0.04]),
    st.tuples(st.floats(0, 30), st.floats(0, 30)),
)
def test_no_ten_seconds_pass_the_cap(cap: float, tick_s: float, pause: tuple[float, float]) -> None:
    bucket = Bucket()
    bucket.limit(cap, 0.0)
    sent = greedy(bucket, 40.0, tick_s, (min(pause), max(pause)))
    assert most_in_ten_seconds(sent) <= 1.02 * cap * WINDOW_S


@pytest.mark.parametrize("cap", [8_000.0, 64_000.0, 1_250_000.0])
@pytest.mark.parametrize("tick_s", [0.002, 0.04])
def test_a_cap_is_used(cap: float, tick_s: float) -> None:
    bucket = Bucket()
    bucket.limit(cap, 0.0)
    sent = greedy(bucket, 60.0, tick_s)
    assert sum(size for _, size in sent) >= 0.95 * cap * 60


def test_no_cap_asks_nothing() -> None:
    bucket = Bucket()
    assert bucket.largest is None
    assert bucket.may(0.0)
    bucket.spend(10**9, 0.0)
    assert bucket.may(0.0)


def test_audio_makes_up_for_call_records() -> None:
    bucket = Bucket()
    bucket.limit(10_000.0, 0.0)
    assert bucket.may(1.0)
    bucket.spend(20_000, 1.0)  # call records; nobody asked
    assert not bucket.may(2.0)
    assert bucket.may(3.2)


def test_a_new_cap_holds_from_now_on() -> None:
    bucket = Bucket()
    bucket.limit(1e6, 0.0)
    assert bucket.may(1.0)
    bucket.limit(1e4, 1.0)
    sent = []
    for tick in range(1000):
        now_s = 1.0 + tick * 0.01
        while bucket.may(now_s):
            assert bucket.largest is not None
            bucket.spend(bucket.largest, now_s)
            sent.append((now_s, bucket.largest))
    assert most_in_ten_seconds(sent) <= 1.02 * 1e5


@given(st.lists(st.integers(1, 200_000), max_size=200), st.integers(1, 10**9), st.integers(0, 200))
def test_no_crash_makes_a_month_forget(sizes: list[int], limit: int, crash_at: int) -> None:
    month = Month(limit)
    month.begin("2026-11", 0)
    database = really = 0
    for number, size in enumerate(sizes):
        if number == crash_at:
            month = Month(limit)
            month.begin("2026-11", database)
        if not month.may(size):
            break
        noted = month.spend(size)
        database = noted if noted is not None else database
        really += size
        assert database >= really
    assert really <= limit


def test_a_month_without_a_limit_writes_nothing() -> None:
    month = Month()
    month.begin("2026-11", 0)
    assert month.may(10**15)
    assert month.spend(10**9) is None


def test_what_is_noted_ahead_is_little() -> None:
    month = Month(20_000_000_000)
    month.begin("2026-11", 0)
    noted = [month.spend(100_000) for _ in range(1000)]
    assert sum(one is not None for one in noted) <= 30
    assert month.noted - month.used <= 4_000_000


@pytest.mark.parametrize("oldest", [0.0, 0.3, 0.5, 1.0])
@settings(max_examples=25)
@given(sizes=st.lists(st.integers(1_000, 3_000_000), min_size=5, max_size=60))
def test_both_ends_of_a_backlog_get_their_share(oldest: float, sizes: list[int]) -> None:
    share = Share(oldest)
    sent = {True: 0, False: 0}
    for size in sizes:
        turn = share.oldest_next()
        share.spend(size, oldest=turn)
        sent[turn] += size
    assert abs(sent[True] - oldest * sum(sizes)) <= 2 * max(sizes)
    assert Share(0.3).oldest_next() is False  # the newest goes first


@pytest.mark.parametrize(
    ("packet", "wanted"), [(1, 1 + 22 + 66), (1378, 1400 + 132), (262_144, 262_144 + 374 + 12_408)]
)
def test_what_a_packet_puts_on_the_line(packet: int, wanted: int) -> None:
    assert wire_bytes(packet) == wanted
