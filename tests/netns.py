"""A line of its own: a network namespace behind a veth pair, with a rate (tbf) and faults (nftables).

Needs root, `ip`, `tc` and `nft`; `why_not` says what is missing, for tests that have to be skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TOOLS = ("ip", "tc", "nft")
PATHS = "/usr/sbin:/sbin:/usr/bin:/bin"


def why_not() -> str:
    """What keeps this machine from having namespaces; "" if nothing does."""
    missing = [tool for tool in TOOLS if shutil.which(tool, path=PATHS) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    if os.geteuid() != 0:
        return "namespaces need root"
    probe = subprocess.run(["ip", "netns", "add", f"probe{os.getpid()}"], capture_output=True, text=True)
    subprocess.run(["ip", "netns", "del", f"probe{os.getpid()}"], capture_output=True)
    return "" if probe.returncode == 0 else f"no network namespaces here: {probe.stderr.strip()}"


@dataclass(frozen=True, slots=True)
class Wire:
    """The namespace `name`; `here` is our end's address, `there` the other's."""

    name: str
    here: str
    there: str

    @property
    def outside(self) -> str:
        """Our end of the pair."""
        return f"{self.name}o"

    @property
    def inside(self) -> str:
        """The namespace's end."""
        return f"{self.name}i"

    def command(self, *words: str | Path) -> list[str]:
        """`words` run inside."""
        return ["ip", "netns", "exec", self.name, *map(str, words)]

    def rate(self, kbit_s: int) -> None:
        """Both ways carry no more than this, with a queue of 200 ms as modems have."""
        words = f"root tbf rate {kbit_s}kbit burst 1600 latency 200ms".split()
        run("tc", "qdisc", "replace", "dev", self.outside, *words)
        run(*self.command("tc", "qdisc", "replace", "dev", self.inside, *words))

    def drop(self, *rule: str) -> None:
        """Drop what `rule` names of what arrives inside or leaves it; nothing for an empty rule."""
        run(*self.command("nft", "flush", "ruleset"))
        if not rule:
            return
        run(*self.command("nft", "add", "table", "inet", "f"))
        for hook in ("input", "output"):
            chain = f"{{ type filter hook {hook} priority 0 ; }}"
            run(*self.command("nft", "add", "chain", "inet", "f", hook, chain))
            loopback = ("iif" if hook == "input" else "oif", "lo", "accept")
            run(*self.command("nft", "add", "rule", "inet", "f", hook, *loopback))
            run(*self.command("nft", "add", "rule", "inet", "f", hook, *rule))

    def drop_one_way(self) -> None:
        """What leaves the namespace is lost without a word."""
        run(*self.command("nft", "flush", "ruleset"))
        run(*self.command("nft", "add", "table", "inet", "f"))
        chain = "{ type filter hook output priority 0 ; }"
        run(*self.command("nft", "add", "chain", "inet", "f", "output", chain))
        run(*self.command("nft", "add", "rule", "inet", "f", "output", "oif", self.inside, "drop"))

    def up(self, is_up: bool) -> None:
        """Plug the cable in, or out."""
        run("ip", "link", "set", self.outside, "up" if is_up else "down")

    def sent_bytes(self) -> int:
        """What came out of the namespace: bytes of whole frames."""
        return int(Path(f"/sys/class/net/{self.outside}/statistics/rx_bytes").read_text())


def run(*words: str) -> None:
    """Run a command; its words of complaint are the error."""
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise OSError(f"{' '.join(words)}: {done.stderr.strip()}")


@contextmanager
def wire() -> Iterator[Wire]:
    """A namespace with its own loopback and an address on each end."""
    number = os.getpid() % 250
    made = Wire(f"bl{os.getpid() % 100_000}", f"10.213.{number}.1", f"10.213.{number}.2")
    run("ip", "netns", "add", made.name)
    try:
        run("ip", "link", "add", made.outside, "type", "veth", "peer", "name", made.inside)
        run("ip", "link", "set", made.inside, "netns", made.name)
        run("ip", "addr", "add", f"{made.here}/30", "dev", made.outside)
        run("ip", "link", "set", made.outside, "up")
        run(*made.command("ip", "addr", "add", f"{made.there}/30", "dev", made.inside))
        run(*made.command("ip", "link", "set", made.inside, "up"))
        run(*made.command("ip", "link", "set", "lo", "up"))
        yield made
    finally:
        subprocess.run(["ip", "netns", "del", made.name], capture_output=True)
        subprocess.run(["ip", "link", "del", made.outside], capture_output=True)
