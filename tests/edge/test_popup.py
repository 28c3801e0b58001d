"""The pop-up rules: each as a row, all 1,536 combinations against the oracle, several records per number."""

from __future__ import annotations

from itertools import product

import pytest

from edge.popup import (
    LEADER,
    ORDINARY,
    RULES,
    SUPER,
    Creator,
    Decision,
    Facts,
    Operator,
    RingingLine,
    decide,
    facts_of,
    judge,
)

YES, NO = True, False
OWN, OTHER = "own group", "another group"

# level, P1, P2, P3, exists, G, L, S, CG, CE: every combination there is
ALL = list(product((SUPER, LEADER, ORDINARY), *[(YES, NO)] * 9))


def oracle(
    level: str, p1: bool, p2: bool, p3: bool, exists: bool, g: bool, linked: bool, s: bool, cg: bool, ce: bool
) -> bool:
    """The rules as one expression (requirements, 3.2)."""
    return (
        p1 and p2 and p3
        and (
            level == SUPER
            or (level == LEADER and g and (not exists or s or cg))
            or (level == ORDINARY and g and linked and (not exists or s or (cg and ce)))
        )
    )  # fmt: skip


def situation(
    level: str, p1: bool, p2: bool, p3: bool, exists: bool, g: bool, linked: bool, s: bool, cg: bool, ce: bool
) -> tuple[Operator, RingingLine, bool, Creator | None]:
    """Real operators, lines and creators of which just these things are true."""
    operator = Operator(level, OWN, "1001", frozenset({3} if linked else {4}), p3, s)
    line = RingingLine(3, OWN if g else OTHER, p2)
    creator = Creator("1001" if ce else "1002", OWN if cg else OTHER) if exists else None
    return operator, line, p1, creator


def test_all_1536_combinations() -> None:
    assert len(ALL) == 1536
    popped = 0
    for values in ALL:
        operator, line, has_number, creator = situation(*values)
        wanted = oracle(*values)
        assert judge(facts_of(operator, line, has_number, creator)).pops_up is wanted, values
        assert decide(operator, line, has_number, [creator] if creator else []).pops_up is wanted, values
        popped += wanted
    assert popped == 105


def test_every_rule_decides_and_only_r10_and_r11_overlap() -> None:
    decided, overlaps = set(), set()
    for values in ALL:
        covering = tuple(rule.name for rule in RULES if rule.covers(facts_of(*situation(*values))))
        assert covering
        decided.add(covering[0])
        if len(covering) > 1:
            overlaps.add(covering)
    assert decided == {rule.name for rule in RULES} == {f"R{number}" for number in range(18)}
    assert overlaps == {("R10", "R11")}


# rule, level, exists, G, L, S, CG, CE -> pops up; P holds
NAMED = [
    ("R1", SUPER, YES, NO, NO, NO, NO, NO, YES),
    ("R2", LEADER, YES, NO, YES, YES, YES, YES, NO),
    ("R3", LEADER, YES, YES, NO, YES, NO, NO, YES),
    ("R4", LEADER, YES, YES, NO, NO, YES, NO, YES),
    ("R5", LEADER, YES, YES, YES, NO, NO, YES, NO),
    ("R6", ORDINARY, YES, NO, YES, YES, YES, YES, NO),
    ("R7", ORDINARY, YES, YES, NO, YES, YES, YES, NO),
    ("R8", ORDINARY, YES, YES, YES, YES, NO, NO, YES),
    ("R9", ORDINARY, YES, YES, YES, NO, YES, YES, YES),
    ("R10", ORDINARY, YES, YES, YES, NO, NO, YES, NO),
    ("R11", ORDINARY, YES, YES, YES, NO, YES, NO, NO),
    ("R12", SUPER, NO, NO, NO, NO, NO, NO, YES),
    ("R13", LEADER, NO, NO, YES, YES, NO, NO, NO),
    ("R14", LEADER, NO, YES, NO, NO, NO, NO, YES),
    ("R15", ORDINARY, NO, NO, YES, YES, NO, NO, NO),
    ("R16", ORDINARY, NO, YES, NO, YES, NO, NO, NO),
    ("R17", ORDINARY, NO, YES, YES, NO, NO, NO, YES),
]


