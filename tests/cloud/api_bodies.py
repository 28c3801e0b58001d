"""What a request to each address of the API that changes something needs to be understood and done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.testclient import TestClient

from tests.cloud.house import House

CUSTOMER: Mapping[str, Any] = {
    "name": "赵六",
    "numbers": ["13911112222"],
    "packages": [{"service": "mobile", "name": "99"}],
}
APPLICATION: Mapping[str, Any] = {
    "purpose": "complaint",
    "reason": "a complaint of today",
    "about": ["13800138000"],
    "from": "2026-03-01",
    "until": "2026-03-02",
}
BODIES: Mapping[str, Any] = {  # address -> JSON
    "POST /api/v1/calls/{call_id}/notes": {"text": "call back"},
    "PUT /api/v1/calls/{call_id}/notes/{note_id}": {"text": "called back"},
    "POST /api/v1/calls/{call_id}/star": {"on": True},
    "POST /api/v1/calls/{call_id}/tags": {"tags": ["vip"]},
    "POST /api/v1/calls/{call_id}/reports": {"text": "too short"},
    "POST /api/v1/customers": CUSTOMER,
    "PUT /api/v1/customers/{customer_id}": CUSTOMER,
    "POST /api/v1/customers/{customer_id}/merge/{other_id}": {"take": ["name"]},
    "PATCH /api/v1/customers/{customer_id}": {"region": "云南"},
    "POST /api/v1/applications": APPLICATION,
    "POST /api/v1/applications/{request_id}/{act}": {"remark": "fine"},
    "POST /api/v1/cti": {"event": "hangup", "callId": "1", "direction": "in", "from": "1", "to": "2"},
    "POST /api/v1/tokens": {"name": "billing", "rights": ["read_calls"], "days": 30},
    "POST /api/v1/webhooks": {"url": "https://crm.example.cn/hook", "kinds": ["call_ended"]},
}
ANY_DIGEST = "0" * 16


def headers_for(house: House, client: TestClient, address: str, path: str) -> dict[str, str]:
    """The headers of a request of our own pages that changes something; of a thing it has version 1."""
    headers = {"X-CSRF-Token": house.csrf_token(client)}
    if not address.startswith("POST") or "/merge/" in address:
        ids = path.split("/merge/") if "/merge/" in address else [path]
        headers["If-Match"] = ", ".join(f'"{one.rsplit("/", 1)[-1]}.1.{ANY_DIGEST}"' for one in ids)
    return headers
