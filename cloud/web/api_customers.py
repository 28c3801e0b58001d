"""Customers over the API: what the pages do, through the same functions, with versions and conditions."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from cloud.access.decision import SENTENCES as SENTENCES_OF_REFUSALS
from cloud.access.decision import Verb
from cloud.access.roles import Right
from cloud.customers.form import Clear, Typed
from cloud.customers.record import Record
from cloud.store.customer_writes import ChangedSince
from cloud.web import customer_words as words
from cloud.web.answers import translate
from cloud.web.customer_deeds import fetch_bin, remove, take_out
from cloud.web.customer_duplicates import merge_pair, part_again
from cloud.web.customer_form import change, create
from cloud.web.customer_json import (
    ChangeShown,
    CommunicationShown,
    CustomerMade,
    CustomerPatch,
    CustomerShown,
    CustomersShown,
    CustomerWanted,
    MergeMade,
    MergeWanted,
    NewCustomer,
    SuggestionShown,
    patched,
    refuse_masks,
    typed_of,
)
from cloud.web.customer_query import SENTENCES, CustomerQuery, FilterRefused, read_query
from cloud.web.customer_reading import fetch_one, fetch_page
from cloud.web.customers import fetch_communications, fetch_history
from cloud.web.door import person_of
from cloud.web.etags import IfMatch, IfNoneMatch, Stale, etag_of, seen_version, told
from cloud.web.parts import parts_of
from sync.particulars import Unfit

CustomerId = Annotated[str, Path(max_length=64)]
SUGGESTED = "8"


class CustomerFields(BaseModel):
    """What may be asked of the list of customers; `cloud.web.customer_query` checks the values."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    q: str = Field("", description="words of a name, a whole number or its last four digits, or an id number")
    kind: str = Field("", description="individual or enterprise")
    class_: str = Field("", alias="class", description="id of a class")
    region: str = ""
    branch: str = Field("", description="id of a branch's box")
    service: str = Field("", description="mobile, broadband, landline, trunk, tv or other")
    tag: str = Field("", description="id of a tag")
    consumption: str = Field("", description="high, middle or low")
    state: str = Field("", description="active or closed")
    sort: str = Field("", description="newest (if not given), changed or region")
    cursor: str = Field("", description="`next` of the page before")
    limit: str = Field("", description="customers per page: 1 to 200, 50 if not given")


def list_customers(request: Request, fields: Annotated[CustomerFields, Query()]) -> CustomersShown:
    """Customers of all your branches, newest first."""
    found = fetch_page(request, _query(request, fields.model_dump(by_alias=True)))
    return CustomersShown(customers=list(map(CustomerShown.of, found.customers)), next=found.next)


def suggest_customers(
    request: Request, q: Annotated[str, Query(description="as for the list")] = ""
) -> list[SuggestionShown]:
    """The first few customers that fit what is being typed."""
    found = fetch_page(request, _query(request, {"q": q, "limit": SUGGESTED}))
    shown = map(CustomerShown.of, found.customers)
    return [
        SuggestionShown(
            id=one.id, no=one.no, name=one.name, branch=one.branch,
            number=one.numbers[0].said if one.numbers else None,
        )
        for one in shown
    ]  # fmt: skip


def get_customer(
    request: Request, customer_id: CustomerId, if_none_match: IfNoneMatch = None
) -> CustomerShown:
    """One customer with contacts, numbers, packages and tags. `ETag`: what a change has to name."""
    return _told(request, customer_id, if_none_match)  # type: ignore[return-value]


def add_customer(request: Request, wanted: NewCustomer) -> CustomerMade:
    """Add a customer: a name, a number or a contact, and a package at least."""
    try:
        customer_id = create(request, typed_of(wanted), wanted.kind, _served_by(request, wanted))
    except Unfit as fault:
        raise _unfit(request, fault) from fault
    return CustomerMade(id=customer_id)


def replace_customer(
    request: Request, customer_id: CustomerId, wanted: CustomerWanted, if_match: IfMatch = None
) -> CustomerShown:
    """Write a customer anew: what is not sent becomes empty. Needs `If-Match`."""
    return _change(request, customer_id, wanted, if_match)  # type: ignore[return-value]


def change_customer(
    request: Request, customer_id: CustomerId, wanted: CustomerPatch, if_match: IfMatch = None
) -> CustomerShown:
    """Change the fields of a customer that are sent. Needs `If-Match`."""
    return _change(request, customer_id, wanted, if_match)  # type: ignore[return-value]


