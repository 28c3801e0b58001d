"""A branch with three users of different levels, a group with line 1, and ways to write what they would."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from edge.store import users
from edge.store.communications import Communication, Told, add_communication
from edge.store.customers import Customer, add_customer
from edge.store.groups import LineRule, save_group, set_line_rules
from edge.store.operations import Operation
from edge.store.popup_settings import NumberRules, number_rules
from edge.store.rights import RIGHTS
from edge.store.scope import Author
from edge.store.users import User
from sync.moment import to_text
from sync.particulars import Particulars
from tests.edge.web.conftest import PASSWORD, Branch, Browser

BY = Operation("test", "done", "192.0.2.1", "test")
EVERYTHING = frozenset(RIGHTS)


@dataclass
class Shop:
    """A branch, its group, its users by name, and their browsers."""

    branch: Branch
    group_id: str
    other_group_id: str
    users: dict[str, User] = field(default_factory=dict)

    @property
    def db(self) -> Any:
        return self.branch.db

    @property
    def now(self) -> Any:
        return self.branch.clock.utc()

    def hire(self, name: str, level: str, **profile: Any) -> User:
        """A user in the group, linked to line 1, who holds every right of the level, but for `profile`."""
        given: dict[str, Any] = {"group_id": self.group_id, "lines": frozenset({1}), "rights": EVERYTHING}
        given |= profile
        if level != "super":
            given["rights"] = given["rights"] - {users.Right.USERS}
        made = users.make_user(self.db, users.Profile(name, level, **given), PASSWORD, self.now)
        self.users[name] = made
        return made

    def browser(self, name: str) -> Browser:
        """The user's browser, logged in."""
        found = self.branch.browser(f"192.0.2.{20 + list(self.users).index(name)}")
        assert found.log_in(name).status == 303
        return found

    def author(self, name: str) -> Author:
        user = self.users[name]
        return Author(user.name, user.employee_number, user.group_id)

    def customer(self, name: str, *numbers: str, of: str = "boss", **what: Any) -> Customer:
        """A customer that `of` added."""
        particulars = Particulars(name, numbers=numbers, **what)
        return add_customer(self.db, particulars, self.author(of), number_rules(self.db), BY, self.now)

    def communication(self, content: str, of: str = "boss", **told: Any) -> Communication:
        """A record that `of` made."""
        given = replace(Told("call", to_text(self.now), content), **told)
        return add_communication(self.db, given, self.author(of), BY, self.now)

    def ring(self, call_id: str, number: str | None, line: int = 1, **values: Any) -> str:
        """A call that rings now."""
        self.branch.call(
            call_id, ago_s=2, line=line, caller_number=number, state="open", outcome="open", **values
        )
        self.db.execute("UPDATE lines SET state = 'ringing', call_id = ? WHERE line = ?", (call_id, line))
        return call_id

    def post(self, browser: Browser, path: str, page: str = "/customers", **fields: str) -> Any:
        """A form of ours, sent."""
        return browser.post(path, {"form_token": token(browser, page)} | fields)


def token(browser: Browser, page: str = "/customers") -> str:
    found = re.search(r'(?:name="form_token" value|data-token)="([0-9a-f]+)"', browser.get(page).text)
    assert found, f"no form on {page}"
    return found[1]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """boss is super, chief leads the group, ann and bob are ordinary; line 1 is theirs, line 2 another's."""
    branch = Branch(tmp_path)
    branch.line(1, name="Front")
    branch.line(2, name="Back")
    now = branch.clock.utc()
    group_id, other = (save_group(branch.db, None, name, BY, now) for name in ("Sales", "Service"))
    set_line_rules(branch.db, (LineRule(1, group_id), LineRule(2, other)), BY, now)
    made = Shop(branch, group_id, other)
    made.hire("boss", "super")
    made.hire("chief", "leader")
    made.hire("ann", "ordinary")
    made.hire("bob", "ordinary")
    yield made
    branch.stop.set()
    branch.db.close()


RULES = NumberRules("0871")
