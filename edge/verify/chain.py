"""The chain itself: SQLite's view of its file, every link, the head, the key."""

from __future__ import annotations

from collections.abc import Iterator

from edge.seal import ChainWalk, Link, read_object
from edge.store.seals import KEY_FILE, Head, links_from, read_key
from edge.verify.bench import Bench, Fault


def check_database(bench: Bench) -> Iterator[Fault]:
    """SQLite's own view of its file; it sees about one flipped bit in five, the chain sees the rest."""
    bench.step("database")
    for (says,) in bench.db.execute("PRAGMA integrity_check(10)"):
        if says != "ok":
            yield Fault("database", f"SQLite finds: {says}")


def check_chain(bench: Bench) -> Iterator[Fault]:
    """Every link: its place, its hash, its signature; then the head."""
    walk = ChainWalk()
    for link in links_from(bench.db):
        for says in walk.take(link):
            bench.damaged |= {link.subject, str((read_object(link.data) or {}).get("subject"))}
            yield Fault("chain", says)
        yield from _expected_faults(bench.expected, link)
        bench.tally.links += 1
        bench.step(f"link {link.seq}")
    head = bench.db.execute("SELECT seq, h FROM seal_head").fetchone() or (None, None)
    bench.tally.head = f"{head[0]}:{head[1]}"
    yield from (Fault("chain", says) for says in walk.end(*head))
    if bench.expected and bench.expected.seq > walk.seq:
        yield Fault(
            "chain", f"the chain ends at link {walk.seq}, but link {bench.expected.seq} was known elsewhere"
        )
    yield from _key_faults(bench, walk)


def _expected_faults(expected: Head | None, link: Link) -> Iterator[Fault]:
    if expected and expected.seq == link.seq and expected.h != link.h:
        yield Fault("chain", f"link {link.seq} is not the one known elsewhere: the chain was written anew")


def _key_faults(bench: Bench, walk: ChainWalk) -> Iterator[Fault]:
    for seq, public in walk.keys[1:]:
        bench.tally.notes.append(f"from link {seq} on the box signs with another key, {public[:16]}")
    path = bench.folder.parent / KEY_FILE
    if not path.exists():
        bench.tally.notes.append(f"{path} is not here, so the signatures may be any box's")
        return
    if path.stat().st_mode & 0o077:
        yield Fault("key", f"{path} can be read by others than its owner; do: chmod 600 {path}")
    key = read_key(bench.db)
    if key is None:
        yield Fault("key", f"{path} cannot be read as a key: new calls go unsigned")
    elif walk.keys and walk.keys[-1][1] != key.public:
        yield Fault("key", f"the last links are not signed with {path}, but with {walk.keys[-1][1][:16]}")
