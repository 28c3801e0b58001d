"""Builds the page: every route in one table with the right it needs.

A route that is not in ROUTES does not exist, and each is built with the guard of its line, so none can be
forgotten; a test walks the finished application all the same.
"""

from __future__ import annotations

from pathlib import Path

from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from cloud.access.guard import Open
from cloud.access.roles import Right
from cloud.web import (
    api,
    applications,
    applying,
    bench,
    branches,
    call_batch,
    call_exports,
    call_filters,
    call_notes,
    calls,
    completeness,
    customer_deeds,
    customer_duplicates,
    customer_form,
    customer_sheets,
    customer_tags,
    customers,
    identity,
    integrations,
    log_in,
    long_exports,
    orders,
    quick,
    reconciliation,
    releases,
    reports,
    retention,
    rules,
    trail,
)
from cloud.web.answers import broken, not_understood, went_wrong
from cloud.web.api_routes import API, PROBLEMS
from cloud.web.door import guarded
from cloud.web.headers import SecureAnswers
from cloud.web.once import OnceRoute
from cloud.web.parts import Parts
from cloud.web.routes import LONGEST_BODY_BYTES, LONGEST_RECORD_BYTES, Route
from sync import sheets

STATIC = Path(__file__).with_name("static")
LONGEST_SHEET_BYTES = sheets.MOST_BYTES + LONGEST_BODY_BYTES
ANYBODY = Open.TO_ANYBODY


