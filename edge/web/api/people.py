"""Log-in, users, groups, settings and the operation log for programs."""

from __future__ import annotations

from typing import Any

from edge.store import groups as group_rows
from edge.store import line_settings as settings_rows
from edge.store import users as user_rows
from edge.store.line_settings import SETTINGS, SavedSettings
from edge.store.listing import line_names
from edge.store.popup_settings import number_rules
from edge.web import groups, language, line_settings, log, log_in, number_settings, operators, password
from edge.web import uploads as upload_page
from edge.web.rights import rights_of
from edge.web.sessions import form_token
from edge.web.site import Visit

DONE = {"done": True}


def entered(visit: Visit) -> dict[str, Any]:
    """A session for `name` and `password`: its token goes with each request as `Authorization: Bearer`."""
    user, password_hash = log_in.let_in(visit)
    token = log_in.new_session(visit, user, password_hash)
    return {"token": token, "must_change_password": user.must_change_password, "rights": rights_of(user)}


def left(visit: Visit) -> dict[str, bool]:
    """The session ends."""
    log_in.leave(visit)
    return DONE


def oneself(visit: Visit) -> dict[str, Any]:
    """Who asks, what they may, whose calls they see (null: all), and the token that forms carry."""
    token = form_token(visit.token) if visit.token else ""
    return {"user": visit.user, "rights": visit.rights, "lines": visit.lines, "form_token": token}


def language_chosen(visit: Visit) -> dict[str, bool]:
    """`language` zh or en, for all the user's answers."""
    language.choose(visit)
    return DONE


def password_changed(visit: Visit) -> dict[str, str]:
    """`old`, `new` and `again`; every session ends, the new one's token comes back."""
    return {"token": log_in.new_session(visit, *password.changed(visit))}


def users(visit: Visit) -> dict[str, Any]:
    """Everybody."""
    return {"users": user_rows.all_users(visit.db)}


def user(visit: Visit, user_id: str) -> dict[str, Any]:
    """One user."""
    return {"user": operators.the_user(visit, user_id)}


def user_made(visit: Visit) -> dict[str, Any]:
    """A new user, and the password that is good for one log-in."""
    made, once = operators.made(visit)
    return {"user": made, "password": once}


def user_changed(visit: Visit, user_id: str) -> dict[str, Any]:
    """The user as the fields say: `rights-play`, `lines-3` true or not there."""
    return {"user": operators.changed(visit, operators.the_user(visit, user_id))}


def user_enabled(visit: Visit, user_id: str) -> dict[str, bool]:
    """`enabled` true or false."""
    operators.enabled(visit, operators.the_user(visit, user_id))
    return DONE


def user_reset(visit: Visit, user_id: str) -> dict[str, str]:
    """Another password for one log-in."""
    return {"password": operators.password_reset(visit, operators.the_user(visit, user_id))}


def all_groups(visit: Visit) -> dict[str, Any]:
    """The groups, and which line is in which."""
    rules = [group_rows.line_rule(visit.db, line) for line in line_names(visit.db)]
    return {"groups": group_rows.all_groups(visit.db), "lines": rules}


def group_made(visit: Visit) -> dict[str, str]:
    """A group called `name`; its id."""
    return {"id": groups.made(visit)}


def group_saved(visit: Visit, group_id: str) -> dict[str, bool]:
    """Another `name`, or `remove`."""
    groups.the_group(visit, group_id)
    (groups.dropped if visit.form.get("remove") else groups.renamed)(visit, group_id)
    return DONE


def lines_set(visit: Visit) -> dict[str, bool]:
    """`group-3` and `pops_up-3` for every line."""
    groups.lines_set(visit)
    return DONE


def logged(visit: Visit) -> dict[str, Any]:
    """A page of the operation log; `older` and `newer` are what the next question takes."""
    page = log.found(visit)
    return {"lines": page.lines, "older": page.older_than, "newer": page.newer_than}


def settings(visit: Visit) -> dict[str, Any]:
    """Every line's settings."""
    return {"lines": [_told(one) for one in settings_rows.all_settings(visit.db)]}


def settings_of_line(visit: Visit, line: str) -> dict[str, Any]:
    """One line's settings, what may be set, and who changed what."""
    number = line_settings.known_line(visit, line)
    return {
        **_told(settings_rows.settings_of(visit.db, number)),
        "limits": {
            key: {"choices": one.choices, "minimum": one.minimum, "maximum": one.maximum, "unit": one.unit}
            for key, one in SETTINGS.items()
        },
        "changes": line_settings.history(visit, number),
    }


def settings_saved(visit: Visit, line: str) -> dict[str, Any]:
    """The settings that are named, as given; `reset` names those that go back to the settings file's."""
    number = line_settings.known_line(visit, line)
    wanted: dict[str, object] = {
        key: value for key, value in visit.form.items() if key not in ("version", "reset", "form_token")
    }
    back = {key: None for key in visit.form.get("reset", "").split(";") if key}
    return _told(line_settings.saved(visit, number, wanted | back, visit.form.get("version")))


def settings_copied(visit: Visit, line: str) -> dict[str, Any]:
    """This line's settings for each `to-3` that is true."""
    return {"lines": line_settings.copied(visit, line_settings.known_line(visit, line))}


def numbers(visit: Visit) -> dict[str, Any]:
    """How numbers are read."""
    return {"rules": number_rules(visit.db)}


def numbers_saved(visit: Visit) -> dict[str, Any]:
    """`area_code`, `access_digit`, `offers_minimal_card`."""
    return {"rules": number_settings.saved(visit)}


def uploads(visit: Visit) -> dict[str, Any]:
    """How the uploads of audio stand."""
    return {"uploads": upload_page.uploads_now(visit)}


def uploads_changed(visit: Visit) -> dict[str, Any]:
    """`act`: pause or resume; again or dismiss (with a `reason`) what was set aside under `id`."""
    upload_page.changed(visit)
    return uploads(visit)


def _told(saved: SavedSettings) -> dict[str, Any]:
    return {"settings": saved.settings, "changed": saved.changed, "version": saved.version}
