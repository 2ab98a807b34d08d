"""What the suite of all collect slices does not ask of files: which objects a batch takes, and what of each is read."""

from __future__ import annotations

import gzip
import io
import json
import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError

from shared_metadata.contract.collect import CollectSteps
from shared_metadata.errors import DefinitionError, RetryLater
from shared_metadata.program import BadRows, Column, Connection, Flow, Kind, Mode, Position, Program, Table
from shared_metadata.program.intervals import Interval
from shared_metadata.program.schema import Schema, SchemaColumn
from slices.collect.s3.client import S3Source
from slices.collect.s3.manifests import Manifests
from slices.collect.s3.slice import SLICE
from tests.conformance.fixtures import NOW, BatchRun, Cloud, FakeContext, _s3, open_cloud, run_batch
from tests.memory.s3 import Stored

FLOW, DATASET, HERE = "lake.raw.visits", "lake.raw.visits:staged", Position("program.sql", 2, 1)


HOSTILE = ("a b.csv", "q?.csv", "[1].csv", "*.csv", "a'b\".csv", "%2e%2e.csv", "ü🛫.csv", "new\nline.csv", "a#b&c=d.csv")


class Drop:
    """A bucket, and a flow that collects the folder `in/visits/` of it every hour."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud, self.bucket = cloud, f"drop-{uuid.uuid4().hex[:8]}"
        cloud.s3.create_bucket(Bucket=self.bucket)
        self.known: Schema | None = None

    def put(self, name: str, body: bytes | str, at: datetime) -> None:
        """at: its LastModified, whenever it is put there."""
        key = f"in/visits/{name}"
        self.cloud.s3.put_object(Bucket=self.bucket, Key=key, Body=body)
        objects = _s3().buckets[self.bucket]
        objects[key] = Stored(objects[key].body, objects[key].etag, objects[key].kind, at)

    def delete(self, name: str) -> None:
        self.cloud.s3.delete_object(Bucket=self.bucket, Key=f"in/visits/{name}")

    def collect(self, mode: Mode = Mode.APPEND, options: Mapping[str, Any] | None = None, **flow: Any) -> None:
        given = {"bucket": self.bucket, "prefix": "in/", "format": "csv", **(options or {})}
        key = ("id",) if mode == Mode.MERGE else ()
        tables = (Table(DATASET, "visits"),)
        made = Flow(FLOW, Kind.COLLECT, SLICE.id, "lake", 3600, tables, HERE, connection="drop", mode=mode, key=key, **flow)
        self.cloud.apply(Program({"drop": Connection("drop", "s3", given, HERE)}, {}, {FLOW: made}))

    def steps(self) -> CollectSteps:
        services = self.cloud.services(SLICE.id)
        taken = Manifests(self.cloud.s3, self.cloud.bucket, f"staging/{SLICE.id}/")
        known = (lambda _: self.known) if self.known else (lambda _: None)
        return CollectSteps(SLICE, services, lambda connection, _: S3Source(connection, self.cloud.session, taken, known))

    def run(self, **how: Any) -> BatchRun:
        return run_batch(self.steps(), self.cloud.event(FLOW), **how)

    def rows(self) -> list[dict[str, Any]]:
        found = self.cloud.rows(DATASET)
        return found.to_pylist() if found is not None else []

    def rejected(self) -> list[dict[str, Any]]:
        files = self.cloud.manifest(DATASET)["rejected"]
        tables = [pq.read_table(io.BytesIO(self.cloud.body(file["key"]))) for file in files]
        return sorted((row for table in tables for row in table.to_pylist()), key=lambda row: row["reason"])

    def ids(self) -> list[Any]:
        """What the next batch brings."""
        run = self.run()
        return sorted(row["id"] for row in self.rows()) if run.calls else []

    @property
    def at(self) -> datetime:
        """A moment within the next batch."""
        state = self.cloud.reader.flow_states([FLOW]).get(FLOW)
        start = state.tables[DATASET].watermark if state else NOW - timedelta(hours=1)
        return start + timedelta(minutes=20)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    yield from open_cloud(monkeypatch)


@pytest.fixture
def drop(cloud: Cloud) -> Iterator[Drop]:
    made = Drop(cloud)
    yield made
    del _s3().buckets[made.bucket]


# -- which objects


def test_an_object_that_is_listed_late_is_taken_whatever_its_last_modified_says(drop: Drop) -> None:
    """A multipart upload's is the moment at which it was begun, a replica's that of its original."""
    drop.collect()
    drop.put("a.csv", "id\n1\n", drop.at)
    assert drop.ids() == [1]
    drop.put("begun-long-ago.csv", "id\n2\n", drop.at - timedelta(days=40))
    assert drop.ids() == [2]
    assert drop.ids() == []


def test_an_object_that_is_replaced_is_taken_again_and_one_that_is_put_there_anew_is_not(drop: Drop) -> None:
    drop.collect()
    drop.put("a.csv", "id\n1\n", drop.at)
    assert drop.ids() == [1]
    drop.put("a.csv", "id\n1\n", drop.at)
    assert drop.ids() == []
    drop.put("a.csv", "id\n2\n", drop.at)
    assert drop.ids() == [2]
    drop.put("a.csv", "id\n1\n", drop.at)
    assert drop.ids() == [1]


def test_an_object_after_the_batch_s_end_waits_for_its_batch(drop: Drop) -> None:
    drop.collect()
    drop.put("a.csv", "id\n1\n", drop.at)
    drop.put("b.csv", "id\n2\n", drop.at + timedelta(minutes=40))
    assert (drop.ids(), drop.ids()) == ([1], [2])


def test_objects_are_told_from_what_lies_beside_them(drop: Drop) -> None:
    drop.collect()
    for name in ("_SUCCESS", ".hidden.csv", "_temporary/0/a.csv", "day=1/_delta_log/0.csv", "folder/"):
        drop.put(name, "nothing,of,it\n", drop.at)
    drop.put("empty.csv", "", drop.at)
    drop.put("deep/er/a.csv", "id\n1\n", drop.at)
    assert drop.ids() == [1]


def test_replace_reads_all_that_is_there_and_nothing_where_nothing_changed(drop: Drop) -> None:
    drop.collect(Mode.REPLACE)
    drop.put("a.csv", "id\n1\n", drop.at)
    drop.put("b.csv", "id\n2\n", drop.at)
    assert drop.ids() == [1, 2]
    assert drop.ids() == []
    drop.delete("a.csv")
    assert drop.ids() == [2]


def test_an_append_that_is_run_again_is_refused_where_an_object_is_gone(drop: Drop) -> None:
    drop.collect()
    start = drop.at - timedelta(minutes=20)
    drop.put("a.csv", "id\n1\n", drop.at)
    drop.put("b.csv", "id\n2\n", drop.at)
    drop.run()
    drop.delete("a.csv")
    event = drop.cloud.event(FLOW, rerun=True, interval=Interval(start, start + timedelta(hours=1)))
    run = run_batch(drop.steps(), event, record_errors=True)
    assert isinstance(run.errors[DATASET], DefinitionError) and "in/visits/a.csv" in str(run.errors[DATASET])


def test_an_object_that_is_replaced_between_plan_and_extract_is_not_read_as_what_it_was(drop: Drop) -> None:
    drop.collect()
    drop.put("a.csv", "id\n1\n", drop.at)
    steps, event = drop.steps(), drop.cloud.event(FLOW)
    (state,) = steps.plan(event, FakeContext())["work"]
    drop.put("a.csv", "id\n2\n", drop.at - timedelta(minutes=5))
    with pytest.raises(RetryLater, match=r"a\.csv was deleted or replaced"):
        steps.extract({**state, "part": 0}, FakeContext())
    drop.cloud.clock.advance(hours=1)
    drop.run()
    assert [row["id"] for row in drop.rows()] == [2]


@pytest.mark.security
@pytest.mark.parametrize(
    "name", ["a b.csv", "q?.csv", "[1].csv", "*.csv", "a'b\".csv", "%2e%2e.csv", "ü🛫.csv", "new\nline.csv", "a#b&c=d.csv"]
)
def test_hostile_names_of_objects_are_names_and_nothing_else(drop: Drop, name: str) -> None:
    drop.collect()
    drop.put("other.csv", "id\n1\n", drop.at)
    drop.put(name, "id\n2\n", drop.at)
    drop.run()
    assert {row["_object"]: row["id"] for row in drop.rows()} == {"in/visits/other.csv": 1, f"in/visits/{name}": 2}


# -- what of each


def test_gzip_is_seen_whatever_the_name(drop: Drop) -> None:
    drop.collect()
    drop.put("a", gzip.compress(b"id\n1\n"), drop.at)
    drop.put("b.gz", b"id\n2\n", drop.at)
    assert drop.ids() == [1, 2]


def test_a_gzip_that_was_cut_off_or_is_damaged_is_refused_by_name(drop: Drop) -> None:
    """DuckDB would take its last value for another: 12 of 12345."""
    body = gzip.compress("".join(["id\n", *(f"{number * 7919}\n" for number in range(5000))]).encode())
    for broken in (body[:-9], body[: len(body) // 2], body[:-8] + b"12345678"):
        drop.collect(bad_rows=BadRows(percent=100))
        drop.put("whole.csv", "id\n1\n", drop.at)
        drop.put("a.csv", broken, drop.at)
        error = drop.run(record_errors=True).errors[DATASET]
        assert isinstance(error, DefinitionError) and "in/visits/a.csv ends before its gzip does" in str(error)
        drop.cloud.clock.advance(hours=1)
    drop.put("a.csv", body + gzip.compress(b"5\n"), drop.at)
    assert len(drop.ids()) == 5002


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_zstd_is_seen_whatever_the_name(drop: Drop, kind: str, tmp_path: Path) -> None:
    duckdb.sql("SELECT 1 AS id").query("t", f"COPY t TO '{tmp_path / 'a'}' (FORMAT {kind}, COMPRESSION zstd)")
    drop.collect(options={"format": kind})
    drop.put("a.txt", (tmp_path / "a").read_bytes(), drop.at)
    assert drop.ids() == [1]


def test_columns_go_by_their_names_in_whatever_order_each_object_has_them(drop: Drop) -> None:
    drop.collect()
    drop.put("a.csv", "id,name,more\n1,x,5\n", drop.at - timedelta(minutes=1))
    drop.put("b.csv", "Name,ID\ny,2\n", drop.at)
    drop.run()
    assert sorted((row["id"], row["name"]) for row in drop.rows()) == [(1, "x"), (2, "y")]


def test_folders_named_as_hive_does_are_columns(drop: Drop) -> None:
    drop.collect()
    drop.put("day=2026-01-01/city=S%C3%A3o Paulo/a.csv", "id\n1\n", drop.at)
    drop.put("day=__HIVE_DEFAULT_PARTITION__/city=x/a.csv", "id\n2\n", drop.at)
    drop.run()
    assert {row["id"]: (row["day"], row["city"]) for row in drop.rows()} == {1: ("2026-01-01", "São Paulo"), 2: (None, "x")}


def test_a_folder_of_a_column_whose_name_begins_as_what_is_hidden_is_read(drop: Drop) -> None:
    """apache/spark's own rule: `_` hides a name, unless it has a `=`."""
    drop.collect()
    drop.put("_day=2026-01-01/a.csv", "id\n1\n", drop.at)
    drop.put("_day=2026-01-02/.b.csv", "id\n2\n", drop.at)
    drop.put(".day=2026-01-02/c.csv", "id\n3\n", drop.at)
    drop.run()
    assert [(row["id"], row["_day"]) for row in drop.rows()] == [(1, "2026-01-01")]


