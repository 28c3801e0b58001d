"""The addresses of the API, as its description lists them; `cloud.web.app` builds them with their guards."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from cloud.access.roles import Right
from cloud.web import (
    api,
    api_applications,
    api_audit,
    api_calls,
    api_customers,
    api_events,
    audio,
    cti,
    hooks,
    tokens,
)
from cloud.web.answers import PROBLEM_TYPE
from cloud.web.routes import LONGEST_RECORD_BYTES, Route

_CALLS, _CUSTOMERS = "/api/v1/calls", "/api/v1/customers"
_CALL, _CUSTOMER = f"{_CALLS}/{{call_id}}", f"{_CUSTOMERS}/{{customer_id}}"
_APPLICATIONS = "/api/v1/applications"

API: dict[str, Route] = {
    f"GET {_CALLS}": Route(api.list_calls, Right.READ_CALLS),
    f"GET {_CALL}": Route(api_calls.get_call, Right.READ_CALLS),
    f"GET {_CALL}/notes": Route(api_calls.get_said, Right.READ_CALLS),
    f"POST {_CALL}/notes": Route(api_calls.add_note, Right.CHANGE_CALLS, 201),
    f"PUT {_CALL}/notes/{{note_id}}": Route(api_calls.change_note, Right.CHANGE_CALLS),
    f"POST {_CALL}/star": Route(api_calls.set_star, Right.CHANGE_CALLS, 204),
    f"POST {_CALL}/tags": Route(api_calls.set_tags, Right.CHANGE_CALLS, 204),
    f"POST {_CALL}/reports": Route(api_calls.report_wrong, Right.CHANGE_CALLS, 201),
    "GET /api/v1/recordings/{recording_id}/audio": Route(audio.recording_audio, Right.PLAY_RECORDINGS),
    f"GET {_CUSTOMERS}": Route(api_customers.list_customers, Right.READ_CUSTOMERS),
    f"POST {_CUSTOMERS}": Route(
        api_customers.add_customer, Right.CHANGE_CUSTOMERS, 201, LONGEST_RECORD_BYTES
    ),
    f"GET {_CUSTOMERS}/suggestions": Route(api_customers.suggest_customers, Right.READ_CUSTOMERS),
    f"GET {_CUSTOMERS}/bin": Route(api_customers.list_bin, Right.RESTORE_CUSTOMERS),
    f"GET {_CUSTOMER}": Route(api_customers.get_customer, Right.READ_CUSTOMERS),
    f"PUT {_CUSTOMER}": Route(
        api_customers.replace_customer, Right.CHANGE_CUSTOMERS, longest_body_bytes=LONGEST_RECORD_BYTES
    ),
    f"PATCH {_CUSTOMER}": Route(
        api_customers.change_customer, Right.CHANGE_CUSTOMERS, longest_body_bytes=LONGEST_RECORD_BYTES
    ),
    f"DELETE {_CUSTOMER}": Route(api_customers.delete_customer, Right.MANAGE_CUSTOMERS, 204),
    f"POST {_CUSTOMER}/merge/{{other_id}}": Route(api_customers.merge_customers, Right.MANAGE_CUSTOMERS, 201),
    f"POST {_CUSTOMERS}/merges/{{merge_id}}/undo": Route(
        api_customers.undo_merge, Right.MANAGE_CUSTOMERS, 204
    ),
    f"POST {_CUSTOMER}/restore": Route(api_customers.restore_customer, Right.RESTORE_CUSTOMERS, 204),
    f"GET {_CUSTOMER}/communications": Route(api_customers.list_communications, Right.READ_CUSTOMERS),
    f"GET {_CUSTOMER}/changes": Route(api_customers.list_changes, Right.READ_CUSTOMERS),
    f"GET {_APPLICATIONS}": Route(api_applications.list_applications, Right.APPLY),
    f"POST {_APPLICATIONS}": Route(api_applications.submit_application, Right.APPLY, 201),
    f"GET {_APPLICATIONS}/to-decide": Route(api_applications.list_waiting, Right.DECIDE),
    f"GET {_APPLICATIONS}/{{request_id}}": Route(api_applications.get_application, Right.APPLY),
    f"POST {_APPLICATIONS}/{{request_id}}/{{act}}": Route(
        api_applications.decide_application, Right.APPLY, 204
    ),
    "GET /api/v1/events": Route(api_events.list_events, Right.READ_CALLS),
    "GET /api/v1/audit": Route(api_audit.list_audit, Right.READ_AUDIT),
    "GET /api/v1/audit/{row_id}": Route(api_audit.get_audit_row, Right.READ_AUDIT),
    "POST /api/v1/cti": Route(cti.report_call, Right.REPORT_CALLS, 204),
    "GET /api/v1/tokens": Route(tokens.list_tokens, Right.MAKE_TOKENS),
    "POST /api/v1/tokens": Route(tokens.make_token, Right.MAKE_TOKENS, 201),
    "DELETE /api/v1/tokens/{token_id}": Route(tokens.revoke_token, Right.MAKE_TOKENS, 204),
    "GET /api/v1/webhooks": Route(hooks.list_hooks, Right.MANAGE_HOOKS),
    "POST /api/v1/webhooks": Route(hooks.add_hook, Right.MANAGE_HOOKS, 201),
    "DELETE /api/v1/webhooks/{hook_id}": Route(hooks.end_hook, Right.MANAGE_HOOKS, 204),
    "GET /api/v1/webhooks/{hook_id}/deliveries": Route(hooks.list_deliveries, Right.MANAGE_HOOKS),
    "POST /api/v1/webhook-deliveries/{delivery_id}/again": Route(hooks.send_again, Right.MANAGE_HOOKS, 202),
}


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    title: str
    status: int
    detail: str = Field(description="in the language of the request")
    code: str = Field(description="the same in every language")
    id: str = Field(description="to be told to whoever helps; it stands in the log and the audit")
    apply: str = Field("", description="where to apply for what was refused")


_SAYS = {
    401: "log in, or show a token",
    403: "not allowed; `apply` leads to an application",
    404: "there is no such thing",
    409: "it is in the way of something else",
    412: "it was changed meanwhile: read it again",
    422: "not understood",
    428: "say in `If-Match` which version you change",
    429: "too often; `Retry-After` seconds",
    503: "a key is missing, or something else that an administrator has to see to",
}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": says, "content": {PROBLEM_TYPE: {"schema": Problem.model_json_schema()}}}
    for status, says in _SAYS.items()
}
PROBLEMS[304] = {"description": "what `If-None-Match` names is what there is"}
