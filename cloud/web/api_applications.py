"""Applications over the API: handed in, withdrawn, decided, as on the pages.

No token has these rights (`cloud.access.tokens`): who decides about people is a person who has logged in.
"""

from __future__ import annotations

from typing import Annotated, Self

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from cloud.access.applications import REFERENCES
from cloud.access.approval import NotPossible
from cloud.access.guard import Person
from cloud.store.applications import Case
from cloud.web.answers import translate
from cloud.web.applications import fetch_case, fetch_mine, fetch_waiting, subject_shown, take
from cloud.web.applying import Typed, hand_in
from cloud.web.door import person_of
from sync.mask import mask_text

MOST_NAMED = 400
RequestId = Annotated[str, Path(max_length=64)]
ACTS = "approve, reject, withdraw, transfer, add_sign, revoke or review"
ActName = Annotated[str, Path(description=ACTS, max_length=16)]


class StepShown(BaseModel):
    """Something that was done with an application."""

    at_utc: str
    act: str
    user_name: str
    other_name: str
    remark: str


class GrantShown(BaseModel):
    """What came of it."""

    id: str
    valid_from_utc: str
    valid_until_utc: str
    rows: int
    rows_used: int
    uses: int
    uses_used: int
    revoked_utc: str | None


class ApplicationShown(BaseModel):
    """An application. In one of somebody else, numbers and what looks like one are masked."""

    id: str
    applicant_name: str
    role: str
    kind: str
    purpose: str
    reason: str
    actions: list[str]
    clarity: str
    grade: int
    rows: int
    hours: int
    about: list[str] = Field(description="numbers and ids; empty: whoever is in the branches")
    branches: list[str] | None = Field(description="ids of boxes; null: all of the applicant's")
    from_utc: str | None
    until_utc: str | None
    references: dict[str, str]
    state: str = Field(description="submitted, approved_1, approved, rejected, withdrawn, expired or revoked")
    level: int = Field(description="that has to decide now; 0: none")
    levels: int
    emergency: bool
    submitted_utc: str
    steps: list[StepShown]
    grant: GrantShown | None

    @classmethod
    def of(cls, case: Case, reader: Person) -> Self:
        """A case as `reader` may see it."""
        one, wish = case.file.application, case.file.application.wish
        own = one.applicant_id == reader.user_id
        said = str if own else mask_text
        steps = [
            StepShown(
                at_utc=step.at_utc, act=step.act, user_name=step.user_name,
                other_name=step.other_name or "", remark=said(step.remark or ""),
            )
            for step in case.steps
        ]  # fmt: skip
        return cls(
            **{name: getattr(one, name) for name in ("id", "applicant_name", "role", "level", "levels")},
            **{
                name: getattr(wish, name) for name in ("kind", "purpose", "clarity", "grade", "rows", "hours")
            },
            **{name: getattr(wish, name) for name in ("from_utc", "until_utc")},
            reason=said(wish.reason),
            actions=sorted(wish.verbs),
            about=[subject_shown(subject, own) for subject in sorted(wish.subjects)],
            branches=None if wish.box_ids is None else sorted(wish.box_ids),
            references={key: said(value) for key, value in wish.references.items()},
            state=one.state.value,
            emergency=one.emergency,
            submitted_utc=case.submitted_utc,
            steps=steps,
            grant=_grant(case),
        )


class Waiting(BaseModel):
    """What waits for your decision, the oldest first; and what nobody can decide."""

    waiting: list[ApplicationShown]
    nobody: list[ApplicationShown]


class ApplicationWanted(BaseModel):
    """What is applied for; the form of the pages explains each."""

    model_config = ConfigDict(extra="forbid")

    kind: str = Field("calls", description="calls or customers")
    purpose: str
    reason: str = Field(max_length=2000)
    about: list[str] = Field(default_factory=list, max_length=MOST_NAMED, description="numbers and ids")
    branches: list[str] = Field(default_factory=list, max_length=MOST_NAMED, description="ids of boxes")
    from_day: str = Field("", alias="from", description="first day of the records, e.g. 2026-02-03")
    until_day: str = Field("", alias="until", description="last day")
    actions: list[str] = Field(["view"], max_length=8, description="view, listen, export or change")
    clarity: str = Field("clear", description="clear or masked")
    sensitive: bool = Field(False, description="whether sensitive fields are wanted clear, too")
    rows: int = Field(20, ge=1, lt=10**8)
    hours: int = Field(8, ge=1, lt=10**8, description="how long the grant is wanted for")
    references: dict[str, str] = Field(default_factory=dict, description="numbers of documents by their name")


class ApplicationMade(BaseModel):
    """An application that was handed in."""

    id: str


class Deed(BaseModel):
    """What is said with a decision."""

    model_config = ConfigDict(extra="forbid")

    remark: str = Field("", max_length=2000, description="needed to reject or revoke")
    other: str = Field(
        "", max_length=64, description="id of a user: whom to hand it on to, or who signs, too"
    )


def list_applications(request: Request) -> list[ApplicationShown]:
    """Your applications and what came of them, the newest first."""
    return [ApplicationShown.of(case, person_of(request)) for case in fetch_mine(request)]


def list_waiting(request: Request) -> Waiting:
    """What waits for your decision."""
    waiting, nobody = fetch_waiting(request)
    me = person_of(request)
    return Waiting(
        waiting=[ApplicationShown.of(case, me) for case in waiting],
        nobody=[ApplicationShown.of(case, me) for case in nobody],
    )


def get_application(request: Request, request_id: RequestId) -> ApplicationShown:
    """One application, yours or of somebody you decide about."""
    return ApplicationShown.of(fetch_case(request, request_id), person_of(request))


def submit_application(request: Request, wanted: ApplicationWanted) -> ApplicationMade:
    """Apply to read what you may not."""
    typed = Typed(
        kind=wanted.kind,
        purpose=wanted.purpose,
        reason=_plain(wanted.reason),
        about="\n".join(map(_plain, wanted.about)),
        branches=tuple(wanted.branches),
        from_day=wanted.from_day,
        until_day=wanted.until_day,
        actions=tuple(wanted.actions),
        clarity=wanted.clarity,
        sensitive=wanted.sensitive,
        rows=str(wanted.rows),
        hours=str(wanted.hours),
        references=tuple((key, _plain(text)) for key, text in wanted.references.items() if key in REFERENCES),
    )
    handed_in, faults = hand_in(request, typed)
    if handed_in is None:
        raise HTTPException(422, " ".join(faults))
    return ApplicationMade(id=handed_in)


def decide_application(
    request: Request,
    request_id: RequestId,
    act: Annotated[
        str,
        Path(description="approve, reject, withdraw, transfer, add_sign, revoke or review", max_length=16),
    ],
    said: Deed,
) -> Response:
    """Do one thing with an application."""
    try:
        take(request, request_id, act, _plain(said.remark), said.other)
    except NotPossible as refused:
        raise HTTPException(409, translate(request, refused.text, **refused.values)) from refused
    return Response(status_code=204)


def _grant(case: Case) -> GrantShown | None:
    if case.grant is None:
        return None
    return GrantShown(**{name: getattr(case.grant, name) for name in GrantShown.model_fields})


def _plain(text: str) -> str:
    return text.replace("\0", "")
