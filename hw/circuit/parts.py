"""A circuit as data: parts with pins on named nets; netlist, bill of materials and SPICE deck come of it.

    Circuit --- Part --- pin: net          net names: tip_1, vdd, gnd ...; a net is what its pins share
                 `------ kind -> KINDS     what a pin is for, which package, how SPICE sees it

No schematic, no library of symbols: a reviewer reads a table, a test reads the same one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

PASSIVE, INPUT, OUTPUT, SUPPLY, POWERED, BOTH, OPEN = (
    "passive", "input", "output", "supply", "powered", "both", "open",
)  # fmt: skip
NONE = "-"  # a pin that is left open on purpose


class CircuitError(ValueError):
    """A part that does not fit its kind, or a circuit with two parts of one name."""


@dataclass(frozen=True, slots=True)
class PartKind:
    """What all parts of a kind share: what each pin is for, the footprint, the letter SPICE knows it by."""

    pins: Mapping[str, str]
    package: str
    prefix: str
    barrier: int = 0  # how much of the barrier it is: two resistor legs make one, so does a transformer
    others: str = ""  # what pins that are not named here are for; empty: there are no others


@dataclass(frozen=True, slots=True)
class Part:
    """One part on the board."""

    ref: str
    kind: str
    value: str
    nets: Mapping[str, str]  # pin: net
    rating_v: float = 0.0  # what it may stand all the time between any two of its pins; 0: logic level
    note: str = ""  # tolerance, type, source


@dataclass(frozen=True, slots=True)
class Circuit:
    """All parts of a board or of a piece of it."""

    name: str
    parts: tuple[Part, ...] = field(default=())

    def nets(self) -> dict[str, list[tuple[Part, str]]]:
        """Each net with the (part, pin) pairs on it."""
        found: defaultdict[str, list[tuple[Part, str]]] = defaultdict(list)
        for part in self.parts:
            for pin, net in part.nets.items():
                if net != NONE:
                    found[net].append((part, pin))
        return dict(found)

    def part(self, ref: str) -> Part:
        """The part of that name; raises KeyError."""
        for part in self.parts:
            if part.ref == ref:
                return part
        raise KeyError(ref)

    def __iter__(self) -> Iterator[Part]:
        return iter(self.parts)


def two_pins(prefix: str, package: str, barrier: int = 0) -> PartKind:
    """A kind with the pins 1 and 2."""
    return PartKind({"1": PASSIVE, "2": PASSIVE}, package, prefix, barrier)


def _pins(**pins: str) -> dict[str, str]:
    return {name.strip("_"): use for name, use in pins.items()}


KINDS: dict[str, PartKind] = {
    "resistor": two_pins("R", "0603"),
    "resistor 1206": two_pins("R", "1206"),
    "resistor leg": two_pins("R", "1206", barrier=1),  # 10 Mohm and more, two in series
    "resistor pulse": two_pins("R", "2512 pulse-proof"),
    "capacitor": two_pins("C", "0603"),
    "capacitor film": two_pins("C", "film, 10 mm"),
    "capacitor X1/Y2": two_pins("C", "disc, 10 mm"),
    "capacitor bulk": two_pins("C", "1210"),
    "zener pair": two_pins("D", "SOD-123 x 2"),
    "clamp pair": PartKind(_pins(low=PASSIVE, high=PASSIVE, mid=PASSIVE), "SOT-23", "D"),
    "thyristor protector": two_pins("D", "DO-214AA"),
    "gas tube": two_pins("D", "8 x 6 mm"),
    "fuse": two_pins("F", "PTC 1812"),
    "bridge": PartKind(_pins(ac1=PASSIVE, ac2=PASSIVE, plus=PASSIVE, minus=PASSIVE), "MiniDIP", "D"),
    "npn": PartKind(_pins(c=PASSIVE, b=PASSIVE, e=PASSIVE), "SOT-23", "Q"),
    "npn pair": PartKind(_pins(c=PASSIVE, b=PASSIVE, e=PASSIVE), "SOT-223 Darlington", "Q"),
    "transformer": PartKind(
        {"1": PASSIVE, "2": PASSIVE, "3": PASSIVE, "4": PASSIVE}, "SMD, 1.5 kV", "T", barrier=2
    ),
    "photomos": PartKind(
        {"anode": PASSIVE, "cathode": PASSIVE, "load1": PASSIVE, "load2": PASSIVE},
        "SOP-4, 1.5 kV",
        "U",
        barrier=2,
    ),
    "line monitor": PartKind(
        _pins(inp=INPUT, inn=INPUT, level=OUTPUT, ring=OUTPUT, ref=INPUT, vdd=POWERED, gnd=POWERED),
        "SOIC-16",
        "U",
    ),
    "op amp": PartKind(_pins(inp=INPUT, inn=INPUT, out=OUTPUT, vdd=POWERED, gnd=POWERED), "SOT-23-5", "U"),
    "and gate": PartKind(_pins(a=INPUT, b=INPUT, y=OUTPUT, vdd=POWERED, gnd=POWERED), "SOT-23-5", "U"),
    "one-shot": PartKind(
        _pins(trigger=INPUT, out=OUTPUT, rc=PASSIVE, vdd=POWERED, gnd=POWERED), "VSSOP-8", "U"
    ),
    "regulator": PartKind(_pins(vin=POWERED, vout=SUPPLY, gnd=POWERED), "SOT-223", "U"),
    "controller": PartKind(_pins(vdd=POWERED, gnd=POWERED), "QFN-56", "U", others=BOTH),
    "converter": PartKind(_pins(vdd=POWERED, gnd=POWERED), "SOIC-16", "U", others=BOTH),
    "codec": PartKind(_pins(vdd=POWERED, gnd=POWERED), "QFN-32", "U", others=BOTH),
    "eeprom": PartKind(_pins(vdd=POWERED, gnd=POWERED, sda=BOTH, scl=INPUT, wp=INPUT), "SOIC-8", "U"),
    "lamp": PartKind(_pins(vdd=POWERED, gnd=POWERED, din=INPUT, dout=OUTPUT), "WS2812B 5050", "D"),
    "header": PartKind(_pins(v5=SUPPLY, v3=SUPPLY, gnd=SUPPLY), "2 x 20", "J", others=BOTH),
    "terminal": PartKind({"tip": PASSIVE, "ring": PASSIVE}, "RJ11", "J"),
}


def use_of(part: Part, pin: str) -> str:
    """What a pin is for."""
    kind = KINDS[part.kind]
    return kind.pins.get(pin, kind.others)


def whole_barrier(part: Part) -> bool:
    """Whether the part alone keeps the line's side from ours."""
    return KINDS[part.kind].barrier >= 2


def check_part(part: Part) -> None:
    """Raise CircuitError unless the part has exactly the pins of its kind."""
    kind = KINDS.get(part.kind)
    if kind is None:
        raise CircuitError(f"{part.ref}: no kind {part.kind!r}")
    missing, strange = kind.pins.keys() - part.nets.keys(), part.nets.keys() - kind.pins.keys()
    if missing or (strange and not kind.others):
        wrong = ", ".join(sorted(missing | strange))
        raise CircuitError(f"{part.ref}: a {part.kind} has the pins {', '.join(kind.pins)}; not so: {wrong}")


def circuit(name: str, parts: list[Part]) -> Circuit:
    """A circuit of these parts, each checked; raises CircuitError."""
    for part in parts:
        check_part(part)
    refs = [part.ref for part in parts]
    twice = {ref for ref in refs if refs.count(ref) > 1}
    if twice:
        raise CircuitError(f"{name}: two parts are called {min(twice)}")
    return Circuit(name, tuple(parts))
