"""What the pages of customers, communications and the pop-up share: who writes, and words for what is wrong.

The store says what is wrong by a word of its own; people read it here, in their language.
"""

from __future__ import annotations

from bottle import HTTPError

from edge.store.operations import Operation
from edge.store.scope import Author
from edge.web.shown import Word
from edge.web.site import Visit
from sync.locale import marked

CUSTOMER_KINDS: dict[str, Word] = {
    "individual": Word(marked("Individual"), "user", "quiet"),
    "enterprise": Word(marked("Enterprise"), "list", "quiet"),
}
COMMUNICATION_KINDS: dict[str, Word] = {
    "call": Word(marked("Telephone"), "talking", "quiet"),
    "sms": Word(marked("Short message"), "list", "quiet"),
    "visit": Word(marked("Visit"), "user", "quiet"),
    "email": Word(marked("E-mail"), "list", "quiet"),
    "other": Word(marked("Other"), "unknown", "quiet"),
}
FAULT_WORDS = {
    "no_name": marked("A customer needs a name."),
    "no_such_kind": marked("There is no such kind."),
    "too_long": marked("One of the texts is too long."),
    "too_many": marked("There are too many contacts or numbers."),
    "separator": marked("Names, tags and numbers are written without ; | and line breaks."),
    "contact_without_name": marked("A contact needs a name."),
    "too_many_tags": marked("There are too many tags, or one is too long."),
    "not_a_number": marked("One of the numbers cannot be a telephone number."),
    "no_content": marked("Write what was said."),
    "no_time": marked("The time cannot be read."),
    "changed_since": marked("Somebody else has changed this customer meanwhile. Look again, then save."),
    "known_id": marked("There is a record with this id already."),
    "id_twice": marked("The id stands twice in this file."),
    "bad_id": marked("The id cannot be read."),
}

FIELD_WORDS = {
    "name": marked("Customer's name"),
    "kind": marked("Kind"),
    "numbers": marked("Numbers"),
    "contacts": marked("Contacts"),
    "address": marked("Address"),
    "industry": marked("Industry"),
    "tags": marked("Tags"),
    "remark": marked("Remark"),
}


def author(visit: Visit) -> Author:
    """The user as the author of a record: number and group as they are now."""
    user = visit.user
    if user is None:
        raise HTTPError(403)
    row = visit.db.execute("SELECT name FROM groups WHERE id = ?", (user.group_id,)).fetchone()
    return Author(user.name, user.employee_number, user.group_id, row[0] if row else "")


def by(visit: Visit, operation: str, subject: str = "", reason: str = "", result: str = "done") -> Operation:
    """A line for the operation log."""
    name = visit.user.name if visit.user else None
    return Operation(operation, result, visit.address, name, subject, reason)


def fault_words(error: Exception) -> str:
    """The marked text for what is wrong with a record."""
    return FAULT_WORDS.get(str(error), FAULT_WORDS["changed_since"])


def translated(visit: Visit, text: str) -> str:
    """A marked text in the reader's language, for answers that are no page."""
    context = visit.templates.from_string("").new_context()
    return str(visit.templates.globals["gettext"](context, text))  # type: ignore[operator]
