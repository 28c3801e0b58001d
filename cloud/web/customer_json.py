"""Customers as JSON: what is answered, and what may be sent of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from cloud.access.shapes.customers import Customer
from cloud.customers.form import PERSONAL, SENSITIVE, Clear, Typed, as_typed
from cloud.customers.record import Record
from sync import particulars
from sync.particulars import Unfit

Chosen = Literal[
    "kind", "name", "address", "industry", "remark", "region", "class_id", "state", "consumption",
    "joined_on", "email", "identity", "bank",
]  # fmt: skip
SEPARATORS = frozenset(";；|\n\r\t")
STARS = "**"  # of a mask
Text = str | None


class NumberShown(BaseModel):
    """A number of the customer or of a contact."""

    said: Text = Field(description="as it was written")
    kind: Text = Field(description="mobile, fixed, service, foreign, extension or unknown")
    contact_id: Text = Field(description="null: the customer's own")
    is_primary: bool | None


class ContactShown(BaseModel):
    """Somebody to speak with at a customer's."""

    id: Text
    name: Text
    title: Text
    level: int | None = Field(description="1 decides, 2 recommends, 3 day to day, 0 not given")


class PackageShown(BaseModel):
    """A service taken, with its package."""

    service: Text
    name: Text
    started_on: Text
    expires_on: Text


class TagShown(BaseModel):
    """A tag of the customer."""

    tag_id: Text
    name: Text
    by_rule: bool | None = Field(description="true: it follows from a rule")


class CustomerShown(BaseModel):
    """A customer as you may see it: what is masked has stars in it, what is hidden is null."""

    id: str
    no: int
    version: int
    box_id: Text = Field(description="the branch's box; null: head office's own")
    branch: Text
    kind: Text = Field(description="individual or enterprise")
    name: Text
    class_id: Text
    class_name: Text
    region: Text
    industry: Text
    state: Text
    consumption: Text
    joined_on: Text
    remark: Text
    email: Text
    address: Text
    identity: Text
    bank: Text
    served_by: Text = Field(description="id of the user who serves the customer")
    created_utc: Text
    created_by: Text
    changed_utc: Text
    synced_utc: Text
    deleted_utc: Text
    deleted_by: Text
    deleted_why: Text
    numbers: list[NumberShown]
    contacts: list[ContactShown]
    packages: list[PackageShown]
    tags: list[TagShown]
    personal_clear: bool = Field(description="whether names, numbers and addresses are clear")
    sensitive_clear: bool = Field(description="whether identity and bank numbers are")

    @classmethod
    def of(cls, one: Customer) -> Self:
        """A customer of the serialiser as JSON knows it."""
        parts = {name: getattr(one, name) for name in ("numbers", "contacts", "packages", "tags")}
        clear = {"personal_clear": one.personal, "sensitive_clear": one.sensitive}
        return cls.model_validate({**one.fields, **parts, **clear})


class MergeWanted(BaseModel):
    """How one record is made of two."""

    model_config = ConfigDict(extra="forbid")

    take: list[Chosen] = Field(
        [], description="fields of which the other record's value counts; of the rest the kept one's does"
    )


class MergeMade(BaseModel):
    """Two records became one. `id`: what parts them again; read the customer for its new `ETag`."""

    id: str
    customer_id: str


class CustomerMade(BaseModel):
    """A customer that was added; read it for its `ETag`."""

    id: str


class CustomersShown(BaseModel):
    """Customers of a page. `next`: the cursor of the page after it; null on the last."""

    customers: list[CustomerShown]
    next: str | None


class SuggestionShown(BaseModel):
    """A customer that fits what is being typed."""

    id: str
    no: int
    name: Text
    number: Text
    branch: Text


class CommunicationShown(BaseModel):
    """What was said with whom, as a branch wrote it down."""

    id: str
    branch: Text
    kind: Text
    at_utc: Text
    call_id: Text
    from_popup: bool | None
    number: Text
    subject: Text
    content: Text
    feedback: Text
    creator_name: Text


class ChangeShown(BaseModel):
    """A line of the history: of each changed field its old and new value, as far as you may see them."""

    at_utc: str
    user_name: str
    what: str
    fields: dict[str, tuple[Any, Any]]