# Pages and parts of pages; method and path -> route.
PAGES: dict[str, Route] = {
    "GET /": Route(bench.bench_page, Right.ENTER),
    "GET /log-in": Route(log_in.log_in_form, ANYBODY),
    "POST /log-in": Route(log_in.log_in, ANYBODY),
    "POST /log-out": Route(log_in.log_out, Right.ENTER),
    "POST /language": Route(log_in.choose_language, ANYBODY),
    "GET /quick": Route(quick.quick, Right.ENTER),
    "GET /calls": Route(calls.calls_page, Right.READ_CALLS),
    "GET /calls/rows": Route(calls.calls_rows, Right.READ_CALLS),
    "POST /calls/export": Route(call_exports.export_calls, Right.EXPORT),
    "POST /calls/batch": Route(call_batch.batch, Right.CHANGE_CALLS),
    "POST /calls/filters": Route(call_filters.save, Right.ENTER),
    "POST /calls/filters/{filter_id}/delete": Route(call_filters.delete, Right.ENTER),
    "GET /calls/{call_id}/drawer": Route(calls.drawer, Right.READ_CALLS),
    "GET /calls/{call_id}": Route(calls.call_page, Right.READ_CALLS),
    "GET /calls/{call_id}/recordings": Route(calls.call_recordings, Right.READ_CALLS),
    "POST /calls/{call_id}/notes": Route(call_notes.write_note, Right.CHANGE_CALLS),
    "POST /calls/{call_id}/star": Route(call_notes.set_star, Right.CHANGE_CALLS),
    "POST /calls/{call_id}/tags": Route(call_notes.set_tags, Right.CHANGE_CALLS),
    "POST /calls/{call_id}/report": Route(call_notes.report, Right.CHANGE_CALLS),
    "POST /calls/{call_id}/orders": Route(orders.give, Right.ORDER),
    "GET /orders": Route(orders.orders_page, Right.READ_ORDERS),
    "GET /orders/{order_id}": Route(orders.order_page, Right.READ_ORDERS),
    "POST /orders/{order_id}": Route(orders.take_step, Right.READ_ORDERS),
    "GET /exports/{export_id}": Route(long_exports.export_page, Right.EXPORT),
    "GET /exports/{export_id}/progress": Route(long_exports.progress, Right.EXPORT),
    "POST /exports/{export_id}/cancel": Route(long_exports.cancel, Right.EXPORT),
    "GET /releases": Route(releases.releases_page, Right.APPLY),
    "GET /releases/{release_id}": Route(releases.release_page, Right.APPLY),
    "POST /releases/{release_id}": Route(releases.decide, Right.REVIEW_RELEASES),
    "GET /releases/{release_id}/file": Route(releases.open_file, Right.APPLY),
    "GET /retention": Route(retention.retention_page, Right.READ_ORDERS),
    "POST /retention": Route(retention.give, Right.ORDER),
    "GET /reports": Route(reports.reports_page, Right.SETTLE_REPORTS),
    "POST /reports/{report_id}": Route(reports.take_step, Right.SETTLE_REPORTS),
    "GET /customers": Route(customers.customers_page, Right.READ_CUSTOMERS),
    "GET /customers/new": Route(customer_form.blank_form, Right.CHANGE_CUSTOMERS),
    "POST /customers/new": Route(
        customer_form.add, Right.CHANGE_CUSTOMERS, longest_body_bytes=LONGEST_RECORD_BYTES
    ),
    "POST /customers/batch": Route(customer_deeds.batch, Right.CHANGE_CUSTOMERS),
    "GET /customers/export": Route(customer_sheets.export, Right.EXPORT),
    "GET /customers/template": Route(customer_sheets.template, Right.MANAGE_CUSTOMERS),
    "GET /customers/import": Route(customer_sheets.import_page, Right.MANAGE_CUSTOMERS),
    "POST /customers/import": Route(
        customer_sheets.look, Right.MANAGE_CUSTOMERS, longest_body_bytes=LONGEST_SHEET_BYTES
    ),
    "GET /customers/import/{import_id}/errors": Route(customer_sheets.errors, Right.MANAGE_CUSTOMERS),
    "POST /customers/import/{import_id}/confirm": Route(customer_sheets.confirm, Right.MANAGE_CUSTOMERS),
    "POST /customers/import/undo": Route(customer_sheets.undo, Right.MANAGE_CUSTOMERS),
    "GET /customers/tags": Route(customer_tags.tags_page, Right.MANAGE_CUSTOMERS),
    "POST /customers/tags": Route(customer_tags.save_tag, Right.MANAGE_CUSTOMERS),
    "POST /customers/tags/apply": Route(customer_tags.apply_rules, Right.MANAGE_CUSTOMERS),
    "POST /customers/tags/{tag_id}/delete": Route(customer_tags.delete_tag, Right.MANAGE_CUSTOMERS),
    "POST /customers/classes": Route(customer_tags.save_class, Right.MANAGE_CUSTOMERS),
    "POST /customers/classes/{class_id}/delete": Route(customer_tags.delete_class, Right.MANAGE_CUSTOMERS),
    "GET /customers/duplicates": Route(customer_duplicates.duplicates_page, Right.MANAGE_CUSTOMERS),
    "POST /customers/merges/{merge_id}/undo": Route(customer_duplicates.undo, Right.MANAGE_CUSTOMERS),
    "GET /customers/bin": Route(customer_deeds.recycle_bin, Right.RESTORE_CUSTOMERS),
    "POST /customers/bin/{customer_id}/restore": Route(customer_deeds.restore, Right.RESTORE_CUSTOMERS),
    "GET /customers/{customer_id}": Route(customers.customer_page, Right.READ_CUSTOMERS),
    "GET /customers/{customer_id}/drawer": Route(customers.drawer, Right.READ_CUSTOMERS),
    "GET /customers/{customer_id}/edit": Route(customer_form.edit_form, Right.CHANGE_CUSTOMERS),
    "POST /customers/{customer_id}/edit": Route(
        customer_form.save, Right.CHANGE_CUSTOMERS, longest_body_bytes=LONGEST_RECORD_BYTES
    ),
    "POST /customers/{customer_id}/delete": Route(customer_deeds.delete, Right.MANAGE_CUSTOMERS),
    "POST /customers/{customer_id}/sync": Route(customer_deeds.sync_now, Right.READ_CUSTOMERS),
    "POST /customers/{customer_id}/chart": Route(customer_deeds.add_node, Right.CHANGE_CUSTOMERS),
    "POST /customers/{customer_id}/chart/{node_id}/remove": Route(
        customer_deeds.remove_node, Right.CHANGE_CUSTOMERS
    ),
    "GET /customers/{customer_id}/merge/{other_id}": Route(
        customer_duplicates.compare, Right.MANAGE_CUSTOMERS
    ),
    "POST /customers/{customer_id}/merge/{other_id}": Route(
        customer_duplicates.merge, Right.MANAGE_CUSTOMERS
    ),
    "GET /branches": Route(branches.branches_page, Right.READ_BRANCHES),
    "GET /completeness": Route(completeness.overview, Right.READ_BRANCHES),
    "GET /completeness/{box_id}": Route(completeness.branch_page, Right.READ_BRANCHES),
    "GET /completeness/{box_id}/hours/{span}": Route(completeness.hour_page, Right.READ_BRANCHES),
    "GET /quarantine": Route(reconciliation.quarantine_page, Right.READ_BRANCHES),
    "POST /quarantine/{item_id}/retry": Route(reconciliation.retry, Right.SETTLE_QUARANTINE),
    "POST /quarantine/{item_id}/dismiss": Route(reconciliation.dismiss, Right.SETTLE_QUARANTINE),
    "GET /applications": Route(applications.mine, Right.APPLY),
    "POST /applications": Route(applying.submit, Right.APPLY),
    "GET /applications/new": Route(applying.new_application, Right.APPLY),
    "GET /applications/to-decide": Route(applications.to_decide, Right.DECIDE),
    "GET /applications/break-glass": Route(applying.break_glass_page, Right.BREAK_GLASS),
    "POST /applications/break-glass": Route(applying.broken_glass, Right.BREAK_GLASS),
    "GET /applications/{request_id}": Route(applications.detail, Right.APPLY),
    "POST /applications/{request_id}/{act}": Route(applications.act, Right.APPLY),
    "GET /identity-check": Route(identity.check_form, Right.CHANGE_CALLS),
    "POST /identity-check": Route(identity.note_check, Right.CHANGE_CALLS),
    "GET /rules": Route(rules.rules_page, Right.MANAGE_USERS),
    "POST /rules": Route(rules.set_rules_by_form, Right.MANAGE_USERS),
    "POST /purpose": Route(applying.choose_purpose, Right.ENTER),
    "GET /integrations": Route(integrations.integrations_page, Right.MAKE_TOKENS),
    "POST /integrations/tokens": Route(integrations.make_token, Right.MAKE_TOKENS),
    "POST /integrations/tokens/{token_id}/revoke": Route(integrations.revoke_token, Right.MAKE_TOKENS),
    "POST /integrations/webhooks": Route(integrations.add_hook, Right.MANAGE_HOOKS),
    "GET /integrations/webhooks/{hook_id}": Route(integrations.hook_page, Right.MANAGE_HOOKS),
    "POST /integrations/webhooks/{hook_id}/end": Route(integrations.end_hook, Right.MANAGE_HOOKS),
    "POST /integrations/deliveries/{delivery_id}/again": Route(integrations.send_again, Right.MANAGE_HOOKS),
    "GET /audit": Route(trail.audit_page, Right.READ_AUDIT),
    "GET /audit/export": Route(trail.export_audit, Right.READ_AUDIT),
    "GET /audit/{row_id}": Route(trail.audit_row, Right.READ_AUDIT),
    "POST /audit/findings/{finding_id}": Route(trail.review_finding, Right.READ_AUDIT),
    "GET /api": Route(api.description_page, Right.ENTER),
    "GET /api/v1/openapi.json": Route(api.description, Right.ENTER),
}
ROUTES = PAGES | API


