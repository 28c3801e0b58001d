"""One line's circuit: protection, level tap, voice path, hook switch. Proposed; no board has been made of it.

    tip --F-+--GDT--+--R 10--+-- 10M 10M --+                    level: 40 Mohm to 806k, one line monitor
            |       |  TVS   +-- 100n 11k -+-- zeners - T1 ---- voice: coupled by capacitors and transformer
    ring ---+-------+--R 10--+-- PhotoMOS -+-- bridge - gyrator hook:  a loop only while the switch is closed
                                           `-- T2               play:  out to the line while it is held

Everything hangs across the pair and nothing lies in it: with the board dead the phone is as it was.
The figures these values give are in benches.py; what is a guess says so in `note`.
"""

from __future__ import annotations

from hw.circuit.parts import Part

WORKING_V = 250.0  # 90 Vrms of ringing on 56 V: 183 V, and room
SENSE_LEG_OHM = 10e6
SENSE_OHM = 806e3


def line_parts(line: int) -> list[Part]:
    """The parts of one line; its nets end in the line's number, supplies and grounds are the board's."""
    return [part for make in (_protection, _level, _voice, _hook, _play) for part in make(line)]


def _ref(prefix: str, line: int, number: int) -> str:
    return f"{prefix}{line}{number:02d}"


def _two(ref: str, kind: str, value: str, a: str, b: str, rating_v: float = 0.0, note: str = "") -> Part:
    return Part(ref, kind, value, {"1": a, "2": b}, rating_v, note)


def _protection(n: int) -> list[Part]:
    return [
        Part(f"J{n}01", "terminal", "line", {"tip": f"line_tip_{n}", "ring": f"line_ring_{n}"}),
        _two(
            f"F{n}01",
            "fuse",
            "PTC 10R 250V",
            f"line_tip_{n}",
            f"far_tip_{n}",
            WORKING_V,
            "telecom PTC, 600 V trip",
        ),
        _two(
            f"F{n}02",
            "fuse",
            "PTC 10R 250V",
            f"line_ring_{n}",
            f"far_ring_{n}",
            WORKING_V,
            "telecom PTC, 600 V trip",
        ),
        _two(f"GD{n}01", "gas tube", "400V 5kA", f"far_tip_{n}", f"far_ring_{n}", 320.0, "two electrodes"),
        _two(f"R{n}01", "resistor pulse", "10", f"far_tip_{n}", f"tip_{n}", WORKING_V, "1 %, pulse-proof"),
        _two(f"R{n}02", "resistor pulse", "10", f"far_ring_{n}", f"ring_{n}", WORKING_V, "1 %, pulse-proof"),
        _two(
            f"D{n}01",
            "thyristor protector",
            "TISP4350",
            f"tip_{n}",
            f"ring_{n}",
            275.0,
            "275 V off, 350 V breakover",
        ),
    ]


def _level(n: int) -> list[Part]:
    legs = []
    for number, (side, wire) in enumerate((("p", "tip"), ("n", "ring"))):
        middle = f"leg_{side}_{n}"
        legs += [
            _two(
                _ref("R", n, 10 + 2 * number),
                "resistor leg",
                "10M",
                f"{wire}_{n}",
                middle,
                WORKING_V,
                "1 %, 1206",
            ),
            _two(
                _ref("R", n, 11 + 2 * number),
                "resistor leg",
                "10M",
                middle,
                f"sense_{side}_{n}",
                WORKING_V,
                "1 %, 1206",
            ),
        ]
    monitor = {
        "inp": f"sense_p_{n}", "inn": f"sense_n_{n}", "level": f"level_{n}", "ring": f"ring_edge_{n}",
        "ref": "vmid", "vdd": "vdd", "gnd": "gnd",
    }  # fmt: skip
    return [
        *legs,
        _two(_ref("R", n, 14), "resistor", "806k", f"sense_p_{n}", f"sense_n_{n}", note="1 %"),
        Part(f"U{n}01", "line monitor", "CPC5712", monitor, note="gain 1, centred on vmid"),
        _two(_ref("C", n, 10), "capacitor", "100n", "vdd", "gnd", note="beside U"),
    ]


