"""Sees when somebody has changed a line's settings, and turns them into the line's rules."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

from edge.rules import LineRules, rules_of
from edge.store.line_settings import settings_of, versions


@dataclass(slots=True)
class SettingsWatch:
    """The settings of all lines of one box, by version."""

    db: sqlite3.Connection
    names: dict[int, str]  # what people call each line; the ledger reads it
    _seen: dict[int, int] = field(default_factory=dict)

    def rules(self, line: int) -> LineRules:
        """The rules of `line` as its settings are now."""
        saved = settings_of(self.db, line)
        self._seen[line], self.names[line] = saved.version, saved.settings.name
        return rules_of(saved.settings, saved.version)

    def changed(self) -> dict[int, LineRules]:
        """Lines whose settings are newer than those last asked for."""
        newer = [line for line, version in versions(self.db).items() if version > self._seen.get(line, 0)]
        return {line: self.rules(line) for line in newer if line in self._seen}
