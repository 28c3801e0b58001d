"""Frames damaged as a serial line, a bad cable or a stranger can, and what the deframer makes of them."""

from __future__ import annotations

import random

from hw import wire

KINDS = [number for number, _, _ in wire.MESSAGES.values()]


def damaged(rng: random.Random, raw: bytearray) -> bytearray:
    """One to four changes of a stream of frames."""
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(raw))
        how = rng.randrange(7)
        if how == 0:
            raw[at] ^= 1 << rng.randrange(8)
        elif how == 1:
            raw[at] = rng.randrange(256)
        elif how == 2 and len(raw) > 1:
            del raw[at]
        elif how == 3:
            raw.insert(at, rng.randrange(256))
        elif how == 4 and len(raw) > 8:
            del raw[at : at + rng.randint(1, 8)]
        elif how == 5:
            raw[at:at] = raw[max(0, at - 6) : at]
        else:
            raw[at : at + 4] = raw[at : at + 4][::-1]
    return raw


def wrong_frames(seed: int, count: int) -> tuple[int, int, int]:
    """Damage `count` frames; return how many came out wrong, unharmed, refused."""
    rng = random.Random(seed)
    deframer = wire.Deframer()
    wrong = unharmed = 0
    for number in range(count):
        sent = (rng.choice(KINDS), number % 256, rng.randbytes(rng.choice((0, 3, 9, 12, 30))))
        for frame in deframer.feed(bytes(damaged(rng, bytearray(wire.pack(*sent)))) + b"\x00"):
            unharmed += frame == sent
            wrong += frame != sent
    return wrong, unharmed, deframer.refused
