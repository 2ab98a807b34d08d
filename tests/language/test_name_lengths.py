"""A name is as long as the system takes in which it stands; a longer one is a mistake of the program, with its place."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from language import ProgramErrors, compile_program
from shared_metadata.contract.declaration import Slice
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.source_schemas import ConnectionSchemas, SourceSchemas
from slices.registry import installed

ENDPOINTS = "CREATE WAREHOUSE lake USING iceberg;\nCREATE CONNECTION ops TO postgres WITH (secret = 'ops');\n"
ORDERS = "INSERT INTO lake.ops FROM ops.public TABLES (orders) EVERY '1 hour';\n"
VIEW = "CREATE MATERIALIZED VIEW lake.{schema}.{table} EVERY '1 hour' REPLACE {clauses}AS SELECT id{column} FROM lake.ops.orders;\n"
PUBLISHED = "INSERT INTO ops.{table} EVERY '1 hour' MERGE ON (id) {clauses}AS SELECT id{column} FROM lake.ops.orders;\n"
QUARANTINE = "EXPECT known: (id > 0) OR QUARANTINE "


def refusal(text: str, slices: Mapping[str, Slice] | None = None) -> str:
    """What the compiler says of it; '' when it compiles."""
    orders = Schema((SchemaColumn("id", "long", False, "id", "bigint"),))
    targets = dict.fromkeys(("public.t", f"public.{'t' * 63}", f"{'s' * 63}.t", f"public.{'ü' * 31}"))
    schemas: SourceSchemas = {"ops": ConnectionSchemas("ops", "postgres", {"public.orders": orders, **targets})}
    try:
        compile_program({"p.sql": ENDPOINTS + ORDERS + text}, slices or installed(), schemas)
    except ProgramErrors as errors:
        return str(errors)
    return ""


def view(schema: str = "a", table: str = "v", column: str = "", clauses: str = "") -> str:
    return VIEW.format(schema=schema, table=table, column=column and f" AS {column}", clauses=clauses)


def published(table: str, column: str = "", clauses: str = "") -> str:
    return PUBLISHED.format(table=table, column=column and f", id AS {column}", clauses=clauses)


@pytest.mark.parametrize(
    ("fits", "too_long", "said"),
    [
        (view(table="t" * 255), view(table="t" * 256), "has 256 bytes, and organize.iceberg takes 255"),
        (view(schema="s" * 250), view(schema="s" * 251), "the name `lake_sssssssssssssssssssssssss…` has 256 bytes"),
        (view(column="c" * 255), view(column="c" * 256), "the name of the column `cccccccccccccccccccccccccccccc…` has 256 bytes"),
        (
            view(table="t" * 245, clauses=QUARANTINE),
            view(table="t" * 246, clauses=QUARANTINE),
            "the name of the table of rejected rows `tttttttttttttttttttttttttttttt…` has 256 bytes",
        ),
        (published(f"public.{'t' * 63}"), published(f"public.{'t' * 64}"), "has 64 bytes, and harness.postgres takes 63"),
        (published(f"{'s' * 63}.t"), published(f"{'s' * 64}.t"), "has 64 bytes, and harness.postgres takes 63"),
        (published(f'public."{"ü" * 31}"'), published(f'public."{"ü" * 32}"'), "has 64 bytes, and harness.postgres takes 63"),
        (
            published("public.t", "c" * 63),
            published("public.t", "c" * 64),
            "the name of the column `cccccccccccccccccccccccccccccc…` has 64 bytes",
        ),
    ],
    ids=["table", "database", "column", "rejected rows", "published table", "published schema", "bytes", "published column"],
)
def test_a_name_that_just_fits_compiles_and_a_longer_one_is_refused_at_its_place(fits: str, too_long: str, said: str) -> None:
    assert refusal(fits) == ""
    refused = refusal(too_long)
    assert said in refused and "p.sql:4:" in refused and "choose a shorter one" in refused


def test_a_collected_table_is_refused_where_it_is_listed(slices: Mapping[str, Slice]) -> None:
    refused = refusal(f"INSERT INTO lake.other FROM ops.public TABLES (ok, {'t' * 256}) EVERY '1 hour';\n", slices)
    assert "has 256 bytes, and organize.iceberg takes 255" in refused and "p.sql:4:52" in refused