class Application(FastAPI):
    """FastAPI with our headers around everything, its own refusals and error pages included."""

    def build_middleware_stack(self) -> ASGIApp:
        """See Starlette; called once, at the first request."""
        return SecureAnswers(super().build_middleware_stack())


def build_app(parts: Parts) -> FastAPI:
    """The application; it holds no state besides `parts`."""
    app = Application(
        title="Branchline",
        version="1",
        description=api.ABOUT,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        max_body_size=LONGEST_BODY_BYTES,
    )
    app.state.parts = parts
    for address, route in ROUTES.items():
        _add(app, address, route)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.add_exception_handler(HTTPException, went_wrong)
    app.add_exception_handler(RequestValidationError, not_understood)
    app.add_exception_handler(Exception, broken)
    return app


def _add(app: FastAPI, address: str, route: Route) -> None:
    method, path = address.split(" ")
    is_api = address in API
    app.router.add_api_route(
        path,
        route.endpoint,
        methods=[method],
        dependencies=[Depends(guarded(route.needs))],
        include_in_schema=is_api,
        name=route.endpoint.__name__,
        status_code=route.status,
        route_class_override=OnceRoute if is_api else None,
        responses=PROBLEMS if is_api else None,
        max_body_size=route.longest_body_bytes,
    )
