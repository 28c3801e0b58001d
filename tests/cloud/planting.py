"""How tests make what the parameters of a route's path name; a new parameter needs a line in PARAMETERS."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from io import BytesIO
from types import MappingProxyType

from cloud.access.applications import Application, State
from cloud.access.log import Action, Actor, Deed
from cloud.access.patterns import Suspicion
from cloud.access.units import NATIONAL
from cloud.releases.files import lay_aside
from cloud.store import applications, export_jobs, findings, orders, releases, trail
from cloud.store.database import write
from cloud.store.orders import Wanted
from cloud.store.releases import Lying
from sync.ids import new_id
from sync.orders import DELETE
from tests.cloud.access.test_applications import wish_of
from tests.cloud.belongings import OfOthers, of_others, past_of
from tests.cloud.house import NOON, House
from tests.cloud.verdicts import person


def trail_row_id(house: House) -> str:
    """A row of the audit that holds what the trail must not tell either."""
    changes = {"caller_number": ("087168943127", "13976412853"), "keys": (None, "7351928460")}
    deed = Deed(
        actor=Actor(name="planted", role="agent", channel="web"),
        action=Action.SEARCH_NUMBER,
        kind="calls",
        query={"party": "13976412853", "q": "祝雪莲", "note": "id 530102198803127716"},
        changes=changes,
    )
    with write(house.parts.engine) as db:
        return trail.append(db, deed, house.parts.clock.now_utc())


def finding_id(house: House) -> str:
    """A finding that waits."""
    now = house.parts.clock.now()
    one = Suspicion("rate", f"planted {new_id()}", 200, ("r1",), now, now)
    with write(house.parts.engine) as db:
        findings.keep(db, [one], house.parts.settings.zone, now)
        return str(findings.open_findings(db, 500)[-1]["id"])


def call_id(house: House) -> str:
    """One call of two whose every private field holds a secret."""
    house.add_call(direction="out", caller_number=None, dialled="087168943127")
    return house.add_call(caller_number="13976412853", caller_name="祝雪莲", keys="7351928460")


def add_application(house: House) -> str:
    """An application about a secret number, with another one in its words; returns its id."""
    who = person("agent", user_id="somebody else")
    words = {"subjects": frozenset({"+8613976412853"}), "reason": "call 13976412853, id 530102198803127716"}
    draft = Application(new_id(), who.user_id, "X", "agent", NATIONAL, wish_of(**words), State.DRAFT, 1)
    with write(house.parts.engine) as db:
        return applications.submit(db, draft, who, NOON).file.application.id


def report_id(house: House) -> str:
    """A report that a record is wrong, with secrets in its words, on a call with a note that has some too."""
    made = call_id(house)
    house.add_note(made, "13976412853 called, identity 530102198803127716")
    return house.add_report(made, "it was 087168943127")


def order_id(house: House) -> str:
    """An order that waits for approval, about a call with secrets, with one in its reason."""
    wanted = Wanted(DELETE, "box-01", "asked by 13976412853, id 530102198803127716", call_id(house))
    somebody = Actor(user_id="somebody else", name="X")
    with write(house.parts.engine) as db:
        return orders.make(db, wanted, somebody, house.parts.clock.now_utc())


def export_id(house: House) -> str:
    """An export that somebody else has asked for."""
    made = new_id()
    job = {"id": made, "by_id": "somebody else", "kind": "calls", "form": "csv"}
    with write(house.parts.engine) as db:
        export_jobs.begin(db, job, house.parts.clock.now_utc())
    return made


def release_id(house: House) -> str:
    """A file of somebody else that waits for a review, with secrets in it and in what was asked for."""
    made, now_utc, kept = new_id(), house.parts.clock.now_utc(), call_id(house)
    deed = Deed(actor=Actor(name="planted", role="agent"), action=Action.EXPORT, kind="calls", ids=(kept,))
    size, sha256 = lay_aside(house.parts.settings.data, made, BytesIO(b"13976412853,087168943127"))
    with write(house.parts.engine) as db:
        one = Lying(
            id=made, kind="calls", form="csv", name="calls.csv", media_type="text/csv", size_bytes=size,
            sha256=sha256, rows=1, why=("many",), asked={"party": "祝雪莲", "q": "13976412853"},
            purpose="service", grants=(), audit_id=trail.append(db, deed, now_utc),
        )  # fmt: skip
        releases.keep(db, one, Actor(user_id="somebody else", name="X"), now_utc)
    return made


def customer_id(house: House) -> str:
    """A customer with a past."""
    made = house.add_customer("祝雪莲", "13976412853", "530102198803127716")
    past_of(house, made)
    return made


def of_another(house: House, name: str) -> str:
    """What somebody else made for themselves."""
    return str(getattr(of_others(house), name))


def box_id(house: House) -> str:
    """A branch that is registered."""
    house.add_box("box-01", "Dali")
    return "box-01"


PARAMETERS: dict[str, Callable[[House], str]] = {
    "call_id": call_id,
    "recording_id": lambda house: house.add_recording(call_id(house), b"fLaC" + b"x" * 100),
    "request_id": add_application,
    "act": lambda _: "approve",
    **{one: partial(of_another, name=one) for one in OfOthers.__slots__},  # each sees only their own
    "report_id": report_id,
    "row_id": trail_row_id,
    "order_id": order_id,
    "release_id": release_id,
    "export_id": export_id,
    "finding_id": finding_id,
    "item_id": lambda house: house.set_aside(detail="caller 13976412853, id 530102198803127716"),
    "customer_id": customer_id,
    "other_id": lambda house: house.add_customer("祝雪莲", "087168943127", "530102198803127716"),
    **dict.fromkeys(("merge_id", "tag_id", "class_id", "node_id"), lambda _: "none"),
    "box_id": box_id,
    "span": lambda _: "2026-03-02T03",
}


PARTS: dict[str, Callable[[House, str], str]] = {  # of what the parameter before names
    "note_id": lambda house, of: house.add_note(of, "13976412853 called, 530102198803127716"),
}
EMPTY: Mapping[str, Callable[[House], str]] = MappingProxyType({})


def path_of(house: House, address: str, own: Mapping[str, Callable[[House], str]] = EMPTY) -> str:
    """The path of a route (`GET /calls/{call_id}`), its parameters filled in with things that are there.

    `own` makes some of them differently.
    """
    makers = {**PARAMETERS, **own}
    names = re.findall(r"{(\w+)}", address)
    missing = [name for name in names if name not in makers and name not in PARTS]
    assert not missing, f"say in PARAMETERS how to make a {missing} for {address}"
    made: dict[str, str] = {}
    for name in names:
        last = next(reversed(made.values()), "")
        made[name] = PARTS[name](house, last) if name in PARTS else makers[name](house)
    return address.split(" ", 1)[1].format(**made)
