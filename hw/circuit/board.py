"""A whole HAT as a circuit: its lines, converters, microcontroller, one-shot, EEPROM and the Pi's header.

Pins come from the HAT's constants, so firmware, overlay and netlist cannot disagree about one.
"""

from __future__ import annotations

from types import ModuleType

from hw.circuit.line import line_parts
from hw.circuit.parts import NONE, Circuit, Part, circuit

ONE_SHOT_OHM, ONE_SHOT_FARAD = 300e3, 1e-6  # holds for R x C = 300 ms
CHANNELS = 8  # of an MCP3208
POWER = {"vdd": "vdd", "gnd": "gnd"}


def board_circuit(hat: ModuleType) -> Circuit:
    """All parts of a HAT; raises CircuitError."""
    parts = [part for line in _lines(hat) for part in line_parts(line)]
    parts += [*_supplies(), *_header(hat), *_controller(hat), *_one_shot(), *_lamps(hat)]
    parts += _level_converter(hat) if hat.ADC == "mcp3208" else []
    parts += _one_codec(hat) if hat.LINES == 2 else _lanes(hat)
    return circuit(hat.ID, parts)


def _lines(hat: ModuleType) -> range:
    return range(1, hat.LINES + 1)


def _beside(ref: str, net: str = "vdd") -> Part:
    return Part(ref, "capacitor", "100n", {"1": net, "2": "gnd"}, note="beside its chip")


def _supplies() -> list[Part]:
    follower = {"inp": "half", "inn": "vmid", "out": "vmid", **POWER}
    return [
        Part("U1", "regulator", "3V3 500mA", {"vin": "pi_5v", "vout": "vdd", "gnd": "gnd"}),
        Part("C1", "capacitor bulk", "10u 10V", {"1": "pi_5v", "2": "gnd"}, 10.0),
        Part("C2", "capacitor bulk", "10u 10V", {"1": "vdd", "2": "gnd"}, 10.0),
        Part("R1", "resistor", "10k", {"1": "vdd", "2": "half"}, note="1 %"),
        Part("R2", "resistor", "10k", {"1": "half", "2": "gnd"}, note="1 %"),
        Part("C3", "capacitor", "10u", {"1": "half", "2": "gnd"}),
        Part("U3", "op amp", "rail to rail, 10 nV", follower, note="half the supply, for all lines"),
        _beside("C4"),
        Part(
            "U2", "eeprom", "24C32 at 0x50",
            {"vdd": "pi_3v3", "gnd": "gnd", "sda": "id_data", "scl": "id_clock", "wp": "pi_3v3"},
            note="write protected; HAT+ identification",
        ),
        Part("R3", "resistor", "3k9", {"1": "pi_3v3", "2": "id_data"}, note="HAT design guide"),
        Part("R4", "resistor", "3k9", {"1": "pi_3v3", "2": "id_clock"}, note="HAT design guide"),
    ]  # fmt: skip


def _net(name: str) -> str:
    """The net of a named pin of the Pi's header; the cable crosses: the Pi's tx is the board's rx."""
    return "pi_" + name.replace(" ", "_")


def _header(hat: ModuleType) -> list[Part]:
    pins = {f"gpio{pin}": _net(name) for name, pin in hat.PI_PINS.items()}
    supplies = {"v5": "pi_5v", "v3": "pi_3v3", "gnd": "gnd"}
    return [
        Part("J1", "header", "Pi, 40 pins", {**supplies, "gpio0": "id_data", "gpio1": "id_clock", **pins})
    ]


