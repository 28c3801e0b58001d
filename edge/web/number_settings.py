"""How numbers are read here, and whether the minimal card is offered: what an administrator says (POP-09)."""

from __future__ import annotations

from bottle import HTTPResponse

from edge.store.listing import line_names
from edge.store.popup_settings import NoSuchRule, NumberRules, number_rules, save_number_rules
from edge.web.operators import operation
from edge.web.site import Visit, see_other
from edge.web.strip import strip
from sync.locale import marked

FAULTS = {
    "area_code": marked("An area code is written like 010 or 0871, or left empty."),
    "access_digit": marked("The digit for an outside line is 0 or 9, or none."),
}


def show(visit: Visit) -> HTTPResponse:
    """The form."""
    return _page(visit, number_rules(visit.db))


def save(visit: Visit) -> HTTPResponse:
    """Save it, or say beside the field what cannot be."""
    try:
        saved(visit)
    except NoSuchRule as error:
        return _page(visit, read_rules(visit), str(error))
    return see_other("/settings/numbers?saved=1")


def saved(visit: Visit) -> NumberRules:
    """The rules as the fields say; NoSuchRule names the field."""
    rules, before = read_rules(visit), number_rules(visit.db)
    told = ", ".join(
        f"{name} {getattr(before, name)}>{getattr(rules, name)}"
        for name in NumberRules.__slots__
        if getattr(before, name) != getattr(rules, name)
    )
    save_number_rules(visit.db, rules, operation(visit, "number_settings", reason=told), visit.now)
    return rules


def read_rules(visit: Visit) -> NumberRules:
    """What the fields say."""
    given = visit.form.get
    return NumberRules(
        given("area_code", "").strip(), given("access_digit", "").strip(), bool(given("offers_minimal_card"))
    )


def _page(visit: Visit, rules: NumberRules, fault: str = "") -> HTTPResponse:
    return visit.page(
        "number_settings.html",
        400 if fault else 200,
        strip=strip(visit),
        line=0,
        line_names=line_names(visit.db),
        rules=rules,
        faults={fault: FAULTS[fault]} if fault else {},
        said=visit.query.get("saved", ""),
    )
