"""A customer's organisation chart: departments, posts and people, each below one that may have it.

ChartRefused (ValueError)     a node that cannot stand there; the message is a marked sentence
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sync.marked import marked

KINDS = ("department", "post", "person")
BELOW = {  # what may stand below what; "": at the top
    "": ("department", "post", "person"),
    "department": ("department", "post", "person"),
    "post": ("person",),
    "person": (),
}
LONGEST_NAME = 60
MOST_NODES = 300
DEEPEST = 8


class ChartRefused(ValueError):
    """A node that cannot stand there; the message is a marked sentence."""


@dataclass(frozen=True, slots=True)
class Node:
    """An entry of the chart that is to be added."""

    kind: str
    name: str
    parent_id: str | None
    position: int


def new_node(nodes: Sequence[Mapping[Any, Any]], kind: str, name: str, parent_id: str) -> Node:
    """The node to add below `parent_id` ("": at the top) of the chart that there is; ChartRefused."""
    known = {node["id"]: node for node in nodes}
    name = name.strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise ChartRefused(marked("An entry of the chart needs a name of at most 60 characters."))
    if parent_id and parent_id not in known:
        raise ChartRefused(marked("There is no such entry in the chart."))
    if kind not in BELOW[known[parent_id]["kind"] if parent_id else ""]:
        raise ChartRefused(marked("Departments hold posts and people, posts hold people."))
    if len(nodes) >= MOST_NODES or _depth(known, parent_id) >= DEEPEST:
        raise ChartRefused(marked("The chart has too many entries, or too many levels."))
    return Node(kind, name, parent_id or None, max((node["position"] for node in nodes), default=0) + 1)


def _depth(known: Mapping[Any, Mapping[Any, Any]], node_id: str | None) -> int:
    depth = 0
    while node_id and node_id in known and depth < DEEPEST:
        depth, node_id = depth + 1, known[node_id]["parent_id"]
    return depth
