"""Starts the firmware on the chip; a board's main.py is two lines: `from hw import l2` and `run(l2)`.

`start` is apart from `run` so that everything but the endless loop is tested on fakes.
"""

from machine import reset_cause

from firmware.linehat.app import App
from firmware.linehat.journal import SIZE
from firmware.ports.rp2.hal import Hal


def start(board, ticks, journal_id, memory):
    """The program on this board's pins; everything is at rest before it returns."""
    return App(Hal(board, ticks), board, memory, journal_id, reset_cause())


def memory_of(board):
    """The journal's memory: at the board's address if it has one that a reset leaves alone."""
    if board.JOURNAL_ADDRESS is None:
        return bytearray(SIZE)
    from uctypes import bytearray_at

    return bytearray_at(board.JOURNAL_ADDRESS, SIZE)


def run(board):
    """Until the watchdog bites."""
    from os import urandom
    from time import ticks_ms

    app = start(board, ticks_ms, int.from_bytes(urandom(4), "little"), memory_of(board))
    while True:
        app.step()
