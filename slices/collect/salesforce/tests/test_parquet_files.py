"""Text from Salesforce as Parquet: how a stream is cut between records, and what an unreadable value does."""

from __future__ import annotations

import dataclasses
import io
import json
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from shared_metadata.contract.collect import ExtractRequest, Output, Window
from shared_metadata.contract.runtime.staging import Staging
from shared_metadata.errors import RowError
from shared_metadata.program import BadRows, Flow, Kind, Position, Table
from shared_metadata.program.intervals import Interval
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.state.records import Claim
from slices.collect.salesforce import bulk_download
from slices.collect.salesforce.parquet_files import ParquetFiles
from tests.conformance.fixtures import Cloud
from tests.words_in_values import WORDS

SCHEMA = Schema((SchemaColumn("id", "string", source="Id"), SchemaColumn("size", "int", source="Size__c")))
TABLE = Table("lake.crm.part:staged", "Part")
HOUR = Interval(datetime(2026, 11, 23, 11, tzinfo=UTC), datetime(2026, 11, 23, 12, tzinfo=UTC))


@pytest.fixture
def files(cloud: Cloud) -> ParquetFiles:
    return parquet_files(cloud)


def parquet_files(cloud: Cloud, bad_rows: BadRows | None = None, schema: Schema = SCHEMA) -> ParquetFiles:
    staging = Staging(cloud.s3, cloud.bucket, "collect.salesforce", Claim("lake.crm", HOUR, 1, ("d",), ""))
    flow = Flow("lake.crm", Kind.COLLECT, "collect.salesforce", "lake", 3600, (TABLE,), Position("program.atoll", 3, 1), "crm")
    flow = dataclasses.replace(flow, bad_rows=bad_rows)
    part = {"fields": [column.source for column in schema.columns]}
    return ParquetFiles(
        cloud.session, ExtractRequest(flow, TABLE, schema, Window(HOUR, "", False), part, Output(staging, TABLE.dataset, 0, "call"))
    )


@pytest.mark.parametrize("way", ["csv", "json"])
def test_unreadable_value_names_its_column_and_not_itself(files: ParquetFiles, tmp_path: Path, way: str) -> None:
    file = tmp_path / "page"
    file.write_text('"001","hush"\n' if way == "csv" else '{"records": [{"Id": "001", "Size__c": "hush"}]}')
    with pytest.raises(RowError, match=r"^program\.atoll:3:1: lake\.crm\.part:staged: a value") as caught:
        (files.from_csv if way == "csv" else files.from_json)([file], 0)
    assert "hush" not in str(caught.value)
    assert way == "json" or "Size__c" in str(caught.value)


@pytest.mark.budget(30)
@pytest.mark.parametrize("way", ["csv", "json"])
def test_no_word_of_a_value_changes_what_is_told_or_is_in_it(files: ParquetFiles, tmp_path: Path, way: str) -> None:
    file, found = tmp_path / "page", set()
    for word in WORDS:
        text = "x" + word
        quoted = text.replace('"', '""')
        file.write_text(f'"001","{quoted}"\n' if way == "csv" else json.dumps({"records": [{"Id": "001", "Size__c": text}]}))
        with pytest.raises(RowError) as caught:
            (files.from_csv if way == "csv" else files.from_json)([file], 0)
        found.add(str(caught.value))
    (message,) = found
    assert "jane" not in message and "4711" not in message and (way == "json" or "a value of Size__c" in message)


@pytest.mark.parametrize("way", ["csv", "json"])
def test_where_bad_rows_are_tolerated_they_are_set_aside_and_the_others_read(cloud: Cloud, tmp_path: Path, way: str) -> None:
    rows = [("001", "7"), ("002", "hush"), ("003", ""), ("004", "3000000000")]
    csv = "".join(f'"{key}","{size}"\n' for key, size in rows)
    records = [{"attributes": {}, "Id": key, "Size__c": {"7": 7, "": None}.get(size, size)} for key, size in rows]
    (tmp_path / "page").write_text(csv if way == "csv" else json.dumps({"records": records}))
    files = parquet_files(cloud, BadRows(rows=5))
    written = (files.from_csv if way == "csv" else files.from_json)([tmp_path / "page"], 0)
    assert written["rows"] == 2 and written["rejected"]["rows"] == 2
    good, bad = (pq.read_table(io.BytesIO(cloud.body(key))).to_pylist() for key in (written["key"], written["rejected"]["key"]))
    assert [(row["id"], row["size"]) for row in good] == [("001", 7), ("003", None)]
    assert [(row["stage"], row["reason"], json.loads(row["data"])) for row in bad] == [
        ("collect", "Size__c is no integer", {"id": "002", "size": "hush"}),
        ("collect", "Size__c is no integer", {"id": "004", "size": "3000000000"}),
    ]
    assert bad[0]["_batch"] == HOUR.start


