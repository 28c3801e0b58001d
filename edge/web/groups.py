"""Groups (组别) and the rule of each line: which group it is in, and whether its calls pop up (POP-02)."""

from __future__ import annotations

from bottle import HTTPError, HTTPResponse

from edge.store import groups as rows
from edge.store.groups import GroupError, LineRule
from edge.store.listing import line_names
from edge.web.operators import operation
from edge.web.site import Visit, see_other
from edge.web.strip import strip
from sync.locale import marked

FAULT = marked("A group needs a name of its own, and can be removed when nobody is in it.")


def show(visit: Visit, fault: str = "") -> HTTPResponse:
    """All groups, and all lines with their rule."""
    lines = line_names(visit.db)
    return visit.page(
        "groups.html",
        400 if fault else 200,
        strip=strip(visit),
        fault=fault,
        groups=rows.all_groups(visit.db),
        lines=[(line, name, rows.line_rule(visit.db, line)) for line, name in lines.items()],
    )


def add(visit: Visit) -> HTTPResponse:
    """Make a group."""
    try:
        made(visit)
    except GroupError:
        return show(visit, FAULT)
    return see_other("/groups")


def save(visit: Visit, group_id: str) -> HTTPResponse:
    """Rename a group, or remove it when the button said so."""
    the_group(visit, group_id)
    try:
        (dropped if visit.form.get("remove") else renamed)(visit, group_id)
    except GroupError:
        return show(visit, FAULT)
    return see_other("/groups")


def save_lines(visit: Visit) -> HTTPResponse:
    """Take the rules of all lines from the form."""
    try:
        lines_set(visit)
    except GroupError:
        return show(visit, FAULT)
    return see_other("/groups")


def the_group(visit: Visit, group_id: str) -> rows.Group:
    """The group of that id; 404."""
    for group in rows.all_groups(visit.db):
        if group.id == group_id:
            return group
    raise HTTPError(404)


def made(visit: Visit) -> str:
    """A new group called `name`; its id."""
    name = visit.form.get("name", "")
    return rows.save_group(visit.db, None, name, operation(visit, "group_made", name), visit.now)


def renamed(visit: Visit, group_id: str) -> None:
    """Another `name`."""
    name = visit.form.get("name", "")
    rows.save_group(visit.db, group_id, name, operation(visit, "group_renamed", name), visit.now)


def dropped(visit: Visit, group_id: str) -> None:
    """Remove a group that nobody is in."""
    by = operation(visit, "group_removed", the_group(visit, group_id).name)
    rows.drop_group(visit.db, group_id, by, visit.now)


def lines_set(visit: Visit) -> None:
    """For every line that is there: `group-3` names its group, `pops_up-3` is there when its calls pop up."""
    rules = tuple(
        LineRule(line, visit.form.get(f"group-{line}") or None, bool(visit.form.get(f"pops_up-{line}")))
        for line in line_names(visit.db)
    )
    names = {group.id: group.name for group in rows.all_groups(visit.db)}
    told = ", ".join(
        f"{rule.line}: {names.get(rule.group_id or '', '-')}{' +' if rule.pops_up else ' -'}pop_up"
        for rule in rules
    )
    rows.set_line_rules(visit.db, rules, operation(visit, "lines_set", reason=told), visit.now)
