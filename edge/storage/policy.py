"""Which audio is due to be packed smaller or to go, by the rules the branch set; nothing is touched here.

Two protections stand above every rule: what is on hold never goes, and what head office has not confirmed
goes only when the last rung of the space ladder forces it (`forced`).
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from edge.config import KeepSettings
from sync.moment import from_text, to_text

BYTES_PER_GB = 10**9


@dataclass(frozen=True, slots=True)
class Audio:
    """A finished recording whose file is on the disk."""

    recording_id: str
    call_id: str
    line: int
    calls: str  # in | out | missed | voicemail | unknown
    started_utc: str
    size_bytes: int
    codec: str  # flac | opus
    confirmed: bool  # head office has it, or there is no head office
    held: bool  # legal hold on its call
    about: str = "call"  # call | on_hook: the seconds of ringing before it


@dataclass(frozen=True, slots=True)
class Doomed:
    """Audio that is to go, and why."""

    audio: Audio
    reason: str  # age | size | count | space


@dataclass(frozen=True, slots=True)
class Preview:
    """What a run would delete."""

    recordings: int
    calls: int
    size_bytes: int
    oldest_utc: str | None
    newest_utc: str | None
    reasons: tuple[tuple[str, int], ...]

    def __str__(self) -> str:
        if not self.recordings:
            return "this would delete nothing"
        why = ", ".join(f"{reason} {number}" for reason, number in self.reasons)
        return (
            f"this would delete the audio of {self.calls} calls: {self.recordings} recordings,"
            f" {readable(self.size_bytes)}, oldest {self.oldest_utc}, newest {self.newest_utc} ({why})"
        )


def may_go(audio: Audio, forced: bool = False) -> bool:
    """Whether the two protections let this audio go; only the last rung has it `forced`."""
    return not audio.held and (audio.confirmed or forced)


def rule_for(audio: Audio, rules: Sequence[KeepSettings]) -> KeepSettings | None:
    """The first rule that fits; None: it is kept for ever."""
    for rule in rules:
        if rule.line in (0, audio.line) and rule.calls in ("any", audio.calls):
            return rule
    return None


def with_ordered(rules: Sequence[KeepSettings], days: Mapping[str, int]) -> list[KeepSettings]:
    """The rules with head office's before them: of those classes it alone says how long audio is kept.

    How many GB or recordings the branch keeps does not count for them; when audio becomes Opus does.
    """
    ordered = [
        replace(rule, calls=calls, keep_days=days[calls], keep_gb=0.0, keep_recordings=0)
        for calls in sorted(days)
        for rule in (*rules, KeepSettings())
        if rule.calls in ("any", calls)
    ]
    return [*ordered, *rules]


def doomed(newest_first: Iterable[Audio], rules: Sequence[KeepSettings], now_utc: str) -> Iterator[Doomed]:
    """What the rules delete. Each rule counts its own recordings, newest first, the protected ones too."""
    oldest_kept = {id(rule): _days_before(now_utc, rule.keep_days) for rule in rules}
    recordings: dict[int, int] = defaultdict(int)
    size_bytes: dict[int, int] = defaultdict(int)
    for audio in newest_first:
        rule = rule_for(audio, rules)
        if rule is None:
            continue
        recordings[id(rule)] += audio.about == "call"
        size_bytes[id(rule)] += audio.size_bytes
        reason = _reason(
            rule, audio.started_utc < oldest_kept[id(rule)], recordings[id(rule)], size_bytes[id(rule)]
        )
        if reason and may_go(audio):
            yield Doomed(audio, reason)


def _reason(rule: KeepSettings, too_old: bool, recordings: int, size_bytes: int) -> str:
    if rule.keep_days and too_old:
        return "age"
    if rule.keep_gb and size_bytes > rule.keep_gb * BYTES_PER_GB:
        return "size"
    if rule.keep_recordings and recordings > rule.keep_recordings:
        return "count"
    return ""


def due_for_opus(audios: Iterable[Audio], rules: Sequence[KeepSettings], now_utc: str) -> Iterator[Audio]:
    """FLAC that is old enough to be packed smaller; a hold keeps the original as it is.

    On-hook audio stays as it is too: what hides a caller ID is what a decoder has to read.
    """
    made_before = {id(rule): _days_before(now_utc, rule.opus_after_days) for rule in rules}
    for audio in audios:
        rule = rule_for(audio, rules)
        if rule is None or not rule.opus_after_days or (audio.codec, audio.about) != ("flac", "call"):
            continue
        if audio.started_utc < made_before[id(rule)] and may_go(audio):
            yield audio


def make_space(oldest_first: Iterable[Audio], wanted_bytes: int, forced: bool = False) -> Iterator[Doomed]:
    """The oldest audio that may go, until `wanted_bytes` are reached."""
    for audio in oldest_first:
        if wanted_bytes <= 0:
            return
        if may_go(audio, forced):
            wanted_bytes -= audio.size_bytes
            yield Doomed(audio, "space")


def oldest(found: Iterable[Doomed], at_most: int) -> list[Doomed]:
    """The last `at_most` of a list that runs newest first, oldest first."""
    return list(reversed(deque(found, maxlen=at_most)))


def preview(found: Iterable[Doomed]) -> Preview:
    """Sum up what a run would delete."""
    calls: set[str] = set()
    reasons: Counter[str] = Counter()
    size_bytes = 0
    times: list[str] = []
    for one in found:
        calls.add(one.audio.call_id)
        reasons[one.reason] += 1
        size_bytes += one.audio.size_bytes
        times = [min([*times, one.audio.started_utc]), max([*times, one.audio.started_utc])]
    first, last = times or (None, None)
    return Preview(reasons.total(), len(calls), size_bytes, first, last, tuple(sorted(reasons.items())))


def readable(size_bytes: float) -> str:
    """`1.2 GB`."""
    for unit in ("B", "kB", "MB"):
        if size_bytes < 1000:
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.1f} GB"


def _days_before(now_utc: str, days: int) -> str:
    return to_text(from_text(now_utc) - timedelta(days=days))
