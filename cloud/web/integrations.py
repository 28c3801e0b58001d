"""The page 接口: one's own tokens and webhooks, over the same functions as the API."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Form
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from cloud.access.purposes import PURPOSES, PURPOSES_OF
from cloud.access.roles import Right
from cloud.access.tokens import can_be_given
from cloud.web import hooks, tokens
from cloud.web.answers import page, see_other, translate
from cloud.web.door import person_of
from cloud.webhooks.events import TOLD

HERE = "/integrations"
NOTHING_SAID = {"made_token": None, "made_hook": None, "token_fault": "", "hook_fault": "", "url": ""}
Text = Annotated[str, Form(max_length=500)]


def integrations_page(request: Request) -> Response:
    """What there is, and the forms for more."""
    return _page(request, 200)


def make_token(
    request: Request,
    name: Text = "",
    days: Annotated[int, Form()] = 90,
    purpose: Text = "",
    right: Annotated[list[str] | None, Form()] = None,
) -> Response:
    """Make a token; it is shown on the answer and never again."""
    try:
        wanted = tokens.TokenWanted(name=name, rights=right or [], days=days, purpose=purpose)
        return _page(request, 201, made_token=tokens.make_token(request, wanted))
    except HTTPException as refused:
        return _page(request, refused.status_code, token_fault=translate(request, refused.detail))


def revoke_token(request: Request, token_id: str) -> Response:
    """Take a token back."""
    tokens.take_back(request, token_id)
    return see_other(HERE)


def add_hook(request: Request, url: Text = "", kind: Annotated[list[str] | None, Form()] = None) -> Response:
    """Add a webhook; its secret is shown on the answer and never again."""
    try:
        wanted = hooks.HookWanted(url=url, kinds=kind or [])
        return _page(request, 201, made_hook=hooks.add_hook(request, wanted))
    except HTTPException as refused:
        return _page(request, refused.status_code, hook_fault=translate(request, refused.detail), url=url)


def end_hook(request: Request, hook_id: str) -> Response:
    """End a webhook."""
    hooks.leave_alone(request, hook_id)
    return see_other(HERE)


def hook_page(request: Request, hook_id: str) -> Response:
    """What a webhook was told."""
    mine = {one.id: one for one in hooks.list_hooks(request)}
    told = hooks.list_deliveries(request, hook_id)
    return page(request, "hook.html", hook=mine[hook_id], deliveries=told)


def send_again(request: Request, delivery_id: str, hook_id: Text = "") -> Response:
    """Try a telling that was given up once more."""
    hooks.send_again(request, delivery_id)
    return see_other(f"{HERE}/webhooks/{hook_id}" if hook_id.replace("-", "").isalnum() else HERE)


def _page(request: Request, status: int, **said: Any) -> Response:
    """`said`: what is told once, and why something was not done."""
    person = person_of(request)
    may_hook = person.may(Right.MANAGE_HOOKS)
    return page(
        request,
        "integrations.html",
        status,
        tokens=tokens.list_tokens(request),
        rights=can_be_given(person),
        purposes={name: PURPOSES[name] for name in PURPOSES_OF[person.role]},
        hooks=hooks.list_hooks(request) if may_hook else None,
        kinds=list(TOLD),
        **(NOTHING_SAID | said),
    )
