"""Puts a board together as the settings want it, for live lines and for recorded ones alike."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo

from edge.alarms import LineMemory
from edge.board import Board
from edge.config import Config
from edge.ring import RingReader, RingWriter
from edge.rules import LineRules
from edge.timeline import Timeline
from sync.ids import new_id


def build_board(
    config: Config,
    ring: RingReader | RingWriter,
    first_line: int,
    timeline: Timeline,
    rules: Callable[[int], LineRules],
    memory: Callable[[int], LineMemory] = lambda line: LineMemory(),
) -> Board:
    """The board whose lines are the columns of `ring`, counted from `first_line`."""
    zone = ZoneInfo(config.box.time_zone)
    return Board(
        ring=ring,
        first_line=first_line,
        new_id=new_id,
        rules_of=rules,
        memory_of=memory,
        local_time=lambda position: timeline.moment(position).astimezone(zone),
    )
