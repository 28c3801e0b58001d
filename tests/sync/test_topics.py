"""Topics, both directions, and every way of being none."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync import topics
from sync.topics import Topic, TopicError, build, check_box_id, parse, shard_of

BOX_IDS = st.from_regex(r"[a-z0-9][a-z0-9-]{0,39}", fullmatch=True).filter(
    lambda box_id: box_id != topics.HEAD_OFFICE
)

WRITTEN = {
    "x/1/44/branch-2/up/e": Topic("branch-2", False, "up", "e"),
    "x/1/44/branch-2/up/p": Topic("branch-2", False, "up", "p"),
    "x/1/44/branch-2.b/up/c": Topic("branch-2", True, "up", "c"),
    "x/1/44/branch-2.b/up/f": Topic("branch-2", True, "up", "f"),
    "x/1/44/branch-2/dn/a": Topic("branch-2", False, "dn", "a"),
    "x/1/44/branch-2.b/dn/a": Topic("branch-2", True, "dn", "a"),
}
REFUSED = [
    "",
    "x/1/08/box-8/up/e",  # it is 8
    "x/1/44/branch-2/up",
    "x/1/43/branch-2/up/e",  # another box's shard
    "x/2/44/branch-2/up/e",
    "y/1/44/branch-2/up/e",
    "x/1/44/branch-2/up/z",
    "x/1/44/branch-2/dn/z",
    "x/1/44/branch-2/up/e/x",
    "x/1/44/Branch-2/up/e",
    "x/1/44/branch-2.c/up/e",
    "x/1/44/branch-2\n/up/e",
    "x/1/44/branch-2/up/e\n",
    f"x/1/{shard_of('head-office')}/head-office/up/e",
    "x/1/٤٤/branch-2/up/e",  # digits, but not ours
]


@pytest.mark.parametrize("text", WRITTEN)
def test_written_and_read(text: str) -> None:
    topic = WRITTEN[text]
    assert parse(text) == topic
    assert build(topic.box_id, topic.way, topic.channel, bulk=topic.bulk) == text


@pytest.mark.parametrize("text", REFUSED)
def test_refused(text: str) -> None:
    with pytest.raises(TopicError):
        parse(text)


def test_a_topic_has_the_shard_of_its_box_and_no_other() -> None:
    first_six_bits = int(hashlib.sha256(b"branch-2").hexdigest()[:2], 16) // 4
    assert parse(f"x/1/{first_six_bits}/branch-2/up/e").box_id == "branch-2"
    for shard in set(range(64)) - {first_six_bits}:
        with pytest.raises(TopicError, match="belongs to shard"):
            parse(f"x/1/{shard}/branch-2/up/e")


@given(BOX_IDS, st.booleans(), st.sampled_from([("up", "e"), ("up", "c"), ("dn", "a")]))
def test_every_box_reads_what_it_wrote(box_id: str, bulk: bool, where: tuple[str, str]) -> None:
    assert parse(build(box_id, *where, bulk=bulk)) == Topic(box_id, bulk, *where)
    assert 0 <= shard_of(box_id) < topics.SHARDS


@given(st.text(max_size=60))
def test_any_text_is_a_topic_or_refused(text: str) -> None:
    try:
        topic = parse(text)
    except TopicError:
        return
    assert build(topic.box_id, topic.way, topic.channel, bulk=topic.bulk) == text


@pytest.mark.parametrize(
    "box_id", ["", "-a", "A", "a.b", "a/b", "a" * 41, "+", "#", "head-office", "a b", "é"]
)
def test_box_ids_refused(box_id: str) -> None:
    with pytest.raises(TopicError, match="1-40 of a-z"):
        check_box_id(box_id)


def test_boxes_spread_over_all_shards() -> None:
    assert {shard_of(f"box-{number}") for number in range(1000)} == set(range(topics.SHARDS))


def test_an_unknown_channel_is_not_built() -> None:
    with pytest.raises(TopicError, match="no channel 'q' up from a box; there are e, p, m, r, b, f, c"):
        build("branch-2", "up", "q")
