"""The table of files that wait, or waited, for a review (`cloud.releases`)."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text

from cloud.store.metadata import metadata

releases = Table(
    "releases",
    metadata,
    Column("id", Text, primary_key=True),  # also the name of its file below `releases` in the data folder
    Column("kind", Text, nullable=False),  # of the records: calls
    Column("form", Text, nullable=False),  # a key of cloud.releases.rules.LIMITS
    Column("name", Text, nullable=False),  # of the file, as it is handed over
    Column("media_type", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("why", Text, nullable=False),  # JSON: keys of cloud.releases.rules.WHY
    Column("asked", Text, nullable=False),  # JSON: the question, as the audit keeps it
    Column("purpose", Text, nullable=False),
    Column("grants", Text, nullable=False),  # JSON: ids of those that showed some of it
    Column("audit_id", Text, nullable=False),  # the row that says what is in it
    Column("by_id", Text, nullable=False),
    Column("by_name", Text, nullable=False),
    Column("made_utc", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("decided_by", Text, nullable=False, server_default=""),
    Column("decided_utc", Text),
    Column("remark", Text, nullable=False, server_default=""),
    Column("opened_utc", Text),  # when it was opened first
    Column("gone_utc", Text),  # when its file was removed
    Index("releases_by_state", "state", "id"),
    Index("releases_by_person", "by_id", "id"),
)

export_jobs = Table(  # exports that take long (`cloud.store.export_jobs`)
    "export_jobs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("by_id", Text, nullable=False),
    Column("kind", Text, nullable=False),  # of the records
    Column("form", Text, nullable=False),
    Column("state", Text, nullable=False),  # making | ready | failed | cancelled
    Column("done", Integer, nullable=False),
    Column("total", Integer, nullable=False),  # 0: not counted yet
    Column("begun_utc", Text, nullable=False),
    Column("beat_utc", Text, nullable=False),  # when something was last heard of it
    Column("code", Text, nullable=False, server_default=""),  # why it failed, a marked sentence
    Column("release_id", Text),  # its file
    Index("export_jobs_by_person", "by_id", "id"),
)
