"""The tables of customers: the record, its numbers, contacts, organisation, packages, tags, history.

A record is addressed by its id; `no` is for the search index and for paging alone. What is sealed
(`cloud.field_keys`) is sealed value by value, and `key_id` says with which key all of a row is.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    text,
    true,
)

from cloud.store.metadata import metadata

_LIVE = text("deleted_utc IS NULL")
_GONE = text("deleted_utc IS NOT NULL")
_OF_CUSTOMER = "customers.id"


def _live(name: str, *columns: str) -> Index:
    """An index of customers that are not deleted."""
    return Index(name, *columns, sqlite_where=_LIVE, postgresql_where=_LIVE)


def _of_customer() -> Column[str]:
    return Column("customer_id", Text, ForeignKey(_OF_CUSTOMER, ondelete="CASCADE"), nullable=False)


customers = Table(
    "customers",
    metadata,
    Column("no", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("box_id", Text),  # the branch it comes from; None: head office's own
    Column("kind", Text, nullable=False),  # sync.particulars.KINDS
    Column("class_id", Text, nullable=False),  # of customer_classes; "": none
    Column("name", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("industry", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("remark", Text, nullable=False),
    Column("state", Text, nullable=False),  # cloud.customers.record.STATES
    Column("consumption", Text, nullable=False),  # CONSUMPTIONS, or ""
    Column("joined_on", Text, nullable=False),  # a day, or ""
    Column("address_sealed", LargeBinary),
    Column("identity_sealed", LargeBinary),
    Column("bank_sealed", LargeBinary),
    Column("identity_token", Text),
    Column("bank_token", Text),
    Column("key_id", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_utc", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("changed_utc", Text, nullable=False),
    Column("synced_utc", Text),  # when its branch was last asked about it
    Column("import_id", Text),
    Column("deleted_utc", Text),
    Column("deleted_by", Text),
    Column("deleted_why", Text),
    Column("merged_into", Text),  # the customer it is part of now
    Column("terms", Text, nullable=False),  # sync.search; "" when deleted
    Column("served_by", Text),  # the user who serves them (客户经理)
    _live("customers_by_change", "changed_utc", "no"),
    _live("customers_by_name", "name", "no"),
    _live("customers_by_box", "box_id", "no"),
    _live("customers_by_class", "class_id", "no"),
    _live("customers_by_region", "region", "no"),
    Index("customers_by_identity", "identity_token"),
    Index("customers_by_bank", "bank_token"),
    Index("customers_by_key", "key_id"),
    Index("customers_by_import", "import_id"),
    Index("customers_by_merge", "merged_into"),
    _live("customers_by_server", "served_by", "no"),
    Index("customers_deleted", "deleted_utc", "no", sqlite_where=_GONE, postgresql_where=_GONE),
)

customer_numbers = Table(
    "customer_numbers",
    metadata,
    Column("id", Text, primary_key=True),
    _of_customer(),
    Column("contact_id", Text),  # None: the customer's own
    Column("position", Integer, nullable=False),
    Column("said", Text, nullable=False),  # as people wrote it
    Column("key", Text, nullable=False),  # sync.phone.Number.keys[0]: E.164, digits of a service, local:...
    Column("kind", Text, nullable=False),  # sync.phone.Number.kind
    Column("last4", Text, nullable=False),
    Column("last8", Text, nullable=False),
    Column("token", Text, nullable=False),
    Column("is_primary", Boolean, nullable=False),
    Column("vouched", Boolean, nullable=False, server_default=true()),  # cloud.store.serving
    Index("customer_numbers_by_customer", "customer_id", "position"),
    Index("customer_numbers_by_key", "key", "customer_id"),
    Index("customer_numbers_by_last4", "last4", "customer_id"),
    Index("customer_numbers_by_last8", "last8", "customer_id"),
    Index("customer_numbers_by_token", "token"),
)

customer_contacts = Table(
    "customer_contacts",
    metadata,
    Column("id", Text, primary_key=True),
    _of_customer(),
    Column("position", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("level", Integer, nullable=False),  # sync.particulars.LEVELS
    Index("customer_contacts_by_customer", "customer_id", "position"),
)

org_nodes = Table(  # a customer's own organisation chart
    "org_nodes",
    metadata,
    Column("id", Text, primary_key=True),
    _of_customer(),
    Column("parent_id", Text),  # None: at the top
    Column("kind", Text, nullable=False),  # cloud.customers.chart.KINDS
    Column("name", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Index("org_nodes_by_customer", "customer_id", "position"),
)

customer_packages = Table(
    "customer_packages",
    metadata,
    Column("id", Text, primary_key=True),
    _of_customer(),
    Column("service", Text, nullable=False),  # cloud.customers.record.SERVICES
    Column("name", Text, nullable=False),
    Column("started_on", Text, nullable=False),
    Column("expires_on", Text, nullable=False),
    Index("customer_packages_by_customer", "customer_id"),
    Index("customer_packages_by_service", "service", "customer_id"),
    Index("customer_packages_by_expiry", "expires_on"),
)

customer_classes = Table(
    "customer_classes",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("position", Integer, nullable=False),
)

tags = Table(
    "tags",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("rule", Text, nullable=False),  # cloud.customers.tag_rules; "": given by hand only
    Column("applied_utc", Text),  # when its rule was last evaluated for everybody
)

customer_tags = Table(
    "customer_tags",
    metadata,
    Column("customer_id", Text, ForeignKey(_OF_CUSTOMER, ondelete="CASCADE"), primary_key=True),
    Column("tag_id", Text, ForeignKey("tags.id", ondelete="CASCADE"), primary_key=True),
    Column("by_rule", Boolean, nullable=False),
    Index("customer_tags_by_tag", "tag_id", "customer_id"),
)

customer_changes = Table(  # who changed what, when; only ever added to
    "customer_changes",
    metadata,
    Column("id", Text, primary_key=True),
    Column("customer_id", Text, nullable=False),
    Column("at_utc", Text, nullable=False),
    Column("user_name", Text, nullable=False),
    Column("what", Text, nullable=False),  # cloud.web.customer_words.DEEDS
    Column("sealed", LargeBinary),  # JSON {field: [old, new]}
    Column("key_id", Text, nullable=False),
    Index("customer_changes_by_customer", "customer_id", "id"),
    Index("customer_changes_by_key", "key_id"),
)

customer_merges = Table(
    "customer_merges",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kept_id", Text, nullable=False),
    Column("merged_id", Text, nullable=False),
    Column("kept_version", Integer, nullable=False),  # after the merge; another one and it cannot be undone
    Column("at_utc", Text, nullable=False),
    Column("user_name", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),  # both records as they were
    Column("key_id", Text, nullable=False),
    Column("undone_utc", Text),
    Index("customer_merges_by_kept", "kept_id"),
    Index("customer_merges_by_key", "key_id"),
)

customer_imports = Table(
    "customer_imports",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("box_id", Text),  # the branch the rows are to belong to
    Column("state", Text, nullable=False),  # checked | done | undone
    Column("sealed", LargeBinary),  # the file as it came, until it is taken in
    Column("key_id", Text, nullable=False),
    Column("row_count", Integer, nullable=False),
    Column("at_utc", Text, nullable=False),
    Index("customer_imports_by_user", "user_id", "id"),
    Index("customer_imports_by_key", "key_id"),
)

communications = Table(  # sync.events.CommunicationAdded: what branches wrote down
    "communications",
    metadata,
    Column("id", Text, primary_key=True),
    Column("box_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("at_utc", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("created_utc", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("feedback", Text, nullable=False),
    Column("customer_id", Text),  # no reference: it may not be here yet
    Column("customer_name", Text, nullable=False),
    Column("number", Text, nullable=False),
    Column("number_key", Text, nullable=False),  # as customer_numbers.key; "": none
    Column("call_id", Text),
    Column("from_popup", Boolean, nullable=False),
    Column("creator_name", Text, nullable=False),
    Column("creator_number", Text, nullable=False),
    Column("creator_group", Text, nullable=False),
    Column("received_utc", Text, nullable=False),
    Column("cleared_utc", Text),  # taken out of the branch's lists then
    Index("communications_by_customer", "customer_id", "at_utc"),
    Index("communications_by_number", "number_key", "at_utc"),
    Index("communications_by_call", "call_id"),
)

branch_customers = Table(  # sync.events.CustomerSaved: as their branches keep them
    "branch_customers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("box_id", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),  # the highest there was
    Column("said", Text, nullable=False),  # JSON of the event
    Column("received_utc", Text, nullable=False),
    Column("taken_revision", BigInteger, nullable=False),  # dealt with up to this one; 0: none
    Column("taken_said", Text, nullable=False),  # as `said` when it was last taken in; "": never
    Column("taken_utc", Text),
    Column("fault", Text, nullable=False),  # of cloud.customers.from_branch; "": it was taken in
    Index(
        "branch_customers_waiting",
        "box_id",
        "received_utc",
        sqlite_where=text("revision > taken_revision"),
        postgresql_where=text("revision > taken_revision"),
    ),
)
