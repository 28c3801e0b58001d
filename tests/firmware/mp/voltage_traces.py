"""Every trace of tests/data/line_traces through one line: the same events on every Python.

NAME.csv           ms,volts,ring_hz    how long, at which voltage, with which ringing on top (0: none)
NAME.events.csv    at_ms,kind,data     what must be told, and when it began, to 20 ms
"""

# ruff: noqa: UP031

import os

from firmware.linehat.line import Line
from firmware.linehat.profile import Profile, values_of
from hw import wire
from tests.firmware.mp.check import check, done

FOLDER = "tests/data/line_traces"
TICK_MS = 10
NEAR_MS = 20
KINDS = dict([(name, getattr(wire, name)) for name in dir(wire) if name.isupper()])


def rows(path):
    """Rows of a file without its first line, which names the columns."""
    with open(path) as lines:
        return [line.strip().split(",") for line in lines][1:]


def play(trace):
    """What the line tells: [(ms, kind, data), ...]."""
    told = []
    now = [0]

    def emit(line, kind, ago_ms, data):
        told.append((now[0] - ago_ms, kind, data))

    line = Line(1, Profile(values_of("cn")), emit)
    for ms, volts, ring_hz in trace:
        begun, told_waves = now[0], 0
        while now[0] < begun + int(ms):
            now[0] += TICK_MS
            waves = 0
            if int(ring_hz):
                waves = (now[0] - begun) * 2 * int(ring_hz) // 1000 - told_waves
                told_waves += waves
            line.step(TICK_MS, round(float(volts) * 100), waves, False)
    return told


names = [name[:-11] for name in sorted(os.listdir(FOLDER)) if name.endswith(".events.csv")]
check("there are traces", len(names) > 5)
for name in names:
    told = play(rows("%s/%s.csv" % (FOLDER, name)))
    wanted = [
        (int(ms), KINDS[kind], int(data)) for ms, kind, data in rows("%s/%s.events.csv" % (FOLDER, name))
    ]
    check("%s: told %r, wanted %r" % (name, told, wanted), len(told) == len(wanted))
    for found, want in zip(told, wanted):  # noqa: B905 - MicroPython's zip knows no strict
        near = abs(found[0] - want[0]) <= NEAR_MS and abs(found[2] - want[2]) <= NEAR_MS
        check("%s: told %r, wanted %r" % (name, found, want), near and found[1] == want[1])
done()
