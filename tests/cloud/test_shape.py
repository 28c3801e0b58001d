"""The one serialiser shows what its tables name, to those who have the right, and nothing else."""

from __future__ import annotations

from dataclasses import fields

import pytest

from cloud.access import shape
from cloud.access.guard import Decision, Open, Person, decide
from cloud.access.roles import ROLE_NAMES, ROLES, Right, rights_of
from cloud.store.schema import boxes, calls, gaps, recordings
from tests.cloud.house import call_row

RECORDING = {column.name: None for column in recordings.columns} | {
    "id": "r1",
    "call_id": "c1",
    "state": "stored",
    "sha256": "ab" * 32,
    "object_key": "planted",
}


def person(role: str) -> Person:
    return Person("u1", "Wang", role, "s", "t")


@pytest.mark.parametrize(
    ("kind", "grades", "apart"),
    [
        (shape.Call, shape.CALL_GRADES, {"recordings"}),
        (shape.Recording, shape.RECORDING_GRADES, {"gaps", "audio"}),
        (shape.Gap, shape.GAP_GRADES, set()),
        (shape.Branch, shape.BRANCH_GRADES, set()),
        (shape.BoxName, shape.BOX_NAME_GRADES, set()),
    ],
)
def test_each_field_has_a_grade(kind: type, grades: shape.Grades, apart: set[str]) -> None:
    assert {field.name for field in fields(kind)} == set(grades) | apart


def test_each_column_is_either_graded_or_kept_inside_on_purpose() -> None:
    inside = {"recordings": {"box_id", "object_key"}, "gaps": {"recording_id"}}
    for table, grades in (
        (calls, shape.CALL_GRADES),
        (recordings, shape.RECORDING_GRADES),
        (gaps, shape.GAP_GRADES),
        (boxes, shape.BRANCH_GRADES),
    ):
        columns = {column.name for column in table.columns}
        assert columns - set(grades) == inside.get(table.name, set())


def test_a_column_nobody_graded_is_not_shown() -> None:
    row = {**call_row(id="c1"), "branch": "Dali", "secret": "planted"}
    shaped = shape.call(row, [RECORDING], [], person("admin"))
    assert "planted" not in repr(shaped)
    assert shaped.recordings[0].sha256 == "ab" * 32


@pytest.mark.parametrize("role", [*ROLES, "somebody", ""])
def test_without_the_right_every_value_is_withheld(role: str) -> None:
    row = {**call_row(id="c1", caller_name="Li", keys="1"), "branch": "Dali"}
    shaped = shape.call(row, [{**RECORDING, "codec": "flac"}], [], person(role))
    sees_calls = Right.READ_CALLS in rights_of(role)
    shown = [getattr(shaped, field.name) for field in fields(shape.Call) if field.name != "recordings"]
    assert any(value is not None for value in shown) is sees_calls
    assert (shaped.recordings[0].audio is not None) is (Right.PLAY_RECORDINGS in rights_of(role))
    assert (shape.box_names([{"id": "b", "name": "n"}], person(role)) != ()) is sees_calls


@pytest.mark.parametrize("state", ["announced", "lost", "stored"])
def test_only_what_is_stored_can_be_played(state: str) -> None:
    shaped = shape.recording({**RECORDING, "state": state}, [], person("agent"))
    assert (shaped.audio == "/api/recordings/r1/audio") is (state == "stored")


def test_recordings_and_gaps_go_to_their_own() -> None:
    row = {**call_row(id="c1"), "branch": "Dali"}
    other = {**RECORDING, "id": "r2", "call_id": "c2"}
    gap = {"recording_id": "r1", "start_sample": 1, "length_samples": 2, "reason": "overrun"}
    shaped = shape.call(row, [RECORDING, other], [gap, {**gap, "recording_id": "r2"}], person("agent"))
    assert [one.id for one in shaped.recordings] == ["r1"]
    assert shaped.recordings[0].gaps == (shape.Gap(1, 2, "overrun"),)


@pytest.mark.parametrize(
    ("role", "needs", "decision"),
    [
        (None, Open.TO_ANYBODY, Decision.ADMIT),
        ("agent", Open.TO_ANYBODY, Decision.ADMIT),
        (None, Right.ENTER, Decision.LOG_IN_FIRST),
        (None, Right.READ_CALLS, Decision.LOG_IN_FIRST),
        ("agent", Right.READ_CALLS, Decision.ADMIT),
        ("agent", Right.READ_BRANCHES, Decision.REFUSE),
        ("maintainer", Right.READ_CALLS, Decision.REFUSE),
        ("maintainer", Right.PLAY_RECORDINGS, Decision.REFUSE),
        ("no such role", Right.ENTER, Decision.REFUSE),
    ],
)
def test_decide(role: str | None, needs: Right | Open, decision: Decision) -> None:
    assert decide(person(role) if role else None, needs) is decision


def test_every_role_has_a_name_and_may_enter() -> None:
    assert set(ROLE_NAMES) == set(ROLES)
    assert all(Right.ENTER in rights for rights in ROLES.values())
