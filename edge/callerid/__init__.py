"""Who is calling: one file per way of saying it. See caller.py for what comes out."""

from edge.callerid.caller import CallerId, CallerIdError

__all__ = ["CallerId", "CallerIdError"]
