"""What became of a call: the whole table of evidence, row by row, and nothing outside it."""

from __future__ import annotations

from itertools import product

import pytest

from edge.outcomes import OUTCOMES, Evidence, incoming, outgoing

BUSY, RINGING, CONGESTED = frozenset({"busy"}), frozenset({"ringback"}), frozenset({"congestion"})


def test_every_combination_of_evidence_has_its_row() -> None:
    assert set(OUTCOMES) == set(product((False, True), repeat=3))


@pytest.mark.parametrize(
    ("evidence", "outcome"),
    [
        (Evidence(), "unknown"),
        (Evidence(tones=BUSY), "busy"),
        (Evidence(tones=CONGESTED), "busy"),
        (Evidence(tones=BUSY | CONGESTED), "busy"),
        (Evidence(tones=RINGING), "no_answer"),
        (Evidence(tones=RINGING | BUSY), "unknown"),
        (Evidence(spoken=True), "unknown"),
        (Evidence(spoken=True, tones=BUSY), "unknown"),
        (Evidence(spoken=True, tones=RINGING), "unknown"),
        (Evidence(spoken=True, tones=RINGING | BUSY), "unknown"),
        (Evidence(reversed=True), "answered"),
        (Evidence(reversed=True, spoken=True, tones=BUSY), "answered"),
        (Evidence(reversed=True, tones=RINGING), "answered"),
    ],
)
def test_outgoing(evidence: Evidence, outcome: str) -> None:
    assert outgoing(evidence, was_dialled=True, hook_known=True, hung_up=True) == outcome


@pytest.mark.parametrize(
    ("was_dialled", "hook_known", "hung_up"), [(False, True, True), (True, False, True), (True, True, False)]
)
@pytest.mark.parametrize(("reversed_", "outcome"), [(False, "unknown"), (True, "answered")])
def test_where_a_tone_proves_nothing(
    was_dialled: bool, hook_known: bool, hung_up: bool, reversed_: bool, outcome: str
) -> None:
    evidence = Evidence(reversed=reversed_, tones=BUSY)
    assert outgoing(evidence, was_dialled, hook_known, hung_up) == outcome


@pytest.mark.parametrize(
    ("answered", "by_box", "outcome"),
    [(False, False, "missed"), (True, False, "answered"), (True, True, "voicemail")],
)
def test_incoming(answered: bool, by_box: bool, outcome: str) -> None:
    assert incoming(answered, by_box) == outcome
