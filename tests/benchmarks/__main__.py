"""`make bench`: run the benchmarks (all, or those named) into build/bench/<name>.json, lists of figures."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from tests.benchmarks.figures import Figure

RESULTS = Path(__file__).parents[2] / "build" / "bench"
BENCHMARKS: dict[str, str] = {
    "first_call": "tests.benchmarks.first_call",
    "record_load": "tests.benchmarks.record_load",
    "signals_fsk": "tests.benchmarks.signals_fsk",
    "signals_impairments": "tests.benchmarks.signals_impairments",
    "signals_dtmf": "tests.benchmarks.signals_dtmf",
    "signals_tones": "tests.benchmarks.signals_tones",
    "signals_cpu": "tests.benchmarks.signals_cpu",
    "signals_nobody": "tests.benchmarks.signals_nobody",
    "storage": "tests.benchmarks.storage",
    "customers": "tests.benchmarks.customers",
    "sync_events": "tests.benchmarks.sync_events",
    "sync_audio": "tests.benchmarks.sync_audio",
    "sync_link": "tests.benchmarks.sync_link",
    "sync_losses": "tests.benchmarks.sync_losses",
    "branch_calls": "tests.benchmarks.branch_calls",
    "sync_ingest": "tests.benchmarks.sync_ingest",
    "sync_branches": "tests.benchmarks.sync_branches",
    "sync_manifest": "tests.benchmarks.sync_manifest",
    "head_office_calls": "tests.benchmarks.head_office_calls",
    "audit_trail": "tests.benchmarks.audit_trail",
    "head_office_customers": "tests.benchmarks.head_office_customers",
    "head_office_doors": "tests.benchmarks.head_office_doors",
    "branch_page": "tests.benchmarks.branch_page",
    "branch_popup": "tests.benchmarks.branch_popup",
}


def main(names: list[str]) -> int:
    """Run them; 1 if a target was missed, 2 for a name there is none of."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        sys.stderr.write(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}\n")
        return 2
    RESULTS.mkdir(parents=True, exist_ok=True)
    missed = 0
    for name in names or BENCHMARKS:
        measure: Callable[[], list[Figure]] = import_module(BENCHMARKS[name]).measure
        sys.stderr.write(f"measuring {name} ...\n")
        rows = [
            figure.row() | {"command": figure.command or f"make bench BENCH={name}"} for figure in measure()
        ]
        text = json.dumps(rows, ensure_ascii=False, indent=1)
        (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")
        sys.stdout.write(text + "\n")
        missed += sum(row["ok"] is False for row in rows)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
