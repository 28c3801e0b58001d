"""The pop-up with head office out of reach (POP-14): it needs the box and nothing else."""

from __future__ import annotations

import subprocess
import sys

from tests.edge.customers.conftest import Shop
from tests.edge.customers.test_popup_page import cards, save

# What a program would need to reach head office; the page's program has none of it.
REACHES_OUT = {"paho", "sync.transport", "sync.session", "edge.syncer"}


def test_a_card_needs_nothing_but_the_box(shop: Shop) -> None:
    lost = {"part": "head_office", "state": "lost", "since_utc": "2026-11-20T00:00:00.000Z", "detail": ""}
    shop.branch.insert("health", **lost)
    shop.customer("王小明", "13800138000", of="ann")
    shop.ring("call-1", "13800138000")
    ann = shop.browser("ann")
    assert "Head office cannot be reached" in ann.get("/calls").text
    assert "王小明" in cards(ann)["call-1"]
    (customer,) = shop.db.execute("SELECT id FROM customers").fetchone()
    assert save(shop, ann, "call-1", customer_id=customer, content="要装宽带").status == 200
    (waiting,) = shop.db.execute("SELECT count(*) FROM outbox WHERE state = 'new'").fetchone()
    assert waiting > 0  # told when head office is back


def test_the_page_has_no_way_to_head_office() -> None:
    code = "import sys, edge.web.app; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "edge.web.popup" in done.stdout.split()
    assert REACHES_OUT & set(done.stdout.split()) == set()
