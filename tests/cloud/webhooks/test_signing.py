"""Signatures: the receiver finds out what was not sent by us, not sent like this, or sent long ago."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.webhooks.signing import OLDEST_S, SignatureRefused, check_signature, new_secret, signature

SECRET, BODY, NOW = "s3cret", b'{"kind":"call_ended"}', 1_772_424_000
GOOD = signature(SECRET, BODY, NOW)


def test_known_value() -> None:
    """Made with `printf '1772424000.{"kind":"call_ended"}' | openssl dgst -sha256 -hmac s3cret`."""
    assert GOOD == "t=1772424000,v1=" + KNOWN


KNOWN = "549ca20e6e09f00ad47f0107bc03721c1265e945c2dd72f3ea1c5639a1975c22"


@given(st.text(min_size=1), st.binary(max_size=200), st.integers(0, 10**12 - 1))
def test_what_we_sign_is_believed(secret: str, body: bytes, unix_s: int) -> None:
    check_signature(secret, body, signature(secret, body, unix_s), unix_s)


@pytest.mark.parametrize(
    ("secret", "body", "value", "now_s", "says"),
    [
        (SECRET, BODY, "", NOW, "wanted t=SECONDS"),
        (SECRET, BODY, "v1=" + "0" * 64, NOW, "wanted t=SECONDS"),
        (SECRET, BODY, GOOD.upper(), NOW, "wanted t=SECONDS"),
        (SECRET, BODY, GOOD + " ", NOW, "wanted t=SECONDS"),
        ("another", BODY, GOOD, NOW, "not signed with this secret"),
        (SECRET, BODY + b" ", GOOD, NOW, "not signed with this secret"),
        (SECRET, BODY, GOOD.replace("t=1772424000", "t=1772424001"), NOW, "not signed with this secret"),
        (SECRET, BODY, GOOD, NOW + OLDEST_S + 1, "more than 300 s"),
        (SECRET, BODY, GOOD, NOW - OLDEST_S - 1, "more than 300 s"),
    ],
)
def test_refused(secret: str, body: bytes, value: str, now_s: int, says: str) -> None:
    with pytest.raises(SignatureRefused, match=says):
        check_signature(secret, body, value, now_s)


@pytest.mark.parametrize("late_s", [-OLDEST_S, 0, OLDEST_S])
def test_believed_while_it_is_fresh(late_s: int) -> None:
    check_signature(SECRET, BODY, GOOD, NOW + late_s)


def test_no_two_secrets_alike() -> None:
    assert len({new_secret() for _ in range(50)}) == 50
