"""Holds the chip's port to MicroPython's type stubs: `python -m firmware.stubs.check_types build/typings`.

The stubs have faults of their own, so only what is said of our files counts.
"""

from __future__ import annotations

import os
import subprocess
import sys

PORT = "firmware/ports/rp2"
MYPY = (
    *(sys.executable, "-m", "mypy", "--config-file", os.devnull, "--cache-dir", "build/mypy-rp2"),
    *("--explicit-package-bases", "--namespace-packages", "--check-untyped-defs", "--no-strict-optional"),
)


def check(typings: str) -> int:
    """1 and what is wrong, if anything is; 2 if the stubs could not be used at all."""
    command = [*MYPY, "--custom-typeshed-dir", typings, PORT]
    ran = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"MYPYPATH": typings})
    if "checked 3 source files" not in ran.stdout:
        sys.stderr.write(ran.stdout + ran.stderr)
        return 2
    ours = [line for line in ran.stdout.splitlines() if line.startswith(PORT)]
    sys.stderr.write("".join(f"{line}\n" for line in ours))
    return int(bool(ours))


if __name__ == "__main__":
    sys.exit(check(sys.argv[1]))
