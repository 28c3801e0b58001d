"""Manifests: trees of RFC 9162, statements that are refused, and any difference found in a few rounds."""

from __future__ import annotations

import hashlib
import zlib
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.envelope import MAX_SEQ, EnvelopeError, canonical
from sync.keys import DeviceKey
from sync.manifest import (
    BOX_KEY,
    FANOUT,
    GENESIS,
    MOST_LEAVES,
    MOST_RANGES,
    WITNESS,
    Ask,
    Chain,
    Files,
    FromBox,
    FromOffice,
    Hashes,
    Manifest,
    ManifestError,
    Part,
    Resend,
    Standing,
    Statement,
    Stretch,
    Verdict,
    Want,
    checked,
    compare,
    digest,
    divided,
    entry_leaf,
    file_leaf,
    holds,
    pack,
    read_statement,
    root_of,
    runs,
    sign,
    split,
    unpack_from_box,
    unpack_from_office,
)

KEY = DeviceKey.new()
EPOCH = "0123456789abcdef"
AT = "2026-11-22T05:00:31.000Z"

# Leaves and roots that the authors of RFC 6962 test their own code with.
DATA = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


@pytest.mark.parametrize("count", range(1, 9))
def test_the_tree_is_that_of_the_rfc(count: int) -> None:
    leaves = [hashlib.sha256(b"\x00" + bytes.fromhex(one)).digest() for one in DATA[:count]]
    assert root_of(leaves) == ROOTS[count - 1]


def test_no_leaves_are_the_hash_of_nothing() -> None:
    assert root_of([]) == hashlib.sha256(b"").hexdigest()


def leaf_of(seq: int, salt: int = 0) -> bytes:
    return entry_leaf(seq, digest(f"{seq} {salt}".encode()))


def test_a_leaf_tells_the_number_and_every_bit_of_the_entry() -> None:
    sha256 = digest(b"x")
    flipped = f"{int(sha256[0], 16) ^ 1:x}{sha256[1:]}"
    assert len({entry_leaf(1, sha256), entry_leaf(2, sha256), entry_leaf(1, flipped)}) == 3
    assert len({file_leaf("a", 1, sha256), file_leaf("a", 2, sha256), file_leaf("b", 1, sha256)}) == 3


# -- statements


def statement(**changes: Any) -> Statement:
    fields: dict[str, Any] = {
        "box": "branch-1",
        "epoch": EPOCH,
        "n": 1,
        "prev": GENESIS,
        "span": "2026-11-22T04",
        "made": AT,
        "parts": (Part("evt", 1, 3, 900, root_of([leaf_of(1), leaf_of(2), leaf_of(3)])),),
        "files": Files(0, 0, root_of([])),
        "chain": Chain(7, "ab" * 32),
        "key": KEY.public,
    }
    return Statement(**(fields | changes))


def signed(one: Statement, key: DeviceKey = KEY, says: str = BOX_KEY) -> Manifest:
    body = canonical(one)
    return Manifest(body=msgspec.Raw(body), sig=sign(key, says, digest(body)))


def test_a_signed_statement_is_read_back() -> None:
    said = unpack_from_box(pack(signed(statement())))
    assert isinstance(said, Manifest)
    assert checked(said, "branch-1") == statement()
    assert not statement().is_day
    assert statement(span="2026-11-22").is_day