@pytest.mark.parametrize(("name", "level", "exists", "g", "linked", "s", "cg", "ce", "pops_up"), NAMED)
def test_each_rule_by_name(
    name: str, level: str, exists: bool, g: bool, linked: bool, s: bool, cg: bool, ce: bool, pops_up: bool
) -> None:
    rule = judge(Facts(True, exists, level, g, linked, s, cg, ce))
    assert (rule.name, rule.pops_up) == (name, pops_up)


@pytest.mark.parametrize("level", [SUPER, LEADER, ORDINARY])
@pytest.mark.parametrize(("p1", "p2", "p3"), [p for p in product((YES, NO), repeat=3) if not all(p)])
def test_r0_binds_every_level(level: str, p1: bool, p2: bool, p3: bool) -> None:
    rule = judge(facts_of(*situation(level, p1, p2, p3, YES, YES, YES, YES, YES, YES)))
    assert (rule.name, rule.pops_up) == ("R0", False)


def test_a_level_without_rules_sees_nothing() -> None:
    with pytest.raises(LookupError, match="guest"):
        judge(Facts(True, True, "guest", True, True, True, True, True))


LINE = RingingLine(3, OWN, True)
CLERK = Operator(ORDINARY, OWN, "1001", frozenset({3}), True, False)


def test_to_be_in_no_group_is_not_to_be_in_the_same_group() -> None:
    nobodys = RingingLine(3, None, True)
    clerk = Operator(ORDINARY, None, "1001", frozenset({3}), True, False)
    assert not decide(clerk, nobodys, True, []).pops_up
    assert not decide(CLERK, LINE, True, [Creator("", OWN)]).pops_up


def test_a_creator_who_changed_group_since() -> None:
    """The record keeps the group of its making (POP-10): same number, other group, no pop-up (R10)."""
    assert not decide(CLERK, LINE, True, [Creator("1001", OTHER)]).pops_up
    assert decide(CLERK, LINE, True, [Creator("1001", OWN)]).pops_up


def test_each_of_several_records_is_judged_on_its_own() -> None:
    creators = [Creator("1002", OWN), Creator("1001", OWN), Creator("1003", OTHER)]
    leader = Operator(LEADER, OWN, "7", frozenset(), True, False)
    superior = Operator(SUPER, None, "9", frozenset(), True, False)
    assert decide(CLERK, LINE, True, creators) == Decision(True, (1,))
    assert decide(leader, LINE, True, creators) == Decision(True, (0, 1))
    assert decide(superior, LINE, True, creators) == Decision(True, (0, 1, 2))
    assert decide(CLERK, LINE, True, creators[::2]) == Decision(False)


@pytest.mark.parametrize(
    ("operator", "creators", "line", "has_number", "expected"),
    [
        (CLERK, [Creator("1002", OWN)], LINE, YES, Decision(True, (), True)),
        (CLERK, [Creator("1001", OWN)], LINE, YES, Decision(True, (0,))),
        (CLERK, [], LINE, YES, Decision(True)),
        (CLERK, [Creator("1002", OWN)], LINE, NO, Decision(False)),
        (CLERK, [Creator("1002", OWN)], RingingLine(3, OWN, False), YES, Decision(False)),
        (CLERK, [Creator("1002", OWN)], RingingLine(3, OTHER, True), YES, Decision(False)),
        (CLERK, [Creator("1002", OWN)], RingingLine(4, OWN, True), YES, Decision(False)),
    ],
)
def test_the_minimal_card_is_for_whom_a_stranger_would_pop_up(
    operator: Operator, creators: list[Creator], line: RingingLine, has_number: bool, expected: Decision
) -> None:
    assert decide(operator, line, has_number, creators, offers_minimal_card=True) == expected
    if expected.is_minimal:
        assert decide(operator, line, has_number, creators) == Decision(False)
