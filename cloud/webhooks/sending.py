"""Sends one delivery over HTTPS: no redirection is followed, nothing waits longer than ten seconds.

Where it may go `cloud.webhooks.reach` says.

UrlRefused (ValueError)     not an address a hook may have
"""

from __future__ import annotations

from urllib.parse import urlsplit

import urllib3

from cloud.webhooks.attempts import Answer
from cloud.webhooks.reach import OutOfReach, Reach

LONGEST_S = 10.0
LONGEST_URL = 400
MOST_ANSWER_BYTES = 4096  # nothing is read from it; it only has to end
LOCAL = ("localhost", "127.0.0.1", "::1")


class UrlRefused(ValueError):
    """Not an address a hook may have."""


def check_url(url: str) -> None:
    """Raise UrlRefused unless a hook may have this address: https, or http on this machine for trying out."""
    if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise UrlRefused(f"wanted an address of at most {LONGEST_URL} plain characters, got {url[:80]!r}")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise UrlRefused(f"wanted https://host/path, got {url[:80]!r}: {error}") from error
    if not host or parts.username is not None or parts.fragment or port == 0:
        raise UrlRefused(f"wanted https://host/path without a user name or #, got {url[:80]!r}")
    if parts.scheme != "https" and not (parts.scheme == "http" and host in LOCAL):
        raise UrlRefused(f"wanted https, got {url[:80]!r}")


def new_pool() -> urllib3.PoolManager:
    """Connections that are kept for the next delivery to the same receiver."""
    return urllib3.PoolManager(
        num_pools=32, maxsize=2, retries=False, timeout=urllib3.Timeout(LONGEST_S, read=LONGEST_S)
    )


def send(pool: urllib3.PoolManager, url: str, body: bytes, headers: dict[str, str], reach: Reach) -> Answer:
    """POST `body`; what came of it. The connection goes to the very address that `reach` has looked at."""
    parts = urlsplit(url)
    host, is_tls = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if is_tls else 80)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        address = reach.address_of(host, port)
        named = {"server_hostname": host, "assert_hostname": host} if is_tls else {}
        connection = pool.connection_from_host(address, port, parts.scheme, named)
        answer = connection.urlopen(
            "POST",
            path,
            body=body,
            headers={"Host": parts.netloc} | headers,
            redirect=False,
            retries=False,
            preload_content=False,
        )
        try:
            answer.read(MOST_ANSWER_BYTES)
        finally:
            answer.close()
    except (urllib3.exceptions.HTTPError, OutOfReach) as error:
        return Answer(fault=f"{type(error).__name__}: {error}"[:400])
    return Answer(answer.status)
