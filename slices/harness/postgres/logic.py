"""PostgreSQL's SQL and types, as systems/sql_target asks for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared_metadata.contract.parquet.duckdb_session import identifier, literal
from shared_metadata.program import Mode
from slices.harness.postgres import column_types, fitting, statements
from systems.postgres.type_mapping import catalog_name, postgres_type
from systems.sql_target.dialect import Ours, Types
from systems.sql_target.statements import names, places
from systems.sql_target.table import TargetColumn, TargetTable

# https://www.postgresql.org/docs/current/ddl-system-columns.html
SYSTEM_COLUMNS = frozenset({"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"})
# An unused value, by the base type of a column that takes no null. Two random numbers are 128 bits.
_FRESH = "md5(random()::text || random()::text || clock_timestamp()::text)"
FREE = {
    **dict.fromkeys(("text", "varchar", "bpchar", "citext"), _FRESH),
    "uuid": f"{_FRESH}::uuid",
    "bytea": f"decode({_FRESH}, 'hex')",
    "int4": "-1 - (random() * 2147483646)::int",
    **dict.fromkeys(("int8", "numeric", "float8"), "-1 - (random() * 4503599627370496)::bigint"),
    **{kind: f"'empty'::{kind}" for kind in ("int4range", "int8range", "numrange", "daterange", "tsrange", "tstzrange")},
}
Columns = Sequence[TargetColumn]


class PostgresTypes:
    """The Types of systems/sql_target."""

    takes_null_characters = False

    def made(self, iceberg_type: str) -> str:
        return postgres_type(iceberg_type)

    def misfit(self, column: TargetColumn, iceberg_type: str) -> str:
        return fitting.why_not(column.exact_type, column.base, column.parts | {column.base}, iceberg_type)

    def tells_apart(self, column: TargetColumn, iceberg_type: str) -> bool:
        return not column.collation and column_types.tells_apart(column.type, iceberg_type)

    def written(self, value: str, duckdb_type: str, column: TargetColumn) -> str:
        return column_types.csv_value(value, duckdb_type, column.base, column.exact_type)

    def unnameable(self, name: str) -> str:
        return "a name that PostgreSQL keeps for itself" if name.lower() in SYSTEM_COLUMNS else ""


class PostgresDialect:
    """The Dialect of systems/sql_target."""

    types: Types = PostgresTypes()
    transactional = True
    default_schema = "public"
    receipts = """flow text NOT NULL, batch_start timestamptz NOT NULL, batch_end timestamptz NOT NULL, token bigint NOT NULL,
    result text NOT NULL, files text NOT NULL, upserts bigint NOT NULL, deletes bigint NOT NULL,
    published_at timestamptz NOT NULL DEFAULT now(), rejected text NOT NULL DEFAULT '[]', PRIMARY KEY (flow, batch_start)"""

    def quote(self, name: str) -> str:
        return identifier(name)

    def moment(self, text: str) -> str:
        return literal(text)

    # -- tables

    def new_table(self, schema: str, name: str, columns: Sequence[Mapping[str, Any]], key: Sequence[str]) -> TargetTable:
        """The table that Atoll makes when there is none: the result's columns, the key as PRIMARY KEY."""
        made = []
        for column in columns:
            kind = postgres_type(column["type"])
            made.append(TargetColumn(column["name"], kind, catalog_name(kind), required=column["name"] in key))
        return TargetTable(schema, name, tuple(made), (frozenset(key),) if key else (), exists=False)

    def create_table(self, table: TargetTable, key: Sequence[str]) -> str:
        columns = [f"{c.sql} {c.type}" for c in table.columns]
        primary = [f"PRIMARY KEY ({', '.join(map(identifier, key))})"] if key else []
        return f"CREATE TABLE {table.sql} ({', '.join(columns + primary)})"

    def create_stage(self, stage: str, marks: Sequence[str], columns: Columns) -> str:
        return f"CREATE UNLOGGED TABLE IF NOT EXISTS {stage} ({', '.join([*marks, *_kinds(columns)])})"

    def working(self, table: TargetTable, mode: Mode, columns: Columns) -> Mapping[str, Columns | None]:
        return {}

    def mark(self, parts: str) -> str:
        return f"INSERT INTO {parts} VALUES (%s) ON CONFLICT DO NOTHING"

    # -- rows

    def before(self, table: TargetTable, mode: Mode, key: Columns, *, deletes: bool, sifting: bool) -> list[str]:
        """Where rows are looked for before they are written, writers wait, and readers do not."""
        locks = [] if not deletes and (mode == Mode.APPEND or table.unique_by(key)) else [statements.lock(table)]
        return [*locks, f"SET CONSTRAINTS ALL {'IMMEDIATE' if sifting else 'DEFERRED'}"]

    def merge(self, table: TargetTable, rows: str, columns: Columns, key: Columns, gone: str = "") -> list[str]:
        return [statements.merge(table, rows, columns, key, gone)]

    def delete_keys(self, table: TargetTable, gone: str, key: Columns, kept: str = "") -> str:
        return statements.delete_keys(table, gone, key, kept)

    def insert_all(self, table: TargetTable, rows: str, columns: Columns) -> list[str]:
        return [statements.insert_all(table, rows, columns)]

    def replace(self, table: TargetTable, ours: Ours, columns: Columns) -> list[str]:
        return [statements.replace(table, ours("upserts"), columns)]

    def clear(self, table: TargetTable, ours: Ours, columns: Columns) -> list[str]:
        stage = ours("upserts")
        return [statements.delete_others(table, stage, columns), statements.forget_present(table, stage, columns)]

    def delete_like(self, table: TargetTable, ours: Ours, columns: Columns) -> list[str]:
        return [statements.delete_like(table, ours("deletes"), columns)]

    # -- unique values that move

    def differ(self, columns: Columns, left: str, right: str) -> str:
        return statements.differ(columns, left, right)

    def free(self, column: TargetColumn) -> str:
        return FREE.get(column.base, "")

    def keep(self, kept: str, columns: Columns) -> list[str]:
        return [f"CREATE UNLOGGED TABLE {kept} ({', '.join(_kinds(columns))})"]

    def take_out(self, table: TargetTable, kept: str, held: Columns, rows: str, changed: str) -> list[str]:
        taken = f"DELETE FROM {table.sql} t USING {rows} s WHERE {changed} RETURNING {names(held, 't')}"
        return [f"WITH taken AS ({taken}) INSERT INTO {kept} SELECT * FROM taken"]

    def put_back(self, table: TargetTable, columns: str, chosen: str, source: str) -> str:
        return f"INSERT INTO {table.sql} ({columns}) OVERRIDING SYSTEM VALUE SELECT {chosen} FROM {source}"

    def update(self, table: TargetTable, values: Sequence[tuple[TargetColumn, str]], source: str, condition: str) -> str:
        sets = ", ".join(f"{column.sql} = {value}" for column, value in values)
        return f"UPDATE {table.sql} t SET {sets} FROM {source} s WHERE {condition}"


def _kinds(columns: Columns) -> list[str]:
    return [f"{place} {column.type}{column.collation}" for place, column in zip(places(columns), columns, strict=True)]
