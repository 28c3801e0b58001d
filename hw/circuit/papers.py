"""Made from a circuit for people and their tools: KiCad netlist, bill of materials, ALSA configuration.

`python -m hw.circuit` writes them into `hw/boards/<hat>/`; a test holds what lies there to that.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from types import ModuleType

from hw.circuit.parts import KINDS, Circuit


def netlist(circuit: Circuit) -> str:
    """The circuit as a KiCad netlist (S-expressions, format E)."""
    components = [
        f'    (comp (ref "{part.ref}") (value "{part.value}") (footprint "{KINDS[part.kind].package}")'
        f' (property (name "kind") (value "{part.kind}")))'
        for part in circuit
    ]
    nets = []
    for code, (net, pins) in enumerate(sorted(circuit.nets().items()), start=1):
        nodes = " ".join(f'(node (ref "{part.ref}") (pin "{pin}"))' for part, pin in pins)
        nets.append(f'    (net (code "{code}") (name "{net}") {nodes})')
    head = ['(export (version "E")', f'  (design (source "{circuit.name}"))']
    return "\n".join([*head, "  (components", *components, "  )", "  (nets", *nets, "  ))", ""])


def bill(circuit: Circuit) -> str:
    """The bill of materials as CSV: one row for parts that are the same."""
    rows: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for part in circuit:
        rating = f"{part.rating_v:g} V" if part.rating_v else ""
        rows[part.kind, part.value, KINDS[part.kind].package, rating, part.note].append(part.ref)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["count", "kind", "value", "package", "stands", "note", "references"])
    for row, refs in sorted(rows.items()):
        table.writerow([len(refs), *row, " ".join(refs)])
    return text.getvalue()


def alsa_conf(hat: ModuleType) -> str:
    """The board's device for the recorder, and a view of each line for whoever wants to listen in a shell."""
    views = [
        f"pcm.linehat0_line{line} {{\n"
        "    type plug\n"
        f'    slave.pcm {{ type route slave {{ pcm "linehat0" channels {hat.LINES} }} '
        f"ttable.0.{line - 1} 1 }}\n"
        "}"
        for line in range(1, hat.LINES + 1)
    ]
    head = (
        f"# {hat.ID}: the recorder opens linehat0 itself; each line below is for a look while it rests.\n"
        'pcm.linehat0 { type hw card "linehat" }\n'
        'ctl.linehat0 { type hw card "linehat" }'
    )
    return "\n".join([head, *views, ""])