@pytest.mark.parametrize(
    ("options", "body"),
    [
        ({"delimiter": ";"}, b"id;name\n1;\xc3\xa9\n"),
        ({"encoding": "latin-1"}, b"id,name\n1,\xe9\n"),
        ({"encoding": "utf-16"}, "id,name\n1,é\n".encode("utf-16")),
        ({"header": False}, b"1,\xc3\xa9\n"),
        ({"quote": "'"}, b"id,name\n1,'\xc3\xa9'\n"),
        ({"escape": "\\"}, b'id,name\n1,"\xc3\xa9"\n'),
        ({}, b"\xef\xbb\xbfid,name\r\n1,\xc3\xa9\r\n"),
    ],
)
def test_csv_of_many_kinds_is_read_as_its_options_say(drop: Drop, options: dict[str, Any], body: bytes) -> None:
    drop.collect(options=options)
    drop.put("a.csv", body, drop.at)
    drop.run()
    (row,) = drop.rows()
    names = ("column0", "column1") if options.get("header") is False else ("id", "name")
    assert tuple(row[name] for name in names) == (1, "é")


def test_another_sample_is_no_other_type_where_the_program_knows_one(drop: Drop) -> None:
    """Else a file whose numbers are all whole would be drift, and stop who reads them."""
    drop.known = Schema((SchemaColumn("n", "double", source="n", source_type="VARCHAR"),))
    drop.collect()
    drop.put("a.csv", "n,more\n1,x\n", drop.at)
    drop.run()
    schema = {column.name: column.type for column in drop.cloud.reader.latest_schema(DATASET).schema.columns}
    assert (schema["n"], schema["more"]) == ("double", "string") and [row["n"] for row in drop.rows()] == [1.0]


