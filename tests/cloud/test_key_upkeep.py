"""`admin keys`: a new key is taken, an interrupted rotation is finished first, nothing is ever shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloud.__main__ import main
from cloud.field_keys import add_key, read_keyring
from cloud.store.customer_writes import read_record
from cloud.store.customers import find_customer
from cloud.store.database import open_engine, read
from cloud.store.field_rotation import rotate_batch, rows_left
from tests.cloud.customers.people import AT, add, full_record
from tests.databases import new_sqlite


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A settings file of a head office with an empty database."""
    new_sqlite(tmp_path / "data" / "head-office.db")
    pki = "\n".join(f'{name} = "{tmp_path}/{name}.pem"' for name in ("ca", "cert", "key"))
    file = tmp_path / "ho.toml"
    file.write_text(f'data = "{tmp_path / "data"}"\n[broker]\n{pki}\n[web]\n')
    return file


def run(config: Path, *asked: str) -> int:
    return main(["--config", str(config), "admin", "keys", *asked])


def test_a_new_key_and_an_interrupted_rotation(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys, database = config.parent / "data" / "field.keys", config.parent / "data" / "head-office.db"
    assert run(config, "show") == 0
    engine = open_engine(f"sqlite:///{database}")
    ids = [add(engine, full_record(), ring=read_keyring(keys)) for _ in range(3)]
    assert run(config, "rotate", "--batch", "2") == 0
    assert len(read_keyring(keys).keys) == 2 and rows_left(engine, read_keyring(keys)) == 0
    begun = add_key(keys, AT)  # as a rotation leaves it that was stopped after its first batch
    rotate_batch(engine, begun, 1)
    assert run(config, "rotate") == 0
    assert read_keyring(keys).keys == begun.keys  # no further key was made
    said = capsys.readouterr().out
    assert f"finished the rotation to key {begun.active.id}: 5 rows" in said
    assert not any(key.secret.hex() in said for key in begun.keys)
    with read(engine) as db:
        row = find_customer(db, ids[0], None)
        assert row is not None
        assert read_record(db, begun, row) == full_record()
    engine.dispose()


def test_a_broken_key_file_ends_with_a_sentence(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (config.parent / "data" / "field.keys").write_text("{}")
    for asked in ("show", "rotate"):
        assert run(config, asked) == 2
        assert "field.keys is no file of field keys" in capsys.readouterr().err
