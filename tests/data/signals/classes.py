"""More golden signals: one of every standard and sign, and one of every way a line spoils a message.

The spoilt ones come from the benchmark's own senders and lines (`tests.signals`), made apart from ours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.callerid import CallerId, dtmf, mdmf, sdmf, waiting
from edge.callerid.waiting import Waiting
from edge.dsp.alert import alert_signal
from edge.dsp.dtmf import dtmf_signal
from edge.dsp.fax import answer_signal
from edge.dsp.fsk import BELL202, V23, FskStandard, fsk_signal
from edge.dsp.tones import tone_signal
from tests.signals.fsk_cells import CELLS, Cell

RATE_HZ = 8000
Signal = NDArray[np.float32]
Sent = list[dict[str, Any]]
Make = Callable[[], tuple[Signal, Sent]]

WANG = CallerId("bell202", "mdmf", "13800138000", "王芳", "11220446", other=((0x11, b"\x01"),))
OLD = CallerId("bell202", "sdmf", "02155501234", None, "03021759")


def silence(seconds: float) -> Signal:
    """Nothing."""
    return np.zeros(round(seconds * RATE_HZ), np.float32)


def said_by(caller: CallerId, standard: str = "bell202") -> dict[str, Any]:
    """What `edge decode` must say of a caller."""
    said = {"number": caller.number, "name": caller.name, "date_time": caller.date_time}
    said |= {"line": 1, "event": "caller_id", "standard": standard, "format": caller.format}
    return said | {"presentation": caller.presentation}


def whole(*pieces: Signal) -> Signal:
    """The pieces with half a second of peace before and after."""
    return np.concatenate([silence(0.5), *pieces, silence(0.5)])


def _fsk(caller: CallerId, standard: FskStandard, name: str, **more: Any) -> tuple[Signal, Sent]:
    build = sdmf.build if caller.format == "sdmf" else mdmf.build
    return whole(fsk_signal(build(caller), standard, RATE_HZ, **more)), [said_by(caller, name)]


def _waiting(said: Waiting) -> tuple[Signal, Sent]:
    lamp = {"format": said.format, "waiting": said.waiting, "count": said.count, "checksum_ok": True}
    told = {"line": 1, "event": "message_waiting", "standard": "bell202"} | lamp
    return whole(fsk_signal(waiting.build(said))), [told]


def _keyed(keys: str) -> tuple[Signal, Sent]:
    caller = dtmf.parse(keys)
    told = [{"line": 1, "event": "dtmf", "digits": keys}, said_by(caller, "dtmf")]
    return whole(dtmf_signal(keys, RATE_HZ, tone_ms=60, gap_ms=60)), told


def _tone(name: str, seconds: float, country: str = "cn", event: str = "tone") -> tuple[Signal, Sent]:
    told = {"line": 1, "event": event, "tone": name, "country": country if event == "tone" else None}
    after = silence(5 if name == "ringback" else 1)
    return whole(tone_signal(name, seconds, country if event == "tone" else "fax"), after), [told]


def call_waiting() -> tuple[Signal, Sent]:
    """The alert, the phone's answer, and the second caller without seizure."""
    message = fsk_signal(mdmf.build(WANG), seizure_bits=0, mark_bits=80)
    pieces = alert_signal(), silence(0.1), dtmf_signal("D", tone_ms=60, gap_ms=100), message
    alert = {"line": 1, "event": "tone", "tone": "alert", "country": None}
    return whole(*pieces), [alert, said_by(WANG)]


def ringing_then_message() -> tuple[Signal, Sent]:
    """A second of ringing that leaks in, then the message of the first pause."""
    turns = 2 * np.pi * 25 * np.arange(RATE_HZ) / RATE_HZ
    leak = (0.05 * np.sin(turns)).astype(np.float32)
    ringing = {"line": 1, "event": "tone", "tone": "ringing", "country": None}
    return whole(leak, silence(0.6), fsk_signal(mdmf.build(WANG))), [ringing, said_by(WANG)]


def fax_answers() -> tuple[Signal, Sent]:
    """CED with reversals, swelling, as a V.34 machine sends it."""
    told = {"line": 1, "event": "fax", "tone": "ced", "country": None}
    return whole(answer_signal(3, reversals=True, swells=True), silence(1)), [told]


STANDARDS: dict[str, Make] = {
    "bell202_mdmf_call_type": lambda: _fsk(WANG, BELL202, "bell202"),
    "bell202_sdmf": lambda: _fsk(OLD, BELL202, "bell202"),
    "v23_mdmf": lambda: _fsk(WANG, V23, "v23"),
    "v23_sdmf": lambda: _fsk(OLD, V23, "v23"),
    "bell202_no_seizure": lambda: _fsk(WANG, BELL202, "bell202", seizure_bits=0, mark_bits=80),
    "bell202_call_waiting": call_waiting,
    "bell202_after_ringing": ringing_then_message,
    "waiting_mdmf": lambda: _waiting(Waiting("mdmf", True, 5)),
    "waiting_sdmf": lambda: _waiting(Waiting("sdmf", False)),
    "dtmf_a_c": lambda: _keyed("A13800138000C"),
    "dtmf_d_hash": lambda: _keyed("D02155501234#"),
    "dtmf_b_c": lambda: _keyed("B5550123C"),
    "dtmf_c_c": lambda: _keyed("C5550123C"),
    "dtmf_withheld": lambda: _keyed("B10C"),
    "dtmf_redirected": lambda: _keyed("A13800138000D02155501234C"),
    "ringback_cn": lambda: _tone("ringback", 6),
    "congestion_cn": lambda: _tone("congestion", 6),
    "special_dial_cn": lambda: _tone("special_dial", 3),
    "howler_cn": lambda: _tone("howler", 2),
    "fax_calls": lambda: _tone("cng", 4, event="fax"),
    "fax_answers": fax_answers,
}

# what spoils the message -> the cell of the benchmark that does it
SPOILT: dict[str, str] = {
    "level_50_below": "level -50 dBm0",
    "twist_space_weak": "space -6 dB, SNR 25",
    "twist_space_strong": "space +10 dB, SNR 25",
    "offset_3_percent": "carrier +3 %",
    "clock_2_percent": "baud -2 %",
    "stop_bits_fractional": "stop 1.70-1.85 bits",
    "marks_between_bytes": "0-10 marks between bytes",
    "harmonics": "cheap simulator",
    "hum": "hum +10 dB",
    "dc": "DC 10000 LSB",
    "clipping": "clipped by 15 dB",
    "alaw": "A-law, -30 dBm0",
    "dropped_sample": "1 sample lost",
    "echo": "echo 2 ms -6 dB",
    "impulses": "clicks, 20 a second, +14 dB",
    "speech": "speech under it -12 dB",
    "ringing": "ringing until 200 ms before",
    "long_loop": "long loop, 20 dB at 3400 Hz",
    "bad_line": "bad line",
}


def spoilt(cell: Cell, at: int = 0) -> tuple[NDArray[np.int16], Sent]:
    """Clip `at` of a cell of the benchmark, and who it says is calling."""
    who, clip = cell.clip(at)
    caller = CallerId("bell202", "mdmf", who.number, who.name or None, who.date_time)
    return clip, [said_by(caller)]


def cell_of(name: str) -> Cell:
    """The benchmark's cell that spoils a message like this."""
    return next(one for one in CELLS if one.name == SPOILT[name])
