"""The access log grows into the audit trail: full rows, hash-chained, never changed; old lines become its
first rows.

How a row is hashed stands here once more as it was on this day; `cloud.store.trail` may go on.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0030"

_LOGGED_IN = ("log_in", "log_in_refused", "log_out")
_TEXTS = (
    "id", "at_utc", "actor_id", "actor_name", "role", "unit_id", "session", "address", "user_agent",
    "channel", "action", "kind", "object_id", "box_id", "fields", "query", "changes", "purpose", "grants",
    "result", "reason", "trace_id",
)  # fmt: skip
_INDEXED = (("actor", "actor_name"), ("action", "action"), ("kind", "kind"), ("object", "object_id"),
            ("box", "box_id"), ("purpose", "purpose"))  # fmt: skip
_KEPT = "the audit trail is only ever added to"
_SIGNED = (
    ("trail_anchors", "n = NEW.n"),
    ("trail_stubs", "chain = NEW.chain AND last_seq = NEW.last_seq"),
)  # table -> the row a new one would replace
_COVERED = "SELECT 1 FROM trail_stubs WHERE chain = OLD.chain AND OLD.seq <= last_seq"


def upgrade() -> None:
    """New tables, the old lines as their first rows, and the triggers."""
    db = op.get_bind()
    old = db.execute(sa.text("SELECT * FROM access_log ORDER BY id")).mappings().all()
    op.drop_table("access_log")
    _make_tables()
    head, seq = bytes(32), 0
    log = sa.Table("access_log", sa.MetaData(), autoload_with=db)
    for seq, line in enumerate(old, 1):
        row = _row(dict(line), seq, head)
        head = row["hash"]
        db.execute(log.insert(), row)
    if old:
        heads = sa.Table("trail_heads", sa.MetaData(), autoload_with=db)
        db.execute(heads.insert(), {"chain": 1, "seq": seq, "hash": head})
        others = range(2, 9) if db.dialect.name == "postgresql" else ()
        for chain in others:
            db.execute(heads.insert(), {"chain": chain, "seq": 0, "hash": bytes(32)})
    statements = _ON_POSTGRESQL if db.dialect.name == "postgresql" else _ON_SQLITE
    for statement in statements:
        op.execute(sa.text(statement.replace(":", "\\:")))


def _make_tables() -> None:
    texts = [sa.Column(name, sa.Text, primary_key=name == "id", nullable=False) for name in _TEXTS]
    op.create_table(
        "access_log",
        *texts,
        sa.Column("chain", sa.Integer, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("row_count", sa.Integer, nullable=False),
        sa.Column("ids", sa.LargeBinary, nullable=False),
        sa.Column("prev", sa.LargeBinary, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
    )
    op.create_index("access_log_by_chain", "access_log", ["chain", "seq"], unique=True)
    for name, column in _INDEXED:
        op.create_index(f"access_log_by_{name}", "access_log", [column, "id"])
    refused = sa.text("result = 'refused'")
    op.create_index(
        "access_log_refused", "access_log", ["id"], sqlite_where=refused, postgresql_where=refused
    )
    op.create_table(
        "trail_heads",
        sa.Column("chain", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
    )
    op.create_table("trail_anchors", _number("n"), *_signed())
    op.create_table("trail_stubs", _number("chain", sa.Integer), _number("last_seq"), *_signed())


def _number(name: str, kind: Any = sa.BigInteger) -> sa.Column[Any]:
    return sa.Column(name, kind, primary_key=True, autoincrement=False)


def _signed() -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in ("body", "key", "sig")]


def _row(line: dict[str, Any], seq: int, prev: bytes) -> dict[str, Any]:
    row = dict.fromkeys(_TEXTS, "")
    about_user = line["action"] in _LOGGED_IN
    row |= {name: line[name] for name in ("id", "at_utc", "session", "address", "action")}
    row |= {"fields": "[]", "query": "{}", "changes": "{}", "grants": "[]", "result": "done"}
    row |= {"actor_name": line["user_name"], "object_id": line["subject"]}
    row |= {"kind": "users" if about_user else "recordings" if line["action"] == "play" else "quarantine"}
    full = {**row, "chain": 1, "seq": seq, "row_count": 0, "ids": "", "prev": prev}
    text = json.dumps(
        {**full, "prev": b64encode(prev).decode()}, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    hashed = hashlib.sha256(b"branchline trail 1\n" + text.encode()).digest()
    return {**full, "ids": b"", "hash": hashed}


_ON_SQLITE = (
    f"CREATE TRIGGER access_log_unchanged BEFORE UPDATE ON access_log"
    f" BEGIN SELECT RAISE(ABORT, '{_KEPT}'); END",
    f"CREATE TRIGGER access_log_kept BEFORE DELETE ON access_log WHEN NOT EXISTS ({_COVERED})"
    f" BEGIN SELECT RAISE(ABORT, '{_KEPT}'); END",
    # INSERT OR REPLACE deletes without asking the trigger above.
    "CREATE TRIGGER access_log_not_replaced BEFORE INSERT ON access_log"
    " WHEN EXISTS (SELECT 1 FROM access_log WHERE id = NEW.id OR (chain = NEW.chain AND seq = NEW.seq)"
    f" OR rowid = NEW.rowid) BEGIN SELECT RAISE(ABORT, '{_KEPT}'); END",
    *(
        f"CREATE TRIGGER {table}_{word} BEFORE {deed} ON {table} {when}"
        f" BEGIN SELECT RAISE(ABORT, '{_KEPT}'); END"
        for table, key in _SIGNED
        for word, deed, when in (
            ("unchanged", "UPDATE", ""),
            ("kept", "DELETE", ""),
            ("not_replaced", "INSERT", f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {key})"),
        )
    ),
)
_ON_POSTGRESQL = (
    "CREATE FUNCTION trail_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    f" RAISE EXCEPTION '{_KEPT}'; END $$",
    "CREATE FUNCTION trail_row_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    f" IF EXISTS ({_COVERED}) THEN RETURN OLD; END IF;"
    f" RAISE EXCEPTION '{_KEPT}'; END $$",
    "CREATE TRIGGER access_log_kept BEFORE DELETE ON access_log"
    " FOR EACH ROW EXECUTE FUNCTION trail_row_kept()",
    "CREATE TRIGGER access_log_unchanged BEFORE UPDATE OR TRUNCATE ON access_log"
    " FOR EACH STATEMENT EXECUTE FUNCTION trail_only_grows()",
    *(
        f"CREATE TRIGGER {table}_unchanged BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION trail_only_grows()"
        for table, _ in _SIGNED
    ),
)
