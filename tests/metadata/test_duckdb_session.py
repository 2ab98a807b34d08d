"""How a function opens DuckDB."""

from __future__ import annotations

from pathlib import Path

import boto3
import duckdb
import pytest

from shared_metadata.contract import duckdb_session
from shared_metadata.contract.duckdb_session import extension_path, open_duckdb

SESSION = boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name="eu-central-1")


@pytest.fixture
def tampered(tmp_path: Path) -> Path:
    """A copy of an extension in which a bit was changed."""
    genuine = Path(extension_path("httpfs"))
    changed = bytearray(genuine.read_bytes())
    changed[len(changed) // 2] ^= 1
    copy = tmp_path / genuine.name
    copy.write_bytes(changed)
    return copy


def test_an_extension_that_was_tampered_with_is_refused_each_time(tampered: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_duckdb(SESSION).close()
    monkeypatch.setattr(duckdb_session, "extension_path", lambda _: str(tampered))
    for _ in range(2):
        with pytest.raises(duckdb.IOException, match="signature"):
            open_duckdb(SESSION)


def test_a_connection_whose_extensions_were_checked_before_checks_all_others(tampered: Path) -> None:
    open_duckdb(SESSION).close()
    with open_duckdb(SESSION) as connection:
        loaded = connection.execute("SELECT loaded FROM duckdb_extensions() WHERE extension_name = 'httpfs'").fetchall()
        assert loaded == [(True,)]
        with pytest.raises(duckdb.IOException, match="signature"):
            connection.execute(f"LOAD '{tampered.rename(tampered.with_name('other.duckdb_extension'))}'")
        with pytest.raises(duckdb.Error, match="allow_unsigned_extensions"):
            connection.execute("SET GLOBAL allow_unsigned_extensions = true")
