"""How a function opens DuckDB."""

from __future__ import annotations

from pathlib import Path

import boto3
import duckdb
import pytest

from shared_metadata.contract import duckdb_session
from shared_metadata.contract.duckdb_session import extension_path, open_duckdb

SESSION = boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name="eu-central-1")


def test_an_extension_that_was_tampered_with_is_refused_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_duckdb(SESSION).close()
    genuine = Path(extension_path("httpfs"))
    changed = bytearray(genuine.read_bytes())
    changed[len(changed) // 2] ^= 1
    (tmp_path / genuine.name).write_bytes(changed)
    monkeypatch.setattr(duckdb_session, "extension_path", lambda _: str(tmp_path / genuine.name))
    for _ in range(2):
        with pytest.raises(duckdb.IOException, match="signature"):
            open_duckdb(SESSION)


def test_a_signature_that_was_checked_is_not_checked_by_the_next_connection_of_the_process() -> None:
    open_duckdb(SESSION).close()
    with open_duckdb(SESSION) as connection:
        ((unsigned,),) = connection.execute("SELECT current_setting('allow_unsigned_extensions')").fetchall()
        loaded = connection.execute("SELECT loaded FROM duckdb_extensions() WHERE extension_name = 'httpfs'").fetchall()
    assert unsigned and loaded == [(True,)]
