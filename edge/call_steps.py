"""What an event does to the calls of a line: one small function per meaning, used by `edge.calls.TABLE`.

A step is given events of its own kind only; which kind that is in which state is the table's business.
"""

from __future__ import annotations

from dataclasses import replace

from edge.call import Action, Call, LineState, ShowMessages
from edge.callerid import CallerId
from edge.line.events import (
    CallerIdFailed,
    CallerIdRead,
    CallWaitingHeard,
    DigitKeyed,
    FaxHeard,
    LineEvent,
    MessageWaiting,
    ToneHeard,
)
from edge.line_calls import LineCallsState as Line
from edge.outcomes import ENGAGED, RINGBACK

TOLD_TONES = ENGAGED | {RINGBACK}


def came_to_rest(line: Line, event: LineEvent) -> list[Action]:
    """Nothing goes on."""
    return line.enter(LineState.IDLE, event.position)


# -- a call begins


def first_ring(line: Line, event: LineEvent) -> list[Action]:
    """Somebody calls; a caller ID sent just before belongs to it."""
    caller = None
    if line.early_caller is not None:
        heard, early = line.early_caller
        recent = event.position - heard <= line.frames(line.rules.caller_before_ring_s)
        caller, line.early_caller = (early if recent else None), None
    begun = line.begin("in", event.position, ring_count=1, caller=caller)
    return begun + line.enter(LineState.RINGING, event.position)


def lifted(line: Line, event: LineEvent) -> list[Action]:
    """A phone is lifted without a ring."""
    return line.begin("out", event.position) + line.enter(LineState.DIALLING, event.position)


def found_in_use(line: Line, event: LineEvent) -> list[Action]:
    """The line is in use and nobody saw how that call began."""
    return line.begin("unknown", event.position) + line.enter(LineState.TALKING, event.position)


def dialled_again(line: Line, event: LineEvent) -> list[Action]:
    """The exchange had let go, the phone was never put down, and a new call is dialled."""
    begun = lifted(line, event)
    return begun + digit_dialled(line, event)


# -- while it rings


def rang_again(line: Line, event: LineEvent) -> list[Action]:
    """A further burst."""
    line.since = event.position
    return line.update(ring_count=line.call.ring_count + 1 if line.call else 1)


def ring_paused(line: Line, event: LineEvent) -> list[Action]:
    """A burst is over; the next is waited for from here."""
    line.since = event.position
    return []


def caller_before_ring(line: Line, event: LineEvent) -> list[Action]:
    """A caller ID on an idle line announces a ring."""
    if isinstance(event, CallerIdRead):
        line.early_caller = (event.position, event.caller)
    return []


def caller_read(line: Line, event: LineEvent) -> list[Action]:
    """Who is calling."""
    return line.update(caller=event.caller) if isinstance(event, CallerIdRead) else []


def caller_failed(line: Line, event: LineEvent) -> list[Action]:
    """Somebody is announced and cannot be read."""
    return line.update(caller_failed=True)


def answered(line: Line, event: LineEvent) -> list[Action]:
    """A phone is lifted."""
    known = line.update(answered=event.position) + line.mark("answered", event.position)
    return known + line.enter(LineState.TALKING, event.position)


def missed(line: Line, event: LineEvent) -> list[Action]:
    """It has not rung for too long; the last ring was the call's end."""
    return line.end(line.since, "not_answered") + line.enter(LineState.IDLE, event.position)


# -- the box holds the line


def held(line: Line, event: LineEvent) -> list[Action]:
    """The box answers."""
    known = line.update(answered=event.position, answered_by_box=True) + line.mark("held", event.position)
    return known + line.enter(LineState.HELD, event.position)


def held_in_call(line: Line, event: LineEvent) -> list[Action]:
    """Seen a moment after the loop went up, it was the box that answered; later it only joins."""
    call, marked = line.call, line.mark("held", event.position)
    if call is None or call.direction != "in" or call.answered is None:
        return marked
    if event.position - call.answered > line.frames(line.rules.held_with_answer_s):
        return marked
    return line.update(answered_by_box=True) + marked + line.enter(LineState.HELD, event.position)


def taken_over(line: Line, event: LineEvent) -> list[Action]:
    """A phone is lifted while the box holds the line: from here on it is a call like any other."""
    known = line.update(answered_by_box=False) + line.mark("taken_over", event.position)
    return known + line.enter(LineState.TALKING, event.position)


# -- in the call


def digit_dialled(line: Line, event: LineEvent) -> list[Action]:
    """One more digit of the number."""
    line.since = event.position
    if line.call is None or not isinstance(event, DigitKeyed):
        return []
    if not line.call.dialled:
        line.dialled_from = event.position
    known = line.update(dialled=line.call.dialled + event.digit)
    return known + line.mark("key", event.position, event.digit)


def digits_over(line: Line, event: LineEvent) -> list[Action]:
    """No further digit has come."""
    return line.enter(LineState.CALLING, event.position)


def key_pressed(line: Line, event: LineEvent) -> list[Action]:
    """A key in the call; soon after a hook flash it dials a second one."""
    call = line.call
    if call is None or not isinstance(event, DigitKeyed):
        return []
    pressed = line.mark("key", event.position, event.digit)
    if not _dials_second(line, call, event.position):
        return line.update(keys=call.keys + event.digit) + pressed
    begun = [] if call.second_dialled else line.mark("second_call", event.position, event.digit)
    return line.update(second_dialled=call.second_dialled + event.digit) + begun + pressed


