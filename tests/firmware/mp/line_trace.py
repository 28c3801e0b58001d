"""A day in the life of one line, in milliseconds and volts: the same events on every Python."""

# ruff: noqa: UP031

from firmware.linehat.line import Line
from firmware.linehat.profile import Profile, values_of
from hw import wire
from tests.firmware.mp.check import check, done

# (ms, line voltage in 10 mV, half-waves every 20 ms, hook switch closed)
TRACE = (
    (1000, 4800, 0, False),
    (1000, 4800, 1, False),  # ringing
    (500, 4800, 0, False),
    (1000, 800, 0, False),  # answered
    (300, 4800, 0, False),  # flash
    (1000, 800, 0, False),
    (60, 4800, 0, False), (40, 800, 0, False), (60, 4800, 0, False), (500, 800, 0, False),  # a pulsed 2
    (500, 0, 0, False), (500, 800, 0, False),  # the far end lets go
    (1000, 4800, 0, False),
    (1000, 900, 0, True), (500, 600, 0, True), (500, 900, 0, True),  # held, a phone joins and leaves
    (1000, 4800, 0, False),
    (200, -4800, 0, False),
    (3000, 0, 0, False),
)  # fmt: skip
WANTED = [
    (1, 0, wire.STATE_KNOWN, 2),
    (1, 1010, wire.RING_STARTED, 1),
    (1, 2000, wire.RING_STOPPED, 990),
    (1, 2510, wire.OFF_HOOK, 1),
    (1, 3510, wire.FLASHED, 300),
    (1, 4970, wire.DIGIT, 2),
    (1, 5470, wire.FAR_END_RELEASED, 500),
    (1, 6470, wire.ON_HOOK, 0),
]

told = []
clock = [0]


def emit(line, kind, ago_ms, data):
    told.append((line, clock[0] - ago_ms, kind, data))


line = Line(1, Profile(values_of("cn")), emit)
for ms, cv, waves, mine in TRACE:
    for tick in range(ms // 10):
        clock[0] += 10
        line.step(10, cv, waves if tick % 2 else 0, mine)

for found, wanted in zip(told, WANTED):  # noqa: B905 - MicroPython's zip knows no strict
    near = abs(found[1] - wanted[1]) <= 20
    check("%r, wanted %r" % (found, wanted), near and found[0] == wanted[0] and found[2:] == wanted[2:])
kinds = [found[2] for found in told[len(WANTED) :]]
wanted_kinds = [
    wire.HELD, wire.PHONE_JOINED, wire.PHONE_LEFT, wire.RELEASED, wire.REVERSED, wire.LINE_LOST
]  # fmt: skip
check("the rest: %r" % kinds, kinds == wanted_kinds)
done()
