"""Electrical rules: all HATs keep them, and each rule speaks up when just its own matter is spoilt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import ModuleType

import pytest

from firmware.ports.cpython.hal import ONE_SHOT_MS
from hw.circuit.board import ONE_SHOT_FARAD, ONE_SHOT_OHM, board_circuit
from hw.circuit.line import SENSE_LEG_OHM, SENSE_OHM
from hw.circuit.parts import Circuit, CircuitError, Part, circuit
from hw.circuit.rules import RULES, broken_rules
from hw.hats import HATS

L2 = board_circuit(HATS["l2"])


@pytest.mark.parametrize("name", HATS)
def test_every_hat_keeps_every_rule(name: str) -> None:
    assert broken_rules(board_circuit(HATS[name])) == []


def changed(ref: str, **facts: object) -> Circuit:
    """L2 with one part changed."""
    parts = [replace(part, **facts) if part.ref == ref else part for part in L2]  # type: ignore[arg-type]
    return circuit("spoilt", parts)


def rewired(ref: str, **pins: str) -> Circuit:
    """L2 with some pins of a part on other nets; a pin that is a number is written p1."""
    nets = dict(L2.part(ref).nets) | {pin.removeprefix("p"): net for pin, net in pins.items()}
    return changed(ref, nets=nets)


def without(ref: str) -> Circuit:
    return circuit("spoilt", [part for part in L2 if part.ref != ref])


DEAF = {"a": "lost", "b": "lost", "y": "spare", "vdd": "vdd", "gnd": "gnd"}
SPOILT: dict[str, tuple[Circuit, str]] = {
    "no net with one pin": (rewired("R140", p1="nowhere_1"), "net nowhere_1: only R140.1"),
    "one driver a net": (rewired("U202", out="adc_1"), "net adc_1: driven by U102.out and U202.out"),
    "no net of inputs only": (
        circuit("spoilt", [*L2, Part("U98", "and gate", "x", DEAF),
                           Part("R98", "resistor", "1", {"1": "spare", "2": "gnd"})]),
        "net lost: inputs only",
    ),
    "every chip has power": (rewired("U1", vout="elsewhere", vin="pi_5v"), "net vdd: nothing supplies"),
    "parts on the pair stand ringing": (changed("C120", rating_v=100.0), "C120: stands 100 V on tip_1"),
    "a barrier before every line": (
        rewired("R110", p2="sense_p_1"), "net sense_p_1: U101 is joined to a line",
    ),
    "hook switches rest open": (rewired("U103", b="vdd"), "U104: closes without the one-shot"),
}  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_speaks_up_when_its_own_matter_is_spoilt(rule: str) -> None:
    spoilt, sentence = SPOILT[rule]
    assert any(broken.startswith(f"{rule}: ") and sentence in broken for broken in broken_rules(spoilt)), (
        broken_rules(spoilt)
    )


MORE: dict[str, tuple[Circuit, str]] = {
    "a wire around the transformer": (rewired("R122", p1="voice_p_1"), "a barrier before every line"),
    "ground on the line's side": (rewired("R133", p2="gnd"), "a barrier before every line"),
    "a command that floats": (without("R31"), "hook_1 floats while no program runs"),
    "a lamp with no data": (rewired("D2", din="lamp_9"), "net lamp_2: only D1.dout"),
}


@pytest.mark.parametrize("name", MORE)
def test_other_mistakes_are_seen_too(name: str) -> None:
    spoilt, sentence = MORE[name]
    assert sentence in "\n".join(broken_rules(spoilt))


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "a pin that is not there": (lambda: rewired("R140", p3="gnd"), "a resistor has the pins 1, 2; not so: 3"),
    "two of one name": (lambda: circuit("x", [*L2, L2.part("R140")]), "two parts are called R140"),
    "no such kind": (lambda: changed("R140", kind="resister"), "R140: no kind 'resister'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_circuit_is_refused(name: str) -> None:
    make, sentence = REFUSED[name]
    with pytest.raises(CircuitError, match=sentence):
        make()


@pytest.fixture(params=HATS)
def hat(request: pytest.FixtureRequest) -> ModuleType:
    return HATS[request.param]


def test_the_circuit_gives_the_microvolts_that_the_firmware_counts_with(hat: ModuleType) -> None:
    share = SENSE_OHM / (4 * SENSE_LEG_OHM + SENSE_OHM)
    assert 3.3e6 / 65536 / share == pytest.approx(hat.GAIN_UV, rel=0.01)
    for line in range(1, hat.LINES + 1):
        legs = [
            part.value
            for part in board_circuit(hat)
            if part.kind == "resistor leg" and part.ref[1] == str(line)
        ]
        assert legs == ["10M"] * 4


def test_the_one_shot_holds_as_long_as_the_firmware_reckons(hat: ModuleType) -> None:
    held_ms = ONE_SHOT_OHM * ONE_SHOT_FARAD * 1000
    assert held_ms == pytest.approx(ONE_SHOT_MS)
    made = board_circuit(hat)
    assert (made.part("R5").value, made.part("C6").value) == ("300k", "1u")


def test_every_pin_of_the_constants_is_wired(hat: ModuleType) -> None:
    made = board_circuit(hat)
    header, chip = made.part("J1").nets, made.part("U4").nets
    assert {f"gpio{pin}" for pin in hat.PI_PINS.values()} <= header.keys()
    gpio = {f"gpio{pin}" for pin in (*hat.MCU_PINS.values(), *hat.RING_PINS, *hat.HOOK_PINS)}
    assert {pin for pin in chip if pin.startswith("gpio")} == gpio
    assert [chip[f"gpio{pin}"] for pin in hat.HOOK_PINS] == [f"hook_{n}" for n in range(1, hat.LINES + 1)]
    assert chip[f"gpio{hat.MCU_PINS['uart tx']}"] == header[f"gpio{hat.PI_PINS['uart rx']}"]