def _dials_second(line: Line, call: Call, position: int) -> bool:
    if call.flashed is None or call.second_caller is not None or call.second_failed:
        return False
    return 0 <= position - call.flashed <= line.frames(line.rules.second_dial_s)


def flashed(line: Line, event: LineEvent) -> list[Action]:
    """The hook was pressed shortly; the call goes on, perhaps with somebody else."""
    return line.update(flashed=event.position) + line.mark("flash", event.position)


def reversed_(line: Line, event: LineEvent) -> list[Action]:
    """Tip and ring changed sides."""
    return line.mark("reversal", event.position)


def reversed_going_out(line: Line, event: LineEvent) -> list[Action]:
    """The same after the digits of an outgoing call: the exchange says that it was answered."""
    marked = reversed_(line, event)
    call = line.call
    if call is None or not call.dialled or call.evidence.reversed or not line.rules.reversal_is_answer:
        return marked
    evidence = replace(call.evidence, reversed=True)
    known = line.update(evidence=evidence, answered=event.position) + line.mark("answered", event.position)
    if line.state is LineState.DIALLING:
        known += line.enter(LineState.CALLING, event.position)
    return marked + known


def tone_heard(line: Line, event: LineEvent) -> list[Action]:
    """A tone never ends a call; on an outgoing one it is evidence."""
    if line.call is None or not isinstance(event, ToneHeard) or event.tone not in TOLD_TONES:
        return []
    evidence = line.call.evidence
    if line.call.direction == "out" and event.position < line.dialled_from:
        return []  # a dial tone that the first key cut short may look like a burst of another
    known = line.update(evidence=replace(evidence, tones=evidence.tones | {event.tone}))
    return known + line.mark("tone", event.position, event.tone)


def speech_heard(line: Line, event: LineEvent) -> list[Action]:
    """Somebody speaks after the first digit: a person, or an announcement."""
    call = line.call
    if call is None or not call.dialled or call.evidence.spoken or event.position < line.dialled_from:
        return []
    known = line.update(evidence=replace(call.evidence, spoken=True))
    return known + line.mark("voice", event.position)


def fax_heard(line: Line, event: LineEvent) -> list[Action]:
    """A fax machine takes part."""
    if line.call is None or not isinstance(event, FaxHeard):
        return []
    return line.update(is_fax=True) + line.mark("fax", event.position, event.tone)


def howler_heard(line: Line, event: LineEvent) -> list[Action]:
    """The phone was not put down."""
    return line.mark("howler", event.position)


def waiting_heard(line: Line, event: LineEvent) -> list[Action]:
    """Another caller waits; who it is may follow."""
    sign = event.sign if isinstance(event, CallWaitingHeard) else ""
    return line.mark("waiting", event.position, sign)


def messages_wait(line: Line, event: LineEvent) -> list[Action]:
    """The exchange keeps messages for this line, or none: true of the line, whatever it does."""
    if not isinstance(event, MessageWaiting):
        return []
    return [ShowMessages(line.line, event.waiting, event.count)]


def second_read(line: Line, event: LineEvent) -> list[Action]:
    """A caller ID in the call: who waits. One that was sent before the answer is the caller's own."""
    call = line.call
    if call is None or not isinstance(event, CallerIdRead):
        return []
    if call.direction == "in" and call.answered is not None and event.position <= call.answered:
        return caller_read(line, event)
    known = line.update(second_caller=event.caller, second_failed=False)
    return known + line.mark("waiting", event.position, who(event.caller))


def second_failed(line: Line, event: LineEvent) -> list[Action]:
    """Somebody waits and cannot be read."""
    call = line.call
    if call is None or not isinstance(event, CallerIdFailed):
        return []
    if call.direction == "in" and call.answered is not None and event.position <= call.answered:
        return caller_failed(line, event)
    return line.update(second_failed=call.second_caller is None) + line.mark(
        "waiting", event.position, "failed"
    )


def who(caller: CallerId) -> str:
    """The number, or why there is none."""
    return caller.number or caller.presentation


# -- the call ends


def hung_up(line: Line, event: LineEvent) -> list[Action]:
    """The last phone is down."""
    return line.end(event.position, "hung_up") + line.enter(LineState.IDLE, event.position)


def loop_opened(line: Line, event: LineEvent) -> list[Action]:
    """The exchange opened the loop: the far end let go, where that is what it means; else it is noted."""
    noted = line.mark("loop_open", event.position)
    if not line.rules.open_loop_ends:
        return noted
    ended = line.end(event.position, "loop_opened")
    return noted + ended + line.enter(LineState.RELEASED, event.position)


def line_lost(line: Line, event: LineEvent) -> list[Action]:
    """No voltage: unplugged, or dead at the exchange."""
    return line.end(event.position, "line_lost") + line.enter(LineState.LINE_LOST, event.position)


def too_long(line: Line, event: LineEvent) -> list[Action]:
    """The longest call there is."""
    return line.end(event.position, "too_long") + line.enter(LineState.LEFT_OFF, event.position)
