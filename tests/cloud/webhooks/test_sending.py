"""Addresses a hook may have, and those it may not."""

from __future__ import annotations

import pytest

from cloud.webhooks.sending import LONGEST_URL, UrlRefused, check_url


@pytest.mark.parametrize(
    "url",
    [
        "https://crm.example.cn/hooks/branchline",
        "https://10.1.2.3:8443/a?b=c",
        "https://[fd00::1]/hook",
        "http://localhost:9000/try",
        "http://127.0.0.1/try",
        "https://host/" + "x" * (LONGEST_URL - 13),
    ],
)
def test_allowed(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "wanted https://host/path"),
        ("http://crm.example.cn/hook", "wanted https"),
        ("ftp://crm.example.cn/hook", "wanted https"),
        ("file:///etc/passwd", "wanted https"),
        ("javascript:alert(1)", "wanted https"),
        ("https://user:secret@crm.example.cn/", "without a user name"),
        ("https://crm.example.cn/#top", "without a user name or #"),
        ("https://crm.example.cn:0/", "without a user name"),
        ("https://crm.example.cn:99999/", "wanted https://host/path"),
        ("https://[::1/", "wanted https://host/path"),
        ("https://crm.example.cn/a b", "plain characters"),
        ("https://crm.example.cn/\r\nX: y", "plain characters"),
        ("https://客户.cn/hook", "plain characters"),
        ("https://host/" + "x" * LONGEST_URL, "at most 400"),
    ],
)
def test_refused(url: str, says: str) -> None:
    with pytest.raises(UrlRefused, match=says):
        check_url(url)
