"""What starts and ends the recording of a call: one file per mode, each a row of `TRIGGERS`.

A trigger is fed the line events of one line and says from where, or until where, audio is wanted. It knows
neither calls nor files; `edge.keeping` adds the schedule and the numbers that are never recorded.
"""

from __future__ import annotations

from collections.abc import Callable

from edge.triggers.always import AlwaysTrigger
from edge.triggers.manual import ManualTrigger
from edge.triggers.voice import VoiceTrigger
from edge.triggers.voltage import VoltageTrigger
from edge.triggers.wish import Trigger

# mode as the settings name it -> (rate_hz, hold_s) -> trigger of one line
TRIGGERS: dict[str, Callable[[int, float], Trigger]] = {
    "voltage": VoltageTrigger,  # 压控
    "voice": VoiceTrigger,  # 声控
    "manual": ManualTrigger,  # 键控
    "always": AlwaysTrigger,
}