def test_a_where_reads_columns_that_are_not_collected(drop: Drop) -> None:
    drop.collect(columns=(Column("number", '"id"'),), filter="name = 'x' AND city <> 'Roma'")
    drop.put("city=Oslo/a.csv", "id,name\n1,x\n2,y\n", drop.at)
    drop.put("city=Roma/a.csv", "id,name\n3,x\n", drop.at)
    drop.run()
    assert [row["number"] for row in drop.rows()] == [1]


def test_codes_keep_their_zeros_and_a_column_with_a_word_is_text(drop: Drop) -> None:
    drop.collect()
    drop.put("a.csv", "zip,n,x,d,t\n00123,1,1.5,2026-01-01,2026-01-01T10:00:00Z\n", drop.at - timedelta(minutes=1))
    drop.put("b.csv", "zip,n,x,d,t\n9,n/a,2,2026-01-02,2026-01-01T10:00:00+02:00\n", drop.at)
    drop.run()
    schema = {c.name: c.type for c in drop.cloud.reader.latest_schema(DATASET).schema.columns}
    assert [schema[name] for name in ("zip", "n", "x", "d", "t")] == ["string", "string", "double", "date", "timestamptz"]
    assert sorted(row["zip"] for row in drop.rows()) == ["00123", "9"]


