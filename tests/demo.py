"""`make run`: the world with a person in front of it; prints the addresses and log-ins, ends with Ctrl-C.

Everything it makes is kept in build/demo (or the folder given), so that the next start is quick.
"""

from __future__ import annotations

import signal
import socket
import sys
import threading
from contextlib import closing
from pathlib import Path

from tests.world import USER, Ports, World, free_ports

FOLDER = Path(__file__).parents[1] / "build" / "demo"
WANTED = Ports(broker=18883, web=8080, hq=8090)
LINE_NAMES = ("前台 Front desk", "仓库 Warehouse", "经理 Manager", "办公室 Office")

TEXT = """
  Branchline is running. Calls are coming in on four virtual lines.

    branch page   {branch}    user {user}   password {password}
    head office   {head_office}    user {user}   password {password}

  What each program says is in {log}/ ; Ctrl-C ends them all.
"""


def is_free(port: int) -> bool:
    """Whether we may listen on a port."""
    with closing(socket.socket()) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def main(arguments: list[str]) -> int:
    """Start everything and wait."""
    wanted = (WANTED.broker, WANTED.web, WANTED.hq)
    ports = [port if is_free(port) else free_ports(1)[0] for port in wanted]
    folder = Path(arguments[0]).resolve() if arguments else FOLDER
    world = World(folder, line_names=LINE_NAMES, ports=Ports(*ports))
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    sys.stdout.write("starting: certificates, broker, head office, box, virtual lines\n")
    sys.stdout.flush()
    world.prepare()
    try:
        world.start()
        sys.stdout.write(
            TEXT.format(
                branch=world.branch_page,
                head_office=world.head_office_page,
                user=USER,
                password=world.password,
                log=folder / "log",
            )
        )
        sys.stdout.flush()
        while not stop.wait(1.0):
            ended = [name for name, process in world.programs.items() if process.poll() is not None]
            if ended:
                sys.stderr.write(f"{ended[0]} has ended: {world.log(ended[0])[-1000:]}\n")
                return 1
    finally:
        world.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
