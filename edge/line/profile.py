"""What a country's lines do, as rows of data: times and voltages by which readings become line events.

Hook flash and pulses follow ETSI and Telcordia practice, ringing GB 3380 and ITU-T E.180; the rest is chosen
so that 24, 48 and 60 V lines work alike. A new country is one more row.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LineProfile:
    """Times in seconds, voltages in volts; shares are of the idle voltage the box learns for itself."""

    name: str
    flash_min_s: float
    flash_max_s: float
    pulse_dialling: bool = True  # a break of up to 90 ms is a pulse, even where it is long enough for a flash
    flash_margin_s: float = 0.1  # on hook is sure this long after the longest flash
    off_hook_s: float = 0.15
    off_hook_ringing_s: float = 0.05  # answered: the exchange trips the ringing, the level is clear
    ring_on_s: float = 0.1
    ring_off_s: float = 0.1
    ring_half_waves: int = 3  # in `ring_on_s`: 15 Hz has three
    reversal_s: float = 0.04
    lost_s: float = 2.0
    open_loop_s: float = 0.25  # off hook: no voltage so long, but less than lost_s, is the exchange's doing
    open_loop_ends: bool = False  # and says that the far end has let go
    start_s: float = 0.5  # how long the first readings are watched before anything is said
    idle_v: float = 48.0
    idle_lowest_v: float = 19.0
    idle_highest_v: float = 75.0
    off_hook_share: float = 0.55
    off_hook_highest_v: float = 20.0
    on_hook_share: float = 0.72
    off_hook_below_v: float = 0.0  # set by people: off hook is what lies below; 0 = as learned
    lost_v: float = 3.0
    found_v: float = 5.0
    ring_pause_s: float = 4.0  # the longest pause in the ringing cadence
    silence_on_hook_s: float = 30.0  # without readings: silence this long is on hook
    busy_on_hook_s: float = 3.0  # without readings: busy tone this long is on hook
    speech_off_hook_s: float = 1.0  # without readings: this much speech in 3 s is off hook


PROFILES: dict[str, LineProfile] = {
    "cn": LineProfile("cn", flash_min_s=0.08, flash_max_s=0.6, ring_pause_s=4.0),
    "us": LineProfile("us", flash_min_s=0.3, flash_max_s=1.0, ring_pause_s=4.0, open_loop_ends=True),
    "uk": LineProfile("uk", flash_min_s=0.05, flash_max_s=0.13, pulse_dialling=False, ring_pause_s=2.0),
    "eu": LineProfile("eu", flash_min_s=0.08, flash_max_s=0.5),
}


@dataclass(frozen=True, slots=True)
class Hearing:
    """How one line is listened to: its volts, its country's tones, how loud a voice is."""

    profile: LineProfile
    country: str
    voice_over_floor_db: float = 10.0