class ContactWanted(BaseModel):
    """A contact to be written."""

    model_config = ConfigDict(extra="forbid")

    name: str
    title: str = ""
    numbers: list[str] = Field(default_factory=list, max_length=particulars.MOST_NUMBERS)
    level: int = Field(0, ge=0, le=3)


class PackageWanted(BaseModel):
    """A package to be written."""

    model_config = ConfigDict(extra="forbid")

    service: str = Field(description="mobile, broadband, landline, trunk, tv or other")
    name: str = ""
    started_on: str = Field("", description="2026-02-03")
    expires_on: str = ""


class CustomerWanted(BaseModel):
    """A customer to be written. What is masked for you stays as it was unless you send it; what you send of
    a list that is masked for you is added to it."""

    model_config = ConfigDict(extra="forbid")

    name: str = ""
    kind: str = Field("individual", description="individual or enterprise")
    numbers: list[str] = Field(default_factory=list, max_length=particulars.MOST_NUMBERS)
    contacts: list[ContactWanted] = Field(default_factory=list, max_length=particulars.MOST_CONTACTS)
    packages: list[PackageWanted] = Field(default_factory=list, max_length=20)
    tags: list[str] = Field(default_factory=list, max_length=particulars.MOST_TAGS)
    address: str = ""
    industry: str = ""
    remark: str = ""
    region: str = ""
    class_id: str = ""
    state: str = Field("active", description="active or closed")
    consumption: str = Field("", description="high, middle or low")
    joined_on: str = Field("", description="2026-02-03")
    email: str = ""
    identity: str = ""
    bank: str = ""
    served_by: str | None = Field(None, description='id of a user; "": nobody; only managers say so')


class NewCustomer(CustomerWanted):
    """A customer to be added."""

    box_id: str = Field("", description="the branch's box; empty: head office's own, if you see all branches")


class CustomerPatch(CustomerWanted):
    """Fields to be changed; those that are not sent stay as they are."""


TEXTS = tuple(
    name for name, field in CustomerWanted.model_fields.items() if field.annotation is str
)  # fields that are plain text


def typed_of(wanted: CustomerWanted) -> Typed:
    """What was sent, as the form would have it; Unfit."""
    texts = {name: _plain(getattr(wanted, name)) for name in TEXTS}
    texts |= {"numbers": _joined(wanted.numbers), "tags": _joined(wanted.tags)}
    if isinstance(wanted, NewCustomer):
        texts["box_id"] = wanted.box_id
    contacts = [
        {"name": _plain(one.name), "title": _plain(one.title), "numbers": _joined(one.numbers),
         "level": str(one.level)}
        for one in wanted.contacts
    ]  # fmt: skip
    packages = [{name: _plain(text) for name, text in one.model_dump().items()} for one in wanted.packages]
    return Typed(texts, contacts, packages)


def patched(patch: CustomerPatch, before: Record, seen: Clear) -> Typed:
    """The record as the form opens it, with what was sent put over it; Unfit."""
    as_it_is, sent, named = as_typed(before, seen), typed_of(patch), patch.model_fields_set
    return Typed(
        {**as_it_is.texts, **{name: text for name, text in sent.texts.items() if name in named}},
        sent.contacts if "contacts" in named else as_it_is.contacts,
        sent.packages if "packages" in named else as_it_is.packages,
    )


def refuse_masks(typed: Typed, seen: Clear) -> Typed:
    """Unfit when a masked value comes back as if it were one, which would overwrite what it hides."""
    guarded = [typed.texts.get(name, "") for name in (*PERSONAL, "numbers") if not seen.personal]
    guarded += [typed.texts.get(name, "") for name in SENSITIVE if not seen.sensitive]
    if not seen.personal:
        guarded += [
            typed.texts.get("numbers", ""),
            *(text for one in typed.contacts for text in one.values()),
        ]
    if any(STARS in text for text in guarded):
        raise Unfit("masked")
    return typed


def _joined(texts: Sequence[str]) -> str:
    if any(SEPARATORS & set(text) for text in texts):
        raise Unfit("separator")
    return "\n".join(map(_plain, texts))


def _plain(text: str) -> str:
    return text.replace("\0", "")
