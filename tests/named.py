"""Tests by name, `file::function`: for the tables that say which test shows what."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parent


@cache
def functions_of(file: str) -> frozenset[str]:
    """The test functions of a file below tests/; none when it is not there."""
    path = TESTS / file
    tree = ast.parse(path.read_text(encoding="utf-8")) if path.is_file() else ast.Module([], [])
    return frozenset(
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )


def not_there(names: Iterable[str]) -> list[str]:
    """Those of the names that are no test."""
    parts = [(name, *name.partition("::")[::2]) for name in names]
    return [name for name, file, function in parts if function not in functions_of(file)]