REFUSED: dict[str, Manifest] = {
    "of another box": signed(statement(box="branch-2")),
    "signed by another key": signed(statement(), DeviceKey.new()),
    "signed as something else": signed(statement(), says=WITNESS),
    "of a later version": signed(statement(v=2)),
    "two parts of one stream": signed(statement(parts=statement().parts * 2)),
    "a part that ends before it begins": signed(statement(parts=(Part("evt", 3, 2, 0, GENESIS),))),
    "a part too long": signed(statement(parts=(Part("evt", 1, MOST_LEAVES + 1, 0, GENESIS),))),
    "an hour that is none": signed(statement(span="2026-11-22T4")),
    "a hash that is none": signed(statement(prev="zz" * 32)),
    "a number that is none": signed(statement(n=0)),
    "no statement": Manifest(body=msgspec.Raw(b"[]"), sig=sign(KEY, BOX_KEY, digest(b"[]"))),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_statement_is_refused(what: str) -> None:
    with pytest.raises(ManifestError):
        checked(REFUSED[what], "branch-1")


@given(st.binary(max_size=80), st.integers(0, 10_000))
def test_one_altered_byte_of_a_signed_statement_is_refused(noise: bytes, at: int) -> None:
    body = bytearray(canonical(statement()))
    body[at % len(body)] ^= 1 + (noise[0] if noise else 0) % 255
    with pytest.raises(EnvelopeError):
        checked(Manifest(body=msgspec.Raw(bytes(body)), sig=signed(statement()).sig), "branch-1")


@given(st.binary(max_size=200) | st.binary(max_size=200).map(zlib.compress))
def test_noise_is_no_message(payload: bytes) -> None:
    for unpack in (unpack_from_box, unpack_from_office):
        with pytest.raises(EnvelopeError):
            unpack(payload)


FROM_BOX: list[FromBox] = [
    Standing(epoch=EPOCH, top=3, h=GENESIS),
    Hashes(epoch=EPOCH, n=1, stream="evt", hashes=((1, 16, GENESIS),)),
    Want(epoch=EPOCH, stream="evt", seqs=(4, 5)),
]
FROM_OFFICE: list[FromOffice] = [
    Standing(epoch=EPOCH, top=3, h=GENESIS, open=(1, 2)),
    Verdict(epoch=EPOCH, n=1, state="closed", h=GENESIS, key=KEY.public, sig=sign(KEY, WITNESS, GENESIS)),
    Ask(epoch=EPOCH, n=1, stream="evt", ranges=((1, 4),)),
    Resend(epoch=EPOCH, n=1, stream="evt", ranges=((2, 2), (4, 9))),
]


def test_every_message_is_read_back() -> None:
    assert [unpack_from_box(pack(one)) for one in FROM_BOX] == FROM_BOX
    assert [unpack_from_office(pack(one)) for one in FROM_OFFICE] == FROM_OFFICE


def test_a_bomb_is_refused_before_it_inflates() -> None:
    with pytest.raises(EnvelopeError, match="inflates to more"):
        unpack_from_box(zlib.compress(b'{"t":"want","x":"' + b"0" * 1_000_000 + b'"}'))


@pytest.mark.parametrize(
    ("public", "says", "sig"),
    [
        (DeviceKey.new().public, WITNESS, sign(KEY, WITNESS, GENESIS)),
        (KEY.public, BOX_KEY, sign(KEY, WITNESS, GENESIS)),
        (KEY.public, WITNESS, "not hex"),
        ("", WITNESS, sign(KEY, WITNESS, GENESIS)),
    ],
    ids=[
        "another key",
        "said as another",
        "no signature",
        "no key",
    ],  # keys are new each time, names must not be
)
def test_a_countersignature_that_does_not_hold(public: str, says: str, sig: str) -> None:
    assert not holds(public, says, GENESIS, sig)
    assert holds(KEY.public, WITNESS, GENESIS, sign(KEY, WITNESS, GENESIS))


def test_read_statement_passes_over_what_it_does_not_know() -> None:
    body = msgspec.json.decode(canonical(statement())) | {"later": 1}
    assert read_statement(canonical(body)) == statement()


# -- finding what differs


def search(box: Stretch, office: Stretch, first: int, last: int) -> tuple[set[int], int]:
    """Ask and answer until nothing is left to ask; what was found, and in how many rounds."""
    found: set[int] = set()
    asked: list[tuple[int, int]] = [(first, last)]
    rounds = 0
    while asked:
        rounds += 1
        asked, single = compare(office, divided(box, asked))
        found |= set(single)
        assert len(asked) <= MOST_RANGES
    return found, rounds


@settings(max_examples=60)
@given(st.integers(1, MOST_LEAVES), st.sets(st.integers(0, MOST_LEAVES - 1), min_size=1, max_size=FANOUT))
def test_every_entry_that_differs_is_found_in_a_few_rounds(count: int, spots: set[int]) -> None:
    wrong = {spot % count + 1 for spot in spots}
    box = Stretch({seq: leaf_of(seq) for seq in range(1, count + 1)})
    office = Stretch({seq: leaf_of(seq, int(seq in wrong)) for seq in range(1, count + 1)})
    found, rounds = search(box, office, 1, count)
    assert found == wrong
    assert rounds <= 3  # 16 x 16 x 16 entries


@pytest.mark.parametrize(("first", "last"), [(1, MOST_LEAVES + 1), (1, MAX_SEQ), (5, 3)])
def test_a_range_that_no_part_can_have_is_passed_over(first: int, last: int) -> None:
    assert compare(Stretch({}), [(first, last, "0" * 64)]) == ([], [])


def test_nothing_is_found_where_nothing_differs() -> None:
    box = Stretch({seq: leaf_of(seq) for seq in range(1, 200)})
    assert search(box, box, 1, 199) == (set(), 1)


def test_more_than_can_be_asked_at_once_is_found_in_turns() -> None:
    box = Stretch({seq: leaf_of(seq) for seq in range(1, MOST_LEAVES + 1)})
    office = Stretch({seq: leaf_of(seq, 1) for seq in range(1, MOST_LEAVES + 1)})
    found, _ = search(box, office, 1, MOST_LEAVES)
    assert 0 < len(found) < MOST_LEAVES  # the rest is asked after these were sent again


def test_what_the_box_has_lost_itself_it_does_not_answer_for() -> None:
    box = Stretch({1: leaf_of(1), 3: leaf_of(3)})
    assert [one[:2] for one in divided(box, [(1, 3)])] == [(1, 1), (3, 3)]
    assert box.missing(1, 3) == [2]
    assert box.root(1, 3) is None


@given(st.integers(1, 10**6), st.integers(0, MOST_LEAVES - 1))
def test_a_range_is_divided_without_a_hole(first: int, more: int) -> None:
    pieces = split(first, first + more)
    assert len(pieces) <= FANOUT
    assert [seq for a, b in pieces for seq in range(a, b + 1)] == list(range(first, first + more + 1))


@given(st.sets(st.integers(1, 200)))
def test_numbers_become_ranges(seqs: set[int]) -> None:
    ranges = runs(seqs)
    assert {seq for a, b in ranges for seq in range(a, b + 1)} == seqs
    assert all(b[0] > a[1] + 1 for a, b in pairwise(ranges))
