"""The one serialiser shows what its tables name, to those who have the right, and nothing else."""

from __future__ import annotations

from dataclasses import fields

import pytest

from cloud.access import shape
from cloud.access.grants import Place
from cloud.access.guard import Decision, Open, decide
from cloud.access.roles import OWN_ONLY, POSTS, ROLE_NAMES, ROLES, Right, rights_of, stands
from cloud.access.verbs import Verb
from cloud.store.schema import boxes, calls, gaps, recordings
from tests.cloud.house import call_row
from tests.cloud.verdicts import make_grant, person, verdict_for

RECORDING = {column.name: None for column in recordings.columns} | {
    "id": "r1",
    "call_id": "c1",
    "state": "stored",
    "sha256": "ab" * 32,
    "object_key": "planted",
}


@pytest.mark.parametrize(
    ("kind", "grades", "apart"),
    [
        (shape.Call, shape.CALL_GRADES, {"recordings", "masked"}),
        (shape.Recording, shape.RECORDING_GRADES, {"gaps", "audio"}),
        (shape.Gap, shape.GAP_GRADES, set()),
        (shape.Branch, shape.BRANCH_GRADES, set()),
        (shape.BoxName, shape.BOX_NAME_GRADES, set()),
    ],
)
def test_each_field_has_a_grade(kind: type, grades: shape.Grades, apart: set[str]) -> None:
    assert {field.name for field in fields(kind)} == set(grades) | apart


def test_each_column_is_either_graded_or_kept_inside_on_purpose() -> None:
    found_by = {"party", "last4", "last8", "facet"}
    inside = {"calls": found_by, "recordings": {"box_id", "object_key"}, "gaps": {"recording_id"}}
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
    shaped = shape.call(row, [RECORDING], [], verdict_for("admin"))
    assert shaped is not None and "planted" not in repr(shaped)
    assert shaped.recordings[0].sha256 == "ab" * 32


PRIVATE = {
    "caller_number": "13912345678",
    "caller_name": "Secretperson",
    "dialled": "15912345678",
    "keys": "8642#",
}


@pytest.mark.parametrize("role", [*ROLES, "somebody", ""])
def test_nobody_sees_a_private_value_clear_without_a_grant(role: str) -> None:
    row = {**call_row(id="c1", **PRIVATE), "branch": "Dali"}
    verdict = verdict_for(role)
    shaped = shape.call(row, [{**RECORDING, "codec": "flac"}], [], verdict)
    assert (shaped is not None) is verdict.admitted
    assert not any(value in repr(shaped) for value in PRIVATE.values())
    assert verdict.admitted is (stands(role, Verb.VIEW) and role not in OWN_ONLY)
    if shaped is not None:
        assert set(PRIVATE) <= set(shaped.masked)
        assert shaped.caller_number == "139****5678" and shaped.caller_name == "S**" and shaped.keys is None
        assert (shaped.recordings[0].audio is not None) is (Right.PLAY_RECORDINGS in rights_of(role))
    assert (shape.box_names([{"id": "b", "name": "n"}], verdict) != ()) is verdict.admitted


@pytest.mark.parametrize(
    ("scope", "sha256"),
    [
        (None, "ab" * 32),
        (frozenset({Right.READ_CALLS, Right.PLAY_RECORDINGS}), "ab" * 32),
        (frozenset({Right.READ_CALLS}), None),
    ],
)
def test_a_token_that_may_play_nothing_is_told_nothing_to_compare_audio_with(
    scope: frozenset[Right] | None, sha256: str | None
) -> None:
    row = {**call_row(id="c1"), "branch": "Dali"}
    shaped = shape.call(row, [RECORDING], [], verdict_for("admin", person=person("admin", scope=scope)))
    assert shaped is not None
    (recording,) = shaped.recordings
    assert recording.sha256 == sha256 and (recording.audio is None) is (sha256 is None)


@pytest.mark.parametrize(
    ("grade", "clear"),
    [(2, set()), (3, {"caller_number", "caller_name", "dialled"}), (4, set(PRIVATE))],
)
def test_a_grant_clears_what_it_was_given_for(grade: int, clear: set[str]) -> None:
    row = {**call_row(id="c1", **PRIVATE), "branch": "Dali"}
    shaped = shape.call(row, [], [], verdict_for("manager", [make_grant("manager", grade=grade)]))
    assert shaped is not None
    for name, value in PRIVATE.items():
        assert (getattr(shaped, name) == value) is (name in clear), name
        assert (name in shaped.masked) is (name not in clear)


@pytest.mark.parametrize("state", ["announced", "lost", "stored"])
def test_only_what_is_stored_can_be_played(state: str) -> None:
    row = {**RECORDING, "state": state}
    shaped = shape.recording(row, [], Place(frozenset(), "box-01"), verdict_for("agent"))
    assert (shaped.audio == "/api/v1/recordings/r1/audio") is (state == "stored")


def test_recordings_and_gaps_go_to_their_own() -> None:
    row = {**call_row(id="c1"), "branch": "Dali"}
    other = {**RECORDING, "id": "r2", "call_id": "c2"}
    gap = {"recording_id": "r1", "start_sample": 1, "length_samples": 2, "reason": "overrun"}
    shaped = shape.call(row, [RECORDING, other], [gap, {**gap, "recording_id": "r2"}], verdict_for("agent"))
    assert shaped is not None
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
        ("maintainer", Right.READ_CALLS, Decision.ADMIT),  # the decision behind the door asks for a grant
        ("maintainer", Right.PLAY_RECORDINGS, Decision.REFUSE),
        ("no such role", Right.ENTER, Decision.REFUSE),
    ],
)
def test_decide(role: str | None, needs: Right | Open, decision: Decision) -> None:
    assert decide(person(role) if role else None, needs) is decision


def test_every_role_has_a_name_and_may_enter() -> None:
    assert set(ROLE_NAMES) == set(ROLES) == set(POSTS)
    assert all(Right.ENTER in rights for rights in ROLES.values())
