"""`make measure`: our own sizes beside the measures of the house. A thermometer, not a law.

Prints one row per figure: its name, the measure it should keep to, what it is now, and the worst places.
"""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from pathlib import Path

import lizard

ROOT = Path(__file__).parents[1]
ROOMS = ("firmware", "hw", "edge", "sync", "cloud")


@dataclass(frozen=True, slots=True)
class Function:
    """One function's size."""

    where: str
    lines: int
    branches: int


def code_lines(path: Path) -> int:
    """Lines that hold something besides white space, comments and docstrings."""
    text = path.read_text(encoding="utf-8")
    kept = {number for number, line in enumerate(text.splitlines(), 1) if line.split("#")[0].strip()}
    for node in ast.walk(ast.parse(text)):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            kept -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(kept)


def functions(paths: list[Path]) -> list[Function]:
    """Every function in `paths`."""
    found = []
    for path in paths:
        for one in lizard.analyze_file(str(path)).function_list:
            name = f"{path.relative_to(ROOT)}:{one.start_line} {one.name}"
            found.append(Function(name, one.end_line - one.start_line + 1, one.cyclomatic_complexity))
    return found


def share(values: list[int], part: float) -> int:
    """The value below which `part` of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def row(what: str, limit: str, value: float | str, note: str = "") -> None:
    """Print one figure."""
    sys.stdout.write(f"{what:<38} {limit:>8} {value:>8}  {note}\n")


def main() -> None:
    """Print the table."""
    source = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
    tests = sorted((ROOT / "tests").rglob("*.py"))
    sizes = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in source}
    filled = [size for size in sizes.values() if size]
    row("figure", "limit", "now", "worst")
    longest = max(sizes, key=lambda path: sizes[path])
    row("file lines, median", "120", share(filled, 0.5), f"{len(filled)} files")
    row(
        "file lines, 90 %", "300", share(filled, 0.9), f"longest {longest.relative_to(ROOT)} {sizes[longest]}"
    )
    all_functions = functions(source)
    by_lines = sorted(all_functions, key=lambda one: -one.lines)
    row("function lines, median", "10", share([one.lines for one in all_functions], 0.5))
    row("function lines, 90 %", "25", share([one.lines for one in all_functions], 0.9))
    row("function lines, most", "50", by_lines[0].lines, by_lines[0].where)
    branchy = sorted((one for one in all_functions if one.branches > 10), key=lambda one: -one.branches)
    percent = 100 * len(branchy) / len(all_functions)
    row("functions above 10 branches, %", "3", f"{percent:.1f}", "; ".join(one.where for one in branchy[:3]))
    ours, theirs = sum(map(code_lines, source)), sum(map(code_lines, tests))
    row("test code / source code", "1.2", f"{theirs / ours:.2f}", f"{theirs} / {ours} lines")
    text = "\n".join(path.read_text(encoding="utf-8") for path in tests if path != Path(__file__))
    mocks = sum(text.count(word) for word in ("Mock(", "patch(", "monkeypatch."))
    row("mocks per 1,000 test lines", "1", f"{1000 * mocks / max(1, theirs):.2f}")
    row("sleeps in tests", "0", text.count("time.sleep("))
    for room in ROOMS:
        lines = sum(code_lines(path) for path in source if path.is_relative_to(ROOT / room))
        row(f"code lines, {room}", "", lines)


if __name__ == "__main__":
    main()
