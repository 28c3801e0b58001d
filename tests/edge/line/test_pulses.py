"""Dials of every speed and make, at both sides of each limit; flashes and hang-ups that are no digits."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.calls import Call, LineCalls
from edge.line.events import DigitKeyed, HookFlashed, LineEvent, OffHook, OnHook
from edge.line.profile import PROFILES
from edge.line.voltage import VoltageWatcher
from edge.samples import LineReading

RATE_HZ = 8000
LOOP_V, IDLE_V = 8.0, 48.0


@dataclass(frozen=True)
class Dial:
    """A dial that opens the loop `pps` times a second, for `share` of each period."""

    pps: float = 10.0
    share: float = 0.6
    pause_s: float = 0.6

    def edges(self, digits: str) -> list[float]:
        """How long the loop is closed, open, closed ... in seconds."""
        lasting = [self.pause_s]
        for digit in digits:
            for _ in range(int(digit) or 10):
                lasting += [self.share / self.pps, (1 - self.share) / self.pps]
            lasting[-1] += self.pause_s
        return lasting


def volts(lasting: list[float], shift_s: float = 0.0, idle_v: float = IDLE_V) -> np.ndarray:
    """The voltage every tenth of a millisecond: two seconds idle, then the loop as said, closed at last."""
    pieces = [np.full(round((2 + shift_s) * 10_000), idle_v)]
    for at, seconds in enumerate(lasting):
        pieces.append(np.full(round(seconds * 10_000), idle_v if at % 2 else LOOP_V))
    return np.concatenate([*pieces, np.full(10_000, LOOP_V)])


def readings(line_v: np.ndarray, window_ms: int, noise_v: float = 0.0, seed: int = 1) -> list[LineReading]:
    """Means over each window, as the board sends them."""
    whole = len(line_v) // (window_ms * 10)
    means = line_v[: whole * window_ms * 10].reshape(whole, -1).mean(axis=1)
    means = means + np.random.default_rng(seed).uniform(-noise_v, noise_v, whole)
    return [
        LineReading(1, (at + 1) * window_ms * RATE_HZ // 1000, round(float(mean), 2), 0)
        for at, mean in enumerate(means)
    ]


def told(
    line_v: np.ndarray, window_ms: int = 10, country: str = "cn", noise_v: float = 0.0
) -> list[LineEvent]:
    watcher = VoltageWatcher(1, RATE_HZ, PROFILES[country])
    return [one for reading in readings(line_v, window_ms, noise_v) for one in watcher.feed(reading)]


def dialled(found: list[LineEvent]) -> str:
    assert not [one for one in found if isinstance(one, HookFlashed | OnHook)]
    return "".join(one.digit for one in found if isinstance(one, DigitKeyed) and one.how == "pulse")


NUMBER = "10086731425"
DIALS = {
    "as specified": (Dial(), 10, True),
    "slow": (Dial(8.0), 10, True),
    "fast": (Dial(12.0), 10, True),
    "twice as fast": (Dial(20.0, 0.62), 10, True),
    "mostly open": (Dial(10.0, 0.75), 10, True),
    "mostly closed": (Dial(10.0, 0.45), 10, True),
    "short pauses": (Dial(pause_s=0.25), 10, True),
    "50 readings a second": (Dial(), 20, True),
    "50 readings a second, slow": (Dial(8.0), 20, True),
    "50 readings a second, fast": (Dial(12.0), 20, True),
    "too slow": (Dial(6.0, 0.5), 10, False),
    "too fast": (Dial(26.0), 10, False),
}


@pytest.mark.parametrize("shift_ms", [0.0, 3.3, 7.7, 12.1])
@pytest.mark.parametrize("name", DIALS)
def test_dials(name: str, shift_ms: float) -> None:
    dial, window_ms, accepted = DIALS[name]
    found = told(volts(dial.edges(NUMBER), shift_ms / 1000), window_ms)
    if accepted:
        assert dialled(found) == NUMBER
    else:
        assert not [one for one in found if isinstance(one, DigitKeyed) and one.digit != "1"]


@pytest.mark.parametrize("idle_v", [24.0, 60.0, -48.0])
def test_lines_of_other_voltages(idle_v: float) -> None:
    line_v = volts(Dial().edges("147"), 0, abs(idle_v)) * np.sign(idle_v)
    assert dialled(told(line_v)) == "147"


def test_in_three_volts_of_noise() -> None:
    assert dialled(told(volts(Dial().edges(NUMBER)), noise_v=3.0)) == NUMBER


def test_where_a_digit_was() -> None:
    found = told(volts(Dial().edges("3")))
    (one,) = [one for one in found if isinstance(one, DigitKeyed)]
    assert abs(one.position / RATE_HZ - 2.6) < 0.003 and abs(one.end / RATE_HZ - 2.86) < 0.003


# milliseconds the loop is open once -> what it is, in China
ONCE = {20: "", 30: "1", 60: "1", 90: "1", 95: "flash", 300: "flash", 600: "flash", 750: "down"}


@pytest.mark.parametrize("window_ms", [10, 20])
@pytest.mark.parametrize("ms", ONCE)
def test_digit_1_flash_or_hang_up(ms: int, window_ms: int) -> None:
    kinds = []
    for one in told(volts([1.0, ms / 1000, 1.0]), window_ms):
        if isinstance(one, DigitKeyed):
            kinds.append(one.digit)
        elif isinstance(one, HookFlashed):
            kinds.append("flash")
        elif isinstance(one, OnHook):
            kinds.append("down")
    assert "".join(kinds) == ONCE[ms]


def test_where_nobody_dials_by_pulses_a_short_break_is_a_flash() -> None:
    found = told(volts([1.0, 0.08, 1.0]), country="uk")
    assert [type(one) for one in found] == [OffHook, HookFlashed]


def test_eleven_pulses_are_no_digit() -> None:
    lasting = [0.5, *[0.06, 0.04] * 10, 0.06, 1.0]
    assert dialled(told(volts(lasting))) == ""


def test_uneven_breaks_are_no_digit() -> None:
    assert dialled(told(volts([0.5, 0.06, 0.04, 0.06, 0.16, 0.06, 1.0]))) == ""


def test_a_digit_then_a_flash_then_a_digit() -> None:
    lasting = [0.5, 0.06, 0.04, 0.06, 0.5, 0.3, 0.5, 0.06, 0.04, 0.06, 0.04, 0.06, 1.0]
    kinds = [one.digit if isinstance(one, DigitKeyed) else type(one).__name__ for one in told(volts(lasting))]
    assert kinds == ["OffHook", "2", "HookFlashed", "3"]


def test_what_is_dialled_stands_in_the_call() -> None:
    numbers = count(1)
    calls = LineCalls(1, RATE_HZ, lambda: f"call-{next(numbers)}")
    calls.tick(2 * RATE_HZ)
    call: Call | None = None
    for one in told(volts(Dial().edges("10086"))):
        calls.feed(one)
        calls.tick(one.position)
        call = calls.call
    assert call is not None and (call.direction, call.dialled, call.keys) == ("out", "10086", "")


@settings(max_examples=30, deadline=None)
@given(
    st.text("0123456789", min_size=1, max_size=5),
    st.floats(8, 20),
    st.floats(0.55, 0.65),
    st.floats(0.3, 0.9),
    st.floats(0, 0.01),
)
def test_any_number_on_any_dial(
    digits: str, pps: float, share: float, pause_s: float, shift_s: float
) -> None:
    assert dialled(told(volts(Dial(pps, share, pause_s).edges(digits), shift_s))) == digits
