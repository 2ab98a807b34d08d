"""`atoll rejected` of what is published: rows that fail an expectation, from the warehouse, and rows that the target refused."""

from __future__ import annotations

import json
import os
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest

from console.target import LOCAL, Target
from language import compile_program
from shared_metadata.contract.parquet import rejected_rows
from shared_metadata.contract.parquet.rejected_rows import RejectedRow
from slices.registry import installed
from tests.console.conftest import Atoll

PROGRAM = """
CREATE WAREHOUSE lake USING iceberg; CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
INSERT INTO lake.ops FROM ops TABLES (flights) EVERY '1 hour';
INSERT INTO ops.public.whole EVERY '1 hour' MERGE ON (id) TOLERATE 5 BAD ROWS AS SELECT id FROM lake.ops.flights;
INSERT INTO ops.public.log EVERY '1 hour' APPEND TOLERATE 5 BAD ROWS AS SELECT id FROM lake.ops.flights WHERE t >= batch_start();
INSERT INTO ops.public.strict EVERY '1 hour' MERGE ON (id) AS SELECT id FROM lake.ops.flights;
"""
HOURS = [datetime(2026, 11, 24, hour, tzinfo=UTC) for hour in range(4)]


class Reader:
    """Of a publication whose last three batches had a row refused, each."""

    def __init__(self) -> None:
        self.pointers = [{"rejected": [{"key": f"rejected/{hour.hour}.parquet", "rows": 1}]} for hour in reversed(HOURS[1:])]

    def active_program(self) -> Any:
        return compile_program({"p.sql": PROGRAM}, installed())

    def latest_version(self, dataset: str) -> Any:
        return None if dataset == "ops.public.strict" else SimpleNamespace(pointer=self.pointers[0])

    def batches(self, flow: str, dataset: str, limit: int) -> Any:
        good = SimpleNamespace(pointer={"manifest": "m"}), SimpleNamespace(pointer=None)
        return [SimpleNamespace(outcomes={dataset: o}) for o in (*good, *(SimpleNamespace(pointer=p) for p in self.pointers))]


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch) -> None:
    target = SimpleNamespace(reader=Reader(), session=None, account="1", region="r", environment=nullcontext)
    failed = [RejectedRow(HOURS[2], "organize", "known", '{"id": 20}')]
    monkeypatch.setattr("console.rejected.open_target", lambda _: target)
    monkeypatch.setattr("console.rejected._driver", lambda *_: SimpleNamespace(rejected=lambda *_: list(failed)))

    def read(_: Any, files: list[str], limit: int) -> list[RejectedRow]:
        hours = [int(file.rpartition("/")[2].removesuffix(".parquet")) for file in files]
        return [RejectedRow(HOURS[hour], "harness", "a value is null in column id", json.dumps({"id": hour})) for hour in hours]

    monkeypatch.setattr("console.rejected._read", read)


def test_of_a_table_that_is_published_whole_the_last_batch_counts(atoll: Atoll) -> None:
    rows = json.loads(atoll("rejected", "ops.public.whole", "--json").stdout)
    assert [(row["stage"], row["data"]["id"]) for row in rows] == [("harness", 3), ("organize", 20)]


def test_of_one_that_is_added_to_every_batch_counts_the_latest_first(atoll: Atoll) -> None:
    rows = json.loads(atoll("rejected", "ops.public.log", "--json").stdout)
    assert [row["data"]["id"] for row in rows] == [3, 20, 2, 1]
    assert len(json.loads(atoll("rejected", "ops.public.log", "--json", "--limit", "2").stdout)) == 2


def test_the_files_are_named_for_other_engines(atoll: Atoll) -> None:
    shown = atoll("rejected", "ops.public.whole").stdout
    assert "2026-11-24T03:00:00Z  a value is null in column id\n" in shown
    assert "refused by the target: s3://atoll-data-1-r/rejected/3.parquet\n" in shown


def test_where_nothing_is_tolerated_it_says_so(atoll: Atoll, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.rejected._driver", lambda *_: SimpleNamespace(rejected=lambda *_: []))
    shown = atoll("rejected", "ops.public.strict").stdout
    assert shown.startswith(
        "No row of ops.public.strict was set aside; neither EXPECT … OR QUARANTINE nor TOLERATE … BAD ROWS stands"
    )


def test_rows_are_read_from_files_of_their_one_shape_whatever_else_they_hold(tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for hour in (1, 2):
            data = rejected_rows.as_json({"id": (str(hour), "INTEGER")})
            one = rejected_rows.select(f"2026-11-24T0{hour}:00:00Z", "harness", "'why'", data)
            connection.execute(f"COPY ({one}, {{'id': {hour}}} AS typed) TO '{tmp_path}/{hour}.parquet' (FORMAT parquet)")
        found = rejected_rows.of_files(connection, [f"{tmp_path}/{hour}.parquet" for hour in (1, 2)], 5)
    assert found == [RejectedRow(HOURS[hour], "harness", "why", f'{{"id":{hour}}}') for hour in (2, 1)]


def test_libraries_with_clients_of_their_own_reach_the_embedded_aws_and_only_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    target = Target(LOCAL, None, {"AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": "https://127.0.0.1:4566"})
    with target.environment():
        assert (os.environ["AWS_REGION"], os.environ["AWS_ENDPOINT_URL"]) == ("us-east-1", "https://127.0.0.1:4566")
    assert os.environ["AWS_REGION"] == "eu-central-1" and "AWS_ENDPOINT_URL" not in os.environ
