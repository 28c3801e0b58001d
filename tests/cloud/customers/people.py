"""Customers for tests, and the secrets that must be nowhere in the clear."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Engine

from cloud.customers.record import Package, Record, check
from cloud.field_keys import FieldKey, Keyring
from cloud.store.customer_rows import Whose
from cloud.store.customer_writes import New, Stamp, add_customers
from cloud.store.database import write
from sync.ids import new_id
from sync.particulars import Contact, Particulars

AT = "2026-03-02T04:00:00.000Z"
BY = Stamp("wang", AT)
RING = Keyring((FieldKey.new(AT),))
IDENTITY, BANK, ADDRESS = "530102199003071234", "6222021234567890123", "昆明市盘龙区秘密巷七号"
SECRETS = (IDENTITY, BANK, ADDRESS)


def record(name: str = "王小明", *numbers: str, **fields: object) -> Record:
    """A checked record; `fields` of Particulars or of Record."""
    own = {key: value for key, value in fields.items() if key in Particulars.__slots__}
    rest = {key: value for key, value in fields.items() if key not in own}
    what = Particulars(name, numbers=numbers, **own)  # type: ignore[arg-type]
    return check(replace(Record(what), **rest))  # type: ignore[arg-type]


def full_record() -> Record:
    """Somebody of whom everything is known."""
    return record(
        "昆明东风商贸有限公司",
        "0871-65123456",
        "13800138000",
        kind="enterprise",
        contacts=(Contact("张经理", "采购", ("13912345678",), 1), Contact("李会计", "财务", (), 3)),
        address=ADDRESS,
        industry="批发",
        tags=("高净值",),
        remark="老客户",
        region="云南昆明",
        consumption="high",
        joined_on="2020-01-15",
        email="zhang@example.cn",
        identity=IDENTITY,
        bank=BANK,
        packages=(Package("broadband", "500M", "2025-03-01", "2026-03-20"),),
    )


def add(engine: Engine, one: Record, box_id: str | None = None, ring: Keyring = RING) -> str:
    """The id of a customer added."""
    whose = Whose(new_id(), box_id)
    with write(engine) as db:
        add_customers(db, ring, [New(whose, one)], BY)
    return whose.id
