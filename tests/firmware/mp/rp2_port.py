"""The chip's port on drivable fakes: every HAT's pins, converter, cable and watchdog obey."""

# ruff: noqa: UP031

import struct
import sys

sys.path.insert(0, "firmware/stubs")

import machine

from firmware.linehat.journal import SIZE
from firmware.ports.rp2.boot import start
from hw import l2, l4, l8, wire
from tests.firmware.mp.check import check, done

IDLE_COUNTS = 32768 + 18824  # 48 V
LOOP_COUNTS = 32768 + 3137  # 8 V


def set_counts(board, line, counts):
    if board.ADC == "rp2040":
        machine.adcs[board.MCU_PINS["line %d" % line]].counts = counts
    else:
        machine.spi_counts[line - 1] = counts


def run(app, ms):
    for _ in range(ms):
        machine.clock.ms += 1
        app.step()


def send(kind, body):
    machine.uarts[0].fed += wire.pack(kind, 1, body)


def heard():
    data, machine.uarts[0].sent = bytes(machine.uarts[0].sent), bytearray()
    return [(kind, body) for kind, _, body in wire.Deframer().feed(data)]


def kinds_told():
    return [wire.unpack_event(body)[2:4] for kind, body in heard() if kind == wire.EVENT]


def try_board(board):
    name = board.ID
    app = start(board, lambda: machine.clock.ms & (1 << 30) - 1, 77, bytearray(SIZE))
    last = board.LINES
    for line in range(1, last + 1):
        set_counts(board, line, IDLE_COUNTS)
    hello = heard()[0]
    told = wire.unpack_hello(hello[1])
    check(name + " greets", hello[0] == wire.HELLO and told[2:] == (last, machine.PWRON_RESET, 1, board.ID))
    hooks = [machine.pins[pin] for pin in board.HOOK_PINS]
    check(name + " at rest", [hook.value() for hook in hooks] == [0] * last)

    run(app, 1000)
    rows = [wire.unpack_readings(body) for kind, body in heard() if kind == wire.READINGS][-1][2]
    check(
        name + " 48 V on every line", len(rows) == last and all([abs(volts - 48) < 0.1 for volts, _ in rows])
    )
    check(name + " fed", machine.watchdogs[-1].feeds == 100 and machine.watchdogs[-1].timeout == 2000)

    send(wire.ACK, wire.pack_ack(wire.MAJOR, 77, last))
    set_counts(board, last, LOOP_COUNTS)
    run(app, 300)
    check(name + " lifted", kinds_told() == [(last, wire.OFF_HOOK)])
    set_counts(board, last, IDLE_COUNTS)
    run(app, 1500)

    send(wire.ACK, wire.pack_ack(wire.MAJOR, 77, last + 2))
    heard()
    for _ in range(15):
        machine.pins[board.RING_PINS[0]].edge()
        run(app, 20)
    check(name + " rings", (1, wire.RING_STARTED) in kinds_told())

    send(wire.COMMAND, wire.pack_request(1, wire.HOOK, struct.pack("<BH", last, 500)))
    began = machine.clock.ms
    kicks = len(machine.pins[board.MCU_PINS["one-shot"]].changes)
    run(app, 1000)
    (_, closed), (opened_ms, opened) = hooks[-1].changes[-2:]
    check(name + " lease", (closed, opened) == (1, 0) and 490 <= opened_ms - began <= 520)
    check(name + " one-shot", len(machine.pins[board.MCU_PINS["one-shot"]].changes) - kicks >= 10)

    send(wire.COMMAND, wire.pack_request(2, wire.LED, bytes((last, 3))))
    run(app, 5)
    check(name + " lamp", len(machine.lamps[-1]) == 3 * last and machine.lamps[-1][-3:] == b"\x00\x20\x00")
    check(name + " memory", board.JOURNAL_ADDRESS % 4 == 0)


for board in (l2, l4, l8):
    try_board(board)
done()
