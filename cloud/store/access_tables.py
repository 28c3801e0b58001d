"""Tables of who may read what beyond their role: applications, those asked, what was done, grants.

Rows of `access_steps` and `access_grant_rows` are only ever added; the others change under the lock of their
application's or grant's row.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, Table, Text

from cloud.store.metadata import metadata

org_units = Table(  # cloud.access.units: a person sees the branches below their own
    "org_units",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("tier", Text, nullable=False),  # a key of cloud.access.units.TIERS
    Column("parent", Text, nullable=False),
)

access_requests = Table(  # cloud.access.applications
    "access_requests",
    metadata,
    Column("id", Text, primary_key=True),
    Column("applicant_id", Text, nullable=False),
    Column("applicant_name", Text, nullable=False),
    Column("role", Text, nullable=False),  # the applicant's then
    Column("unit_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("verbs", Text, nullable=False),  # spaces between
    Column("clarity", Text, nullable=False),
    Column("grade", Integer, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("hours", Integer, nullable=False),
    Column("subjects", Text, nullable=False),  # JSON list
    Column("box_ids", Text),  # JSON list; None: all the applicant's
    Column("from_utc", Text),
    Column("until_utc", Text),
    Column("documents", Text, nullable=False),  # JSON: numbers of agreements, incidents, letters
    Column("state", Text, nullable=False),  # cloud.access.applications.State
    Column("levels", Integer, nullable=False),
    Column("emergency", Boolean, nullable=False),
    Column("submitted_utc", Text, nullable=False),
    Index("access_requests_by_applicant", "applicant_id", "submitted_utc"),
    Index("access_requests_by_state", "state", "submitted_utc"),
)

approval_tasks = Table(  # cloud.access.approval.Task, in the order they were given out
    "approval_tasks",
    metadata,
    Column("request_id", Text, ForeignKey("access_requests.id"), primary_key=True),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("level", Integer, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("user_name", Text, nullable=False),
    Column("turn", Integer, nullable=False),
    Column("required", Boolean, nullable=False),
    Column("state", Text, nullable=False),
    Index("approval_tasks_by_user", "user_id", "state"),
)

access_steps = Table(  # what people did with an application
    "access_steps",
    metadata,
    Column("request_id", Text, ForeignKey("access_requests.id"), primary_key=True),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("at_utc", Text, nullable=False),
    Column("act", Text, nullable=False),  # cloud.access.approval.Act
    Column("user_name", Text, nullable=False),
    Column("other_name", Text, nullable=False),  # to whom it was handed on, or who was added
    Column("remark", Text, nullable=False),
    Column("state", Text, nullable=False),  # of the application from then on
)

access_grants = Table(  # cloud.access.grants.Grant
    "access_grants",
    metadata,
    Column("id", Text, primary_key=True),
    Column("request_id", Text, ForeignKey("access_requests.id"), nullable=False, unique=True),
    Column("user_id", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subjects", Text, nullable=False),  # JSON list
    Column("box_ids", Text),  # JSON list; None: all the person's
    Column("from_utc", Text),
    Column("until_utc", Text),
    Column("verbs", Text, nullable=False),
    Column("clarity", Text, nullable=False),
    Column("grade", Integer, nullable=False),
    Column("valid_from_utc", Text, nullable=False),
    Column("valid_until_utc", Text, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("uses", Integer, nullable=False),
    Column("rows_used", Integer, nullable=False),
    Column("uses_used", Integer, nullable=False),
    Column("last_used_utc", Text),
    Column("revoked_utc", Text),
    Column("emergency", Boolean, nullable=False),
    Index("access_grants_by_user", "user_id", "valid_until_utc"),
)

access_grant_rows = Table(  # each row that a grant has shown, once
    "access_grant_rows",
    metadata,
    Column("grant_id", Text, ForeignKey("access_grants.id"), primary_key=True),
    Column("row_id", Text, primary_key=True),
)
