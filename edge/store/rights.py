"""What a user may be allowed, and what each level starts with: one table, so that one look answers it.

It stands in the store because users are stored with their rights; the page's door (`edge.web.rights`) is what
asks for them. A level is where a user's calls end (`edge.store.users.lines_in_scope`), a right is what may be
done with them; neither implies the other, so a super user without `pop_up` gets no pop-up (POP-04).
"""

from __future__ import annotations

from enum import Enum

# 级别, in falling order.
LEVELS = ("super", "leader", "ordinary")


class Right(Enum):
    """What a route needs. Every route names one; the first two are nobody's to give."""

    PUBLIC = "public"  # nobody need be logged in
    OWN = "own"  # any log-in: one's own session, language, password
    LIST = "list"  # see lines and calls, write notes on them
    PLAY = "play"  # hear recordings
    LISTEN = "listen"  # hear a line as it talks
    DOWNLOAD = "download"  # take recordings away as files
    DELETE = "delete"  # remove recordings
    EXPORT = "export"  # take lists away as sheets
    POP_UP = "pop_up"  # 弹出来电客户资料信息 (POP-03)
    CUSTOMERS = "customers"  # 客户信息资料管理 (POP-21)
    CUSTOMERS_BULK = "customers_bulk"  # 导入/删除客户资料信息 (POP-21)
    COMMUNICATIONS = "communications"  # 客户沟通记录管理 (COM-02)
    COMMUNICATIONS_BULK = "communications_bulk"  # 导入/删除客户沟通信息 (COM-02)
    RECORDINGS = "recordings"  # 录音查询功能: from a communication to its recording (COM-05)
    LOG = "log"  # read the operation log
    USERS = "users"  # administer users, groups, lines and uploads; means nothing below super


GIVEN_BY_NOBODY = frozenset({Right.PUBLIC, Right.OWN})
RIGHTS = tuple(right for right in Right if right not in GIVEN_BY_NOBODY)

# What a new user of a level starts with; an administrator may give and take each one (POP-05).
LEVEL_RIGHTS: dict[str, frozenset[Right]] = {
    "super": frozenset(RIGHTS),
    "leader": frozenset(RIGHTS) - {Right.DELETE, Right.LOG, Right.USERS},
    "ordinary": frozenset(
        {Right.LIST, Right.PLAY, Right.POP_UP, Right.CUSTOMERS, Right.COMMUNICATIONS, Right.RECORDINGS}
    ),
}
