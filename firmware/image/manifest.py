# What is frozen into the image: our own program, and nothing that is not needed to run it.
# `BOARD` (l2, l4, l8) comes from the environment: MicroPython's manifests have no other way in.
import os

ROOT = os.environ["BRANCHLINE_ROOT"]
BOARD = os.environ["BRANCHLINE_BOARD"]

freeze(ROOT + "/firmware/image/boot", "_boot.py")  # noqa: F821 - manifests are run with this name given
freeze(ROOT + "/build/firmware/" + BOARD, "main.py")  # noqa: F821
freeze(  # noqa: F821
    ROOT,
    (
        "hw/__init__.py",
        "hw/wire.py",
        "hw/" + BOARD + ".py",
        "firmware/__init__.py",
        "firmware/linehat/__init__.py",
        "firmware/linehat/app.py",
        "firmware/linehat/clock.py",
        "firmware/linehat/journal.py",
        "firmware/linehat/line.py",
        "firmware/linehat/link.py",
        "firmware/linehat/outputs.py",
        "firmware/linehat/profile.py",
        "firmware/ports/__init__.py",
        "firmware/ports/rp2/__init__.py",
        "firmware/ports/rp2/boot.py",
        "firmware/ports/rp2/hal.py",
    ),
)
