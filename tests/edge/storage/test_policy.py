"""Retention by rules, as tables: what goes, what stays, and the two protections above every rule."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config import KeepSettings
from edge.storage.policy import (
    Audio,
    Doomed,
    doomed,
    due_for_opus,
    make_space,
    may_go,
    oldest,
    preview,
    readable,
    rule_for,
)
from tests.edge.storage.conftest import NOW_UTC, days_ago

MB = 10**6


def audio(name: str, days: float, **facts: object) -> Audio:
    made = Audio(name, f"call-{name}", 1, "in", days_ago(days), 100 * MB, "flac", True, False)
    return replace(made, **facts)


def gone(audios: list[Audio], *rules: KeepSettings) -> list[tuple[str, str]]:
    newest_first = sorted(audios, key=lambda one: one.started_utc, reverse=True)
    return [(one.audio.recording_id, one.reason) for one in doomed(newest_first, rules, NOW_UTC)]


FOUR = [audio("a", 1), audio("b", 10), audio("c", 20), audio("d", 40)]


@pytest.mark.parametrize(
    ("rule", "goes"),
    [
        (KeepSettings(), []),
        (KeepSettings(keep_days=30), [("d", "age")]),
        (KeepSettings(keep_days=40), []),  # 40 days to the millisecond are not more than 40 days
        (KeepSettings(keep_days=39), [("d", "age")]),
        (KeepSettings(keep_days=1), [("b", "age"), ("c", "age"), ("d", "age")]),
        (KeepSettings(keep_gb=0.4), []),
        (KeepSettings(keep_gb=0.3), [("d", "size")]),
        (KeepSettings(keep_gb=0.29), [("c", "size"), ("d", "size")]),
        (KeepSettings(keep_recordings=4), []),
        (KeepSettings(keep_recordings=1), [("b", "count"), ("c", "count"), ("d", "count")]),
        (
            KeepSettings(keep_days=30, keep_gb=0.2, keep_recordings=1),
            [("b", "count"), ("c", "size"), ("d", "age")],
        ),
    ],
)
def test_each_limit_and_the_first_that_strikes(rule: KeepSettings, goes: list[tuple[str, str]]) -> None:
    assert gone(FOUR, rule) == goes


@pytest.mark.parametrize(
    ("facts", "goes", "goes_forced"),
    [
        ({}, True, True),
        ({"confirmed": False}, False, True),
        ({"held": True}, False, False),
        ({"held": True, "confirmed": False}, False, False),
    ],
)
def test_protections(facts: dict[str, bool], goes: bool, goes_forced: bool) -> None:
    old = audio("x", 1000, **facts)
    assert (may_go(old), may_go(old, forced=True)) == (goes, goes_forced)
    assert bool(gone([old], KeepSettings(keep_days=1))) is goes
    assert bool(gone([old, audio("y", 0)], KeepSettings(keep_recordings=1))) is goes
    assert bool(list(due_for_opus([old], [KeepSettings(opus_after_days=1)], NOW_UTC))) is goes
    assert bool(list(make_space([old], 1))) is goes
    assert bool(list(make_space([old], 1, forced=True))) is goes_forced


def test_what_is_protected_counts_but_nothing_newer_pays_for_it() -> None:
    kept = [audio("a", 1), audio("b", 2, held=True), audio("c", 3)]
    assert gone(kept, KeepSettings(keep_recordings=2)) == [("c", "count")]
    assert (
        gone([audio("a", 1), audio("b", 2), audio("c", 3, held=True)], KeepSettings(keep_recordings=2)) == []
    )


LINE_2 = KeepSettings(line=2, keep_days=7)
VOICEMAIL = KeepSettings(calls="voicemail", keep_days=90)
REST = KeepSettings(keep_days=30)


@pytest.mark.parametrize(
    ("line", "calls", "rule"),
    [
        (1, "in", REST),
        (1, "voicemail", VOICEMAIL),
        (2, "voicemail", LINE_2),  # the first that fits counts
        (2, "out", LINE_2),
        (4, "unknown", REST),
    ],
)
def test_rules_per_line_and_class(line: int, calls: str, rule: KeepSettings) -> None:
    assert rule_for(audio("x", 1, line=line, calls=calls), (LINE_2, VOICEMAIL, REST)) is rule


def test_no_rule_keeps_for_ever_and_each_rule_counts_its_own() -> None:
    assert rule_for(audio("x", 1), (LINE_2, VOICEMAIL)) is None
    assert gone([audio("x", 30_000)], LINE_2, VOICEMAIL) == []
    mixed = [audio("a", 1), audio("b", 2, line=2), audio("c", 3), audio("d", 4, line=2)]
    rules = (KeepSettings(line=2, keep_recordings=1), KeepSettings(keep_recordings=2))
    assert gone(mixed, *rules) == [("d", "count")]


@pytest.mark.parametrize(
    ("days", "codec", "after_days", "due"),
    [(31, "flac", 30, True), (29, "flac", 30, False), (31, "opus", 30, False), (31, "flac", 0, False)],
)
def test_packing(days: float, codec: str, after_days: int, due: bool) -> None:
    rules = [KeepSettings(opus_after_days=after_days)]
    assert bool(list(due_for_opus([audio("x", days, codec=codec)], rules, NOW_UTC))) is due


@pytest.mark.parametrize(
    ("wanted_mb", "goes"),
    [(0, ""), (-5, ""), (1, "d"), (100, "d"), (101, "dc"), (250, "dcb"), (9999, "dcba")],
)
def test_space_is_made_from_the_oldest_and_no_more_than_needed(wanted_mb: int, goes: str) -> None:
    found = make_space(list(reversed(FOUR)), wanted_mb * MB)
    assert "".join(one.audio.recording_id for one in found) == goes


def test_a_batch_takes_the_oldest_first() -> None:
    newest_first = list(doomed(FOUR, [KeepSettings(keep_days=1)], NOW_UTC))
    assert [one.audio.recording_id for one in oldest(newest_first, 2)] == ["d", "c"]


def test_preview_says_it_in_one_sentence() -> None:
    found = [
        Doomed(audio("a", 3), "age"),
        Doomed(audio("b", 9, size_bytes=1100 * MB), "size"),
        Doomed(audio("c", 5, call_id="call-a"), "age"),
    ]
    summed = preview(found)
    assert (summed.recordings, summed.calls, summed.size_bytes) == (3, 2, 1300 * MB)
    assert (summed.oldest_utc, summed.newest_utc) == (days_ago(9), days_ago(3))
    assert str(summed) == (
        "this would delete the audio of 2 calls: 3 recordings, 1.3 GB,"
        f" oldest {days_ago(9)}, newest {days_ago(3)} (age 2, size 1)"
    )
    assert str(preview([])) == "this would delete nothing"


@pytest.mark.parametrize(
    ("size_bytes", "says"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1.25e6, "1.2 MB"), (5e12, "5000.0 GB")],
)
def test_sizes_as_people_read_them(size_bytes: float, says: str) -> None:
    assert readable(size_bytes) == says


AUDIOS = st.lists(
    st.builds(
        audio,
        st.uuids().map(str),
        st.floats(0, 400),
        line=st.integers(1, 3),
        calls=st.sampled_from(["in", "out", "missed", "voicemail", "unknown"]),
        size_bytes=st.integers(0, 10**10),
        codec=st.sampled_from(["flac", "opus"]),
        confirmed=st.booleans(),
        held=st.booleans(),
    ),
    max_size=30,
)
RULES = st.lists(
    st.builds(
        KeepSettings,
        line=st.integers(0, 3),
        calls=st.sampled_from(["any", "in", "missed"]),
        keep_days=st.integers(0, 300),
        keep_gb=st.floats(0, 50),
        keep_recordings=st.integers(0, 20),
        opus_after_days=st.integers(0, 300),
    ),
    max_size=4,
)


@given(AUDIOS, RULES, st.integers(0, 10**11), st.booleans())
def test_no_rule_and_no_need_touches_what_is_protected(
    audios: list[Audio], rules: list[KeepSettings], wanted_bytes: int, forced: bool
) -> None:
    newest_first = sorted(audios, key=lambda one: one.started_utc, reverse=True)
    by_rule = [one.audio for one in doomed(newest_first, rules, NOW_UTC)]
    packed = list(due_for_opus(audios, rules, NOW_UTC))
    assert all(one.confirmed and not one.held for one in by_rule + packed)
    made = [one.audio for one in make_space(list(reversed(newest_first)), wanted_bytes, forced)]
    assert all(not one.held and (one.confirmed or forced) for one in made)
    assert sum(one.size_bytes for one in made[:-1]) < max(1, wanted_bytes)
