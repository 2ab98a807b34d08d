"""Oracle's dialect: columns of one table and a WHERE, typed by the table's snapshot; what is not known is refused."""

from __future__ import annotations

import pytest

from language import ProgramErrors
from language.compiler import compile_sources
from shared_metadata.program import Column, Flow, Kind
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.source_schemas import ConnectionSchemas
from slices.registry import installed

COLUMNS = {
    "ID": ("long", "NUMBER(18)"),
    "Order": ("int", "NUMBER(9)"),
    "STATE": ("string", "VARCHAR2(9)"),
    "CHANGED": ("timestamp", "DATE"),
}
SCHEMA = Schema(
    tuple(SchemaColumn(name.lower(), kind, source=name, source_type=written) for name, (kind, written) in COLUMNS.items())
)
SCHEMAS = {"hr": ConnectionSchemas("hr", "oracle", {"ORDERS": SCHEMA, "STOCK.Items": SCHEMA})}
HEAD = "CREATE WAREHOUSE lake USING iceberg; CREATE CONNECTION hr TO oracle WITH (secret = 'hr');\n"
MERGED = "INSERT INTO lake.hr.orders EVERY '1 hour' MERGE ON (id) CURSOR changed AS "


def flow(statement: str) -> Flow:
    program = compile_sources({"p.sql": HEAD + statement + ";"}, installed(), SCHEMAS).program
    return next(found for found in program.flows.values() if found.kind is Kind.COLLECT)


def test_columns_and_where_are_what_the_slice_runs_and_names_are_folded_to_capitals() -> None:
    found = flow(
        f"""{MERGED}SELECT o.id, o."Order" AS place, changed FROM hr.orders o
        WHERE o.state <> 'dra''ft' AND "Order" IN (1, 2) AND changed >= DATE '2026-01-01'
        AND o.changed < TIMESTAMP '2027-01-01 00:00:00'"""
    )
    assert found.columns == (Column("id", "id"), Column("place", '"Order"'), Column("changed", "changed"))
    assert found.tables[0].source == "ORDERS" and found.reports_left
    assert found.filter.startswith("state <> 'dra''ft' AND \"Order\" IN (1, 2) AND changed >= DATE '2026-01-01'\n")
    assert found.filter.endswith("AND changed < TIMESTAMP '2027-01-01 00:00:00'")


def test_a_star_is_all_that_the_snapshot_has_by_names_in_quotes() -> None:
    found = flow("""INSERT INTO lake.hr.items EVERY '1 hour' REPLACE AS SELECT * FROM hr.stock."Items" WHERE id BETWEEN 1 AND 9""")
    assert found.tables[0].source == "STOCK.Items"
    assert [column.source for column in found.columns] == ['"ID"', '"Order"', '"STATE"', '"CHANGED"']


def test_tables_without_quotes_stand_in_capitals() -> None:
    found = flow("""INSERT INTO lake.hr FROM hr TABLES (orders, stock."Items") EVERY '1 day'""")
    assert [table.source for table in found.tables] == ["ORDERS", "STOCK.Items"]


REFUSED = {
    "SELECT id, changed FROM hr.orders WHERE state = upper('x')": "not known here",
    "SELECT id, changed FROM hr.orders WHERE changed < SYSDATE": "",
    "SELECT id, changed FROM hr.orders WHERE ROWNUM < 10": "ROWNUM is no column",
    "SELECT id, changed FROM hr.orders WHERE ora_rowscn > 10": "ORA_ROWSCN is no column",
    "SELECT id, changed FROM hr.orders WHERE state = ''": "'' is NULL in Oracle",
    "SELECT id, changed FROM hr.orders WHERE state = CAST(1 AS VARCHAR2(9))": "not known here",
    "SELECT id, changed FROM hr.orders WHERE id = :id": "a query has no parameters",
    "SELECT id, changed FROM hr.orders WHERE nothing = 1": "has no column `nothing`",
    "SELECT idd AS id, changed FROM hr.orders": "has no column `idd`",
    "SELECT id + 1 AS id, changed FROM hr.orders": "not a plain column",
    "SELECT id, changed FROM hr.orders ORDER BY id": "more than a projection",
    "SELECT o.id, o.changed FROM hr.orders o JOIN hr.stock.Items i ON i.id = o.id": "more than a projection",
    "SELECT id, changed FROM hr.orders FETCH FIRST 3 ROWS ONLY": "more than a projection",
    "SELECT id, changed FROM hr.orders START WITH id = 1 CONNECT BY PRIOR id = 2": "more than a projection",
}


@pytest.mark.parametrize("query", REFUSED)
def test_what_is_more_than_columns_and_comparisons_is_refused(query: str) -> None:
    with pytest.raises(ProgramErrors) as refused:
        flow(MERGED + query)
    assert REFUSED[query] in str(refused.value)
