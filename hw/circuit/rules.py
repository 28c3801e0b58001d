"""Electrical rules: what must hold of every circuit of ours before anybody draws it.

Each rule looks at the whole circuit and says what is wrong, naming part, pin and net; RULES lists them all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from hw.circuit.parts import BOTH, INPUT, KINDS, OUTPUT, POWERED, SUPPLY, Circuit, Part, use_of

PEAK_V = 183.0  # 90 Vrms of ringing on 56 V
ON_THE_PAIR = re.compile(r"^(line_|far_)?(tip|ring)_\d+$")
DRIVES = {OUTPUT, SUPPLY}
ONE_SHOT = "one_shot"


def _alone(circuit: Circuit) -> Iterator[str]:
    for net, pins in circuit.nets().items():
        if len(pins) == 1:
            part, pin = pins[0]
            yield f"net {net}: only {part.ref}.{pin} is on it"


def _fought_over(circuit: Circuit) -> Iterator[str]:
    for net, pins in circuit.nets().items():
        drivers = [f"{part.ref}.{pin}" for part, pin in pins if use_of(part, pin) in DRIVES]
        if len(drivers) > 1:
            yield f"net {net}: driven by {' and '.join(drivers)}"


def _undriven(circuit: Circuit) -> Iterator[str]:
    for net, pins in circuit.nets().items():
        uses = {use_of(part, pin) for part, pin in pins}
        if uses == {INPUT}:
            yield f"net {net}: inputs only"


def _unpowered(circuit: Circuit) -> Iterator[str]:
    for net, pins in circuit.nets().items():
        needing = [f"{part.ref}.{pin}" for part, pin in pins if use_of(part, pin) == POWERED]
        if needing and not any(use_of(part, pin) == SUPPLY for part, pin in pins):
            yield f"net {net}: nothing supplies {needing[0]}"


def _too_weak(circuit: Circuit) -> Iterator[str]:
    for part in circuit:
        touches = [net for net in part.nets.values() if ON_THE_PAIR.match(net)]
        if touches and part.kind != "terminal" and part.rating_v < PEAK_V:
            yield f"{part.ref}: stands {part.rating_v:g} V on {touches[0]}, which has up to {PEAK_V:g} V"


def _leaky(circuit: Circuit) -> Iterator[str]:
    """From every line to our side there are two resistor legs, a transformer or a PhotoMOS at least."""
    joined: dict[str, list[Part]] = {}
    for net, pins in circuit.nets().items():
        joined[net] = [part for part, _ in pins]
    starts = {net for part in circuit if part.kind == "terminal" for net in part.nets.values()}
    crossed = dict.fromkeys(starts, 0)
    edge = list(starts)
    while edge:
        net = edge.pop()
        for part in joined[net]:
            cost = crossed[net] + KINDS[part.kind].barrier
            for other in _reached(part, net):
                if other in joined and cost < min(crossed.get(other, 2), 2):
                    crossed[other] = cost
                    edge.append(other)
    for net in sorted(crossed):
        for part in joined[net]:
            if {use_of(part, pin) for pin in part.nets} & {POWERED, SUPPLY, BOTH}:
                yield f"net {net}: {part.ref} is joined to a line with less than a barrier between"


def _reached(part: Part, net: str) -> list[str]:
    """Nets one gets to through a part; a transformer's and a PhotoMOS's own side costs nothing."""
    sides = {"transformer": ("12", "34"), "photomos": (("anode", "cathode"), ("load1", "load2"))}.get(
        part.kind
    )
    if not sides:
        return [other for other in part.nets.values() if other != net]
    return [part.nets[pin] for side in sides for pin in side if net not in [part.nets[one] for one in side]]


def _not_at_rest(circuit: Circuit) -> Iterator[str]:
    """Every hook switch closes through a gate that the one-shot opens, and its input rests low."""
    nets = circuit.nets()
    for switch in circuit:
        if switch.kind != "photomos":
            continue
        gates = [
            gate
            for resistor, _ in nets[switch.nets["anode"]]
            if resistor.kind == "resistor"
            for net in resistor.nets.values()
            for gate, pin in nets[net]
            if gate.kind == "and gate" and pin == "y"
        ]
        if len(gates) != 1 or ONE_SHOT not in gates[0].nets.values():
            yield f"{switch.ref}: closes without the one-shot"
            continue
        command = gates[0].nets["a"]
        if not any(part.kind == "resistor" and "gnd" in part.nets.values() for part, _ in nets[command]):
            yield f"{switch.ref}: {command} floats while no program runs"


RULES: dict[str, Callable[[Circuit], Iterator[str]]] = {
    "no net with one pin": _alone,
    "one driver a net": _fought_over,
    "no net of inputs only": _undriven,
    "every chip has power": _unpowered,
    "parts on the pair stand ringing": _too_weak,
    "a barrier before every line": _leaky,
    "hook switches rest open": _not_at_rest,
}


def broken_rules(circuit: Circuit) -> list[str]:
    """Everything that is wrong, one sentence each; nothing if all is well."""
    return [f"{rule}: {found}" for rule, look in RULES.items() for found in look(circuit)]
