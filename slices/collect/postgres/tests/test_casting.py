"""What a statement casts: PostgreSQL's own CAST says which values fit and what becomes of them; the others are bad rows."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import psycopg
import pytest

from shared_metadata.errors import DefinitionError, RowError
from shared_metadata.program import BadRows, Column
from slices.collect.postgres.casting import cast_type
from slices.collect.postgres.tests.database import Database
from systems.postgres.type_mapping import SourceType
from tests.conformance.collect import Collecting

VALUES = {
    "numeric": [
        "0",
        "1.5",
        "-1.23456",
        "999.994",
        "999.995",
        "-999.995",
        "1000",
        "1e30",
        "1e-30",
        "'NaN'",
        "'Infinity'",
        "'-Infinity'",
    ],
    "numeric(12,4)": ["1.2345", "999.9949", "1000", "'NaN'"],
    "integer": ["0", "999", "1000", "-2147483648"],
    "bigint": ["999", "9223372036854775807"],
    "smallint": ["-999", "1000"],
    "real": ["1.25", "999.99", "1000", "'NaN'", "'Infinity'"],
    "double precision": ["0.005", "999.994", "999.996", "1e300", "'NaN'", "'-Infinity'"],
    "text": ["'1.5'", "' 2 '", "'.5'", "'5.'", "'1e2'", "'1e3'", "'x'", "''", "'1,5'", "'NaN'", "'1e999'", "'--1'", "'999.999'"],
    "character varying(20)": ["'1.5'", "'x'"],
}
CASTS = {"v": "decimal(5,2)"}


@pytest.mark.sampled(4)
@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("as_query", [False, True], ids=["of a table", "of a query"])
def test_a_value_is_what_the_servers_own_cast_makes_of_it_or_a_bad_row(
    collecting: Collecting, database: Database, kind: str, as_query: bool
) -> None:
    listed = ", ".join(f"({number}, {literal})" for number, literal in enumerate(VALUES[kind], 1))
    database.run(f"CREATE TABLE priced (id int, v {kind}); INSERT INTO priced VALUES (0, NULL), {listed}")
    cast = {number: _cast(database, number) for number in range(1, len(VALUES[kind]) + 1)}
    good = {0: None} | {number: value for number, value in cast.items() if value is not None}
    bad = [number for number, value in cast.items() if value is None]
    if as_query:
        how: dict[str, Any] = {"query": "SELECT id, v FROM public.priced ORDER BY id", "casts": CASTS}
    else:
        how = {"columns": (Column("id", "id"), Column("v", "v")), "casts": CASTS}
    table = "" if as_query else "public.priced"
    collecting.collect(table, incremental=False, **how)
    if bad:
        error = collecting.run(record_errors=True).errors[collecting.dataset]
        assert isinstance(error, RowError) and "v (decimal(5,2)) cannot hold a value" in str(error)
        collecting.cloud.clock.advance(hours=1)
        collecting.collect(table, incremental=False, bad_rows=BadRows(len(bad)), **how)
    collecting.run()
    found = collecting.cloud.rows(collecting.dataset).select(["id", "v"]).to_pylist()
    assert {row["id"]: row["v"] for row in found} == good
    assert str(collecting.cloud.rows(collecting.dataset).schema.field("v").type) == "decimal128(5, 2)"
    assert [(row["data"]["id"], row["reason"]) for row in (collecting.rejected() if bad else [])] == [
        (number, "v is no decimal(5,2)") for number in sorted(bad, key=str)
    ]


def _cast(database: Database, number: int) -> Decimal | None:
    """What PostgreSQL's CAST gives; None where it refuses, or gives what no decimal holds."""
    try:
        ((found,),) = database.run(f"SELECT v::numeric(5,2) FROM priced WHERE id = {number}")
    except psycopg.DataError:
        return None
    return found if found.is_finite() else None


def test_a_cast_that_is_none_names_what_to_do() -> None:
    with pytest.raises(DefinitionError) as refused:
        cast_type(SourceType("uuid"), "decimal(5,2)", "id", "program.sql:1:1")
    assert "id cannot be cast to decimal(5,2): it is uuid" in str(refused.value) and "text" in refused.value.remedy
