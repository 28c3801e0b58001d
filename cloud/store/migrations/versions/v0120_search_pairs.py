"""Customers by each pair of characters in their words, newest last, on PostgreSQL."""

from __future__ import annotations

from alembic import op

revision = "0120"
down_revision = "0092"

_PAIRS = "SELECT DISTINCT pair FROM unnest(string_to_array(%s.terms, ' ')) pair WHERE length(pair) = 2"
_COME = f"""
    INSERT INTO customers_search_pairs (pair, no, box_id)
    SELECT pair, come.no, coalesce(come.box_id, '') FROM {{rows}} come, LATERAL ({_PAIRS % "come"}) pairs
"""
_GO = f"DELETE FROM customers_search_pairs WHERE no = OLD.no AND pair IN ({_PAIRS % 'OLD'})"
_OTHER = "OLD.terms IS DISTINCT FROM NEW.terms OR OLD.box_id IS DISTINCT FROM NEW.box_id"


def upgrade() -> None:
    """One table, and the triggers that keep it."""
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute("""
        CREATE TABLE customers_search_pairs (
            pair text COLLATE "C" NOT NULL, no bigint NOT NULL, box_id text COLLATE "C" NOT NULL
        )
    """)
    op.execute(_COME.format(rows="customers"))
    op.execute("ALTER TABLE customers_search_pairs ADD PRIMARY KEY (pair, no) INCLUDE (box_id)")
    op.execute("CREATE INDEX customers_search_pairs_by_box ON customers_search_pairs (pair, box_id, no)")
    changed = _COME.format(rows="(SELECT NEW.no, NEW.box_id, NEW.terms)")
    for name, body, when in (
        ("insert", _COME.format(rows="added"), "REFERENCING NEW TABLE AS added FOR EACH STATEMENT"),
        ("update", f"{_GO}; {changed}", f"FOR EACH ROW WHEN ({_OTHER})"),
        ("delete", _GO, "FOR EACH ROW"),
    ):
        made = f"customers_search_pairs_{name}"
        op.execute(f"""
            CREATE FUNCTION {made}() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN {body}; RETURN NULL; END $$
        """)
        op.execute(f"CREATE TRIGGER {made} AFTER {name} ON customers {when} EXECUTE FUNCTION {made}()")