def delete_customer(
    request: Request,
    customer_id: CustomerId,
    why: Annotated[str, Query(max_length=200)] = "",
    if_match: IfMatch = None,
) -> Response:
    """Put a customer into the recycle bin for seven days. Needs `If-Match`."""
    version = seen_version(if_match, customer_id)
    found = fetch_one(request, customer_id, Verb.CHANGE, noted=False)
    try:
        remove(request, found, why, version)
    except ChangedSince as error:
        raise Stale from error
    return Response(status_code=204)


def list_bin(request: Request) -> list[CustomerShown]:
    """The recycle bin, the last customer put there first."""
    return list(map(CustomerShown.of, fetch_bin(request)))


def restore_customer(request: Request, customer_id: CustomerId) -> Response:
    """Take a customer out of the recycle bin."""
    take_out(request, customer_id)
    return Response(status_code=204)


def merge_customers(
    request: Request,
    customer_id: CustomerId,
    other_id: CustomerId,
    wanted: MergeWanted,
    if_match: IfMatch = None,
) -> MergeMade:
    """Make the other record part of this one. `If-Match` names the ETags of both, with a comma between."""
    versions = (seen_version(if_match, customer_id), seen_version(if_match, other_id))
    try:
        seen = (str(versions[0]), str(versions[1]))
        merge_id = merge_pair(request, (customer_id, other_id), seen, dict.fromkeys(wanted.take, "other"))
    except Unfit as fault:
        raise _unfit(request, fault) from fault
    except ChangedSince as error:
        raise Stale from error
    return MergeMade(id=merge_id, customer_id=customer_id)


def undo_merge(request: Request, merge_id: Annotated[str, Path(max_length=64)]) -> Response:
    """Part two records again, as they were; 409 once the record was changed."""
    part_again(request, merge_id)
    return Response(status_code=204)


def list_communications(request: Request, customer_id: CustomerId) -> list[CommunicationShown]:
    """What was said with a customer, the newest hundred, last first."""
    found = fetch_one(request, customer_id, noted=False)
    return [CommunicationShown.model_validate(one) for one in fetch_communications(request, found)]


def list_changes(request: Request, customer_id: CustomerId) -> list[ChangeShown]:
    """What happened to a customer, last first."""
    found = fetch_one(request, customer_id, tab="history")
    return [ChangeShown.model_validate(one) for one in fetch_history(request, found)]


def _query(request: Request, given: dict[str, str]) -> CustomerQuery:
    try:
        return read_query(given, parts_of(request).ring.tokens)
    except FilterRefused as refused:
        sentences = (translate(request, SENTENCES[field]) for field in refused.fields)
        raise HTTPException(422, " ".join(sentences)) from refused


def _change(request: Request, customer_id: str, wanted: CustomerWanted, if_match: str | None) -> Response:
    version = seen_version(if_match, customer_id)
    found = fetch_one(request, customer_id, Verb.CHANGE, noted=False)

    def typed(before: Record, seen: Clear) -> Typed:
        refuse_masks(sent := typed_of(wanted), seen)
        return patched(wanted, before, seen) if isinstance(wanted, CustomerPatch) else sent

    try:
        if found.row["version"] != version:
            raise ChangedSince(customer_id)
        change(request, found, version, typed, _served_by(request, wanted))
    except Unfit as fault:
        raise _unfit(request, fault) from fault
    except ChangedSince as error:
        raise Stale from error
    return _told(request, customer_id, None)


def _told(request: Request, customer_id: str, seen_before: str | None) -> Response:
    shown = CustomerShown.of(fetch_one(request, customer_id).shown)
    body = shown.model_dump_json()
    return told(body, etag_of(shown.id, shown.version, body), seen_before)


def _served_by(request: Request, wanted: CustomerWanted) -> str | None:
    """Who is to serve the customer, if that was sent; refused of those who may not say so."""
    if wanted.served_by is not None and not person_of(request).may(Right.MANAGE_CUSTOMERS):
        raise HTTPException(403, SENTENCES_OF_REFUSALS["role"])
    return wanted.served_by


def _unfit(request: Request, fault: Unfit) -> HTTPException:
    return HTTPException(422, translate(request, words.FAULTS[str(fault)]))
