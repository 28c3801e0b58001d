"""Templates compiled once for all languages of a page: what they say is looked up when they are filled in.

Both pages build their environments with this. The text decides, so a changed template is compiled anew.
"""

from __future__ import annotations

from jinja2.bccache import Bucket, BytecodeCache


class CompiledOnce(BytecodeCache):
    """Keeps what was compiled in memory, by the template's name and the checksum of its text."""

    def __init__(self) -> None:
        self._compiled: dict[tuple[str, str], bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """See Jinja."""
        known = self._compiled.get((bucket.key, bucket.checksum))
        if known is not None:
            bucket.bytecode_from_string(known)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """See Jinja."""
        self._compiled[bucket.key, bucket.checksum] = bucket.bytecode_to_string()


COMPILED = CompiledOnce()  # one for the process
