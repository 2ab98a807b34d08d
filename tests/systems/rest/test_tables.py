"""What a manifest and its overlay make of a table: types, how it is collected where a program leaves it open, what is gone."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import hmac
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from shared_metadata.contract.collect import ExtractRequest, Output, Window
from shared_metadata.contract.parquet.masking import Hashing
from shared_metadata.contract.runtime.staging import Staging
from shared_metadata.errors import DefinitionError, RetryLater, RowError
from shared_metadata.program import BadRows, Flow, Kind, Mask, Masks, Mode, Position, Table
from shared_metadata.program.intervals import Interval
from shared_metadata.program.json_types import type_of
from shared_metadata.program.masks import only, without_dropped
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.source_schemas import TableDefaults
from shared_metadata.state.records import Claim
from systems.rest.answers import Answer
from systems.rest.client import DELETED
from systems.rest.columns import columns_of
from systems.rest.covered import not_interpreted
from systems.rest.document import read
from systems.rest.manifest import HEADER
from systems.rest.parquet_files import ParquetFiles
from systems.rest.table_defaults import defaults_of, deleted_sql
from tests.conformance.fixtures import Cloud, cloud
from tests.systems.rest.reading import Reading, answer, stream
from tests.systems.rest.test_reading import windows
from tests.systems.rest.things import manifest
from tests.systems.rest.things import stream as table

__all__ = ["cloud"]
TEXT, NUMBER, WHOLE = {"type": ["string", "null"]}, {"type": "number"}, {"type": ["null", "integer"]}
MOMENT = {"type": "string", "format": "date-time"}
HOUR = Interval(datetime(2026, 11, 23, 11, tzinfo=UTC), datetime(2026, 11, 23, 12, tzinfo=UTC))


def schema(**properties: Any) -> dict[str, Any]:
    return {"schema_loader": {"type": "InlineSchemaLoader", "schema": {"type": "object", "properties": properties}}}


# -- types


@pytest.mark.parametrize(
    ("node", "kind"),
    [
        ({"type": "object", "properties": {"a": WHOLE, "b c": MOMENT}}, 'struct<a: long, "b c": timestamptz>'),
        ({"type": ["null", "array"], "items": {"type": "object", "properties": {"x": NUMBER}}}, "list<struct<x: double>>"),
        ({"type": "array", "items": {"type": "array", "items": TEXT}}, "list<list<string>>"),
        ({"type": "object", "additionalProperties": NUMBER}, "map<string, double>"),
        ({"type": "object", "properties": {"a": {"type": "object"}, "b": {"type": "array"}}}, "struct<a: string, b: string>"),
        ({"type": "object"}, "string"),
        ({"type": "object", "properties": {}, "additionalProperties": True}, "string"),
        ({"type": "object", "properties": {"a": TEXT, "A": TEXT}}, "string"),
        ({"type": "array", "items": {}}, "string"),
        ({"type": ["string", "object"], "properties": {"a": TEXT}}, "string"),
        ({}, "string"),
    ],
)
def test_what_the_manifest_types_has_that_type_and_else_it_is_text(node: Any, kind: str) -> None:
    assert type_of(node) == kind


def test_the_overlay_keeps_an_object_as_text() -> None:
    declared = stream(**schema(a={"type": "object", "properties": {"x": TEXT}}))
    assert [c.type for c in columns_of(declared, {})] == ["struct<x: string>"]
    assert [(c.type, c.source_type) for c in columns_of(declared, {"a": "object"})] == [("string", "object")]


# -- defaults


CHANGED = {**windows(), "cursor_field": "updated_at"}
MADE = {**windows(), "cursor_field": "created_at"}
FIELDS = schema(id=WHOLE, updated_at=MOMENT, created_at=MOMENT, credited_at=MOMENT, gone={"type": "boolean"}, State=TEXT)


CREDITED = {**windows(), "cursor_field": "credited_at"}


@pytest.mark.parametrize(
    ("more", "said", "expected"),
    [
        ({"primary_key": "id", "incremental_sync": CREDITED}, {}, TableDefaults(("id",))),
        ({"primary_key": "id", "incremental_sync": CHANGED}, {}, TableDefaults(("id",), "updated_at", Mode.MERGE)),
        ({"primary_key": ["id", "State"], "incremental_sync": MADE}, {}, TableDefaults(("id", "state"))),
        ({"primary_key": "id", "incremental_sync": MADE}, {"cursor": "created_at"}, TableDefaults(("id",), "created_at", Mode.MERGE)),
        ({"primary_key": "id", "incremental_sync": MADE}, {"cursor": "updated_at"}, TableDefaults(("id",), "updated_at")),
        ({"primary_key": "id"}, {}, TableDefaults(("id",))),
        ({"incremental_sync": CHANGED}, {}, TableDefaults((), "updated_at")),
        ({"incremental_sync": CHANGED}, {"key": "id"}, TableDefaults(("id",), "updated_at", Mode.MERGE)),
        ({"primary_key": "id", "incremental_sync": CHANGED}, {"mode": "replace"}, TableDefaults(("id",), "updated_at", Mode.REPLACE)),
        ({"primary_key": "id"}, {"mode": "merge", "deleted": "gone"}, TableDefaults(("id",), "", Mode.MERGE, "by gone")),
        ({"primary_key": "id"}, {"deleted": {"field": "State", "values": ["x"]}}, TableDefaults(("id",), "", None, "by State")),
        ({"primary_key": [["data", "id"]]}, {}, TableDefaults()),
        ({"primary_key": "id", "incremental_sync": MADE}, {"only": "MERGE"}, TableDefaults(("id",), "created_at", Mode.MERGE)),
    ],
)
def test_a_table_is_merged_by_what_moves_when_it_changes_and_never_by_when_it_was_made(
    more: dict[str, Any], said: dict[str, Any], expected: TableDefaults
) -> None:
    assert dataclasses.replace(defaults_of(stream(**FIELDS, **more), said), reads="") == expected


def test_a_cursor_that_the_api_does_not_filter_by_makes_no_merge() -> None:
    sync = {name: value for name, value in CHANGED.items() if name not in ("start_time_option", "end_time_option")}
    found = defaults_of(stream(**FIELDS, primary_key="id", incremental_sync=sync), {})
    assert found == TableDefaults(("id",), "updated_at", reads="all")


@pytest.mark.parametrize(
    ("sync", "routed", "said", "reads"),
    [
        (CHANGED, False, {}, "what its cursor says is new"),
        (CHANGED, True, {}, "what its cursor says is new, by each parent"),
        (None, False, {}, "all"),
        (None, True, {}, "all, by each parent"),
        (CHANGED, True, {"reads": "the last week, again"}, "the last week, again"),
    ],
)
def test_what_a_batch_reads_is_told(sync: Any, routed: bool, said: dict[str, Any], reads: str) -> None:
    parent = {"type": "ParentStreamConfig", "stream": stream(**FIELDS), "parent_key": "id", "partition_field": "parent"}
    router = {"partition_router": {"type": "SubstreamPartitionRouter", "parent_stream_configs": [parent]}} if routed else {}
    declared = stream(**FIELDS, retriever=router, **({"incremental_sync": sync} if sync else {}))
    assert defaults_of(declared, said).reads == reads


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ({"key": ["id", "none"]}, "`key` of things names none"),
        ({"cursor": "none"}, "`cursor` of things names none"),
        ({"deleted": "none"}, "`deleted` of things names none"),
        ({"deleted": {"fields": "id"}}, "`deleted` of things is no field"),
        ({"mode": "append"}, "`mode` of things is neither replace nor merge"),
        ({"mode": "merge", "key": []}, "has no key"),
        ({"keys": ["id"]}, "a table of an overlay has no `keys`"),
    ],
)
def test_an_overlay_that_cannot_be_says_where(tmp_path: Path, said: dict[str, Any], wrong: str) -> None:
    declared = {key: value for key, value in table("things", {"id": TEXT, "updated": MOMENT}).items() if key != "primary_key"}
    (tmp_path / "manifest.yaml").write_text(yaml.safe_dump({**manifest(), "streams": [declared]}))
    (tmp_path / "overlay.yaml").write_text(yaml.safe_dump({"tables": {"things": said}}))
    with pytest.raises(DefinitionError, match=wrong) as refused:
        read(tmp_path)
    assert refused.value.place.endswith("overlay.yaml") and refused.value.remedy


def test_streams_that_an_api_s_answers_make_are_left_out_by_name(tmp_path: Path) -> None:
    dynamic = [{"type": "DynamicDeclarativeStream", "name": "sheets"}, {"type": "DynamicDeclarativeStream"}]
    (tmp_path / "manifest.yaml").write_text(yaml.safe_dump({**manifest(), "dynamic_streams": dynamic}))
    assert read(tmp_path)["left_out"] == dict.fromkeys(("sheets", "dynamic stream 2"), "DynamicDeclarativeStream")


# -- Parquet


COLUMNS = (
    SchemaColumn("id", "string", source="id"),
    SchemaColumn("place", "struct<x: long, name: string>", source="place"),
    SchemaColumn("sizes", "list<int>", source="sizes"),
    SchemaColumn("counts", "map<string, long>", source="counts"),
    SchemaColumn("raw", "string", source="raw"),
    SchemaColumn("stay", "struct<days: list<date>>", source="stay"),
)
MASK_KEY = b"a key of masks that is long enough"


def written(
    cloud: Cloud,
    folder: Path,
    records: list[Any],
    *,
    tolerant: bool = False,
    deleted: str = "",
    masks: Masks | None = None,
    **more: str,
) -> Any:
    """The rows of records, and how many were set aside.  more: fields that are read and not collected ▸ their types."""
    staging = Staging(cloud.s3, cloud.bucket, "collect.things", Claim("lake.t", HOUR, 1, ("d",), ""))
    thing = Table("lake.t.thing:staged", "thing", masks=masks or {})
    columns = tuple(
        dataclasses.replace(c, type=without_dropped(c.type, thing.masks[c.name]) if c.name in thing.masks else c.type)
        for c in COLUMNS
    )
    flow = Flow("lake.t", Kind.COLLECT, "collect.things", "lake", 3600, (thing,), Position("program.atoll", 3, 1), "t")
    flow = dataclasses.replace(flow, bad_rows=BadRows(rows=9) if tolerant else None)
    own = (SchemaColumn("_batch", "timestamptz"), *((DELETED,) if deleted else ()))
    fields = {column.source: column.type for column in columns} | more
    part = {"fields": fields, "cut": {}, "deleted": deleted}
    out = Output(staging, thing.dataset, 0, "call")
    request = ExtractRequest(flow, thing, Schema((*columns, *own)), Window(HOUR, "", False), part, out)
    hashing = Hashing(only(Mask.HASH, thing.masks), MASK_KEY)
    files = ParquetFiles(cloud.session, dataclasses.replace(request, hashing=hashing), "here")
    file = folder / "page.json"
    file.write_text(json.dumps(records))
    try:
        found = files.from_pages([file], 0)
    finally:
        files.close()
    rows = pq.read_table(io.BytesIO(cloud.body(found["key"]))).to_pylist()
    return sorted(rows, key=lambda row: row["id"]), found.get("rejected", {}).get("rows", 0)


FULL = {
    "id": "a",
    "place": {"name": "here", "x": 9007199254740993, "unknown": 1},
    "sizes": [1, None, 3],
    "counts": {"b": 2, "c d": None},
    "raw": {"z": [1, {"y": 2.50}]},
}


@pytest.mark.parametrize("tolerant", [False, True])
def test_nested_values_come_whole_and_exact(cloud: Cloud, tmp_path: Path, tolerant: bool) -> None:
    records = [FULL, {"id": "b"}, {"id": "c", "place": {}, "sizes": [], "counts": {}, "raw": None}]
    if tolerant:
        records.append({"id": "bad", "sizes": ["x"]})
    rows, bad = written(cloud, tmp_path, records, tolerant=tolerant)
    full, none, empty = rows
    assert bad == tolerant
    assert full["place"] == {"x": 9007199254740993, "name": "here"} and full["sizes"] == [1, None, 3]
    assert dict(full["counts"]) == {"b": 2, "c d": None} and json.loads(full["raw"]) == FULL["raw"]
    assert {none[name] for name in ("place", "sizes", "counts", "raw")} == {None}
    assert (empty["place"], empty["sizes"], dict(empty["counts"])) == ({"x": None, "name": None}, [], {})


@pytest.mark.parametrize(
    "record",
    [
        {"place": {"x": 1.5}},
        {"place": {"x": 2**63}},
        {"sizes": [1, 2.5]},
        {"sizes": [2**31]},
        {"counts": {"a": 0.5}},
        {"place": "text"},
        {"sizes": {"a": 1}},
        {"sizes": [1, "x"]},
        {"place": {"x": "far"}},
        {"place": []},
        {"counts": {"a": 1, "b": [1]}},
        {"stay": {"days": ["2026-01-01T12:30:00Z"]}},
        {"place": {"x": True}},
    ],
)
def test_a_nested_value_that_does_not_fit_is_refused_or_set_aside_and_never_rounded(
    cloud: Cloud, tmp_path: Path, record: dict[str, Any]
) -> None:
    with pytest.raises(RowError, match="cannot be read as its type"):
        written(cloud, tmp_path, [{"id": "a"}, {"id": "b", **record}])
    rows, bad = written(cloud, tmp_path, [{"id": "a"}, {"id": "b", **record}], tolerant=True)
    assert [row["id"] for row in rows] == ["a"] and bad == 1


@pytest.mark.parametrize(
    "half", [{"place": {"name": "cut \ud83d"}}, {"raw": "\udeeb cut"}, {"raw": {"\ud83d": 1}}, {"counts": {"a \ud83d\ud83d": 1}}]
)
def test_half_a_character_is_told_or_set_aside_and_takes_no_other_row_with_it(
    cloud: Cloud, tmp_path: Path, half: dict[str, Any]
) -> None:
    """As many an API has it that cuts texts at so many units of UTF-16."""
    whole = [{"id": "a", "raw": "🛫 \\ud83d \\"}, {"id": "c", "raw": {"x": ["\u00e9\ufffd"]}}]
    (field,) = half
    with pytest.raises(RowError, match=f"a text of {field} holds half a character") as caught:
        written(cloud, tmp_path, [*whole, {"id": "b", **half}])
    assert "TOLERATE" in caught.value.remedy and "cut" not in str(caught.value)
    rows, bad = written(cloud, tmp_path, [*whole, {"id": "b", **half}, {"id": "d", "sizes": ["x"]}], tolerant=True)
    assert [(row["id"], row["raw"]) for row in rows] == [("a", "🛫 \\ud83d \\"), ("c", '{"x":["é�"]}')] and bad == 2
    listed = cloud.s3.list_objects_v2(Bucket=cloud.bucket)["Contents"]
    (aside,) = [pq.read_table(io.BytesIO(cloud.body(one["Key"]))).to_pylist() for one in listed if "rejected" in one["Key"]]
    reasons = {json.loads(row["data"])["id"]: (row["reason"], row["data"]) for row in aside}
    assert reasons["b"][0] == f"{field} holds half a character" and "�" in reasons["b"][1] and "\ufdd0" not in reasons["b"][1]
    assert "half" not in reasons["d"][0]


def test_what_json_has_no_number_for_is_a_text_within_what_is_kept_as_text(cloud: Cloud, tmp_path: Path) -> None:
    nan, inf = float("nan"), float("inf")
    records = [{"id": "a", "raw": {"x": [nan, -inf, 1], "NaN": 'NaN, "Infinity"'}, "counts": {"NaN": 1}}, {"id": "b", "raw": inf}]
    rows, _ = written(cloud, tmp_path, records)
    assert json.loads(rows[0]["raw"], parse_constant=_none) == {"x": ["NaN", "-Infinity", 1], "NaN": 'NaN, "Infinity"'}
    assert dict(rows[0]["counts"]) == {"NaN": 1} and rows[1]["raw"] == "Infinity"


def _none(word: str) -> None:
    raise AssertionError(word)


@pytest.mark.security
@pytest.mark.parametrize("tolerant", [False, True])
def test_fields_of_a_struct_are_masked_however_its_rows_are_read(cloud: Cloud, tmp_path: Path, tolerant: bool) -> None:
    masks = {"place": {"x": Mask.DROP, "name": Mask.HASH}}
    records = [FULL, {"id": "b", "place": {"x": 1}}, *([{"id": "bad", "place": {"name": "secret"}, "sizes": "none"}] * tolerant)]
    rows, bad = written(cloud, tmp_path, records, tolerant=tolerant, masks=masks)
    hashed = hmac.new(MASK_KEY, b"here", hashlib.sha256).hexdigest()
    assert [row["place"] for row in rows] == [{"name": hashed}, {"name": None}] and bad == tolerant
    listed = cloud.s3.list_objects_v2(Bucket=cloud.bucket)["Contents"]
    told = [str(pq.read_table(io.BytesIO(cloud.body(one["Key"]))).to_pylist()) for one in listed if "rejected" in one["Key"]]
    assert len(told) >= tolerant and not [text for text in told if "secret" in text]


@pytest.mark.parametrize("tolerant", [False, True])
@pytest.mark.parametrize(
    ("said", "kind", "values", "gone"),
    [
        ("gone", "boolean", [True, False, None], ["0"]),
        ("gone", "string", ["2026-11-23", None, ""], ["0"]),
        ({"field": "gone", "values": ["deleted", "void"]}, "string", ["void", "open", None], ["0"]),
        ({"field": "gone", "values": [2]}, "long", [1, 2, None], ["1"]),
    ],
)
def test_a_record_that_says_that_it_is_gone_is_marked(
    cloud: Cloud, tmp_path: Path, said: Any, kind: str, values: list[Any], gone: list[str], tolerant: bool
) -> None:
    records = [{"id": str(number), "gone": value} for number, value in enumerate(values)]
    records += [{"id": "bad", "sizes": "none"}] if tolerant else []
    rows, _ = written(cloud, tmp_path, records, tolerant=tolerant, deleted=deleted_sql({"deleted": said}, kind), gone=kind)
    assert [row["id"] for row in rows if row["_deleted"]] == gone and all(row["_deleted"] is not None for row in rows)


# -- other bodies than JSON documents


def decoder(how: dict[str, Any], *, path: tuple[str, ...] = ()) -> dict[str, Any]:
    selector = {"type": "RecordSelector", "extractor": {"type": "DpathExtractor", "field_path": [*path]}}
    return stream(retriever={"decoder": how, "record_selector": selector}, **schema(id=WHOLE, name=TEXT))


CSV = {"type": "CsvDecoder"}
TABS = {"type": "CompositeRawDecoder", "parser": {"type": "CsvParser", "delimiter": "\\t", "encoding": "latin-1"}}
LINES = {"type": "JsonlDecoder"}
PACKED = {"type": "CompositeRawDecoder", "parser": {"type": "GzipParser", "inner_parser": {"type": "JsonLineParser"}}}


@pytest.mark.parametrize(
    ("how", "body", "records"),
    [
        (CSV, b'id,name\r\n1,"a, ""b""\nc"\r\n,\r\n', [{"id": "1", "name": 'a, "b"\nc'}, {"id": None, "name": ""}]),
        (CSV, b"", []),
        (CSV, b"id,name,\n1,a,x,\n", [{"id": "1", "name": "a", "": "x"}]),
        ({**CSV, "set_values_to_none": ["-"]}, b"id,name\n1,-\n", [{"id": "1", "name": None}]),
        (TABS, "id\tname\n1\té\n".encode("latin-1"), [{"id": "1", "name": "é"}]),
        (LINES, b'{"id": 1}\n\n{"id": 2}\r\n', [{"id": 1}, {"id": 2}]),
        (LINES, b"", []),
        (PACKED, gzip.compress(b'{"id": 1}\n', mtime=0), [{"id": 1}]),
        (PACKED, gzip.compress(b'{"id": 1}\n', mtime=0) + gzip.compress(b'{"id": 2}\n', mtime=0), [{"id": 1}, {"id": 2}]),
        (PACKED, b'{"id": 1}\n', [{"id": 1}]),
        ({"type": "GzipDecoder", "decoder": {"type": "JsonDecoder"}}, gzip.compress(b'[{"id": 1}]', mtime=0), [{"id": 1}]),
        ({"type": "IterableDecoder"}, b"a\nb", [{"record": "a"}, {"record": "b"}]),
    ],
)
def test_a_body_is_read_as_its_decoder_says(how: dict[str, Any], body: bytes, records: list[Any]) -> None:
    reading = Reading(decoder(how), lambda _: Answer(200, {}, body))
    assert not_interpreted(reading.stream) == () and reading.records() == records
    (portion,) = reading.reader.portions.of(reading.stream, None)
    page = reading.reader.page(reading.stream, portion, None)
    assert page.text is None or json.loads(page.text) == records


@pytest.mark.parametrize(
    ("body", "said"), [(b"id,name,name\n1,a,b\n", "name twice"), (b"id,name\n1,a,,b\n", "more values than its header")]
)
def test_a_csv_of_which_values_would_be_lost_is_refused(body: bytes, said: str) -> None:
    with pytest.raises(DefinitionError, match=said) as refused:
        Reading(decoder(CSV), lambda _: Answer(200, {}, body)).records()
    assert refused.value.place and refused.value.remedy


def headed(values: Any) -> list[Any]:
    """What is read of an answer with these lists."""
    reading = Reading(
        decoder({"type": "JsonDecoder"}, path=("values",)), lambda _: answer({} if values is None else {"values": values})
    )
    reading.stream[HEADER] = True
    return reading.records()


def test_records_that_are_lists_are_named_by_the_first() -> None:
    assert headed([["id", "name"], ["1"], [], ["2", "b", ""]]) == [
        {"id": "1", "name": ""},
        {"id": "", "name": ""},
        {"id": "2", "name": "b"},
    ]
    assert headed(None) == headed([["id"]]) == []


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([["id", "id"]], "has the column id twice"),
        ([[2024, 2024, "id", "id"]], "has the column 2024 twice"),
        ([["id"], ["1", "2"]], "more values than its header"),
        ([["id"], ["1", "", 0]], "more values than its header"),
        ([["id"], ["1", False]], "more values than its header"),
        ([["id"], {"id": 1}], "no list"),
    ],
)
def test_lists_of_which_values_would_be_lost_are_refused(values: Any, said: str) -> None:
    with pytest.raises(DefinitionError, match=said) as refused:
        headed(values)
    assert refused.value.place and refused.value.remedy


def test_records_within_a_line_are_each_line_s() -> None:
    reading = Reading(decoder(LINES, path=("data",)), lambda _: Answer(200, {}, b'{"data": [{"id": 1}]}\n{"data": {"id": 2}}\n{}\n'))
    assert reading.records() == [{"id": 1}, {"id": 2}]


@pytest.mark.parametrize(
    ("how", "body"),
    [
        (LINES, b'{"id": 1}\n{"id'),
        (PACKED, gzip.compress(b'{"id": 1}\n' * 99, mtime=0)[:-9]),
        (PACKED, b"\x1f\x8bnothing"),
        ({"type": "CsvDecoder"}, b"id,name\n1,\xff\n"),
    ],
)
def test_a_body_that_is_not_so_or_cut_off_is_for_later(how: dict[str, Any], body: bytes) -> None:
    with pytest.raises(RetryLater):
        Reading(decoder(how), lambda _: Answer(200, {}, body)).records()


def test_a_decoder_that_is_not_read_is_named() -> None:
    assert not_interpreted(Reading(decoder({"type": "XmlDecoder"}), lambda _: answer([])).stream) == ("XmlDecoder",)
