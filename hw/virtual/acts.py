"""What each step does to its line: one function per word of the script language.

They place sounds, voltages and ringing on a Stage and keep the true story of the call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hw.virtual.script import Caller
from hw.virtual.stage import Burst, ScriptedCall, Stage
from hw.virtual.steps import (
    CallWaiting,
    Dead,
    Dial,
    Fax,
    Flash,
    HangUp,
    Keys,
    OpenLoop,
    PickUp,
    Repeat,
    Ring,
    Say,
    Step,
    Wait,
)

MESSAGE_AFTER_RING_S = 0.6  # caller ID begins 0.5-1.5 s after the first burst (YD/T 1277.1)
RING_AFTER_MESSAGE_S = 0.4
ACKNOWLEDGED_S = 0.1  # from the alert to the phone's key
CALLER_AFTER_KEY_S = 0.2
RELEASE_S = 0.4  # from the far end's hang-up to busy tone
CONNECT_S = 0.8  # from the last digit to ringback or busy tone
RINGBACK_PERIOD_S = 5.0


def play(stage: Stage, step: Step) -> None:
    """Play one step; a call that only rang ends before anything but pick_up."""
    if not isinstance(step, (PickUp, Repeat)):
        stage.give_up()
    PLAY[type(step)](stage, step)


def _wait(stage: Stage, step: Wait) -> None:
    stage.at += stage.frames(step.s)


def _ring(stage: Stage, step: Ring) -> None:
    names = (step.caller,) if isinstance(step.caller, str) else step.caller
    caller = stage.script.callers[stage.rng.choice(names)] if names else None
    sent = None
    if caller is not None and caller.before_ring:
        sent = _announce(stage, caller)
        stage.at = sent + stage.frames(RING_AFTER_MESSAGE_S)
    begin = stage.at
    _burst(stage, step)
    if caller is not None and not caller.before_ring:
        sent = _announce(stage, caller, MESSAGE_AFTER_RING_S)
    for _ in range(step.bursts - 1):
        stage.at += stage.frames(step.off_s)
        _burst(stage, step)
    stage.call = ScriptedCall(
        stage.number, "in", "missed", begin, stage.at, rings=step.bursts, caller=caller, caller_id_end=sent
    )


def _announce(stage: Stage, caller: Caller, after_s: float = 0.0) -> int:
    message = stage.sounds.caller_id(caller, stage.exchange_time(), stage.rng.random())
    return stage.place(message, at=stage.at + stage.frames(after_s))


def _burst(stage: Stage, step: Ring) -> None:
    stage.place(stage.sounds.ring_leak(step.on_s))
    start = stage.at
    stage.at += stage.frames(step.on_s)
    stage.bursts.append(Burst(start, stage.at))
    stage.place(stage.sounds.click())


def _pick_up(stage: Stage, step: PickUp) -> None:
    stage.at += stage.frames(step.after_s)
    stage.cut()
    stage.hook(stage.line.off_hook_v)
    sent = stage.update(answered=stage.at, outcome="answered").caller_id_end
    if sent is not None and sent > stage.at:
        stage.update(caller_id_end=None)


def _dial(stage: Stage, step: Dial) -> None:
    stage.hook(stage.line.off_hook_v)
    stage.call = ScriptedCall(stage.number, "out", step.then, stage.at, stage.at, dialled=step.digits)
    tone_frames = stage.frames(step.dial_tone_s)
    stage.place(stage.sounds.tone("dial"), tone_frames)
    stage.at += tone_frames
    stage.at = stage.place(stage.sounds.keys("staff", step.digits, 90, 90)) + stage.frames(CONNECT_S)
    if step.then == "answer":
        ringing = stage.frames(max(0.0, step.ringbacks * RINGBACK_PERIOD_S - stage.rng.uniform(0.5, 3.5)))
        stage.place(stage.sounds.tone("ringback"), ringing)
        stage.at += ringing
        stage.update(answered=stage.at, outcome="answered")
        if step.reverses:
            stage.polarity = -1
            stage.update(reversals=1)
            stage.set_voltage(stage.line.off_hook_v)
    elif step.then == "busy":
        stage.tone = ("busy", stage.at)
    else:
        stage.tone = ("ringback", stage.at)
        stage.at += stage.frames(step.ringbacks * RINGBACK_PERIOD_S)


def _say(stage: Stage, step: Say) -> None:
    stage.at += stage.frames(step.after_s)
    speech = stage.sounds.speech(step.who, stage.script.voice(stage.number, step), step.text)
    stage.at = stage.place(speech, None if step.s is None else stage.frames(step.s))


def _keys(stage: Stage, step: Keys) -> None:
    stage.at += stage.frames(step.after_s)
    stage.at = stage.place(stage.sounds.keys(step.who, step.digits, step.tone_ms, step.gap_ms))
    assert stage.call is not None
    stage.update(keys=(*stage.call.keys, (step.who, step.digits)))


def _flash(stage: Stage, step: Flash) -> None:
    stage.hook(stage.line.idle_v)
    stage.at += stage.frames(step.ms / 1000)
    stage.hook(stage.line.off_hook_v)
    assert stage.call is not None
    stage.update(flashes=stage.call.flashes + 1)


def _open_loop(stage: Stage, step: OpenLoop) -> None:
    stage.set_voltage(0.0)
    stage.at += stage.frames(step.ms / 1000)
    stage.set_voltage(stage.line.off_hook_v)
    assert stage.call is not None
    stage.update(open_loops=stage.call.open_loops + 1)


def _call_waiting(stage: Stage, step: CallWaiting) -> None:
    caller = stage.script.callers[step.caller]
    stage.at += stage.frames(step.after_s)
    stage.at = stage.place(stage.sounds.alert()) + stage.frames(ACKNOWLEDGED_S)
    stage.at = stage.place(stage.sounds.keys("staff", "D", 60, 0)) + stage.frames(CALLER_AFTER_KEY_S)
    stage.at = stage.place(stage.sounds.waiting_caller(caller, stage.exchange_time()))
    assert stage.call is not None
    stage.update(waited=(*stage.call.waited, caller))


def _fax(stage: Stage, step: Fax) -> None:
    stage.at += stage.frames(step.after_s)
    stage.at = stage.place(stage.sounds.fax(step.tone), stage.frames(step.s))
    stage.update(is_fax=True)


def _hang_up(stage: Stage, step: HangUp) -> None:
    if step.who == "far":
        stage.update(far_gone=stage.at)
        if stage.polarity < 0:
            stage.polarity = 1
            stage.set_voltage(stage.line.off_hook_v)
            assert stage.call is not None
            stage.update(reversals=stage.call.reversals + 1)
        stage.at += stage.frames(RELEASE_S)
        stage.tone = ("busy", stage.at)
        stage.at += stage.frames(step.staff_after_s)
    if stage.tone is not None:
        name, since = stage.tone
        stage.place(stage.sounds.tone(name), stage.at - since, since)
        stage.tone = None
    if stage.polarity < 0:
        stage.polarity = 1
        assert stage.call is not None
        stage.update(reversals=stage.call.reversals + 1)
    stage.hook(stage.line.idle_v)
    stage.close(end=stage.at)


def _dead(stage: Stage, step: Dead) -> None:
    if stage.call is not None:  # the line breaks in mid call; the phone is put down before it is back
        stage.cut()
        stage.polarity, stage.tone = 1, None
        stage.close(end=stage.at)
    stage.set_voltage(0.0)
    stage.at += stage.frames(step.s)
    stage.set_voltage(stage.line.idle_v)


def _repeat(stage: Stage, step: Repeat) -> None:
    for _ in range(step.times):
        for inner in step.steps:
            play(stage, inner)


PLAY: dict[type[Step], Callable[[Stage, Any], None]] = {
    Wait: _wait,
    Ring: _ring,
    PickUp: _pick_up,
    Dial: _dial,
    Say: _say,
    Keys: _keys,
    Flash: _flash,
    OpenLoop: _open_loop,
    CallWaiting: _call_waiting,
    Fax: _fax,
    HangUp: _hang_up,
    Dead: _dead,
    Repeat: _repeat,
}