def test_lines_that_are_none_are_set_aside_with_their_object_line_and_reason(drop: Drop) -> None:
    drop.collect(bad_rows=BadRows(5))
    drop.put("a.csv", "id,name\n1,a\n2,b,c\n3\n4,d\n", drop.at)
    drop.run()
    assert [row["id"] for row in drop.rows()] == [1, 4]
    assert [(row["reason"], json.loads(row["data"])) for row in drop.rejected()] == [
        ("in/visits/a.csv: line 3: too many columns", {"_object": "in/visits/a.csv", "_line": "2,b,c"}),
        ("in/visits/a.csv: line 4: missing columns", {"_object": "in/visits/a.csv", "_line": "3"}),
    ]


def test_a_file_that_ends_within_quotes_is_refused_by_name(drop: Drop) -> None:
    """DuckDB would leave its last rows out, and say nothing."""
    drop.collect(bad_rows=BadRows(5))
    drop.put("a.csv", 'id,name\n1,a\n2,b,c\nx,"e\n5,f\n', drop.at)
    assert "in/visits/a.csv ends within quotes" in str(drop.run(record_errors=True).errors[DATASET])


def test_json_that_is_none_is_set_aside(drop: Drop) -> None:
    drop.collect(options={"format": "json"}, bad_rows=BadRows(5))
    drop.put("a.jsonl", '{"id": 1}\n{"id": 2\n\n[3]\n{"id": 4, "more": {"a": [1]}}\n', drop.at)
    drop.run()
    assert [(row["id"], row["more"]) for row in drop.rows()] == [(1, None), (4, '{"a":[1]}')]


@pytest.mark.parametrize(
    ("kind", "values"), [("long", ["1.5", "x", "9223372036854775808", "1e30"]), ("decimal(5,2)", ["1.239", "1000"])]
)
def test_a_number_is_exact_or_none(drop: Drop, kind: str, values: list[str]) -> None:
    drop.collect(bad_rows=BadRows(9), casts={"n": kind})
    drop.put("a.csv", "id,n\n0,7\n0,7.0\n" + "".join(f"1,{value}\n" for value in values), drop.at)
    drop.run()
    assert [row["n"] for row in drop.rows()] == [7, 7]
    assert sum(file["rows"] for file in drop.cloud.manifest(DATASET)["rejected"]) == len(values)


def test_a_file_that_cannot_be_read_fails_its_batch_with_its_name(drop: Drop) -> None:
    drop.collect(options={"format": "parquet"})
    drop.put("broken.parquet", b"PAR1 but no more", drop.at)
    (failed,) = drop.run(record_errors=True).planned["failed"]
    assert "none of the newest 1 objects below in/visits/" in failed["error"] and "Remedy:" in failed["error"]


# -- who may not


