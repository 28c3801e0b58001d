"""What became of an outgoing call: a table from evidence to outcome, and nothing that is not in it.

    reversal  speech  busy or congestion  ringback      outcome
    yes       any     any                 any           answered: the exchange itself says so
    no        no      yes                 no            busy
    no        no      no                  yes           no_answer
    no        no      yes                 yes           unknown: rang out, was refused, or somebody was there
    no        yes     any                 any           unknown: a person, or an announcement
    no        no      no                  no            unknown

Evidence counts from the last dialled digit on. Without digits, without readings of the hook, or when the call
did not end by hanging up, only a reversal says anything: a tone may then mean something else.
"""

from __future__ import annotations

from dataclasses import dataclass

ANSWERED, BUSY, NO_ANSWER, MISSED, VOICEMAIL, UNKNOWN = (
    "answered",
    "busy",
    "no_answer",
    "missed",
    "voicemail",
    "unknown",
)
ENGAGED = frozenset({"busy", "congestion"})
RINGBACK = "ringback"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was seen and heard since the last digit."""

    reversed: bool = False
    spoken: bool = False
    tones: frozenset[str] = frozenset()


# (speech, busy or congestion, ringback) -> outcome, when nothing was reversed
OUTCOMES: dict[tuple[bool, bool, bool], str] = {
    (False, True, False): BUSY,
    (False, False, True): NO_ANSWER,
    (False, True, True): UNKNOWN,
    (False, False, False): UNKNOWN,
    (True, True, False): UNKNOWN,
    (True, False, True): UNKNOWN,
    (True, True, True): UNKNOWN,
    (True, False, False): UNKNOWN,
}


def outgoing(evidence: Evidence, was_dialled: bool, hook_known: bool, hung_up: bool) -> str:
    """The outcome of an outgoing call that is over."""
    if evidence.reversed:
        return ANSWERED
    if not (was_dialled and hook_known and hung_up):
        return UNKNOWN
    engaged = bool(ENGAGED & evidence.tones)
    return OUTCOMES[evidence.spoken, engaged, RINGBACK in evidence.tones]


def incoming(answered: bool, by_box: bool) -> str:
    """The outcome of an incoming call that is over: the loop was seen up, by a phone or by the box itself."""
    if not answered:
        return MISSED
    return VOICEMAIL if by_box else ANSWERED
