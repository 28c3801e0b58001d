"""The API asked at length, and a webhook told by a worker that is a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cloud.apply import call_ended
from cloud.store import webhooks
from cloud.store.database import write
from cloud.store.webhooks import NewHook, secret_place
from cloud.web.app import API
from cloud.webhooks.kinds import CALL_ENDED
from cloud.webhooks.signing import SIGNATURE, SignatureRefused, check_signature
from sync.arriving import Origin
from sync.inbox import Told
from sync.moment import to_text
from tests.cloud.house import NOON, open_house
from tests.cloud.test_api_fuzz import ask_at_random, asked_by, described, house  # noqa: F401  (fixtures)
from tests.cloud.webhooks.receiver import receiving
from tests.sync.station import call_ended as ended

NOW_UTC, SECRET = to_text(NOON), "told once"
ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.faults


@pytest.mark.parametrize("address", API)
def test_every_answer_is_one_the_description_promises(
    described: Any,  # noqa: F811
    asked_by: dict[str, str],  # noqa: F811
    address: str,
) -> None:
    ask_at_random(described, asked_by, address, 160)


def test_a_worker_process_tells_of_a_call_and_signs_it(tmp_path: Path) -> None:
    office = open_house(tmp_path)
    office.add_box("box-01", "昆明")
    names = "\n".join(f'{name} = "{tmp_path}/{name}.pem"' for name in ("ca", "cert", "key"))
    config = tmp_path / "ho.toml"
    config.write_text(
        f'data = "{tmp_path / "data"}"\nhook_networks = "127.0.0.0/8"\n[broker]\n{names}\n[web]\n'
    )
    sealed = office.parts.ring.active.seal(SECRET, secret_place("hook"))
    command = [sys.executable, "-m", "cloud", "--config", str(config), "worker"]
    with receiving() as receiver:
        owner_id = office.add_user("somebody", "admin")
        with write(office.parts.engine) as db:
            hook = NewHook("hook", owner_id, receiver.url, (CALL_ENDED,), sealed)
            webhooks.add_hook(db, hook, NOW_UTC)
            event = ended()
            call_ended(db, [Told(Origin("box-01", NOW_UTC), event, "0123456789abcdef", 1)])
        worker = subprocess.Popen(command, cwd=ROOT)
        try:
            assert receiver.arrived.wait(60)
        finally:
            worker.send_signal(signal.SIGTERM)
            worker.wait(30)
    ((headers, body),) = receiver.came
    signed_s = int(headers[SIGNATURE].split(",")[0].removeprefix("t="))
    check_signature(SECRET, body, headers[SIGNATURE], signed_s)
    with pytest.raises(SignatureRefused):
        check_signature("another", body, headers[SIGNATURE], signed_s)
    assert json.loads(body)["data"]["id"] == event.call_id
