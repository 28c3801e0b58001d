"""What a line's settings mean for the parts that follow it: one bundle of rules per line, made in one place.

So a changed setting is one object put in the place of another, between two calls.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from edge.alarms import AlarmRules
from edge.keeping import KeepRules
from edge.line.profile import PROFILES, Hearing
from edge.line_calls import CallRules
from edge.line_settings import LineSettings, read_never
from edge.schedule import read_holidays, read_schedule


@dataclass(frozen=True, slots=True)
class LineRules:
    """Everything that is set for one line, as its parts want it."""

    keep: KeepRules = field(default_factory=KeepRules)
    alarms: AlarmRules = field(default_factory=AlarmRules)
    calls: CallRules = field(default_factory=CallRules)
    hearing: Hearing = field(default_factory=lambda: Hearing(PROFILES["cn"], "cn"))
    version: int = 0  # of the settings


def rules_of(settings: LineSettings, version: int = 0) -> LineRules:
    """The rules of a line whose settings these are; they were checked when they came in."""
    profile = PROFILES[settings.country]
    open_loop_ends = {"ends": True, "noted": False}.get(settings.open_loop, profile.open_loop_ends)
    return LineRules(
        KeepRules(
            record=settings.record,
            trigger=settings.trigger,
            hold_s=settings.hold_s,
            pre_roll_s=settings.pre_roll_s,
            longest_part_s=settings.longest_part_min * 60.0,
            schedule=read_schedule(settings.schedule, read_holidays(settings.holidays)),
            never=read_never(settings.never_record),
        ),
        AlarmRules(
            settings.off_hook_alarm_min * 60.0,
            settings.silent_alarm_min * 60.0,
            settings.no_ring_alarm_days * 86400.0,
        ),
        CallRules(open_loop_ends=open_loop_ends, reversal_is_answer=settings.reversal_is_answer),
        Hearing(
            replace(profile, off_hook_below_v=settings.off_hook_below_v),
            settings.country,
            settings.voice_over_floor_db,
        ),
        version,
    )
