"""Queries over files: columns of one folder, each perhaps CAST, and a WHERE, typed by the folder's snapshot or by the casts."""

from __future__ import annotations

import pytest

from language import ProgramErrors
from language.compiler import compile_sources
from shared_metadata.program import Column, Flow, Kind, Mode
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.source_schemas import ConnectionSchemas
from slices.registry import installed

COLUMNS = {"id": "long", "Unit Price": "string", "day": "string", "tags": "string", "_object": "string", "_modified": "timestamptz"}
SCHEMA = Schema(tuple(SchemaColumn(name.lower(), kind, source=name) for name, kind in COLUMNS.items()))
SCHEMAS = {"dropped": ConnectionSchemas("dropped", "s3", {"orders": SCHEMA, "Shop.prices": SCHEMA})}
HEAD = "CREATE WAREHOUSE lake USING iceberg; CREATE CONNECTION dropped TO s3 WITH (bucket = 'acme', format = 'csv');\n"


def flow(statement: str) -> Flow:
    program = compile_sources({"p.sql": HEAD + statement + ";"}, installed(), SCHEMAS).program
    return next(found for found in program.flows.values() if found.kind is Kind.COLLECT)


def test_casts_are_the_slice_s_and_columns_keep_their_names_at_the_source() -> None:
    items = 'o.id, CAST(o."Unit Price" AS DECIMAL(12, 2)) AS price, day::date, tags::VARCHAR[] AS tags'
    where = "o.id > 5 AND day LIKE '2026%'"
    found = flow(f"INSERT INTO lake.a.b EVERY '1 hour' AS SELECT {items} FROM dropped.orders AS o WHERE {where}")
    columns = (Column("id", "id"), Column("price", '"Unit Price"'), Column("day", "day"), Column("tags", "tags"))
    assert (found.columns, found.mode, found.filter) == (columns, Mode.APPEND, "id > 5 AND day LIKE '2026%'")
    assert found.casts == {"price": "decimal(12,2)", "day": "date", "tags": "list<string>"}


def test_a_cast_may_name_what_is_nested() -> None:
    item = 'tags::STRUCT(a INTEGER, "b c" MAP(VARCHAR, DOUBLE)[]) AS t'
    found = flow(f"INSERT INTO lake.a.b EVERY '1 hour' AS SELECT {item} FROM dropped.orders")
    assert found.casts == {"t": 'struct<a: int, "b c": list<map<string, double>>>'}


def test_folders_are_named_in_the_case_in_which_they_are_written() -> None:
    found = flow("INSERT INTO lake.a FROM dropped TABLES (orders, Shop.prices) EVERY '1 day'")
    assert [table.source for table in found.tables] == ["orders", "Shop.prices"]


def test_a_merge_has_the_newest_object_s_rows_unless_it_says_otherwise() -> None:
    merged = "INSERT INTO lake.a.b EVERY '1 hour' MERGE ON (id)"
    assert flow(f"{merged} AS SELECT id, _modified FROM dropped.orders").cursor == "_modified"
    assert flow(f"{merged} CURSOR day AS SELECT id, day::date AS day FROM dropped.orders").cursor == "day"


REFUSED = {
    "SELECT id::INTERVAL AS i FROM dropped.orders": "no type of a column here",
    "SELECT id::BIGINT + 1 AS i FROM dropped.orders": "not a plain column",
    "SELECT id FROM dropped.orders WHERE lower(day) = 'x'": "is not taken in a WHERE over files",
    "SELECT id FROM dropped.orders WHERE day = current_date": "is not taken in a WHERE over files",
    "SELECT nothing FROM dropped.orders": "has no column `nothing`",
    "SELECT id FROM dropped.orders o JOIN dropped.Shop.prices p USING (id)": "more than a projection",
    "SELECT count(*) AS n FROM dropped.orders": "more than a projection",
}


@pytest.mark.parametrize("query", REFUSED)
def test_what_is_more_is_refused_at_its_place(query: str) -> None:
    with pytest.raises(ProgramErrors, match=REFUSED[query]):
        flow(f"INSERT INTO lake.a.b EVERY '1 hour' AS {query}")