def _voice(n: int) -> list[Part]:
    coil = {"1": f"voice_p_{n}", "2": f"voice_n_{n}", "3": f"coil_{n}", "4": "vmid"}
    amplifier = {"inp": "vmid", "inn": f"sum_{n}", "out": f"adc_{n}", "vdd": "vdd", "gnd": "gnd"}
    return [
        _two(
            _ref("C", n, 20), "capacitor X1/Y2", "100n", f"tip_{n}", f"block_p_{n}", WORKING_V, "10 %, X1/Y2"
        ),
        _two(
            _ref("C", n, 21), "capacitor X1/Y2", "100n", f"ring_{n}", f"block_n_{n}", WORKING_V, "10 %, X1/Y2"
        ),
        _two(_ref("R", n, 20), "resistor 1206", "11k", f"block_p_{n}", f"voice_p_{n}", 200.0, "1 %"),
        _two(_ref("R", n, 21), "resistor 1206", "11k", f"block_n_{n}", f"voice_n_{n}", 200.0, "1 %"),
        _two(_ref("D", n, 20), "zener pair", "3V9 back to back", f"voice_p_{n}", f"voice_n_{n}", 5.0),
        Part(
            f"T{n}01", "transformer", "10k:10k", coil, note="primary 15 H, 600 ohm: a guess, to be measured"
        ),
        _two(_ref("R", n, 22), "resistor", "10k", f"coil_{n}", f"sum_{n}", note="1 %"),
        _two(_ref("R", n, 23), "resistor", "33k", f"sum_{n}", f"adc_{n}", note="1 %: gain 3.3"),
        _two(_ref("C", n, 22), "capacitor", "470p", f"sum_{n}", f"adc_{n}", note="corner 10 kHz"),
        Part(f"U{n}02", "op amp", "rail to rail, 10 nV", amplifier),
        Part(_ref("D", n, 21), "clamp pair", "BAV99", {"low": "gnd", "high": "vdd", "mid": f"coil_{n}"}),
    ]


def _hook(n: int) -> list[Part]:
    switch = {"anode": f"hook_led_{n}", "cathode": "gnd", "load1": f"tip_{n}", "load2": f"held_{n}"}
    bridge = {"ac1": f"held_{n}", "ac2": f"ring_{n}", "plus": f"loop_p_{n}", "minus": f"loop_n_{n}"}
    gate = {"a": f"hook_{n}", "b": "one_shot", "y": f"hook_on_{n}", "vdd": "vdd", "gnd": "gnd"}
    return [
        Part(f"U{n}03", "and gate", "74LVC1G08", gate, note="nothing closes without the one-shot"),
        _two(_ref("R", n, 30), "resistor", "330", f"hook_on_{n}", f"hook_led_{n}", note="5 mA"),
        Part(f"U{n}04", "photomos", "normally open, 400 V, 120 mA", switch, 400.0),
        Part(_ref("D", n, 30), "bridge", "MB6S", bridge, 600.0),
        Part(
            f"Q{n}01",
            "npn pair",
            "gyrator, 300 V",
            {"c": f"loop_p_{n}", "b": f"base_{n}", "e": f"emitter_{n}"},
            300.0,
        ),
        _two(_ref("R", n, 31), "resistor 1206", "47k", f"loop_p_{n}", f"base_{n}", 100.0, "5 %"),
        _two(_ref("R", n, 32), "resistor 1206", "82k", f"base_{n}", f"loop_n_{n}", 100.0, "5 %"),
        _two(
            _ref("C", n, 30),
            "capacitor bulk",
            "10u 50V",
            f"base_{n}",
            f"loop_n_{n}",
            50.0,
            "keeps voice out of the loop",
        ),
        _two(
            _ref("R", n, 33),
            "resistor 1206",
            "68",
            f"emitter_{n}",
            f"loop_n_{n}",
            50.0,
            "1 W; limits the loop",
        ),
    ]


def _play(n: int) -> list[Part]:
    coil = {"1": f"play_{n}", "2": f"loop_n_{n}", "3": f"drive_{n}", "4": "vmid"}
    return [
        _two(_ref("C", n, 40), "capacitor film", "2u2 100V", f"loop_p_{n}", f"play_{n}", 100.0, "10 %"),
        Part(
            f"T{n}02", "transformer", "600:600", coil, note="primary 1.5 H, 60 ohm: a guess, to be measured"
        ),
        _two(
            _ref("R", n, 40),
            "resistor",
            "390",
            f"dac_{n}",
            f"drive_{n}",
            note="1 %: with the coil's own, 600",
        ),
    ]
