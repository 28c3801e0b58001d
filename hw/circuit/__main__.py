"""`python -m hw.circuit`: checks every HAT's circuit and writes its papers; `figures` runs the SPICE benches.

python -m hw.circuit            rules, then netlist.net, bom.csv and asound.conf into hw/boards/<hat>
python -m hw.circuit figures    every bench with its limit; exit 1 if one is broken
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

from hw.circuit.benches import BENCHES, Limit
from hw.circuit.board import board_circuit
from hw.circuit.papers import alsa_conf, bill, netlist
from hw.circuit.rules import broken_rules
from hw.circuit.spice import SpiceError, measure
from hw.hats import HATS

BOARDS = Path(__file__).parents[1] / "boards"


def papers_of(hat: ModuleType) -> dict[str, str]:
    """Each file of a HAT's folder that is made from its circuit and constants."""
    made = board_circuit(hat)
    return {"netlist.net": netlist(made), "bom.csv": bill(made), "asound.conf": alsa_conf(hat)}


def write_papers() -> int:
    """All HATs; 1 if a rule is broken."""
    for name, hat in HATS.items():
        broken = broken_rules(board_circuit(hat))
        if broken:
            print("\n".join(f"{hat.ID}: {sentence}" for sentence in broken), file=sys.stderr)
            return 1
        for file, text in papers_of(hat).items():
            (BOARDS / name / file).write_text(text, encoding="utf-8")
        print(f"{hat.ID}: {len(board_circuit(hat).parts)} parts, all rules hold")
    return 0


def figures() -> int:
    """Every bench with its limit; 1 if one is broken, 2 without ngspice."""
    found: dict[tuple[str, bool], dict[str, float]] = {}
    broken = False
    for limit in BENCHES:
        key = limit.bench.name, limit.hook_closed
        try:
            found[key] = found.get(key) or measure(limit.bench, limit.hook_closed)
        except SpiceError as error:
            print(f"circuit: {error}", file=sys.stderr)
            return 2
        value = found[key][limit.measure]
        broken |= not holds(limit, value)
        print(f"{limit.bench.name:28} {limit.measure:15} {value:12.4g} {limit.unit:4} "
              f"{limit.least:g} .. {limit.most:g}  {limit.source}")  # fmt: skip
    return int(broken)


def holds(limit: Limit, value: float) -> bool:
    """Whether a measured value lies where it must."""
    return limit.least <= value <= limit.most


if __name__ == "__main__":
    sys.exit(figures() if sys.argv[1:] == ["figures"] else write_papers())
