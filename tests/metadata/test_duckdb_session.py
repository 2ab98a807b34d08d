"""How a function opens DuckDB."""

from __future__ import annotations

from pathlib import Path

import boto3
import duckdb
import pytest

from shared_metadata.contract.parquet import duckdb_session
from shared_metadata.contract.parquet.duckdb_session import extension_path, open_duckdb

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


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-central-1", "s3.eu-central-1.amazonaws.com"),
        ("us-gov-west-1", "s3.us-gov-west-1.amazonaws.com"),
        ("cn-north-1", "s3.cn-north-1.amazonaws.com.cn"),
        ("cn-northwest-1", "s3.cn-northwest-1.amazonaws.com.cn"),
    ],
)
def test_in_every_partition_s3_is_asked_where_it_is(region: str, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody answers; DuckDB's error names the host that it asked."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    session = boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name=region)
    with open_duckdb(session) as connection:
        connection.execute("SET http_retries = 0; SET http_proxy = 'http://127.0.0.1:9'")
        with pytest.raises(duckdb.Error) as caught:
            connection.execute("SELECT * FROM read_parquet('s3://bucket/key')")
    assert f"https://bucket.{host}/key" in str(caught.value)


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