def _controller(hat: ModuleType) -> list[Part]:
    pins = hat.MCU_PINS
    nets = {
        "uart tx": _net("uart rx"), "uart rx": _net("uart tx"), "one-shot": "kick", "lamps": "lamp_1",
        "interrupt": _net("board interrupt"), "time pulse": _net("time pulse"),
        "adc in": "adc_dout", "adc out": "adc_din", "adc clock": "adc_clock", "adc select": "adc_select",
    } | {f"line {line}": f"level_{line}" for line in _lines(hat)}  # fmt: skip
    gpio = {f"gpio{pin}": nets[name] for name, pin in pins.items()}
    gpio |= {f"gpio{pin}": f"ring_edge_{line}" for line, pin in enumerate(hat.RING_PINS, start=1)}
    gpio |= {f"gpio{pin}": f"hook_{line}" for line, pin in enumerate(hat.HOOK_PINS, start=1)}
    debug = {
        "run": _net("board reset"),
        "boot": _net("boot select"),
        "swclk": _net("swd clock"),
        "swd": _net("swd data"),
    }
    rest = [
        Part(f"R{30 + line}", "resistor", "100k", {"1": f"hook_{line}", "2": "gnd"}, note="at rest")
        for line in _lines(hat)
    ]  # fmt: skip
    return [Part("U4", "controller", "RP2040", {**POWER, **gpio, **debug}), _beside("C5"), *rest]


def _one_shot() -> list[Part]:
    pins = {"trigger": "kick", "out": "one_shot", "rc": "one_shot_rc", **POWER}
    return [
        Part("U5", "one-shot", "74LVC1G123", pins, note="retriggerable; drops all hook switches"),
        Part("R5", "resistor", "300k", {"1": "vdd", "2": "one_shot_rc"}, note="1 %"),
        Part("C6", "capacitor", "1u", {"1": "one_shot_rc", "2": "gnd"}, note="10 %"),
        _beside("C7"),
    ]


def _lamps(hat: ModuleType) -> list[Part]:
    last = hat.LINES
    return [
        Part(
            f"D{line}", "lamp", "WS2812B",
            {**POWER, "din": f"lamp_{line}", "dout": NONE if line == last else f"lamp_{line + 1}"},
        )
        for line in _lines(hat)
    ]  # fmt: skip


def _level_converter(hat: ModuleType) -> list[Part]:
    channels = {
        f"ch{channel}": f"level_{channel + 1}" if channel < hat.LINES else "gnd"
        for channel in range(CHANNELS)
    }
    wires = {"clk": "adc_clock", "din": "adc_din", "dout": "adc_dout", "cs": "adc_select", "vref": "vdd"}
    return [Part("U6", "converter", "MCP3208", {**POWER, **channels, **wires}), _beside("C8")]


def _one_codec(hat: ModuleType) -> list[Part]:
    wires = {
        "in1": "adc_1", "in2": "adc_2", "out1": "dac_1", "out2": "dac_2",
        "bclk": _net("i2s clock"), "wclk": _net("i2s frame"), "dout": _net("i2s in"), "din": _net("i2s out"),
        "sda": _net("i2c data"), "scl": _net("i2c clock"),
    }  # fmt: skip
    return [Part("U7", "codec", "TLV320AIC3104", {**POWER, **wires}), _beside("C9")]


def _lanes(hat: ModuleType) -> list[Part]:
    """A stereo converter in and one out for each pair of lines, set by straps."""
    parts = []
    clocks = {"bclk": _net("i2s clock"), "wclk": _net("i2s frame")}
    for lane in range(hat.LINES // 2):
        one, two = 2 * lane + 1, 2 * lane + 2
        heard = {"in1": f"adc_{one}", "in2": f"adc_{two}", "dout": _net(f"i2s in {lane}")}
        played = {"out1": f"dac_{one}", "out2": f"dac_{two}", "din": _net(f"i2s out {lane}")}
        parts += [
            Part(
                f"U{10 + lane}", "codec", "PCM1808", {**POWER, **clocks, **heard}, note="straps: slave, I2S"
            ),
            Part(f"U{20 + lane}", "codec", "PCM5102A", {**POWER, **clocks, **played}, note="straps: I2S"),
            _beside(f"C{10 + lane}"),
            _beside(f"C{20 + lane}"),
        ]
    return parts