DENIED = {
    "list_objects_v2": ("AccessDenied", "no", "S3 denies s3:ListBucket on drop-"),
    "get_object": ("AccessDenied", "no", "S3 denies s3:GetObject on drop-"),
    "get_object of a key": ("AccessDenied", "not authorized to perform: kms:Decrypt", "is encrypted with is denied"),
    "get_object of an archive": ("InvalidObjectState", "no", "in/visits/a.csv is archived"),
}


@pytest.mark.security
@pytest.mark.parametrize("operation", DENIED)
def test_what_is_denied_is_named_with_what_to_do(drop: Drop, monkeypatch: pytest.MonkeyPatch, operation: str) -> None:
    code, message, told = DENIED[operation]
    drop.collect()
    drop.put("a.csv", "id\n1\n", drop.at)
    whole = getattr(_s3(), operation.split()[0])

    def denied(*, Bucket: str, **given: Any) -> Any:
        if Bucket != drop.bucket:
            return whole(Bucket=Bucket, **given)
        error = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": 403}}
        raise ClientError(error, operation)  # type: ignore[arg-type]

    monkeypatch.setattr(_s3(), operation.split()[0], denied)
    (failed,) = drop.run(record_errors=True).planned["failed"]
    assert failed["error"].startswith("DefinitionError: connection drop (program.sql:2:1): ")
    assert told in failed["error"] and "Remedy:" in failed["error"]


# -- what others met


@pytest.mark.parametrize("more", [{}, {"filter": "id > 0"}], ids=["all", "where"])
def test_keys_of_json_are_columns_however_each_object_spells_them(drop: Drop, more: dict[str, Any]) -> None:
    """duckdb/duckdb#7956, #15601, SQLMesh/sqlmesh#5171: `Id` beside `id` was a column of nulls."""
    drop.collect(options={"format": "json"}, columns=(Column("id", "id"), Column("name", '"Name"')), **more)
    drop.put("a.json", '{"Id": 1, "Name": "a"}\n{"ID": 2, "NAME": "b"}\n', drop.at)
    drop.put("b.json", '{"id": 3, "name": "c"}\n{"id": 4}\n', drop.at + timedelta(minutes=1))
    drop.run()
    assert sorted((row["id"], row["name"]) for row in drop.rows()) == [(1, "a"), (2, "b"), (3, "c"), (4, None)]


def test_an_object_that_has_a_key_twice_is_told_and_one_that_is_not_read_does_not_matter(drop: Drop) -> None:
    """duckdb/duckdb#6722: which of two values is meant nobody can tell."""
    drop.collect(options={"format": "json"}, columns=(Column("id", "id"),), bad_rows=BadRows(3))
    lines = ('{"id": 1, "id": 2}', '{"id": 3, "ID": 4}', '{"id": 5, "x": 1, "x": 2}', '{"id": 6}')
    drop.put("a.json", "\n".join(lines), drop.at)
    assert drop.ids() == [5, 6]
    assert [row["reason"] for row in drop.rejected()] == [f"in/visits/a.json: line {n}: has a key twice" for n in (1, 2)]


TO_THE_END = {
    "a mark of the byte order": b'\xef\xbb\xbf{"id": 1}\n{"id": 2}\n',
    "a mark of the byte order, packed": gzip.compress(b'\xef\xbb\xbf{"id": 1}\n{"id": 2}'),
    "lines that end as on an old Mac": b'{"id": 1}\r{"id": 2}\r',
    "lines that end as on Windows": b'{"id": 1}\r\n{"id": 2}\r\n\r\n',
}


@pytest.mark.parametrize("what", TO_THE_END)
def test_json_is_read_whole_whatever_wrote_it(drop: Drop, what: str) -> None:
    """infiniflow/ragflow#19179, vectordotdev/vector#22541: the first record, or all of a file that begins with the mark, was lost."""
    drop.collect(options={"format": "json"})
    drop.put("a.json", TO_THE_END[what], drop.at)
    assert drop.ids() == [1, 2]


NO_LINES = {
    "a list": b'[{"id": 1}, {"id": 2}]',
    "a list over lines": b'[{"id": 1},\n{"id": 2}]\n',
    "objects over lines": b'{\n  "id": 1\n}\n{\n  "id": 2\n}\n',
    "objects side by side": b'{"id": 1}{"id": 2}\n',
}


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside a file of lines"])
@pytest.mark.parametrize("what", NO_LINES)
def test_json_that_is_no_lines_does_not_pass_for_nothing(drop: Drop, what: str, beside: bool) -> None:
    """infiniflow/ragflow#19179: such a file was read as one without rows."""
    drop.collect(options={"format": "json"})
    drop.put("a.json", NO_LINES[what], drop.at)
    if beside:
        drop.put("b.json", b'{"id": 3}\n', drop.at + timedelta(minutes=1))
    run = drop.run(record_errors=True)
    said = [failed["error"] for failed in run.planned["failed"]] + [str(error) for error in run.errors.values()]
    assert ("in/visits/a.json: line 1 is no JSON" if beside else "no line is a JSON object") in said[0]


