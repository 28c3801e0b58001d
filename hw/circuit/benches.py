"""What a line does to our circuit and our circuit to a line, each with its limit and the limit's source.

Tests and `python -m hw.circuit figures` run `BENCHES`; a limit that is a guess says `proposed`.
"""

from __future__ import annotations

from dataclasses import dataclass

from hw.circuit.spice import Bench

TELEPHONE_OHM = 600


@dataclass(frozen=True, slots=True)
class Limit:
    """A measurement and where it must lie."""

    bench: Bench
    measure: str
    least: float
    most: float
    unit: str
    source: str
    hook_closed: bool = False


def _dc(name: str, volts: float) -> Bench:
    deck = (
        f"Vline line_tip_1 line_ring_1 {volts}\n.op\n.control\nop\nlet leak_a=-i(vline)\nprint leak_a\n.endc"
    )
    return Bench(name, deck, ("leak_a",))


def _ac(name: str, deck: str, control: str, *measures: str) -> Bench:
    return Bench(name, f"{deck}\n.control\n{control}\n.endc", measures)


LEAK_100 = _dc("on hook, 100 V", 100.0)
LEAK_200 = _dc("on hook, 200 V", 200.0)

RING_LOAD = _ac(
    "ringing load",
    "Vline line_tip_1 line_ring_1 dc 48 ac 75",
    "ac lin 6 20 25\nlet ohms=mag(75/i(vline))\n"
    "meas ac z_20_ohm find ohms at=20\nmeas ac z_25_ohm find ohms at=25",
    "z_20_ohm", "z_25_ohm",
)  # fmt: skip

SPEECH = """
Vfar far_p far_n dc 48 ac 1
Rfar far_p line_tip_1 600
Lback far_n line_ring_1 1u
Rphone line_tip_1 line_ring_1 600
"""
FLAT = _ac(
    "voice to the codec",
    SPEECH,
    "ac dec 50 100 10k\n"
    "let gain=db(v(adc_1)/(v(line_tip_1)-v(line_ring_1)))\n"
    "meas ac at_1k find gain at=1000\nmeas ac at_300 find gain at=300\nmeas ac at_3400 find gain at=3400\n"
    "meas ac highest max gain from=300 to=3400\nmeas ac lowest min gain from=300 to=3400\n"
    "let band_db=highest-lowest\nlet gain_db=at_1k\nprint band_db gain_db",
    "band_db", "gain_db",
)  # fmt: skip
BRIDGING = _ac(
    "loss on the customer's call",
    SPEECH,
    "ac dec 50 100 10k\nlet loss=-6.0206-db(v(line_tip_1)-v(line_ring_1))\n"
    "meas ac loss_db max loss from=300 to=3400\nprint loss_db",
    "loss_db",
)

RINGING = Bench(
    "codec during ringing",
    "Vline line_tip_1 line_ring_1 SIN(56 127.3 25)\n.tran 20u 200m\n.control\ntran 20u 200m\n"
    "meas tran codec_most_v max v(adc_1) from=80m to=200m\n"
    "meas tran codec_least_v min v(adc_1) from=80m to=200m\n"
    "meas tran coil_most_v max v(coil_1) from=80m to=200m\n"
    "meas tran coil_least_v min v(coil_1) from=80m to=200m\n"
    ".endc",
    ("codec_most_v", "codec_least_v", "coil_most_v", "coil_least_v"),
)
SURGE = Bench(
    "surge 10/700, 1.5 kV",
    "Vsurge surge 0 EXP(0 1560 1u 3u 5u 1000u)\nRsurge surge line_tip_1 40\nRback line_ring_1 0 0.01\n"
    ".tran 0.2u 1500u\n.control\ntran 0.2u 1500u\nlet pair=abs(v(tip_1)-v(ring_1))\n"
    "meas tran pair_most_v max pair\nmeas tran codec_most_v max v(adc_1)\n"
    "meas tran coil_most_v max v(coil_1)\n"
    "let amps=abs((v(surge)-v(line_tip_1))/40)\nmeas tran most_a max amps\n.endc",
    ("pair_most_v", "codec_most_v", "coil_most_v", "most_a"),
)
NOISE = Bench(
    "noise at the codec",
    SPEECH + ".control\nnoise v(adc_1) vfar dec 50 300 3400\nsetplot noise2\nlet noise_v=onoise_total\n"
    "print noise_v\n.endc",
    ("noise_v",),
)


