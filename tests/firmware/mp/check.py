"""Counts what passed, for scripts that every Python runs: CPython and MicroPython alike."""

# ruff: noqa: T201, UP031

counts = [0, 0]


def check(name, holds):
    """One statement about the code."""
    counts[0 if holds else 1] += 1
    if not holds:
        print("FAILED", name)


def refused(name, error, function, *arguments):
    """The function must raise `error`."""
    try:
        function(*arguments)
    except error:
        check(name, True)
    else:
        check(name, False)


def done():
    """The last line of every script."""
    print("%d passed, %d failed" % (counts[0], counts[1]))