def test_rows_with_a_null_key_do_not_become_one(drop: Drop) -> None:
    drop.collect(Mode.MERGE, bad_rows=BadRows(2))
    drop.put("a.csv", "id,t\n1,a\n,b\n,c\n", drop.at)
    assert drop.ids() == [1]
    assert [row["reason"] for row in drop.rejected()] == [f"in/visits/a.csv: row {n}: id is null, or no long" for n in (2, 3)]
    drop.collect(Mode.MERGE)
    drop.put("b.csv", "id,t\n2,a\n,b\n", drop.at)
    (error,) = drop.run(record_errors=True).errors.values()
    assert "id is null" in str(error) and "BAD ROWS" in str(error)


@pytest.mark.parametrize(
    ("kind", "said"),
    [(pa.decimal256(39, 2), "a decimal of 39 digits"), (pa.time64("ns"), "has nanoseconds")],
    ids=["decimal", "time"],
)
def test_a_column_of_parquet_of_which_other_values_would_be_read_is_refused(drop: Drop, kind: pa.DataType, said: str) -> None:
    """duckdb/duckdb#25058: 1.50 was read as 108086391056891904."""
    file = io.BytesIO()
    pq.write_table(pa.table({"id": [1], "s": [{"x": 1.5}], "v": pa.array([1]).cast(kind)}), file)
    drop.collect(options={"format": "parquet"})
    drop.put("a.parquet", file.getvalue(), drop.at)
    (error,) = drop.run(record_errors=True).errors.values()
    assert "in/visits/a.parquet cannot be read as Parquet: its column v" in str(error) and said in str(error)
    drop.collect(options={"format": "parquet"}, columns=(Column("id", "id"), Column("s", "s")))
    drop.cloud.clock.advance(hours=1)
    drop.run()
    assert [(row["id"], row["s"]) for row in drop.rows()] == [(1, {"x": 1.5})]


@pytest.mark.parametrize(
    "kind", [pa.time64("us"), pa.timestamp("us"), pa.timestamp("us", tz="UTC"), pa.timestamp("ns", tz="UTC"), pa.decimal128(38, 2)]
)
def test_a_column_of_parquet_that_is_read_as_it_is_is_not_refused(drop: Drop, kind: pa.DataType) -> None:
    file = io.BytesIO()
    pq.write_table(pa.table({"id": [1], "x": [1.5], "v": pa.array([1]).cast(kind)}), file)
    drop.collect(options={"format": "parquet"})
    drop.put("a.parquet", file.getvalue(), drop.at)
    assert drop.ids() == [1]


def test_a_moment_in_a_column_of_days_is_no_day(drop: Drop) -> None:
    """A sample says what a column is, and a later value is another: none of it is cut to fit."""
    drop.known = Schema(
        (
            SchemaColumn("id", "long", source="id", source_type="VARCHAR"),
            SchemaColumn("day", "date", source="day", source_type="VARCHAR"),
        )
    )
    drop.collect(bad_rows=BadRows(1))
    drop.put("a.csv", "id,day\n1,2026-01-01\n2,2026-01-01 23:30:00+02:00\n", drop.at)
    assert drop.ids() == [1]
    assert [row["reason"] for row in drop.rejected()] == ["in/visits/a.csv: row 2: day is no date"]


@pytest.mark.parametrize("body", ["1,a\n2,b\n", "id;t\n1;a\n"], ids=["no header", "another separator"])
def test_a_file_with_none_of_the_columns_is_no_file_of_nulls(drop: Drop, body: str) -> None:
    """airbytehq/airbyte#7012, apache/superset#9874: of a file without its header the first row was taken for one."""
    drop.collect()
    drop.put("a.csv", body, drop.at)
    drop.put("b.csv", "id,t\n3,c\n", drop.at + timedelta(minutes=1))
    (error,) = drop.run(record_errors=True).errors.values()
    assert "in/visits/a.csv has none of the columns that are read: id, t" in str(error)
