"""Texts that people read, marked where they stand, and errors whose sentence can be said in any language.

Apart from `sync.locale` because rooms that only speak need no catalogues, and the recorder loads none.
"""

from __future__ import annotations


def marked(text: str) -> str:
    """Mark `text` for the catalogues where it stands; it is translated where it is shown."""
    return text


class SaidError(ValueError):
    """Something refused: a marked `text` with places such as %(came)s, and the `values` that go there."""

    def __init__(self, text: str, **values: object) -> None:
        self.text, self.values = text, values
        super().__init__(text % values)
