"""Puts a board together as the settings want it, for live lines and for recorded ones alike."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from edge.board import Board
from edge.config import Config
from edge.line.profile import PROFILES
from edge.ring import RingReader, RingWriter
from edge.rules import rules_of
from edge.timeline import Timeline
from sync.ids import new_id


def build_board(config: Config, ring: RingReader | RingWriter, first_line: int, timeline: Timeline) -> Board:
    """The board whose lines are the columns of `ring`, counted from `first_line`."""
    zone = ZoneInfo(config.box.time_zone)
    return Board(
        ring=ring,
        first_line=first_line,
        profile=PROFILES[config.box.country],
        country=config.box.country,
        new_id=new_id,
        rules_of=lambda line: rules_of(config.line(line)),
        local_time=lambda position: timeline.moment(position).astimezone(zone),
    )
