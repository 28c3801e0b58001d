"""Sealed fields: read back only where they were sealed, with the key they were sealed with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.field_keys import (
    FieldKey,
    KeyFault,
    KeyMissing,
    Keyring,
    NotSealedHere,
    add_key,
    keyring_in,
    read_keyring,
)

AT = "2026-03-02T04:00:00.000Z"
OLD, NEW = FieldKey.new(AT), FieldKey.new(AT)
RING = Keyring((OLD, NEW))


@given(st.text(min_size=1), st.text())
def test_what_is_sealed_is_read_back(value: str, place: str) -> None:
    sealed = RING.seal(value, place)
    assert RING.open(sealed, place) == value


def test_nothing_is_sealed_as_nothing() -> None:
    assert RING.seal("", "here") is None
    assert RING.open(None, "here") == ""
    assert RING.token("") is None


def test_the_same_value_is_sealed_differently_each_time() -> None:
    assert RING.seal("1", "here") != RING.seal("1", "here")


@given(st.data())
def test_an_altered_value_is_refused(data: st.DataObject) -> None:
    sealed = bytearray(RING.seal("secret", "here") or b"")
    at = data.draw(st.integers(4, len(sealed) - 1))
    sealed[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(NotSealedHere):
        RING.open(bytes(sealed), "here")


def test_a_value_moved_elsewhere_is_refused() -> None:
    with pytest.raises(NotSealedHere):
        RING.open(RING.seal("secret", "customers/1/bank"), "customers/2/bank")


def test_older_keys_still_open_and_the_newest_seals() -> None:
    assert RING.open(Keyring((OLD,)).seal("x", "here"), "here") == "x"
    with pytest.raises(KeyMissing):
        Keyring((OLD,)).open(RING.seal("x", "here"), "here")


def test_tokens_are_the_same_for_the_same_value_and_key_only() -> None:
    assert RING.token("1") == NEW.token("1") != OLD.token("1")
    assert RING.token("1") != RING.token("2")
    assert RING.tokens("1") == [OLD.token("1"), NEW.token("1")]


def test_the_file_is_made_once_and_private(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "field.keys"
    first = keyring_in(file, AT)
    assert keyring_in(file, AT) == first == read_keyring(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in file.parent.iterdir()] == ["field.keys"]


def test_a_key_is_added_and_none_is_lost(tmp_path: Path) -> None:
    file = tmp_path / "field.keys"
    before = keyring_in(file, AT)
    after = add_key(file, AT)
    assert after.keys[:-1] == before.keys
    assert after.active.id != before.active.id
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_key_is_not_shown() -> None:
    assert OLD.secret.hex() not in repr(RING)
    assert repr(OLD.secret) not in repr(RING)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"keys": []}',
        '{"keys": [{"id": "00000000"}]}',
        json.dumps({"keys": [{"id": "00000000", "secret": "ab", "made_utc": AT}]}),
        json.dumps({"keys": [{"id": "0", "secret": "ab" * 32, "made_utc": AT}]}),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "field.keys"
    file.write_text(content)
    with pytest.raises(KeyFault, match=r"field\.keys"):
        keyring_in(file, AT)
