"""Passwords that are refused, hashes that hold, guesses that wait."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st

from sync.accounts import (
    LONGEST_WAIT_S,
    MOST_KEYS,
    PasswordRefused,
    Throttle,
    Tries,
    another,
    check_password,
    hash_password,
    needs_rehash,
    throttle_keys,
    verify_password,
    wait_s,
)

TAKEN = [
    "orchard-bridge-7",
    "correct horse battery staple",
    "        spaces count        ",
    "密码要够长才行啊",
    "x7Q!" + "y" * 4,
    "linlin-and-more",
    "aB3" * 3 + "z",
    "a" * 127 + "b",
]
REFUSED = [
    ("", "too_short"),
    ("seven77", "too_short"),
    ("密码太短", "too_short"),
    ("a" * 129, "too_long"),
    ("password", "too_common"),
    ("PassWord1", "too_common"),
    ("ｐａｓｓｗｏｒｄ", "too_common"),
    ("woaini520", "too_common"),
    ("12345678", "too_common"),
    ("98765432", "too_common"),
    ("abcdefgh", "too_common"),
    ("aaaaaaaaaa", "too_common"),
    ("abababab", "too_common"),
    ("ab1ab1ab1", "too_common"),
    ("linlinlin", "too_common"),
    ("lin12lin", "too_common"),
    ("Lin-lin-1", "too_common"),
]


@pytest.mark.parametrize("password", TAKEN)
def test_passwords_that_are_taken(password: str) -> None:
    check_password(password, "lin")


@pytest.mark.parametrize(("password", "reason"), REFUSED)
def test_passwords_that_are_refused_and_why(password: str, reason: str) -> None:
    with pytest.raises(PasswordRefused) as refusal:
        check_password(password, "lin")
    assert refusal.value.reason == reason


def test_a_hash_is_argon2id_salted_and_fits_its_password_alone() -> None:
    first, second = hash_password("orchard-bridge-7"), hash_password("orchard-bridge-7")
    assert first.startswith("$argon2id$v=19$m=19456,t=2,p=1$") and first != second
    assert verify_password(first, "orchard-bridge-7") and verify_password(second, "orchard-bridge-7")
    assert not verify_password(first, "orchard-bridge-8")


def test_the_same_letters_typed_another_way_fit() -> None:
    assert verify_password(hash_password("caf\u00e9-terrasse"), "cafe\u0301-terrasse")


@pytest.mark.parametrize("stored", [None, "", "not a hash", "$argon2id$v=19$m=1"])
def test_what_is_no_hash_fits_nothing(stored: str | None) -> None:
    assert not verify_password(stored, "nobody has this password")


def test_a_password_too_long_to_be_one_is_not_hashed() -> None:
    assert not verify_password(hash_password("x" * 128), "x" * 1_000_000)


def test_a_hash_of_another_cost_is_to_be_made_anew() -> None:
    assert not needs_rehash(hash_password("orchard-bridge-7"))
    assert needs_rehash(PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash("x"))


WAITS = [(0, 0), (4, 0), (5, 2), (6, 4), (7, 8), (10, 64), (11, 120), (12, 120), (1000, 120)]


@pytest.mark.parametrize(("count", "seconds"), WAITS)
def test_waits_grow_to_two_minutes(count: int, seconds: float) -> None:
    tries = Tries(count, 100.0)
    assert wait_s(tries, 100.0) == seconds
    assert wait_s(tries, 100.0 + seconds) == 0


def test_tries_are_forgotten_after_a_quarter_of_an_hour() -> None:
    assert wait_s(Tries(1000, 0.0), 900.0) == 0
    assert another(Tries(1000, 0.0), 900.0) == Tries(1, 900.0)
    assert another(Tries(7, 0.0), 899.0) == Tries(8, 899.0)
    assert another(None, 5.0) == Tries(1, 5.0)


@given(st.lists(st.floats(min_value=0.0, max_value=30.0), max_size=400))
def test_whoever_waits_as_told_is_heard_and_nobody_waits_longer_than_the_longest(pauses: list[float]) -> None:
    throttle, now_s = Throttle(), 0.0
    for pause_s in pauses:
        now_s += pause_s
        told_s = throttle.admit(("a", "b"), now_s)
        assert 0 <= told_s <= LONGEST_WAIT_S
        if told_s:
            now_s += told_s
            assert throttle.admit(("a", "b"), now_s) == 0


@given(st.lists(st.floats(min_value=0.0, max_value=600.0), max_size=1000))
def test_however_they_come_under_twenty_guesses_are_heard_in_ten_minutes(moments: list[float]) -> None:
    throttle = Throttle()
    assert sum(throttle.admit(("a",), at_s) == 0 for at_s in sorted(moments)) < 20


def test_a_thousand_at_once_are_no_better() -> None:
    throttle = Throttle()
    assert sum(throttle.admit(("a",), 1.0) == 0 for _ in range(1000)) == 5


def test_a_refused_try_makes_the_wait_no_longer() -> None:
    throttle = Throttle()
    for _ in range(5):
        throttle.admit(("a",), 0.0)
    assert [throttle.admit(("a",), second) for second in (0.5, 1.0, 1.5)] == [1.5, 1.0, 0.5]
    assert throttle.admit(("a",), 2.0) == 0


def test_the_strictest_key_decides_and_the_others_are_not_counted() -> None:
    throttle = Throttle()
    for _ in range(5):
        throttle.admit(("a",), 0.0)
    for _ in range(10):
        assert throttle.admit(("a", "b"), 0.0) == 2
    assert throttle.admit(("b",), 0.0) == 0


def test_a_log_in_forgives() -> None:
    throttle = Throttle()
    for _ in range(5):
        throttle.admit(("a", "b"), 0.0)
    throttle.forgive(["a", "never seen"])
    assert throttle.admit(("a",), 0.0) == 0
    assert throttle.admit(("b",), 0.0) == 2


def test_the_memory_for_keys_is_bounded() -> None:
    throttle = Throttle()
    for at in range(5):
        throttle.admit(("kept",), float(at))
    for at in range(MOST_KEYS - 1):
        throttle.admit((f"key {at}",), 5.0)
    assert throttle.admit(("kept",), 5.0) > 0
    throttle.admit(("one more",), 5.0)
    assert throttle.admit(("kept",), 5.0) == 0


def test_keys() -> None:
    assert throttle_keys(" Lin ", "192.0.2.1", address_known=True) == (
        "pair lin 192.0.2.1",
        "address 192.0.2.1",
    )
    assert throttle_keys("lin", "192.0.2.1", address_known=False)[-1] == "account lin"
    assert len(throttle_keys("x" * 10_000, "192.0.2.1", address_known=False)[-1]) < 200
