"""Text from Salesforce as Parquet: how a stream is cut between records, and what an unreadable value does."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared_metadata.contract.collect import ExtractRequest, Output, Window
from shared_metadata.contract.staging import Staging
from shared_metadata.errors import RowError
from shared_metadata.intervals import Interval
from shared_metadata.program import Flow, Kind, Position, Table
from shared_metadata.records import Claim, Schema, SchemaColumn
from slices.collect.salesforce import bulk_download
from slices.collect.salesforce.parquet_files import ParquetFiles
from tests.conformance.fixtures import Cloud

SCHEMA = Schema((SchemaColumn("id", "string", source="Id"), SchemaColumn("size", "int", source="Size__c")))
TABLE = Table("lake.crm.part:staged", "Part")
HOUR = Interval(datetime(2026, 11, 23, 11, tzinfo=UTC), datetime(2026, 11, 23, 12, tzinfo=UTC))


@pytest.fixture
def files(cloud: Cloud) -> ParquetFiles:
    staging = Staging(cloud.s3, cloud.bucket, "collect.salesforce", Claim("lake.crm", HOUR, 1, ("d",), ""))
    flow = Flow("lake.crm", Kind.COLLECT, "collect.salesforce", "lake", 3600, (TABLE,), Position("program.atoll", 3, 1), "crm")
    part = {"fields": ["Id", "Size__c"]}
    return ParquetFiles(
        cloud.session, ExtractRequest(flow, TABLE, SCHEMA, Window(HOUR, "", False), part, Output(staging, TABLE.dataset, 0))
    )


@pytest.mark.parametrize("way", ["csv", "json"])
def test_unreadable_value_names_its_column_and_not_itself(files: ParquetFiles, tmp_path: Path, way: str) -> None:
    file = tmp_path / "page"
    file.write_text('"001","hush"\n' if way == "csv" else '{"records": [{"Id": "001", "Size__c": "hush"}]}')
    with pytest.raises(RowError, match=r"^program\.atoll:3:1: lake\.crm\.part:staged: a value") as caught:
        (files.from_csv if way == "csv" else files.from_json)([file], 0)
    assert "hush" not in str(caught.value)
    assert way == "json" or "Size__c" in str(caught.value)


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
