"""The sync service: everything between the branch database and the connections to head office."""

from edge.syncer.loop import Syncer, SyncSettings, run

__all__ = ["SyncSettings", "Syncer", "run"]