def test_a_file_of_texts_alone_that_is_broken_is_no_row_to_set_aside(cloud: Cloud, tmp_path: Path) -> None:
    (tmp_path / "page").write_text('"001","hush","more"\n')
    texts = Schema(tuple(dataclasses.replace(column, type="string") for column in SCHEMA.columns))
    with pytest.raises(RowError):
        parquet_files(cloud, BadRows(rows=5), texts).from_csv([tmp_path / "page"], 0)


def test_rows_that_can_all_be_read_are_read_once_and_none_is_set_aside(cloud: Cloud, tmp_path: Path) -> None:
    (tmp_path / "page").write_text('"001","7"\n')
    assert "rejected" not in parquet_files(cloud, BadRows(rows=5)).from_csv([tmp_path / "page"], 0)


@pytest.mark.parametrize("piece_bytes", [1, 7, 64, 10_000])
def test_stream_is_cut_only_between_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece_bytes: int) -> None:
    monkeypatch.setattr(bulk_download, "CHUNK_BYTES", 50)
    texts = ['a\n""001"",""b""\n', '""\n', "\n", ",\n", '\n""x', "plain", "é\n\n"]
    records = [f'"00{number:02d}","{text}","{number}"\n'.encode() for number, text in enumerate(texts * 20)]
    whole = b"".join(records)
    pieces = [whole[at : at + piece_bytes] for at in range(0, len(whole), piece_bytes)]
    cutter = bulk_download.RecordFiles(tmp_path)
    chunks = [chunk for piece in pieces for chunk in cutter.add(piece)] + list(cutter.end())
    contents = [chunk.path.read_bytes() for chunk in chunks]
    assert b"".join(contents) == whole
    ends = {sum(map(len, records[:count])) for count in range(len(records) + 1)}
    assert {sum(map(len, contents[: count + 1])) for count in range(len(contents))} <= ends
    assert len(chunks) > 1 or piece_bytes == 1


DAYS = Schema((SchemaColumn("id", "string", source="Id"), SchemaColumn("day", "date", source="Day__c")))


@pytest.mark.parametrize("way", ["csv", "json"])
def test_a_moment_is_no_day_but_its_beginning_is(cloud: Cloud, tmp_path: Path, way: str) -> None:
    """DuckDB's cast takes the day of a moment, whatever its time and zone, and any text that begins as a day."""
    days = {"1": "2026-01-02", "2": "2026-01-02T00:00:00.000Z", "3": "2026-01-02T23:30:00-05:00", "4": "2026-01-02x", "5": ""}
    csv = "".join(f'"{key}","{day}"\n' for key, day in days.items())
    records = [{"Id": key, "Day__c": day or None} for key, day in days.items()]
    (tmp_path / "page").write_text(csv if way == "csv" else json.dumps({"records": records}))
    with pytest.raises(RowError, match="a value of Day__c cannot be read as its type"):
        files = parquet_files(cloud, schema=DAYS)
        (files.from_csv if way == "csv" else files.from_json)([tmp_path / "page"], 0)
    files = parquet_files(cloud, BadRows(rows=5), DAYS)
    written = (files.from_csv if way == "csv" else files.from_json)([tmp_path / "page"], 0)
    good, bad = (pq.read_table(io.BytesIO(cloud.body(key))).to_pylist() for key in (written["key"], written["rejected"]["key"]))
    assert [(row["id"], row["day"]) for row in good] == [("1", date(2026, 1, 2)), ("2", date(2026, 1, 2)), ("5", None)]
    assert [json.loads(row["data"])["id"] for row in bad] == ["3", "4"]
