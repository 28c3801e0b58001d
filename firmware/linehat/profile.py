"""What a country's lines do, as rows of numbers: the times and voltages by which samples become line events.

The box may send a row of its own (SET_PROFILE); these are what the board starts with. Voltages are in 10 mV,
shares in per cent. All are settings: flash and pulse times follow ETSI and Telcordia practice, ringing
GB 3380 and ITU-T E.180, and the rest is chosen, none of it measured on a line.
"""

DEFAULTS = (
    ("dead_cv", 300),  # below: no line
    ("alive_cv", 500),  # above: a line again
    ("lost_ms", 2000),
    ("start_ms", 500),  # the first samples are only watched
    ("idle_cv", 4800),  # until the board has learnt better
    ("idle_lowest_cv", 1900),
    ("idle_highest_cv", 7500),
    ("idle_share", 72),  # of the idle voltage: above is on hook
    ("idle_ms", 300),
    ("settled_ms", 1000),  # quiet for so long, an idle line teaches its voltage
    ("off_share", 55),  # below, and below off_cv: off hook
    ("off_cv", 2000),
    ("off_ms", 150),
    ("off_ringing_ms", 50),
    ("ring_half_waves", 3),
    ("ring_on_ms", 100),
    ("ring_off_ms", 100),
    ("ring_ended_ms", 6000),  # no burst for so long: nobody answered
    ("held_ms", 100),
    ("no_loop_ms", 500),
    ("joined_share", 15),  # a fall of the held voltage: another phone
    ("joined_cv", 150),
    ("joined_ms", 200),
    ("flash_min_ms", 80),
    ("flash_max_ms", 600),
    ("flash_margin_ms", 100),
    ("break_min_ms", 40),  # of a dial pulse; a break that fits both is a pulse
    ("break_max_ms", 90),  # 0: no pulse dialling here
    ("digit_ms", 250),
    ("open_min_ms", 250),
    ("open_max_ms", 1500),
    ("reversal_cv", 500),
    ("reversal_ms", 40),
)
FIELDS = tuple([name for name, _ in DEFAULTS])

AT_START = "cn"
COUNTRIES = {
    "cn": {},
    "us": {"flash_min_ms": 300, "flash_max_ms": 1000},
    "uk": {"flash_min_ms": 50, "flash_max_ms": 130, "break_max_ms": 0, "ring_ended_ms": 3000},
    "eu": {"flash_max_ms": 500},
}

# (less, more): rows where this does not hold make no sense
ORDER = (
    ("dead_cv", "alive_cv"),
    ("off_share", "idle_share"),
    ("idle_lowest_cv", "idle_highest_cv"),
    ("flash_min_ms", "flash_max_ms"),
    ("open_min_ms", "open_max_ms"),
    ("open_max_ms", "lost_ms"),
)


class ProfileError(ValueError):
    """Numbers that are no profile."""


class Profile:
    """One row; each field is an attribute."""

    def __init__(self, values) -> None:
        if len(values) != len(FIELDS):
            raise ProfileError("a profile has %d numbers, got %d" % (len(FIELDS), len(values)))
        for name, value in zip(FIELDS, values):  # noqa: B905 - MicroPython's zip knows no strict
            setattr(self, name, value)
        for less, more in ORDER:
            if getattr(self, less) >= getattr(self, more):
                raise ProfileError("%s must be below %s" % (less, more))
        if self.idle_share > 100 or not self.ring_half_waves:
            raise ProfileError("idle_share is at most 100, ring_half_waves at least 1")


def values_of(country: str) -> tuple:
    """The numbers of a country's row, in the order of FIELDS."""
    own = COUNTRIES[country]
    return tuple([own.get(name, value) for name, value in DEFAULTS])
