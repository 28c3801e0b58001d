"""Users (操作员): their list, one user's form, disabling, and passwords that are good for one log-in.

The form's fields are the API's fields; `read_profile` reads either. What was asked badly is said in the
reader's language (`FAULTS`), and changes nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace

from bottle import HTTPError, HTTPResponse

from edge.store import users as rows
from edge.store.groups import all_groups
from edge.store.listing import line_names
from edge.store.operations import Operation
from edge.store.rights import LEVEL_RIGHTS, LEVELS, RIGHTS, Right
from edge.store.users import NoSuchUser, Profile, User, UserError
from edge.web.site import Visit, see_other
from edge.web.strip import strip
from sync.locale import marked

ONE_TIME_BYTES = 9

LEVEL_WORDS = {
    "super": marked("Super"),
    "leader": marked("Leader"),
    "ordinary": marked("Ordinary"),
}
RIGHT_WORDS = {
    Right.LIST: marked("See calls"),
    Right.PLAY: marked("Play recordings"),
    Right.LISTEN: marked("Listen live"),
    Right.DOWNLOAD: marked("Download recordings"),
    Right.DELETE: marked("Delete recordings"),
    Right.EXPORT: marked("Export lists"),
    Right.POP_UP: marked("Caller pop-up"),
    Right.CUSTOMERS: marked("Manage customers"),
    Right.CUSTOMERS_BULK: marked("Import and delete customers"),
    Right.COMMUNICATIONS: marked("Manage communications"),
    Right.COMMUNICATIONS_BULK: marked("Import and delete communications"),
    Right.RECORDINGS: marked("Recordings of communications"),
    Right.LOG: marked("Read the operation log"),
    Right.USERS: marked("Administer users"),
}
FAULTS: dict[type[UserError], str] = {
    rows.UserExists: marked("The name or the employee number is taken."),
    rows.NotAName: marked("A name or number needs 1 to 64 visible characters."),
    rows.UnknownLevel: marked("There is no such choice."),
    rows.NoSuchGroup: marked("There is no such group."),
    rows.NotGivable: marked("Only a super user can administer users."),
    rows.LastSuper: marked("Somebody has to stay who can administer users."),
    rows.NoSuchUser: marked("There is no such user."),
}


def fault_words(error: UserError) -> str:
    """The marked text for what is wrong with a user."""
    return FAULTS.get(type(error), marked("This cannot be saved."))


def show(visit: Visit) -> HTTPResponse:
    """Everybody, with level, group and state."""
    return visit.page(
        "users.html",
        strip=strip(visit),
        users=rows.all_users(visit.db),
        group_names={group.id: group.name for group in all_groups(visit.db)},
        level_words=LEVEL_WORDS,
    )


def blank(visit: Visit) -> HTTPResponse:
    """The form of a user who is not there yet."""
    return _form(visit, None, Profile("", "ordinary", rights=LEVEL_RIGHTS["ordinary"]))


def form(visit: Visit, user_id: str) -> HTTPResponse:
    """The form of one user."""
    user = the_user(visit, user_id)
    return _form(visit, user, user.profile)


def add(visit: Visit) -> HTTPResponse:
    """Make a user, and show the password for the first log-in this once."""
    try:
        user, password = made(visit)
    except UserError as error:
        return _form(visit, None, read_profile(visit.form), fault_words(error))
    return _one_time(visit, user, password)


def save(visit: Visit, user_id: str) -> HTTPResponse:
    """Give a user what the form says."""
    user = the_user(visit, user_id)
    try:
        changed(visit, user)
    except UserError as error:
        return _form(visit, user, read_profile(visit.form), fault_words(error))
    return see_other("/users")


def enable(visit: Visit, user_id: str) -> HTTPResponse:
    """Disable a user, or let them in again."""
    user = the_user(visit, user_id)
    try:
        enabled(visit, user)
    except UserError as error:
        return _form(visit, user, user.profile, fault_words(error))
    return see_other("/users")


def reset(visit: Visit, user_id: str) -> HTTPResponse:
    """A new password for one log-in, shown this once."""
    user = the_user(visit, user_id)
    return _one_time(visit, user, password_reset(visit, user))


def the_user(visit: Visit, user_id: str) -> User:
    """The user of that id; 404."""
    try:
        return rows.user_by_id(visit.db, user_id)
    except NoSuchUser as error:
        raise HTTPError(404) from error


def made(visit: Visit) -> tuple[User, str]:
    """A new user as the fields say, and the password that is good for one log-in."""
    profile, password = read_profile(visit.form), secrets.token_urlsafe(ONE_TIME_BYTES)
    by = operation(visit, "user_made", profile.name, rows.profile_changes(Profile("", ""), profile))
    return rows.make_user(visit.db, profile, password, visit.now, by, one_time=True), password


def changed(visit: Visit, user: User) -> User:
    """The user as the fields say."""
    profile = read_profile(visit.form)
    stored = replace(profile, employee_number=profile.employee_number or profile.name)
    by = operation(visit, "user_changed", user.name, rows.profile_changes(user.profile, stored))
    return rows.change_user(visit.db, user.id, profile, by, visit.now)


def enabled(visit: Visit, user: User) -> None:
    """`enabled` is 1 or nothing."""
    on = bool(visit.form.get("enabled"))
    by = operation(visit, "user_enabled" if on else "user_disabled", user.name)
    rows.enable_user(visit.db, user.id, on, by, visit.now)


def password_reset(visit: Visit, user: User) -> str:
    """Another password for one log-in."""
    password = secrets.token_urlsafe(ONE_TIME_BYTES)
    by = operation(visit, "password_reset", user.name)
    rows.set_password(visit.db, user, password, by, visit.now, one_time=True)
    return password


def read_profile(fields: Mapping[str, str]) -> Profile:
    """A user's profile in the fields of a form: `rights-play`, `lines-3` are there when they are given."""
    return Profile(
        fields.get("name", ""),
        fields.get("level", ""),
        fields.get("employee_number", ""),
        fields.get("group_id") or None,
        frozenset(int(line) for line in _ticked(fields, "lines-") if line.isascii() and line.isdecimal()),
        frozenset(right for right in RIGHTS if right.value in _ticked(fields, "rights-")),
        bool(fields.get("shares_customers")),
        bool(fields.get("shares_communications")),
    )


def _ticked(fields: Mapping[str, str], prefix: str) -> set[str]:
    return {name.removeprefix(prefix) for name, value in fields.items() if name.startswith(prefix) and value}


def operation(visit: Visit, name: str, subject: str = "", reason: str = "") -> Operation:
    """A line of the operation log for something this visit has done."""
    user_name = visit.user.name if visit.user else None
    return Operation(name, "done", visit.address, user_name, subject[:200], reason[:500])


def _form(visit: Visit, user: User | None, profile: Profile, fault: str = "") -> HTTPResponse:
    names = line_names(visit.db)
    return visit.page(
        "user.html",
        400 if fault else 200,
        strip=strip(visit),
        subject=user,
        profile=profile,
        fault=fault,
        levels=[(level, LEVEL_WORDS[level]) for level in LEVELS],
        rights=[(right.value, RIGHT_WORDS[right], right in profile.rights) for right in RIGHTS],
        groups=all_groups(visit.db),
        lines=[(line, names.get(line, "")) for line in sorted(names.keys() | profile.lines)],
    )


def _one_time(visit: Visit, user: User, password: str) -> HTTPResponse:
    return visit.page("one_time.html", strip=strip(visit), subject=user, password=password)
