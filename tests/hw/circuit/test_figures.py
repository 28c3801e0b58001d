"""What circuit and line do to each other, by ngspice: every limit holds, a spoilt part breaks one."""

from __future__ import annotations

import functools

import pytest

from hw.circuit import spice
from hw.circuit.__main__ import holds
from hw.circuit.benches import BENCHES, BRIDGING, LEAK_100, SURGE, Limit
from hw.circuit.line import line_parts
from hw.circuit.spice import SPICE, Bench, SpiceError, deck_of, measure

measured = functools.cache(measure)


@pytest.mark.parametrize("limit", BENCHES, ids=lambda limit: f"{limit.bench.name}: {limit.measure}")
def test_a_limit_holds(limit: Limit) -> None:
    value = measured(limit.bench, limit.hook_closed)[limit.measure]
    assert holds(limit, value), (
        f"{value:g} {limit.unit}, wanted {limit.least:g} to {limit.most:g}: {limit.source}"
    )


def spoilt(bench: Bench, old: str, new: str) -> dict[str, float]:
    """A bench with one row of the deck replaced, through the same door."""
    deck = deck_of(bench)
    assert deck.count(old) == 1
    return spice.run(bench, deck.replace(old, new))


def test_a_leaky_leg_is_seen() -> None:
    most_a = spoilt(LEAK_100, "RR110 tip_1 leg_p_1 10Meg", "RR110 tip_1 ring_1 1Meg")["leak_a"]
    assert most_a > 100 / 5e6


def test_a_tap_without_its_resistors_is_heard() -> None:
    deck = deck_of(BRIDGING)
    for resistor in ("RR120 block_p_1 voice_p_1 11k", "RR121 block_n_1 voice_n_1 11k"):
        assert resistor in deck
        deck = deck.replace(resistor, resistor.replace("11k", "11"))
    assert spice.run(BRIDGING, deck)["loss_db"] > 0.2


def test_without_its_protector_a_surge_comes_through() -> None:
    rows = [row for row in deck_of(SURGE).splitlines() if row.startswith("DD101")]
    assert len(rows) == 2
    deck = "\n".join(row for row in deck_of(SURGE).splitlines() if row not in rows)
    assert spice.run(SURGE, deck)["pair_most_v"] > 1000


def test_every_kind_on_a_line_is_known_to_spice() -> None:
    assert {part.kind for part in line_parts(1)} <= SPICE.keys()


def test_a_deck_that_cannot_be_run_says_so() -> None:
    with pytest.raises(SpiceError, match="no leak_a"):
        measure(Bench("nonsense", "Xnothing a b nowhere\n.control\nop\n.endc", ("leak_a",)))


def test_a_measurement_nobody_makes_is_missed() -> None:
    with pytest.raises(SpiceError, match="no volume"):
        measure(Bench("deaf", LEAK_100.deck, ("leak_a", "volume")))
