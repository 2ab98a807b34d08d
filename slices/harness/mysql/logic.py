"""MySQL's SQL and types, as systems/sql_target asks for them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from shared_metadata.program import Mode
from slices.harness.mysql import column_types, statements
from slices.harness.mysql.statements import MOVED, SURPLUS, quote
from systems.sql_target.dialect import Ours, Types
from systems.sql_target.moves import held
from systems.sql_target.statements import ROW, places
from systems.sql_target.table import TargetColumn, TargetTable

MAX_NAME = 64  # characters: https://dev.mysql.com/doc/refman/8.4/en/identifier-length.html
ENGINE = "ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE"
# Of a staging table without a key: servers can refuse tables that have none (sql_require_primary_key, innodb_force_primary_key), and
# clusters the writes to them.
COUNTED = "counted bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY"
UTC = "UTC"  # the comment of a column whose values are moments
# A value that no row has: 128 bits by chance, cut to what the column holds.
_FRESH = "MD5(CONCAT(UUID(), RAND()))"
_BITS = {"tinyint": 7, "smallint": 15, "mediumint": 23, "int": 31, "bigint": 52}
Columns = Sequence[TargetColumn]


class MysqlTypes:
    """The Types of systems/sql_target."""

    takes_null_characters = True

    def made(self, iceberg_type: str) -> str:
        return column_types.made(iceberg_type)

    def misfit(self, column: TargetColumn, iceberg_type: str) -> str:
        return "" if column_types.takes(column, iceberg_type) else f"which takes no {iceberg_type}"

    def tells_apart(self, column: TargetColumn, iceberg_type: str) -> bool:
        return column_types.tells_apart(column, iceberg_type)

    def written(self, value: str, duckdb_type: str, column: TargetColumn) -> str:
        return column_types.literal_of(value, duckdb_type, column)

    def unnameable(self, name: str) -> str:
        """https://dev.mysql.com/doc/refman/8.4/en/identifiers.html"""
        if name.endswith(" "):
            return "since a name may not end with a space in MySQL"
        if any(ord(character) > 0xFFFF for character in name):
            return "since a name may have no characters beyond U+FFFF in MySQL"
        return f"since a name may have {MAX_NAME} characters in MySQL" if len(name) > MAX_NAME else ""


