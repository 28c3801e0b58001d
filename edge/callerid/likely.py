"""The most likely message when no byte is certain: what formats, field rules and checksum leave possible.

A walk over the characters keeps the best few hundred beginnings; each is in a state of the grammar

    TYPE -> LENGTH -> PARAMETER TYPE -> PARAMETER LENGTH -> value ... -> PARAMETER TYPE ... -> checksum
                 \\-> MMDDhhmm number (SDMF)                                                   (forced)

and pays for each byte how unlikely the grammar holds it. The checksum byte is not chosen but computed, so
every message that reaches the end is a valid one; its share among all of them, and against "these are just
bytes", is the confidence. A wrong number is worse than none: who asks decides what share is enough.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

BEAM = 512
NOT_A_MESSAGE = 4.0  # log odds, before looking, that it is not one
LEFTOVER = 3.0  # log odds against each character more than two after the checksum
NEVER = -1e9
HOPELESS = 45.0  # log odds behind the best beginning: not to be made up for
SENT_BROKEN = 12.0  # log odds, before looking, against a checksum that was wrong when it was sent
LONGEST_VALUE = 60


@dataclass(frozen=True, slots=True)
class Likely:
    """A message, and how sure it is (0..1)."""

    message: bytes
    confidence: float
    mended: float = 0.0  # log odds that were given up for it: other bytes, each by itself, are likelier


@dataclass(frozen=True, slots=True)
class Grammar:
    """`price[state, byte]` is a log probability, `after[state, byte]` the next state."""

    price: NDArray[np.float32]
    after: NDArray[np.int32]
    names: tuple[str, ...]

    def state(self, name: str) -> int:
        return self.names.index(name)


_DIGITS = {ord(c): 1.0 for c in "0123456789"}
_NUMBER = _DIGITS | {ord(c): 0.002 for c in "*#+ABCD"}
_TIME = ("01", "0123456789", "0123", "0123456789", "012", "0123456789", "012345", "0123456789")
_NAME = (
    {byte: 1.0 for byte in range(0x20, 0x7F)}
    | {ord(c): 2.0 for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ abcdefghijklmnopqrstuvwxyz"}
    | {byte: 0.6 for byte in (*range(0xA1, 0xAA), *range(0xB0, 0xF8))}  # first byte of a pair in GB 2312
)
_ABSENT = {ord("O"): 1.0, ord("P"): 1.0}
_ANY = {byte: 1.0 for byte in range(256)}
_TYPES = {0x80: 1.0, 0x04: 0.3, 0x82: 0.02, 0x06: 0.02}
# parameter type -> (weight, kind of value)
_PARAMETERS = {0x01: (1.0, "time"), 0x02: (1.0, "number"), 0x04: (0.1, "absent"), 0x07: (1.0, "name")}
_PARAMETERS |= {0x08: (0.1, "absent"), 0x03: (0.05, "number"), 0x11: (0.1, "other"), 0x13: (0.02, "other")}
_PARAMETERS |= {kind: (0.005, "other") for kind in (0x05, 0x06, 0x0B, 0x0D, 0x10, 0x15, 0x16, 0x1A)}
_LENGTHS = {
    "time": {8: 1.0},
    "absent": {1: 1.0},
    "number": {length: 1.0 if 5 <= length <= 13 else 0.05 for length in range(1, 25)},
    "name": {length: 1.0 for length in range(1, LONGEST_VALUE + 1)},
    "other": {length: 1.0 for length in range(1, 9)},
}
_VALUES = {"number": _NUMBER, "name": _NAME, "absent": _ABSENT, "other": _ANY}


@cache
def grammar() -> Grammar:
    """Return the tables; states are built from the rows above."""
    rows: dict[str, tuple[dict[int, float], dict[int, str]]] = {}
    kinds = {0x80: "length", 0x82: "length", 0x04: "length sdmf", 0x06: "length sdmf"}
    rows["type"] = _TYPES, kinds
    rows["length"] = dict.fromkeys(range(3, 256), 1.0), dict.fromkeys(range(256), "parameter")
    rows["length sdmf"] = dict.fromkeys(range(9, 33), 1.0), dict.fromkeys(range(256), "sdmf time 0")
    weights = {kind: weight for kind, (weight, _) in _PARAMETERS.items()}
    rows["parameter"] = weights, {kind: f"{value} length" for kind, (_, value) in _PARAMETERS.items()}
    for value, lengths in _LENGTHS.items():
        first = {n: "time 0" if value == "time" else f"{value} {n}" for n in lengths}
        rows[f"{value} length"] = lengths, first
    for at, digits in enumerate(_TIME):
        last = at == len(_TIME) - 1
        for prefix, then in (("", "parameter"), ("sdmf ", "sdmf number")):
            following = then if last else f"{prefix}time {at + 1}"
            rows[f"{prefix}time {at}"] = ({ord(c): 1.0 for c in digits}, dict.fromkeys(range(256), following))
    rows["sdmf number"] = _NUMBER | {ord(c): 0.05 for c in "OP"}, dict.fromkeys(range(256), "sdmf number")
    pairs = dict.fromkeys(range(0xA1, 0xFF), 1.0)
    for left in range(1, LONGEST_VALUE):
        rows[f"name second {left}"] = (
            pairs,
            dict.fromkeys(range(256), f"name {left - 1}" if left > 1 else "parameter"),
        )
    for value, symbols in _VALUES.items():
        for left in range(1, max(_LENGTHS[value]) + 1):
            following = f"{value} {left - 1}" if left > 1 else "parameter"
            rows[f"{value} {left}"] = symbols, dict.fromkeys(range(256), following)
            if value == "name":
                second = f"name second {left - 1}" if left > 1 else ""
                rows[f"{value} {left}"] = _paired(symbols, following, second)
    return _tables(rows)


def _paired(
    symbols: dict[int, float], following: str, second: str
) -> tuple[dict[int, float], dict[int, str]]:
    """A byte of a name: the first of a pair needs room for the second."""
    single = {byte: weight for byte, weight in symbols.items() if byte < 0x80}
    after = dict.fromkeys(range(256), following)
    if not second:
        return single, after
    return symbols, after | dict.fromkeys(range(0x80, 0x100), second)


def _tables(rows: dict[str, tuple[dict[int, float], dict[int, str]]]) -> Grammar:
    names = tuple(rows)
    number = {name: at for at, name in enumerate(names)}
    price = np.full((len(names), 256), NEVER, np.float32)
    after = np.zeros((len(names), 256), np.int32)
    for name, (weights, following) in rows.items():
        whole = sum(weights.values())
        for byte, weight in weights.items():
            price[number[name], byte] = np.log(weight / whole)
            after[number[name], byte] = number[following[byte]]
    return Grammar(price, after, names)


@dataclass(slots=True)
class _Beam:
    """Beginnings of messages; one row each. `left` counts the bytes of the body that are still to come."""

    score: NDArray[np.float32]
    state: NDArray[np.int32]
    left: NDArray[np.int32]
    total: NDArray[np.int32]  # sum of the bytes so far
    message: NDArray[np.uint8]


def likely_message(likelihood: NDArray[np.float32]) -> Likely | None:
    """Return the best valid message for log-likelihoods (characters, 256) from the first on, or None."""
    count = len(likelihood)
    if count < 6:
        return None
    peak = likelihood.max(axis=1, keepdims=True)
    mean = peak + np.log(np.exp(likelihood - peak).mean(axis=1, keepdims=True))
    gain = (likelihood - mean).astype(np.float32)
    beam = _start(count)
    ends: list[tuple[float, bytes]] = []
    broken = [NOT_A_MESSAGE]
    for at in range(count - 1):
        beam = _advance(beam, gain[at], at, count)
        over = (beam.left == 0) & (at >= 2)
        closed = _ends(beam, over, gain[at + 1], at)
        ends += closed
        lost = float(gain[at + 1].max()) - SENT_BROKEN
        broken += [score - float(gain[at + 1, message[-1]]) + lost for score, message in closed]
        beam = _kept(beam, np.flatnonzero(~over))
        if not len(beam.score):
            break
    found = _verdict(ends, broken)
    return None if found is None else replace(found, mended=_mended(gain, found.message))


def _start(count: int) -> _Beam:
    one = np.zeros(1, np.int32)
    state = one + grammar().state("type")
    return _Beam(np.zeros(1, np.float32), state, one - 1, one, np.zeros((1, count), np.uint8))


def _advance(beam: _Beam, gain: NDArray[np.float32], at: int, count: int) -> _Beam:
    """Try every byte after every beginning; keep the best."""
    rules = grammar()
    price = rules.price[beam.state] + (gain + beam.score[:, None])
    if at == 1:
        price[:, max(0, count - 2) :] = NEVER
    lengths = np.flatnonzero(_is_length()[beam.state])
    if len(lengths):  # what a value of this length leaves of the body: nothing, or room for another
        room = beam.left[lengths, None] - 1 - np.arange(256)
        price[lengths] = np.where((room < 0) | ((room > 0) & (room < 3)), NEVER, price[lengths])
    flat = price.ravel()
    best = np.flatnonzero(flat > max(float(flat.max()) - HOPELESS, NEVER / 2))
    if len(best) > BEAM:
        best = best[np.argpartition(-flat[best], BEAM)[:BEAM]]
    row, byte = best // 256, best % 256
    message = beam.message[row]
    message[:, at] = byte
    left = byte if at == 1 else beam.left[row] - 1
    state = rules.after[beam.state[row], byte]
    return _Beam(flat[best], state, left.astype(np.int32), beam.total[row] + byte.astype(np.int32), message)


@cache
def _is_length() -> NDArray[np.bool_]:
    return np.array([name.endswith(" length") for name in grammar().names])


def _ends(
    beam: _Beam, over: NDArray[np.bool_], gain: NDArray[np.float32], at: int
) -> list[tuple[float, bytes]]:
    """Close what has its whole body with the checksum it must have."""
    ends = []
    unsaid = LEFTOVER * max(0, beam.message.shape[1] - at - 4)  # a message fills its burst
    for row in np.flatnonzero(over):
        checksum = int(-beam.total[row] % 256)
        body = beam.message[row, : at + 1].tobytes()
        ends.append((float(beam.score[row] + gain[checksum]) - unsaid, body + bytes([checksum])))
    return ends


def _kept(beam: _Beam, rows: NDArray[np.intp]) -> _Beam:
    return _Beam(beam.score[rows], beam.state[rows], beam.left[rows], beam.total[rows], beam.message[rows])


def _mended(gain: NDArray[np.float32], message: bytes) -> float:
    said = np.frombuffer(message, np.uint8)
    return float((gain[: len(said)].max(axis=1) - gain[np.arange(len(said)), said]).sum())


def _verdict(ends: list[tuple[float, bytes]], broken: list[float]) -> Likely | None:
    if not ends:
        return None
    scores = np.array([score for score, _ in ends])
    best = int(np.argmax(scores))
    against = np.concatenate([scores, broken]) - scores[best]
    return Likely(ends[best][1], float(1 / np.exp(np.minimum(against, 50)).sum()))
