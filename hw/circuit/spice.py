"""One line's circuit as SPICE decks, run by ngspice: what its figures would be if the parts are as said.

A bench puts sources and loads around the same parts the netlist has, and asks for named measurements. The
models are simple, their guesses stand in MODELS; nothing here stands for a measurement of a board.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

from hw.circuit.line import line_parts
from hw.circuit.parts import Part

TIMEOUT_S = 60
MODELS = """
.model dz39 D(Is=1e-14 Rs=5 Bv=3.2 Ibv=1m)
.model dsmall D(Is=4e-9 Rs=0.6 N=1.8 Cjo=1.5p)
.model drect D(Is=1e-9 Rs=0.05 N=1.7 Cjo=15p)
.model qdarl NPN(Is=1e-14 Bf=2000 Nf=1.4 Rb=5)
.model dover D(Is=1e-14 Rs=0.5 Bv=350 Ibv=1m)
"""
T_VOICE = (15.0, 600.0)  # primary henry, ohm of each winding
T_PLAY = (1.5, 60.0)
COUPLING = 0.9995
HOOK_OHM = {True: "15", False: "10g"}  # of the PhotoMOS
SUPPLY_V, MID_V = 3.3, 1.65
SUFFIXES = {"u": "u", "n": "n", "p": "p", "k": "k", "M": "Meg"}


class SpiceError(RuntimeError):
    """ngspice did not run, or did not measure what it was asked."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What is put around the line's circuit: `deck` in SPICE's words, and the measurements it makes."""

    name: str
    deck: str
    measures: tuple[str, ...]


def _value(text: str) -> str:
    """`10M` or `2u2 100V` as SPICE writes it: 10Meg, 2.2u."""
    found = re.match(r"(?:PTC )?(\d+)([unpkMR]?)(\d*)", text)
    if not found:
        raise SpiceError(f"wanted a value such as 10k or 2u2, got {text!r}")
    whole, unit, rest = found.groups()
    return f"{whole}{'.' + rest if rest else ''}{SUFFIXES.get(unit, '')}"


def _simple(part: Part) -> list[str]:
    return [f"{part.ref[0]}{part.ref} {part.nets['1']} {part.nets['2']} {_value(part.value)}"]


def _resistor(part: Part) -> list[str]:
    return [f"R{part.ref} {part.nets['1']} {part.nets['2']} {_value(part.value)}"]


def _back_to_back(model: str) -> Callable[[Part], list[str]]:
    def zeners(part: Part) -> list[str]:
        a, b = part.nets["1"], part.nets["2"]
        return [f"D{part.ref}a {part.ref}_m {a} {model}", f"D{part.ref}b {part.ref}_m {b} {model}"]

    return zeners


def _clamp(part: Part) -> list[str]:
    low, high, mid = (part.nets[pin] for pin in ("low", "high", "mid"))
    return [f"D{part.ref}a {low} {mid} dsmall", f"D{part.ref}b {mid} {high} dsmall"]


def _bridge(part: Part) -> list[str]:
    ac1, ac2, plus, minus = (part.nets[pin] for pin in ("ac1", "ac2", "plus", "minus"))
    ways = ((ac1, plus), (ac2, plus), (minus, ac1), (minus, ac2))
    return [f"D{part.ref}{number} {a} {b} drect" for number, (a, b) in enumerate(ways)]


def _transistor(part: Part) -> list[str]:
    return [f"Q{part.ref} {part.nets['c']} {part.nets['b']} {part.nets['e']} qdarl"]


def _transformer(part: Part) -> list[str]:
    henry, ohm = T_VOICE if "10k" in part.value else T_PLAY
    one, two, three, four = (part.nets[pin] for pin in "1234")
    r = part.ref
    return [
        f"R{r}a {one} {r}_a {ohm}", f"L{r}a {r}_a {two} {henry}",
        f"R{r}b {three} {r}_b {ohm}", f"L{r}b {r}_b {four} {henry}",
        f"K{r} L{r}a L{r}b {COUPLING}", f"C{r} {one} {three} 30p",
    ]  # fmt: skip


def _amplifier(part: Part) -> list[str]:
    return [f"B{part.ref} {part.nets['out']} 0 V=max(0.02,min({SUPPLY_V}-0.02,"
            f"v({part.nets['inp']})+2e4*(v({part.nets['inp']})-v({part.nets['inn']}))))"]  # fmt: skip


def _photomos(part: Part) -> list[str]:
    return [f"R{part.ref} {part.nets['load1']} {part.nets['load2']} {{hook}}"]


def _left_out(part: Part) -> list[str]:
    return []


SPICE: dict[str, Callable[[Part], list[str]]] = {
    "resistor": _resistor,
    "resistor 1206": _resistor,
    "resistor leg": _resistor,
    "resistor pulse": _resistor,
    "fuse": _resistor,
    "capacitor": _simple,
    "capacitor film": _simple,
    "capacitor X1/Y2": _simple,
    "capacitor bulk": _simple,
    "zener pair": _back_to_back("dz39"),
    "clamp pair": _clamp,
    "thyristor protector": _back_to_back(
        "dover"
    ),  # as if it stayed at its breakover: the worst for what follows
    "bridge": _bridge,
    "npn pair": _transistor,
    "transformer": _transformer,
    "op amp": _amplifier,
    "photomos": _photomos,
    "gas tube": _left_out,  # slower than the surge rises
    "line monitor": _left_out,  # its inputs draw nothing that counts beside 806 kohm
    "and gate": _left_out,
    "terminal": _left_out,
}


def deck_of(bench: Bench, hook_closed: bool = False) -> str:
    """The whole deck: one line's parts, its supplies, and the bench."""
    rows = [row for part in line_parts(1) for row in SPICE[part.kind](part)]
    supplies = [
        f"Vdd vdd 0 {SUPPLY_V}", f"Vmid vmid 0 {MID_V}", "Rgnd gnd 0 1m",
        f".param hook={HOOK_OHM[hook_closed]}", "Rhook hook_on_1 0 1k",
        "Rfloat line_ring_1 0 100Meg",  # the pair floats; SPICE wants a way to ground
        "Rlevel sense_n_1 0 1g", "Rheld held_1 ring_1 1g", "Rdac dac_1 vmid 1Meg",
    ]  # fmt: skip
    return "\n".join([bench.name, MODELS, *rows, *supplies, bench.deck, ".end"]) + "\n"


def measure(bench: Bench, hook_closed: bool = False) -> dict[str, float]:
    """What ngspice measures on a bench; raises SpiceError."""
    return run(bench, deck_of(bench, hook_closed))


def run(bench: Bench, deck: str) -> dict[str, float]:
    """What ngspice measures in a deck of that bench; raises SpiceError."""
    try:
        ran = subprocess.run(
            ["ngspice", "-b", "/dev/stdin"], input=deck, capture_output=True, text=True, timeout=TIMEOUT_S
        )
    except FileNotFoundError:
        raise SpiceError("ngspice is not installed") from None
    found = dict(re.findall(r"^([a-z_0-9]+)\s*=\s*([-+.0-9e]+)", ran.stdout, re.M))
    aborted = "aborted" in ran.stdout + ran.stderr
    missing = [name for name in bench.measures if name not in found or aborted]
    if missing:
        raise SpiceError(f"{bench.name}: no {', '.join(missing)}\n{ran.stdout[-1500:]}{ran.stderr[-1500:]}")
    return {name: float(found[name]) for name in bench.measures}
