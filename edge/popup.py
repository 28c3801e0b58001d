"""Who sees a pop-up (来电弹屏) for a ringing call: rules R0 to R17 as a table, per operator and record.

They stand apart from screens and tables because they are the branch's policy: all they need lives on the box
(POP-14), and a test can go through every combination there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SUPER, LEADER, ORDINARY = "super", "leader", "ordinary"


@dataclass(frozen=True, slots=True)
class Operator:
    """A logged-in operator, as far as the rules look."""

    level: str
    group_id: str | None
    employee_number: str
    lines: frozenset[int]  # linked lines (关联通道)
    may_pop_up: bool  # holds 弹出来电客户资料信息
    shares_customers: bool  # 共享客户资料信息


@dataclass(frozen=True, slots=True)
class RingingLine:
    """The line that rings."""

    line: int
    group_id: str | None
    pops_up: bool  # its parameter 通道来电在客户端是否弹出


@dataclass(frozen=True, slots=True)
class Creator:
    """Who added a customer record: number and group as they were then (POP-10)."""

    employee_number: str
    group_id: str | None


@dataclass(frozen=True, slots=True)
class Facts:
    """The columns of the decision table."""

    preconditions: bool  # P: P1 and P2 and P3
    exists: bool  # a customer record
    level: str
    same_group_as_line: bool  # G
    linked: bool  # L
    shares: bool  # S
    same_group_as_creator: bool  # CG
    same_number_as_creator: bool  # CE


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table; None = not looked at."""

    name: str
    pops_up: bool
    preconditions: bool | None = True
    exists: bool | None = None
    level: str | None = None
    same_group_as_line: bool | None = None
    linked: bool | None = None
    shares: bool | None = None
    same_group_as_creator: bool | None = None
    same_number_as_creator: bool | None = None

    def covers(self, facts: Facts) -> bool:
        """Whether every column it looks at is as it says."""
        return all(
            wanted is None or wanted == getattr(facts, column)
            for column in Facts.__slots__
            for wanted in (getattr(self, column),)
        )


# Rule, pops up?, P, record exists, level, G, L, S, CG, CE. R10 and R11 overlap, and agree.
RULES: tuple[Rule, ...] = (
    Rule("R0", False, False),
    Rule("R1", True, True, True, SUPER),
    Rule("R2", False, True, True, LEADER, False),
    Rule("R3", True, True, True, LEADER, True, None, True),
    Rule("R4", True, True, True, LEADER, True, None, False, True),
    Rule("R5", False, True, True, LEADER, True, None, False, False),
    Rule("R6", False, True, True, ORDINARY, False),
    Rule("R7", False, True, True, ORDINARY, True, False),
    Rule("R8", True, True, True, ORDINARY, True, True, True),
    Rule("R9", True, True, True, ORDINARY, True, True, False, True, True),
    Rule("R10", False, True, True, ORDINARY, True, True, False, False),
    Rule("R11", False, True, True, ORDINARY, True, True, False, None, False),
    Rule("R12", True, True, False, SUPER),
    Rule("R13", False, True, False, LEADER, False),
    Rule("R14", True, True, False, LEADER, True),
    Rule("R15", False, True, False, ORDINARY, False),
    Rule("R16", False, True, False, ORDINARY, True, False),
    Rule("R17", True, True, False, ORDINARY, True, True),
)


def judge(facts: Facts) -> Rule:
    """The rule that decides; LookupError for a level there is no rule of, so that nobody sees by accident."""
    for rule in RULES:
        if rule.covers(facts):
            return rule
    raise LookupError(f"no pop-up rule for level {facts.level!r}")


def facts_of(operator: Operator, line: RingingLine, has_number: bool, creator: Creator | None) -> Facts:
    """What the table asks; `creator` None: there is no customer record. Nobody's group equals nobody's."""
    return Facts(
        preconditions=has_number and line.pops_up and operator.may_pop_up,
        exists=creator is not None,
        level=operator.level,
        same_group_as_line=_same(operator.group_id, line.group_id),
        linked=line.line in operator.lines,
        shares=operator.shares_customers,
        same_group_as_creator=creator is not None and _same(operator.group_id, creator.group_id),
        same_number_as_creator=creator is not None
        and _same(operator.employee_number, creator.employee_number),
    )


def _same(one: str | None, other: str | None) -> bool:
    return bool(one) and one == other


@dataclass(frozen=True, slots=True)
class Decision:
    """What one operator's screen does for one call."""

    pops_up: bool
    shown: tuple[int, ...] = ()  # places in the list of records given, of those the operator may see
    is_minimal: bool = False  # number and line only (POP-09)


def decide(
    operator: Operator,
    line: RingingLine,
    has_number: bool,
    creators: Sequence[Creator],
    offers_minimal_card: bool = False,
) -> Decision:
    """Judge an incoming call for one operator: each matching record on its own (POP-13), or a stranger.

    `creators` are those of the matching records. The minimal card goes to whoever would see an unknown
    caller, but none of these records.
    """
    for_stranger = judge(facts_of(operator, line, has_number, None)).pops_up
    if not creators:
        return Decision(for_stranger)
    shown = tuple(
        at
        for at, creator in enumerate(creators)
        if judge(facts_of(operator, line, has_number, creator)).pops_up
    )
    if shown:
        return Decision(True, shown)
    is_minimal = offers_minimal_card and for_stranger
    return Decision(is_minimal, is_minimal=is_minimal)
