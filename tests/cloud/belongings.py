"""What belongs to others in a head office: things that they made for themselves, and what happened before.

All of it holds what the one who looks may not know: the sheet that somebody uploaded, the address of a
webhook, a filter, the name of a token; the history of a customer, what was said with them, what has happened.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, select

from cloud.apply import APPLY
from cloud.store import customer_imports, customer_writes, happenings, saved_filters, tokens, webhooks
from cloud.store.customer_writes import Stamp
from cloud.store.database import read, write
from cloud.store.tokens import NewToken
from cloud.store.webhooks import DELIVERIES, HOOKS, NewHook, secret_place
from cloud.webhooks.attempts import State
from cloud.webhooks.kinds import CALL_ENDED, CUSTOMER_SAVED, RECORDING_STORED, REPORT_SETTLED
from sync.arriving import Origin
from sync.events import CommunicationAdded
from sync.ids import new_id
from sync.inbox import Told
from sync.sheets import CUSTOMERS, write_sheet
from tests.cloud.house import House

SAID = "13976412853 called, identity 530102198803127716"
CHANGED = {
    "numbers": ["13976412853", "087168943127"],
    "identity": ["", "530102198803127716"],
    "remark": ["", SAID],
}
LATER_UTC = "2027-01-01T00:00:00.000Z"


@dataclass(frozen=True, slots=True)
class OfOthers:
    """The ids of what belongs to somebody else, by the parameter of a path."""

    token_id: str
    hook_id: str
    delivery_id: str
    filter_id: str
    import_id: str


def of_others(house: House) -> OfOthers:
    """Somebody else's token, webhook with a telling that was given up, filter and uploaded sheet."""
    owner, now_utc = house.add_user(f"another {new_id()[-6:]}", "admin"), house.parts.clock.now_utc()
    hook_id, ring = new_id(), house.parts.ring
    rows = [("", "个人", "祝雪莲", "13976412853", *("",) * 8), ("", "个人", "", "087168943127", *("",) * 8)]
    sealed = ring.active.seal("told once", secret_place(hook_id))
    with write(house.parts.engine) as db:
        token_id, _ = tokens.make_token(db, NewToken(owner, SAID, ("read_calls",), "", LATER_UTC), now_utc)
        hook = NewHook(hook_id, owner, "https://crm.example.cn/13976412853", (CALL_ENDED,), sealed)
        webhooks.add_hook(db, hook, now_utc)
        webhooks.note(db, CALL_ENDED, ["13976412853"], now_utc)
        db.execute(DELIVERIES.update().values(state=State.DEAD.value, fault=SAID))
        saved_filters.save_filter(db, owner, "calls", SAID[:40], "party=13976412853", now_utc)
        import_id = customer_imports.keep_sheet(
            db, ring, owner, None, write_sheet(CUSTOMERS, rows), 2, now_utc
        )
        delivery_id = db.execute(select(DELIVERIES.c.id).where(DELIVERIES.c.hook_id == hook_id)).scalar_one()
        (filter_row,) = saved_filters.filters_of(db, owner, "calls")
    return OfOthers(token_id, hook_id, delivery_id, filter_row["id"], import_id)


def untouched(house: House, made: OfOthers) -> bool:
    """Whether all of it is as it was."""
    kept: list[tuple[Table, str, dict[str, Any]]] = [
        (tokens.TOKENS, made.token_id, {"revoked_utc": None}),
        (HOOKS, made.hook_id, {"ended_utc": None}),
        (DELIVERIES, made.delivery_id, {"state": State.DEAD.value}),
        (saved_filters.saved_filters, made.filter_id, {"page": "calls"}),
        (customer_imports.customer_imports, made.import_id, {"state": "checked"}),
    ]
    with read(house.parts.engine) as db:
        for table, row_id, values in kept:
            row = db.execute(select(table).where(table.c.id == row_id)).mappings().one_or_none()
            if row is None or any(row[name] != value for name, value in values.items()):
                return False
    return True


def happened(house: House, call_id: str, recording_id: str, report_id: str, customer_id: str) -> None:
    """All that the event feed can tell of."""
    told = ((CALL_ENDED, call_id), (RECORDING_STORED, recording_id), (REPORT_SETTLED, report_id))
    with write(house.parts.engine) as db:
        for kind, object_id in (*told, (CUSTOMER_SAVED, customer_id)):
            happenings.note(db, kind, [object_id], house.parts.clock.now_utc())


def past_of(house: House, customer_id: str) -> None:
    """A change of a customer, and something that was said with them."""
    now_utc = house.parts.clock.now_utc()
    said = CommunicationAdded(
        new_id(), "visit", now_utc, SAID, now_utc, customer_id=customer_id, customer_name="祝雪莲",
        number="13976412853", subject=SAID, feedback=SAID,
    )  # fmt: skip
    with write(house.parts.engine) as db:
        customer_writes.note(db, house.parts.ring, [customer_id], Stamp("wang", now_utc), "change", CHANGED)
        APPLY["communication_added"](db, [Told(Origin("box-01", now_utc), said, "0123456789abcdef", 1)])


def binned(house: House) -> str:
    """A customer in the recycle bin, deleted for a reason that tells something; its id."""
    made = house.add_customer("祝雪莲", "13976412853", "530102198803127716")
    stamp = Stamp("wang", house.parts.clock.now_utc())
    with write(house.parts.engine) as db:
        customer_writes.delete_customers(db, house.parts.ring, [made], SAID, stamp, None)
    return made
