"""The walk over uncertain bytes finds what is valid, repairs what noise broke, knows when it cannot know."""

from __future__ import annotations

import numpy as np
import pytest

from edge.callerid import CallerId, mdmf, parse_message, sdmf
from edge.callerid.likely import NEVER, grammar, likely_message

CALLER = CallerId("bell202", "mdmf", "13800138000", "WANG LI", "11220446")
MESSAGES = {
    "mdmf": mdmf.build(CALLER),
    "sdmf": sdmf.build(CALLER),
    "chinese name": mdmf.build(CallerId("bell202", "mdmf", "02288881234", "天津分行", "11220446")),
    "withheld": mdmf.build(CallerId("bell202", "mdmf", None, None, "11220446", "withheld")),
    "with an unknown parameter": mdmf.build(CallerId("bell202", "mdmf", "123456", other=((0x11, b"\x01"),))),
}


def likelihood(message: bytes, certain: float, after: int = 2, seed: int = 0) -> np.ndarray:
    """Log-likelihoods in which the sent byte is ahead by `certain` on average, with noise on all."""
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(len(message) + after, 256))
    table[np.arange(len(message)), np.frombuffer(message, np.uint8)] += certain
    return table.astype(np.float32)


@pytest.mark.parametrize("name", MESSAGES)
def test_what_is_certain_is_read(name: str) -> None:
    likely = likely_message(likelihood(MESSAGES[name], 30))
    assert likely is not None and likely.message == MESSAGES[name] and likely.confidence > 0.999


def test_a_byte_that_was_misread_is_repaired_by_the_checksum() -> None:
    message = MESSAGES["mdmf"]
    table = likelihood(message, 12)
    digit = message.index(b"13800138000") + 4
    table[digit, ord("7")] = table[digit, message[digit]] + 3  # noise says 7, and is wrong
    assert table.argmax(axis=1)[digit] == ord("7")
    likely = likely_message(table)
    assert likely is not None and likely.message == message


def test_two_readings_that_are_equally_good_are_not_certain() -> None:
    message = bytearray(MESSAGES["mdmf"])
    table = likelihood(bytes(message), 12, seed=3)
    at = message.index(b"13800138000")
    for place, byte in ((at + 1, ord("4")), (at + 3, ord("0") + 9 - 1)):
        table[place, byte] = table[place, message[place]]
    message[at + 1] += 1
    message[-1] = (message[-1] - 1) % 256
    table[len(message) - 1, message[-1]] = table[len(message) - 1, (message[-1] + 1) % 256]
    likely = likely_message(table)
    assert likely is not None and likely.confidence < 0.9


@pytest.mark.parametrize("seed", range(8))
def test_noise_alone_is_never_certain(seed: int) -> None:
    table = np.random.default_rng(seed).normal(scale=2.0, size=(40, 256)).astype(np.float32)
    likely = likely_message(table)
    assert likely is None or likely.confidence < 0.5


def test_bytes_that_are_certain_but_no_message_are_refused() -> None:
    likely = likely_message(likelihood(b"the quick brown fox jumps over it", 30))
    assert likely is None or likely.confidence < 0.01


def test_confidence_grows_with_certainty() -> None:
    sure = []
    for certain in (4, 6, 9):
        likely = likely_message(likelihood(MESSAGES["mdmf"], certain, seed=1))
        right = likely is not None and likely.message == MESSAGES["mdmf"]
        sure.append(likely.confidence if likely and right else 0.0)
    assert sure == sorted(sure) and sure[-1] > 0.999


def test_too_little_is_nothing() -> None:
    assert likely_message(np.zeros((5, 256), np.float32)) is None


def test_grammar_prices_are_probabilities() -> None:
    rules = grammar()
    sums = np.exp(np.where(rules.price > NEVER / 2, rules.price, -np.inf)).sum(axis=1)
    assert np.allclose(sums, 1, atol=1e-4)


@pytest.mark.parametrize("name", MESSAGES)
def test_grammar_allows_every_byte_of_a_message(name: str) -> None:
    rules, message = grammar(), MESSAGES[name]
    state = rules.state("type")
    for byte in message[:-1]:
        assert rules.price[state, byte] > NEVER / 2
        state = int(rules.after[state, byte])
    assert parse_message(message)


@pytest.mark.parametrize(("certain", "bit"), [(30, 0), (30, 7), (60, 3)])
def test_a_checksum_that_was_sent_wrong_is_not_put_right(certain: float, bit: int) -> None:
    message = MESSAGES["mdmf"]
    sent = message[:-1] + bytes([message[-1] ^ 1 << bit])
    likely = likely_message(likelihood(sent, certain))
    assert likely is None or likely.confidence < 0.5


def test_what_had_to_be_mended_is_known() -> None:
    message = MESSAGES["mdmf"]
    table = likelihood(message, 12)
    plain = likely_message(table)
    assert plain is not None and plain.mended == 0
    digit = message.index(b"13800138000") + 4
    table[digit, ord("7")] = table[digit, message[digit]] + 3
    mended = likely_message(table)
    assert mended is not None and mended.message == message and mended.mended == pytest.approx(3, abs=1e-3)