class MysqlDialect:
    """The Dialect of systems/sql_target. collation: the server's that tells all texts apart, for tables that Atoll makes."""

    types: Types = MysqlTypes()
    transactional = False
    receipts = """flow varchar(512) NOT NULL, batch_start datetime(6) NOT NULL, batch_end datetime(6) NOT NULL, token bigint NOT NULL,
    result varchar(64) NOT NULL, files longtext NOT NULL, upserts bigint NOT NULL, deletes bigint NOT NULL,
    published_at datetime(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), rejected longtext NOT NULL, PRIMARY KEY (flow, batch_start)"""

    def __init__(self, default_schema: str, collation: str) -> None:
        self.default_schema, self._made = default_schema, f"{ENGINE} {collation}"
        self._collation = f" CHARACTER SET utf8mb4 COLLATE {collation}"

    def quote(self, name: str) -> str:
        return quote(name)

    def moment(self, text: str) -> str:
        return f"'{text.replace('T', ' ').removesuffix('Z')}'"

    # -- tables

    def new_table(self, schema: str, name: str, columns: Sequence[Mapping[str, Any]], key: Sequence[str]) -> TargetTable:
        """The table that Atoll makes when there is none: the result's columns, the key as PRIMARY KEY."""
        texts = sum(column_types.made(column["type"]).startswith("long") for column in columns if column["name"] in key)
        made = []
        for column in columns:
            keyed, kind = column["name"] in key, column["type"]
            type = column_types.made_in_key(kind, texts) if keyed else column_types.made(kind)
            base = type.partition("(")[0]
            clause = self._collation if base in column_types.TEXT else f" COMMENT '{UTC}'" if kind == "timestamptz" else ""
            made.append(TargetColumn(column["name"], type, base, required=keyed, collation=clause, quote=quote))
        return TargetTable(schema, name, tuple(made), (frozenset(key),) if key else (), exists=False, quote=quote)

    def create_table(self, table: TargetTable, key: Sequence[str]) -> str:
        columns = [f"{c.sql} {c.type}{c.collation}{' NOT' if c.required else ''} NULL" for c in table.columns]
        primary = [f"PRIMARY KEY ({', '.join(map(quote, key))})"] if key else []
        return f"CREATE TABLE IF NOT EXISTS {table.sql} ({', '.join(columns + primary)}) {self._made}"

    def create_stage(self, stage: str, marks: Sequence[str], columns: Columns) -> str:
        kinds = [f"{place} {c.type}{c.collation} NULL" for place, c in zip(places(columns), columns, strict=True)]
        counted = [] if any("PRIMARY KEY" in mark for mark in marks) else [COUNTED]
        return f"CREATE TABLE IF NOT EXISTS {stage} ({', '.join([*counted, *marks, *kinds])}) {self._made}"

    def working(self, table: TargetTable, mode: Mode, columns: Columns) -> Mapping[str, Columns | None]:
        return {} if mode == Mode.MERGE else {MOVED: held(table), SURPLUS: None}

    def mark(self, parts: str) -> str:
        return f"INSERT IGNORE INTO {parts} VALUES (%s)"

    # -- rows

    def before(self, table: TargetTable, mode: Mode, key: Columns, *, deletes: bool, sifting: bool) -> list[str]:
        """Where rows are counted before they are written, writers wait, and readers do not. LOCK TABLES would end the transaction."""
        return [f"SELECT count(*) FROM {table.sql} FOR UPDATE"] if mode == Mode.REPLACE or deletes else []

    def merge(self, table: TargetTable, rows: str, columns: Columns, key: Columns, gone: str = "") -> list[str]:
        return statements.merge(table, rows, columns, key, gone)

    def delete_keys(self, table: TargetTable, gone: str, key: Columns, kept: str = "") -> str:
        return statements.delete_keys(table, gone, key, kept)

    def insert_all(self, table: TargetTable, rows: str, columns: Columns) -> list[str]:
        return [statements.insert_all(table, rows, columns)]

    def replace(self, table: TargetTable, ours: Ours, columns: Columns) -> list[str]:
        return [*statements.delete_others(table, ours, columns), statements.insert_missing(table, ours, columns)]

    def clear(self, table: TargetTable, ours: Ours, columns: Columns) -> list[str]:
        return [*statements.delete_others(table, ours, columns), statements.forget_present(table, ours, columns, ROW)]

    def delete_like(self, table: TargetTable, ours: Ours, columns: Columns) -> list[str]:
        return statements.delete_like(table, ours, columns)

    # -- unique values that move

    def differ(self, columns: Columns, left: str, right: str) -> str:
        return statements.differ(columns, left, right)

    def free(self, column: TargetColumn) -> str:
        if column.base in column_types.TEXT | {"varbinary", "blob", "mediumblob", "longblob"}:
            length = re.search(r"\((\d+)\)", column.type)
            return f"LEFT({_FRESH}, {length[1]})" if length else _FRESH
        if column.base in _BITS:
            by_chance = f"FLOOR(RAND() * {2 ** _BITS[column.base] - 1})"
            return f"{2 ** (_BITS[column.base] + 1) - 1} - {by_chance}" if "unsigned" in column.type else f"-1 - {by_chance}"
        return ""

    def keep(self, kept: str, columns: Columns) -> list[str]:
        raise AssertionError("no row is taken out: who would notice is not seen here")

    def take_out(self, table: TargetTable, kept: str, held: Columns, rows: str, changed: str) -> list[str]:
        raise AssertionError("no row is taken out: who would notice is not seen here")

    def put_back(self, table: TargetTable, columns: str, chosen: str, source: str) -> str:
        raise AssertionError("no row is taken out: who would notice is not seen here")

    def update(self, table: TargetTable, values: Sequence[tuple[TargetColumn, str]], source: str, condition: str) -> str:
        return statements.update(table, values, source, condition)
