"""Customers: the record, its numbers, contacts, organisation, packages, tags, history; their search index."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sync.db import run_script
from sync.search import index_script

revision = "0030"
down_revision = "0005"

_LIVE = sa.text("deleted_utc IS NULL")
_GONE = sa.text("deleted_utc IS NOT NULL")


def upgrade() -> None:
    """The tables, and on each engine its own index over `terms`."""
    _customers()
    _parts()
    _tags()
    _past()
    _search()


def _customers() -> None:
    texts = ("class_id", "name", "region", "industry", "email", "remark", "state", "consumption", "joined_on")
    op.create_table(
        "customers",
        sa.Column("no", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("box_id", sa.Text),
        sa.Column("kind", sa.Text, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in texts),
        *(sa.Column(f"{name}_sealed", sa.LargeBinary) for name in ("address", "identity", "bank")),
        sa.Column("identity_token", sa.Text),
        sa.Column("bank_token", sa.Text),
        sa.Column("key_id", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_utc", sa.Text, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("changed_utc", sa.Text, nullable=False),
        *(sa.Column(name, sa.Text) for name in ("synced_utc", "import_id", "deleted_utc", "deleted_by")),
        *(sa.Column(name, sa.Text) for name in ("deleted_why", "merged_into")),
        sa.Column("terms", sa.Text, nullable=False),
    )
    for name, by in (
        ("change", "changed_utc"),
        ("name", "name"),
        ("box", "box_id"),
        ("class", "class_id"),
        ("region", "region"),
    ):
        op.create_index(
            f"customers_by_{name}", "customers", [by, "no"], sqlite_where=_LIVE, postgresql_where=_LIVE
        )
    op.create_index(
        "customers_deleted", "customers", ["deleted_utc", "no"], sqlite_where=_GONE, postgresql_where=_GONE
    )
    for name, by in (
        ("identity", "identity_token"),
        ("bank", "bank_token"),
        ("key", "key_id"),
        ("import", "import_id"),
        ("merge", "merged_into"),
    ):
        op.create_index(f"customers_by_{name}", "customers", [by])


def _parts() -> None:
    op.create_table(
        "customer_numbers",
        sa.Column("id", sa.Text, primary_key=True),
        _of_customer(),
        sa.Column("contact_id", sa.Text),
        sa.Column("position", sa.Integer, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("said", "key", "kind", "last4", "last8")),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("is_primary", sa.Boolean, nullable=False),
    )
    for by in ("key", "last4", "last8"):
        op.create_index(f"customer_numbers_by_{by}", "customer_numbers", [by, "customer_id"])
    op.create_index("customer_numbers_by_token", "customer_numbers", ["token"])
    op.create_table(
        "customer_contacts",
        sa.Column("id", sa.Text, primary_key=True),
        _of_customer(),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("level", sa.Integer, nullable=False),
    )
    op.create_table(
        "org_nodes",
        sa.Column("id", sa.Text, primary_key=True),
        _of_customer(),
        sa.Column("parent_id", sa.Text),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
    )
    for table in ("customer_numbers", "customer_contacts", "org_nodes"):
        op.create_index(f"{table}_by_customer", table, ["customer_id", "position"])
    op.create_table(
        "customer_packages",
        sa.Column("id", sa.Text, primary_key=True),
        _of_customer(),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("service", "name", "started_on")),
        sa.Column("expires_on", sa.Text, nullable=False),
    )
    op.create_index("customer_packages_by_customer", "customer_packages", ["customer_id"])
    op.create_index("customer_packages_by_service", "customer_packages", ["service", "customer_id"])
    op.create_index("customer_packages_by_expiry", "customer_packages", ["expires_on"])


def _tags() -> None:
    op.create_table(
        "customer_classes",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("position", sa.Integer, nullable=False),
    )
    op.create_table(
        "tags",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("applied_utc", sa.Text),
    )
    op.create_table(
        "customer_tags",
        sa.Column(
            "customer_id", sa.Text, sa.ForeignKey("customers.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("tag_id", sa.Text, sa.ForeignKey("tags.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("by_rule", sa.Boolean, nullable=False),
    )
    op.create_index("customer_tags_by_tag", "customer_tags", ["tag_id", "customer_id"])


def _past() -> None:
    op.create_table(
        "customer_changes",
        *_told("customer_id"),
        sa.Column("what", sa.Text, nullable=False),
        *_sealed(nullable=True),
    )
    op.create_index("customer_changes_by_customer", "customer_changes", ["customer_id", "id"])
    op.create_table(
        "customer_merges",
        *_told("kept_id", "merged_id"),
        sa.Column("kept_version", sa.Integer, nullable=False),
        *_sealed(nullable=False),
        sa.Column("undone_utc", sa.Text),
    )
    op.create_index("customer_merges_by_kept", "customer_merges", ["kept_id"])
    op.create_table(
        "customer_imports",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("box_id", sa.Text),
        sa.Column("state", sa.Text, nullable=False),
        *_sealed(nullable=True),
        sa.Column("row_count", sa.Integer, nullable=False),
        sa.Column("at_utc", sa.Text, nullable=False),
    )
    op.create_index("customer_imports_by_user", "customer_imports", ["user_id", "id"])
    for table in ("customer_changes", "customer_merges", "customer_imports"):
        op.create_index(f"{table}_by_key", table, ["key_id"])


def _search() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE INDEX customers_by_terms ON customers USING gin (to_tsvector('simple', terms))")
        return
    driver = op.get_bind().connection.driver_connection
    assert driver is not None
    run_script(driver, index_script("customers", "no"))


def _of_customer() -> sa.Column[str]:
    owner = sa.ForeignKey("customers.id", ondelete="CASCADE")
    return sa.Column("customer_id", sa.Text, owner, nullable=False)


def _told(*about: str) -> list[sa.Column[str]]:
    names = ("at_utc", "user_name")
    return [
        sa.Column("id", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in (*about, *names)),
    ]


def _sealed(nullable: bool) -> list[sa.Column[object]]:
    return [
        sa.Column("sealed", sa.LargeBinary, nullable=nullable),
        sa.Column("key_id", sa.Text, nullable=False),
    ]
