"""The menu: every page a person may begin at, in areas, so that the top bar stays one line.

    Work bench | Calls       | Customers | Branches     | Permissions  | Connections    areas: the top bar
                 Calls                     Branches       Applications   Integrations    pages: below it,
                 Reports                   Completeness   ...            API             if there are several
                 ...                       Quarantine

An area leads to the first of its pages that the person may see; one without such a page is not shown.
"""

from __future__ import annotations

from dataclasses import dataclass

from cloud.access.guard import Person
from cloud.access.roles import Right
from sync.locale import marked

MENU: dict[str, tuple[str, Right]] = {  # path -> its name, and the right it needs
    "/": (marked("Work bench"), Right.ENTER),
    "/calls": (marked("Calls"), Right.READ_CALLS),
    "/reports": (marked("Reports"), Right.SETTLE_REPORTS),
    "/orders": (marked("Orders"), Right.READ_ORDERS),
    "/retention": (marked("Retention"), Right.READ_ORDERS),
    "/customers": (marked("Customers"), Right.READ_CUSTOMERS),
    "/branches": (marked("Branches"), Right.READ_BRANCHES),
    "/completeness": (marked("Completeness"), Right.READ_BRANCHES),
    "/quarantine": (marked("Quarantine"), Right.READ_BRANCHES),
    "/applications": (marked("Applications"), Right.APPLY),
    "/releases": (marked("Review before release"), Right.APPLY),
    "/audit": (marked("Audit trail"), Right.READ_AUDIT),
    "/rules": (marked("Rules"), Right.MANAGE_USERS),
    "/integrations": (marked("Integrations"), Right.MAKE_TOKENS),
    "/api": (marked("API"), Right.ENTER),
}
AREAS: dict[str, tuple[str, ...]] = {  # name -> its pages; each page of MENU stands in one
    marked("Work bench"): ("/",),
    marked("Calls"): ("/calls", "/reports", "/orders", "/retention"),
    marked("Customers"): ("/customers",),
    marked("Branches"): ("/branches", "/completeness", "/quarantine"),
    marked("Permissions"): ("/applications", "/releases", "/audit", "/rules"),
    marked("Connections"): ("/integrations", "/api"),
}


@dataclass(frozen=True, slots=True)
class Area:
    """An area as one person sees it: names are marked texts."""

    name: str
    pages: dict[str, str]  # path -> name, in order
    current: str  # the path of the page that is open; "": it is none of these

    @property
    def path(self) -> str:
        """Where the area leads."""
        return next(iter(self.pages))

    @property
    def is_one_page(self) -> bool:
        """Whether it has nothing to choose from."""
        return len(self.pages) == 1


def areas_of(person: Person | None, here: str) -> tuple[Area, ...]:
    """The areas with a page that the person may see; `here` is the path of the page that is open."""
    if person is None:
        return ()
    found = []
    for name, paths in AREAS.items():
        pages = {path: MENU[path][0] for path in paths if person.may(MENU[path][1])}
        current = next((path for path in pages if _is_at(here, path)), "")
        if pages:
            found.append(Area(name, pages, current))
    return tuple(found)


def _is_at(here: str, path: str) -> bool:
    at = here.split("?")[0]
    return at == path or (path != "/" and at.startswith(path + "/"))
