"""Every HAT there is, by the name its files carry: a new one is its file of constants and its line here.

What else belongs to each lies in `boards/<name>`.
"""

from __future__ import annotations

from types import ModuleType

from hw import l2, l4, l8

HATS: dict[str, ModuleType] = {"l2": l2, "l4": l4, "l8": l8}
