"""MySQL's dialect: columns of one table and a WHERE, typed by the table's snapshot; what is not known is refused."""

from __future__ import annotations

import pytest

from language import ProgramErrors
from language.compiler import compile_sources
from shared_metadata.program import Column, Flow, Kind
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.source_schemas import ConnectionSchemas
from slices.registry import installed

COLUMNS = {"id": "long", "Order": "int", "state": "string", "changed_at": "timestamptz"}
SCHEMA = Schema(tuple(SchemaColumn(name.lower(), kind, source=name) for name, kind in COLUMNS.items()))
SCHEMAS = {"shop": ConnectionSchemas("shop", "mysql", {"orders": SCHEMA, "stock.Items": SCHEMA})}
HEAD = "CREATE WAREHOUSE lake USING iceberg; CREATE CONNECTION shop TO mysql WITH (secret = 'shop');\n"
MERGED = "INSERT INTO lake.shop.orders EVERY '1 hour' MERGE ON (id) CURSOR changed_at AS "


def flow(statement: str) -> Flow:
    program = compile_sources({"p.sql": HEAD + statement + ";"}, installed(), SCHEMAS).program
    return next(found for found in program.flows.values() if found.kind is Kind.COLLECT)


def test_columns_and_where_are_what_the_slice_runs() -> None:
    found = flow(
        f"{MERGED}SELECT o.id, o.`Order` AS place, changed_at FROM shop.orders o WHERE o.state <> 'dra''ft' AND `Order` IN (1, 2)"
    )
    assert found.columns == (Column("id", "id"), Column("place", "`Order`"), Column("changed_at", "changed_at"))
    assert found.filter == "state <> 'dra''ft' AND `Order` IN (1, 2)" and found.tables[0].source == "orders"
    assert found.reports_left


def test_a_star_is_all_that_the_snapshot_has_by_names_in_quotes() -> None:
    found = flow("INSERT INTO lake.shop.items EVERY '1 hour' REPLACE AS SELECT * FROM shop.stock.Items WHERE id BETWEEN 1 AND 9")
    assert found.tables[0].source == "stock.Items"
    assert [column.source for column in found.columns] == ["`id`", "`Order`", "`state`", "`changed_at`"]


def test_tables_keep_the_case_in_which_they_are_written() -> None:
    found = flow("INSERT INTO lake.shop FROM shop TABLES (orders, stock.Items) EVERY '1 day'")
    assert [table.source for table in found.tables] == ["orders", "stock.Items"]


REFUSED = {
    "SELECT id, changed_at FROM shop.orders WHERE state = upper('x')": "not known here",
    "SELECT id, changed_at FROM shop.orders WHERE changed_at < NOW()": "not known here",
    "SELECT id, changed_at FROM shop.orders WHERE state = CAST(1 AS char)": "not known here",
    r"SELECT id, changed_at FROM shop.orders WHERE state = 'a\n'": "backslash",
    "SELECT id, changed_at FROM shop.orders WHERE state RLIKE 'a'": "not known here",
    "SELECT id, changed_at FROM shop.orders WHERE id = @id": "a query has no parameters",
    "SELECT id, changed_at FROM shop.orders WHERE id = ?": "a query has no parameters",
    "SELECT id, changed_at FROM shop.orders WHERE nothing = 1": "has no column `nothing`",
    "SELECT idd AS id, changed_at FROM shop.orders": "has no column `idd`",
    "SELECT id + 1 AS id, changed_at FROM shop.orders": "not a plain column",
    "SELECT id, changed_at FROM shop.orders ORDER BY id": "more than a projection",
    "SELECT o.id, o.changed_at FROM shop.orders o JOIN shop.stock.Items i ON i.id = o.id": "more than a projection",
    "SELECT id, changed_at FROM shop.orders WHERE id IN (SELECT id FROM shop.stock.Items)": "more than a projection",
    "SELECT id, changed_at FROM shop.orders FOR UPDATE": "",
    "SELECT id, changed_at FROM shop.nothing": "nothing is known of the table `nothing`",
}


@pytest.mark.parametrize("query", REFUSED)
def test_what_is_more_or_not_known_is_refused_with_what_to_do(query: str) -> None:
    with pytest.raises(ProgramErrors) as caught:
        flow(MERGED + query)
    assert REFUSED[query] in str(caught.value) and "p.sql:2:" in str(caught.value)


def test_what_is_checked_is_all_that_the_server_is_asked() -> None:
    """A WHERE that is let through means the same whatever the server's settings are: it has names, values and comparisons only."""
    where = "NOT (state LIKE 'a%' OR state IS NULL) AND id * 2 - -1 >= 3 AND (id, 1) IN ((1, 1)) AND state <=> NULL AND TRUE"
    assert flow(f"{MERGED}SELECT id, changed_at FROM shop.orders WHERE {where}").filter == where
