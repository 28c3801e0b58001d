"""Line scripts: what is accepted, what is refused, and that all of it is said at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from hw.virtual.script import Caller, Script, ScriptError, Voices, parse_script, read_script
from hw.virtual.steps import Dial, HangUp, Keys, PickUp, Repeat, Ring, Say, Wait

CALLERS = """
[callers.wang]
number = "02155500147"
name = "王芳"
[callers.private]
presentation = "withheld"
sends = "dtmf"
"""


def with_steps(*steps: str, head: str = CALLERS) -> str:
    return f"{head}\n[[lines]]\nsteps = [\n" + "".join(f"  {{ {step} }},\n" for step in steps) + "]\n"


def test_a_whole_script_becomes_dataclasses() -> None:
    script = parse_script(
        'loop = true\nvoices = { far = "en-us+m1" }\n'
        + with_steps(
            'do = "wait", s = [1, 2.5]',
            'do = "ring", bursts = 3, caller = ["wang", "private"], off_s = 2',
            'do = "pick_up"',
            'do = "say", who = "far", text = "喂"',
            'do = "say", who = "staff", s = 4',
            'do = "keys", who = "far", digits = "12#"',
            'do = "hang_up", who = "far", staff_after_s = 2',
            'do = "repeat", times = 2, steps = [{ do = "dial", digits = "114", then = "busy" }, '
            '{ do = "hang_up", who = "staff" }]',
        )
    )
    assert script.loop and script.voices == Voices(far="en-us+m1")
    assert script.callers["wang"] == Caller(number="02155500147", name="王芳")
    assert script.lines[0].steps == (
        Wait((1.0, 2.5)),
        Ring(3, ("wang", "private"), off_s=2.0),
        PickUp(),
        Say("far", "喂"),
        Say("staff", s=4.0),
        Keys("far", "12#"),
        HangUp("far", 2.0),
        Repeat(2, (Dial("114", then="busy"), HangUp("staff"))),
    )


def test_lines_start_over_and_voices_are_the_nearest() -> None:
    text = '[[lines]]\nsteps = [{ do = "wait", s = 1 }]\n'
    script = parse_script(text + text.replace("[[lines]]", '[[lines]]\nvoices = { far = "en-gb" }'))
    assert script.line(3) is script.lines[0] and script.line(4) is script.lines[1]
    assert script.voice(1, Say("far", "x")) == "cmn+m3"
    assert script.voice(2, Say("far", "x")) == "en-gb"
    assert script.voice(2, Say("staff", "x")) == "cmn+f2"
    assert script.voice(2, Say("far", "x", voice="ja")) == "ja"


ONE_ERROR = {
    "no TOML": ("lines = [", "Invalid value"),
    "no lines": (CALLERS, "lines: wanted a list with something in it, got None"),
    "empty lines": ("lines = []", "lines: wanted a list with something in it"),
    "a line that is no table": ("lines = [5]", "line 1: wanted a table, got 5"),
    "no steps": ("[[lines]]\nidle_v = 48.0", "line 1, steps: wanted a list"),
    "unknown top field": (
        "speed = 3\n" + with_steps('do = "wait", s = 1'),
        "top: no field 'speed'; there are lines, callers",
    ),
    "unknown line field": (
        with_steps('do = "wait", s = 1') + "volts = 3",
        "line 1: no field 'volts'; there are steps, idle_v",
    ),
    "idle voltage": (
        with_steps('do = "wait", s = 1') + "idle_v = 5",
        "line 1, idle_v: Expected `float` >= 19.0, got 5",
    ),
    "unknown step": (with_steps('do = "sing"'), "line 1, step 1: do is one of wait, ring"),
    "step without do": (with_steps("s = 1"), "line 1, step 1: do is one of wait, ring"),
    "missing field": (with_steps('do = "wait"'), "line 1, step 1: s is missing"),
    "unknown field": (with_steps('do = "wait", s = 1, x = 2'), "line 1, step 1: no field 'x'; there are s"),
    "kind": (with_steps('do = "wait", s = "long"'), "line 1, step 1, s: Expected"),
    "range": (
        with_steps('do = "ring", bursts = 0'),
        "line 1, step 1, bursts: Expected `int` >= 1, got 0",
    ),
    "span backwards": (with_steps('do = "wait", s = [3, 1]'), "step 1, s: wanted [least, most], got [3, 1]"),
    "span of three": (with_steps('do = "wait", s = [1, 2, 3]'), "line 1, step 1, s: Expected"),
    "negative span": (with_steps('do = "wait", s = [-1, 2]'), "line 1, step 1, s: Expected"),
    "caller unknown": (
        with_steps('do = "ring", caller = "li"'),
        "line 1, step 1, caller: 'li' is none of the callers: wang, private",
    ),
    "caller unknown among many": (with_steps('do = "ring", caller = ["wang", "li"]'), "'li' is none of"),
    "digits": (with_steps('do = "dial", digits = "12x"'), "line 1, step 1, digits: Expected"),
    "say nothing": (
        with_steps('do = "ring"', 'do = "pick_up"', 'do = "say", who = "far"', 'do = "hang_up", who = "far"'),
        "line 1, step 3: say either text or s seconds",
    ),
    "voice that is an option": (
        with_steps('do = "say", who = "far", s = 1, voice = "-w"'),
        "line 1, step 1, voice: Expected",
    ),
    "pick up what does not ring": (
        with_steps('do = "pick_up"'),
        "line 1, step 1: pick_up cannot follow while the line is idle",
    ),
    "talk before picking up": (
        with_steps('do = "ring"', 'do = "say", who = "far", s = 1'),
        "line 1, step 2: say cannot follow while the line is called",
    ),
    "too late to pick up": (
        with_steps('do = "ring"', 'do = "wait", s = 9', 'do = "pick_up"'),
        "line 1, step 3: pick_up cannot follow while the line is idle",
    ),
    "ring during a call": (
        with_steps('do = "dial", digits = "1"', 'do = "ring"'),
        "line 1, step 2: ring cannot follow while the line is talking",
    ),
    "call without end": (
        with_steps('do = "dial", digits = "1"'),
        "line 1: ends while the line is talking; the last call needs hang_up",
    ),
    "talk to nobody": (
        with_steps('do = "dial", digits = "1", then = "busy"', 'do = "say", who = "staff", s = 1'),
        "line 1, step 2: say cannot follow while the line is unanswered",
    ),
    "nobody hangs up": (
        with_steps('do = "dial", digits = "1", then = "no_answer"', 'do = "hang_up", who = "far"'),
        "line 1, step 2: nobody answered, so only the staff can hang up",
    ),
    "inside repeat": (
        with_steps('do = "repeat", times = 2, steps = [{ do = "ring" }, { do = "wait" }]'),
        "line 1, step 1, step 2: s is missing",
    ),
    "repeat that does not fit itself": (
        with_steps(
            'do = "dial", digits = "1"',
            'do = "repeat", times = 2, steps = [{ do = "hang_up", who = "staff" }]',
        ),
        "line 1, step 2, step 1: hang_up cannot follow while the line is idle",
    ),
    "available without number": (
        with_steps('do = "wait", s = 1', head="[callers.a]\n"),
        "caller a: a number if available",
    ),
    "withheld with number": (
        with_steps('do = "wait", s = 1', head='[callers.a]\nnumber = "123"\npresentation = "withheld"\n'),
        "caller a: a number if available",
    ),
    "number": (
        with_steps('do = "wait", s = 1', head='[callers.a]\nnumber = "021-555"\n'),
        "caller a, number: Expected",
    ),
    "name by dtmf": (
        with_steps('do = "wait", s = 1', head='[callers.a]\nnumber = "123"\nname = "x"\nsends = "dtmf"\n'),
        "caller a: only bell202-mdmf carries a name, this caller sends dtmf",
    ),
    "name outside GB 2312": (
        with_steps('do = "wait", s = 1', head='[callers.a]\nnumber = "123"\nname = "한국"\n'),
        "caller a: a name must fit GB 2312",
    ),
    "voices": (
        'voices = { far = "cmn", third = "x" }\n' + with_steps('do = "wait", s = 1'),
        "voices: no field 'third'; there are far, staff",
    ),
}


@pytest.mark.parametrize("name", ONE_ERROR)
def test_refused_with_where_and_why(name: str) -> None:
    text, problem = ONE_ERROR[name]
    with pytest.raises(ScriptError) as caught:
        parse_script(text, "x.toml")
    assert len(caught.value.problems) == 1
    assert problem in caught.value.problems[0]
    assert str(caught.value).startswith("x.toml: ")


def test_all_errors_are_said_at_once() -> None:
    text = with_steps('do = "wait", s = -1, y = 2', 'do = "sing"', 'do = "ring", bursts = 99, caller = 7')
    with pytest.raises(ScriptError) as caught:
        parse_script('loop = "yes"\n' + text + text.removeprefix(CALLERS))
    places = [problem.partition(":")[0] for problem in caught.value.problems]
    assert sorted(places) == sorted(
        [
            "top, loop",
            *(
                f"line {line}, {place}"
                for line in (1, 2)
                for place in ("step 1", "step 1, s", "step 2", "step 3, bursts", "step 3, caller")
            ),
        ]
    )
    assert str(caught.value).count("\n") == len(places) - 1


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "gb.toml"
    path.write_bytes("# 王芳\n".encode("gb2312"))
    with pytest.raises(ScriptError, match=r"gb\.toml: byte 2 is not UTF-8"):
        read_script(path)


SHIPPED = sorted((Path(__file__).parents[3] / "hw" / "virtual" / "scripts").glob("*.toml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_scripts_are_right(path: Path) -> None:
    assert isinstance(read_script(path), Script)


def test_there_are_shipped_scripts() -> None:
    assert {"demo", "busy", "one_call"} <= {path.stem for path in SHIPPED}
