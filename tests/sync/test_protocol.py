"""Every numbered sentence of PROTOCOL.md names a test that is there, and no test stands for two."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SENTENCE = re.compile(r"^- \*\*(SY-\d{3})\*\* (.+)\. \(`(tests/[a-z_/]+\.py)::(\w+)`\)$")
LINES = [line for line in (ROOT / "sync" / "PROTOCOL.md").read_text().splitlines() if "SY-" in line]


def names(path: Path) -> set[str]:
    """What a test file defines or assigns at its top level."""
    found: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


def shown() -> int:
    """How many sentences name a test that is there."""
    matches = [match for line in LINES if (match := SENTENCE.match(line))]
    return sum(match[4] in names(ROOT / match[3]) for match in matches)


def test_every_sentence_is_shown() -> None:
    assert shown() == len(LINES)


def test_there_are_sentences() -> None:
    assert len(LINES) >= 40


@pytest.mark.parametrize("line", LINES, ids=lambda line: line[4:10])
def test_a_sentence_names_its_test(line: str) -> None:
    match = SENTENCE.match(line)
    assert match, line
    _, _, file, name = match.groups()
    assert name in names(ROOT / file), f"{file} has no {name}"
    assert name.lower().startswith("test")


def test_numbers_rise_and_occur_once() -> None:
    numbers = [match[1] for line in LINES if (match := SENTENCE.match(line))]
    assert numbers == sorted(set(numbers))


def test_no_test_shows_two_sentences() -> None:
    tests = [match.group(3, 4) for line in LINES if (match := SENTENCE.match(line))]
    assert len(tests) == len(set(tests))
