"""Who may import whom, read off the code itself: each room's walls stand here as data.

`MAY` says which of our modules a room may import (its own apart); a longer name is a stricter room inside a
wider one. `PURE` rooms see no clock, thread, socket, database, log or web module. `ONLY_IN` gives each
library that touches the world its one place.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = ("firmware", "hw", "edge", "sync", "cloud", "tests")

MAY: dict[str, tuple[str, ...]] = {
    "hw": (),
    "hw.virtual": ("hw", "edge.dsp", "edge.callerid", "firmware"),  # it runs the board's own program
    "firmware": ("hw",),
    "sync": (),
    "cloud": ("sync",),
    "cloud.access": ("sync.marked", "sync.moment", "sync.locale", "sync.mask", "sync.phone"),
    "cloud.customers": ("cloud.access", "sync"),
    "edge": ("hw.wire", "sync"),
    "edge.flash": ("hw.wire", "hw.uf2"),
    "edge.store.hat_events": ("edge.sources.hat_events", "edge.store", "sync"),
    "edge.samples": (),
    "edge.clock": (),
    "edge.timeline": ("sync.moment",),
    "edge.ring": ("edge.samples",),
    "edge.dsp": ("edge.samples",),
    "edge.callerid": ("edge.dsp", "edge.samples"),
    "edge.line": ("edge.dsp", "edge.callerid", "edge.samples", "hw.wire"),
    "edge.outcomes": (),
    "edge.call": ("edge.callerid", "edge.outcomes"),
    "edge.line_calls": ("edge.call", "edge.callerid", "edge.outcomes"),
    "edge.call_steps": ("edge.call", "edge.callerid", "edge.line.events", "edge.line_calls", "edge.outcomes"),
    "edge.calls": ("edge.call", "edge.call_steps", "edge.line.events", "edge.line_calls"),
    "edge.triggers": ("edge.line.events",),
    "edge.numbers": ("sync.marked",),
    "edge.schedule": ("sync.marked",),
    "edge.line_settings": ("edge.numbers", "edge.schedule", "edge.triggers", "sync.marked", "sync.settings"),
    "edge.rules": (
        "edge.alarms",
        "edge.keeping",
        "edge.line.profile",
        "edge.line_calls",
        "edge.line_settings",
        "edge.schedule",
    ),
    "edge.line_memory": ("edge.alarms", "edge.store", "edge.timeline", "sync.moment"),
    "edge.settings_watch": ("edge.rules", "edge.store"),
    "edge.on_hook": ("edge.call", "edge.keeping"),
    "edge.keeping": ("edge.call", "edge.line.events", "edge.numbers", "edge.schedule", "edge.triggers"),
    "edge.answering": ("edge.line.events", "edge.call", "edge.calls"),
    "edge.sources": ("edge.gaps", "edge.samples", "edge.ring", "hw.wire"),
    "edge.alarms": ("edge.call", "edge.line.events"),
    "edge.board": (
        "edge.alarms",
        "edge.call",
        "edge.calls",
        "edge.keeping",
        "edge.line",
        "edge.on_hook",
        "edge.ring",
        "edge.rules",
        "edge.samples",
        "edge.config",
        "edge.timeline",
        "sync.ids",
    ),
    "edge.popup": (),
    "edge.findings": ("edge.callerid", "edge.dsp"),
    "edge.part": ("edge.samples",),
    "edge.finished": (),
    "edge.gaps": (),
    "edge.codec": ("edge.finished", "edge.part", "edge.samples"),
    "edge.recorder": ("edge.finished", "edge.gaps", "edge.part", "edge.ring", "edge.samples"),
    "edge.config": (
        "edge.line_settings",
        "edge.numbers",
        "edge.schedule",
        "sync.settings",
    ),
    "edge.seal": ("sync.envelope", "sync.keys"),
    "edge.opus": ("edge.codec", "edge.finished"),
    "edge.storage": ("edge.finished", "edge.config", "edge.opus", "edge.store", "sync"),
    "edge.backup": ("edge.finished", "edge.config", "edge.store", "sync"),
    "edge.quarantine": ("edge.config", "edge.store", "sync"),
    "edge.restore": ("edge.backup", "edge.config", "edge.store", "sync"),
    "edge.store": ("edge.finished", "edge.gaps", "edge.line_settings", "edge.samples", "edge.seal", "sync"),
    "edge.web": (
        "edge.store",
        "edge.clock",
        "edge.ring",
        "edge.samples",
        "edge.dsp.level",
        "edge.popup",
        "sync",
    ),
    "edge.uploads": ("edge.config", "edge.schedule", "edge.store", "sync"),
    "edge.syncer": ("edge.codec", "edge.finished", "edge.part", "edge.store", "sync"),
}
FREE = (
    "edge.app",
    "edge.assembly",
    "edge.__main__",
    "edge.ledger",
    "edge.adopt",
    "edge.replay",
    "edge.again",
    "edge.decode",
    "edge.doctor",
)

PURE = (
    "edge.findings", "edge.on_hook",
    "edge.dsp", "edge.callerid", "edge.line", "edge.triggers", "edge.calls", "edge.answering", "edge.board",
    "edge.call", "edge.call_steps", "edge.line_calls", "edge.outcomes",
    "edge.keeping", "edge.numbers", "edge.schedule", "edge.line_settings", "edge.rules",
    "edge.storage.policy", "edge.storage.ladder", "edge.seal", "edge.timeline", "edge.popup",
    "sync.session", "sync.chunks", "sync.upload", "sync.pace", "sync.spans", "sync.budget", "sync.envelope",
    "sync.topics", "sync.manifest", "sync.orders",
    "cloud.orders.rules", "sync.presence", "sync.skew", "sync.phone", "sync.search", "sync.sheets",
    "sync.marked", "sync.mask", "sync.particulars", "sync.cells", "cloud.access", "cloud.customers",
    "hw.wire", "edge.gaps", "firmware.linehat",
)  # fmt: skip
WORLDLY = {
    "time", "threading", "socket", "select", "sqlite3", "sqlalchemy", "logging", "subprocess",
    "bottle", "cheroot", "fastapi", "starlette", "paho", "multiprocessing", "asyncio", "alsaaudio",
}  # fmt: skip

ONLY_IN: dict[str, tuple[str, ...]] = {
    "alsaaudio": ("edge.sources.alsa",),
    "paho": ("sync.transport",),
    "soundfile": ("edge.codec", "edge.opus", "edge.sources.wav", "edge.store.peaks", "hw.virtual"),
    "bottle": ("edge.web",),
    "cheroot": ("edge.web",),
    "fastapi": ("cloud",),
    "sqlalchemy": ("cloud", "sync.inbox", "sync.inbox_tables", "sync.bulk"),
    "psycopg": ("cloud.store", "sync.bulk"),
    "termios": ("edge.sources.hat_port", "hw.virtual"),
    "machine": ("firmware.ports.rp2",),
    "argon2": ("sync.accounts",),
    "phonenumbers": ("sync.phone",),
    "xlsxwriter": ("sync.sheets",),
    "python_calamine": ("sync.sheets",),
}


def modules() -> dict[str, Path]:
    """Every Python file of ours outside tests, by module name."""
    found = {}
    for top in OURS[:-1]:
        for path in sorted((ROOT / top).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(path: Path) -> list[tuple[int, str]]:
    """(line, module) of everything a file imports; `from a import b` counts as a.b where that is a module."""
    known = modules()
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, name.name) for name in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            inner = [f"{node.module}.{name.name}" for name in node.names]
            found += [(node.lineno, name if name in known else node.module) for name in inner]
        elif isinstance(node, ast.ImportFrom):
            found.append((node.lineno, "a relative import"))
    return found


def inside(module: str, room: str) -> bool:
    return module == room or module.startswith(room + ".")


def room_of(module: str) -> str:
    """The strictest room a module lies in."""
    return max((room for room in MAY if inside(module, room)), key=len)


def fault(module: str, imported: str) -> str | None:
    """The rule that this import breaks, if any."""
    if imported == "a relative import":
        return "imports are absolute here"
    top = imported.split(".")[0]
    places = ONLY_IN.get(top)
    if places and not any(inside(module, place) for place in places):
        return f"{top} may be imported only in {', '.join(places)}"
    if top in WORLDLY and any(inside(module, pure) for pure in PURE):
        return f"a pure room imports no {top}"
    if top not in OURS:
        return None
    room = room_of(module)
    if module in FREE:
        allowed: tuple[str, ...] = ("edge", "hw.wire", "sync")
    else:
        allowed = (*MAY[room], room)
    if any(inside(imported, one) for one in allowed) and not (
        inside(imported, "hw.virtual") and room != "hw.virtual"
    ):
        return None
    return f"{room} may import {', '.join(MAY[room]) or 'nothing of ours'}"


@pytest.mark.parametrize("module", sorted(modules()))
def test_walls_hold(module: str) -> None:
    path = modules()[module]
    broken = [
        f"{path.relative_to(ROOT)}:{line} imports {imported}: {rule}"
        for line, imported in imports(path)
        if (rule := fault(module, imported))
    ]
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize(
    ("module", "imported", "allowed"),
    [
        ("edge.dsp.fsk", "numpy", True),
        ("edge.dsp.fsk", "time", False),
        ("edge.dsp.fsk", "edge.line.events", False),
        ("edge.line.audio", "edge.dsp.fsk", True),
        ("edge.calls", "edge.line.voltage", False),
        ("edge.web.calls", "edge.store.calls", True),
        ("edge.web.calls", "edge.app", False),
        ("edge.app", "edge.web.server", True),
        ("edge.app", "cloud.ingest", False),
        ("edge.app", "hw.virtual.ring", False),
        ("cloud.ingest", "edge.samples", False),
        ("cloud.ingest", "sync.inbox", True),
        ("sync.outbox", "edge.config", False),
        ("sync.outbox", "paho.mqtt.client", False),
        ("sync.transport", "paho.mqtt.client", True),
        ("hw.wire", "edge.dsp", False),
        ("hw.virtual.exchange", "edge.dsp.fsk", True),
        ("edge.recorder", "alsaaudio", False),
    ],
)
def test_the_rules_themselves(module: str, imported: str, allowed: bool) -> None:
    assert (fault(module, imported) is None) is allowed
