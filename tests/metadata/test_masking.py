"""The hash of a masked column: HMAC-SHA-256 as everybody computes it, under a key that DuckDB never shows."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared_metadata.contract.parquet.duckdb_session import open_duckdb
from shared_metadata.contract.parquet.masking import Hashing
from shared_metadata.program import Mask

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
COLUMN = {"c": Mask.HASH}


@pytest.fixture(scope="module")
def session() -> Iterator[duckdb.DuckDBPyConnection]:
    with open_duckdb() as connection:
        yield connection


@settings(max_examples=60, deadline=None)
@given(key=st.binary(min_size=1, max_size=130), values=st.lists(st.none() | texts, min_size=1, max_size=20))
def test_a_hash_is_what_python_says(session: duckdb.DuckDBPyConnection, key: bytes, values: list[str | None]) -> None:
    hashing = Hashing(COLUMN, key)
    hashing.prepare(session)
    rows = session.execute(f"SELECT {hashing.value('c', 'c', 'string')} FROM (SELECT unnest(?) AS c){hashing.joined}", [values])
    assert [row[0] for row in rows.fetchall()] == [
        None if value is None else hmac.new(key, value.encode(), "sha256").hexdigest() for value in values
    ]


def test_bytes_are_hashed_as_they_are(session: duckdb.DuckDBPyConnection) -> None:
    hashing, content = Hashing(COLUMN, b"k" * 32), bytes(range(256))
    hashing.prepare(session)
    select = f"SELECT {hashing.value('c', 'c', 'binary')} FROM (SELECT ?::BLOB AS c){hashing.joined}"
    (row,) = session.execute(select, [content]).fetchall()
    assert row[0] == hmac.new(b"k" * 32, content, "sha256").hexdigest()


def test_other_columns_are_left_alone() -> None:
    assert (Hashing().value("c", "c0", "int"), Hashing().joined, Hashing(COLUMN, b"k").value("d", "c1", "int")) == ("c0", "", "c1")


def test_errors_plans_and_profiles_never_hold_the_key(session: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    key = b"TheKeyThatNobodyMaySeeAnywhereAtAll"
    hashing, profile = Hashing(COLUMN, key), tmp_path / "profile.json"
    hashing.prepare(session)
    select = f"SELECT {hashing.value('c', 'c', 'string')} AS c, CAST(d AS INTEGER) FROM (VALUES ('a', '1'), ('b', 'x')) t (c, d)"
    shown = [repr(hashing), str(session.execute(f"EXPLAIN {select}{hashing.joined}").fetchall())]
    session.execute(f"PRAGMA enable_profiling = 'json'; PRAGMA profiling_output = '{profile}'")
    for statement in (f"{select}{hashing.joined}", f"{select}{hashing.joined} WHERE e = 1", select):
        with pytest.raises(duckdb.Error) as raised:
            session.execute(statement).fetchall()
        shown.append(str(raised.value))
    session.execute(f"SELECT {hashing.value('c', 'c', 'string')} FROM (SELECT 'a' AS c){hashing.joined}").fetchall()
    session.execute("PRAGMA disable_profiling")
    shown.append(profile.read_text())
    pads = [bytes(byte ^ pad for byte in key).decode("latin-1") for pad in (0x36, 0x5C)]
    assert not [secret for secret in (key.decode(), key.hex(), *pads) if any(secret in text for text in shown)]


def test_rows_stream_past_the_key(session: duckdb.DuckDBPyConnection) -> None:
    """The key is what a join gathers, also beside a source of which DuckDB expects less than a row."""
    hashing = Hashing(COLUMN, b"k" * 32)
    hashing.prepare(session)
    rows = "(SELECT c FROM range(1000000) r (c) WHERE c < 0)"
    select = f"SELECT {hashing.value('c', 'c', 'long')} FROM {rows}{hashing.joined}"
    (row,) = session.execute(f"EXPLAIN (FORMAT json) {select}").fetchall()
    (plan,) = json.loads(row[1])
    while plan["name"].strip() != "CROSS_PRODUCT":
        (plan,) = plan["children"]
    assert [child["name"].strip() for child in plan["children"]] == ["FILTER", "SEQ_SCAN"]  # the second is what is gathered