def _held(name: str, loop_ohm: int) -> Bench:
    deck = f"Vbat bat 0 48\nRloop bat line_tip_1 {loop_ohm}\nRring line_ring_1 0 1\n"
    control = (
        ".control\nop\nlet loop_a=-i(vbat)\nlet pair_v=v(line_tip_1)-v(line_ring_1)\n"
        "print loop_a pair_v\n.endc"
    )
    return Bench(name, deck + control, ("loop_a", "pair_v"))


HELD_SHORT, HELD_LONG = _held("held, short loop", 600), _held("held, long loop", 1800)
HELD_VOICE = _ac(
    "playing into a held line",
    "Vbat bat 0 48\nLfeed bat line_tip_1 10\nRfeed line_ring_1 0 400\nCfar line_tip_1 far_1 100u\n"
    "Rfar far_1 line_ring_1 600\nVdac dac_1 vmid dc 0 ac 1",
    "ac dec 50 100 10k\nlet gain=db(v(line_tip_1)-v(line_ring_1))\n"
    "meas ac highest max gain from=300 to=3400\nmeas ac lowest min gain from=300 to=3400\n"
    "let play_band_db=highest-lowest\nlet play_db=highest\nprint play_band_db play_db",
    "play_band_db", "play_db",
)  # fmt: skip

FCC_312 = "47 CFR 68.312 (1997)"
BENCHES: tuple[Limit, ...] = (
    Limit(LEAK_100, "leak_a", 0.0, 100 / 5e6, "A", f"{FCC_312}: more than 5 Mohm up to 100 V"),
    Limit(LEAK_200, "leak_a", 0.0, 200 / 30e3, "A", f"{FCC_312}: more than 30 kohm from 100 to 200 V"),
    Limit(RING_LOAD, "z_25_ohm", 70e3, 1e9, "ohm", "proposed: a tenth of a ringer of 7 kohm"),
    Limit(RING_LOAD, "z_20_ohm", 70e3, 1e9, "ohm", "proposed: a tenth of a ringer of 7 kohm"),
    Limit(FLAT, "band_db", 0.0, 3.0, "dB", "proposed: 300-3400 Hz within 3 dB"),
    Limit(FLAT, "gain_db", -6.0, 6.0, "dB", "proposed: -10 dBm0 tones stay below the codec's full scale"),
    Limit(BRIDGING, "loss_db", 0.0, 0.2, "dB", "proposed: nobody hears a fifth of a decibel"),
    Limit(RINGING, "codec_most_v", 0.0, 3.6, "V", "proposed: supply and 0.3 V, as converters allow"),
    Limit(RINGING, "codec_least_v", -0.3, 3.3, "V", "the same, below ground"),
    Limit(RINGING, "coil_most_v", 0.0, 5.0, "V", "proposed: what the clamp's diodes carry without harm"),
    Limit(RINGING, "coil_least_v", -1.5, 3.3, "V", "the same, below ground"),
    Limit(SURGE, "pair_most_v", 0.0, 420.0, "V", "proposed: breakover of the protector and its rise"),
    Limit(SURGE, "codec_most_v", 0.0, 3.6, "V", "proposed: as during ringing"),
    Limit(SURGE, "most_a", 0.0, 50.0, "A", "proposed: what protectors of this size carry for 10/700"),
    Limit(NOISE, "noise_v", 0.0, 100e-6, "V", "proposed: -75 dBm0 beside 0 dBm0 = 0.775 V on the pair"),
    Limit(HELD_SHORT, "loop_a", 0.018, 0.060, "A", "TBR 21: at most 60 mA; exchanges feed 18-70 mA", True),
    Limit(HELD_LONG, "loop_a", 0.015, 0.060, "A", "proposed: enough to be seen as off hook", True),
    Limit(HELD_SHORT, "pair_v", 3.0, 15.0, "V", "proposed: between an open loop and an idle line", True),
    Limit(HELD_VOICE, "play_band_db", 0.0, 3.0, "dB", "proposed: 300-3400 Hz within 3 dB", True),
    Limit(HELD_VOICE, "play_db", -12.0, -4.0, "dB", "proposed: half, and what the coils cost", True),
)  # fmt: skip
