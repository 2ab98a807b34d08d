"""Snowflake's own way of saying what a warehouse's statements say: https://docs.snowflake.com/en/sql-reference-commands"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from shared_metadata.program.schema import SchemaColumn
from shared_metadata.program.type_names import parsed
from systems.sql_warehouse.dialect import STAGING, delete_using, fill, update_from
from systems.sql_warehouse.tables import MARK

# https://docs.snowflake.com/en/sql-reference/intro-summary-data-types; of FLOAT there is but one, of 64 bits.
# A text has 128 MB and bytes 64 MB at most, which a column says: https://docs.snowflake.com/en/sql-reference/data-types-text
TYPES = {
    **{"boolean": "BOOLEAN", "int": "NUMBER(10,0)", "long": "NUMBER(19,0)", "float": "FLOAT", "double": "FLOAT", "date": "DATE"},
    **{"timestamp": "TIMESTAMP_NTZ(6)", "timestamptz": "TIMESTAMP_LTZ(6)", "string": "VARCHAR(134217728)"},
    **{"binary": "BINARY(67108864)"},
}
# Of columns that a query types and Atoll has not declared.
_KNOWN = {
    **{"BOOLEAN": "boolean", "FLOAT": "double", "DATE": "date", "TIMESTAMP_NTZ": "timestamp", "TIMESTAMP_LTZ": "timestamptz"},
    **{"TIMESTAMP_TZ": "timestamptz", "TEXT": "string", "BINARY": "binary"},
}
_ENCLOSED = re.compile(r"""--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|"(?:[^"]|"")*\"""", re.DOTALL)
_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*|[A-Z_][A-Z0-9_$]*", re.ASCII)
EXACT = 2**53  # the whole numbers up to here are doubles
MOST_FILES = 1000  # of one COPY: https://docs.snowflake.com/en/sql-reference/sql/copy-into-table
HEX = "\\x"
MOVED_WORD = "atoll ledger moved"  # stands in the error of the guard of a ledger
LOGICAL = "TYPE = PARQUET USE_LOGICAL_TYPE = TRUE BINARY_AS_TEXT = FALSE"


def folded(name: str) -> str:
    """A program's name as Snowflake has it, and the reverse: what is plain changes its case, so that it needs no quotes there."""
    return name.swapcase() if _PLAIN.fullmatch(name) else name


class SnowflakeSql:
    """systems.sql_warehouse.dialect.WarehouseSql.  stage: of the data bucket, as its SQL writes it; '' for whoever copies nothing."""

    title = "Snowflake"

    def __init__(self, stage: str = "") -> None:
        self._stage = stage

    def identifier(self, name: str) -> str:
        return _quoted(folded(name))

    def name_known(self, name: str) -> str:
        return folded(name)

    def filed(self, name: str) -> str:
        """COPY finds a file's columns by their names as they are."""
        return _quoted(name)

    def literal(self, text: str) -> str:
        """A backslash escapes there."""
        return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"

    def spelled(self, text: str) -> str:
        """A name in quotes is the program's too."""

        def one(found: re.Match[str]) -> str:
            piece = found[0]
            if piece[0] == '"':
                return self.identifier(piece[1:-1].replace('""', '"'))
            return piece.replace("\\", "\\\\") if piece[0] == "'" else piece

        return _ENCLOSED.sub(one, text)

    def told_apart(self, text: str) -> tuple[str, ...]:
        """Columns have the collation that account, database or schema say (DEFAULT_DDL_COLLATION); bytes have none.

        https://docs.snowflake.com/en/sql-reference/collation, …/functions/to_binary
        """
        return (f"TO_BINARY({text}, 'UTF-8')",)

    def type(self, type_name: str) -> str:
        kind = parsed(type_name)
        return f"NUMBER({','.join(map(str, kind.sizes))})" if kind.sizes else TYPES[kind.word]

    def declared(self, type_name: str) -> str:
        """The comment tells a whole number from a decimal, a float from a double, and Atoll's tables from others'."""
        return f"{self.type(type_name)} COMMENT {self.literal(MARK + type_name)}"

    def type_known(self, word: str, sizes: tuple[int, int]) -> str | None:
        if word.startswith(MARK):
            return word.removeprefix(MARK)
        if word == "NUMBER":
            precision, scale = sizes
            return f"decimal({precision},{scale})" if scale or precision > 19 else "int" if precision <= 10 else "long"
        return _KNOWN.get(word)

    def moment(self, text: str) -> str:
        return f"CAST({self.literal(text.replace('T', ' ').removesuffix('Z') + '+00:00')} AS {TYPES['timestamptz']})"

    def in_utc(self, clocks: str) -> str:
        """Every session of Atoll's is in UTC."""
        return f"CAST(CAST({clocks} AS {TYPES['timestamp']}) AS {TYPES['timestamptz']})"

    def now(self) -> str:
        return "SYSDATE()"

    def loaded(self, column: SchemaColumn) -> tuple[str, str]:
        """A moment is loaded as what clocks show in UTC."""
        name = self.filed(column.name)
        if column.type == "timestamptz":
            return TYPES["timestamp"], f"CAST({name} AS {TYPES['timestamptz']})"
        return self.type(column.type), name

    def becomes(self, value: str, former: str, wanted: str) -> str:
        return value

    def unloaded(self, column: SchemaColumn) -> str:
        """https://docs.snowflake.com/en/sql-reference/sql/copy-into-location: no moment with a zone is written to Parquet."""
        name = self.identifier(column.name)
        return f"CAST({name} AS {TYPES['timestamp']})" if column.type == "timestamptz" else name

    def as_json(self, columns: Sequence[SchemaColumn]) -> str:
        pairs = ", ".join(f"{self.literal(column.name)}, {self._json(column)}" for column in columns)
        return f"TO_JSON(OBJECT_CONSTRUCT_KEEP_NULL({pairs}))"

    def _json(self, column: SchemaColumn) -> str:
        """What a reader who keeps numbers as doubles would read otherwise is a text."""
        name, kind = self.identifier(column.name), parsed(column.type).word
        if kind in ("boolean", "int", "string"):
            return name
        text = f"TO_VARIANT(CAST({name} AS VARCHAR))"
        if kind == "long":
            return f"CASE WHEN ABS({name}) <= {EXACT} THEN TO_VARIANT({name}) ELSE {text} END"
        if kind in ("float", "double"):
            return f"CASE WHEN {name} - {name} = 0 THEN TO_VARIANT({name}) ELSE {text} END"
        if kind == "binary":
            return f"{self.literal(HEX)} || LOWER(HEX_ENCODE({name}))"
        return f"CAST({name} AS VARCHAR)"

    def copy(self, table: str, manifest: str, files: Sequence[str], columns: Sequence[SchemaColumn]) -> list[str]:
        """FORCE, for whether a file was loaded before is asked of the ledger and of nothing else."""
        keys = [file.removeprefix("s3://").partition("/")[2] for file in files]
        parts = [keys[at : at + MOST_FILES] for at in range(0, len(keys), MOST_FILES)]
        return [
            f"COPY INTO {table} FROM @{self._stage}/ FILES = ({', '.join(map(self.literal, part))}) FILE_FORMAT = ({LOGICAL}) "
            "MATCH_BY_COLUMN_NAME = CASE_SENSITIVE FORCE = TRUE"
            for part in parts
        ]

    def fill(self, table: str, named: str, query: str) -> str:
        return fill(table, named, query)

    def delete(self, table: str, other: str, alias: str, where: str) -> str:
        return delete_using(table, other, alias, where)

    def update(self, table: str, sets: str, other: str, alias: str, where: str) -> str:
        return update_from(table, sets, other, alias, where)

    def unload(self, query: str, prefix: str) -> list[str]:
        place = prefix.removeprefix("s3://").partition("/")[2]
        options = "FILE_FORMAT = (TYPE = PARQUET) HEADER = TRUE OVERWRITE = TRUE DETAILED_OUTPUT = TRUE"
        return [f"COPY INTO @{self._stage}/{place} FROM ({query}) {options}"]

    def unloaded_files(self, answered: Callable[[], Sequence[Sequence[Any]]], prefix: str) -> list[dict[str, Any]]:
        told = ((str(name).rpartition("/")[2], int(size), int(count)) for name, size, count, *_ in answered())
        return [{"url": prefix + name, "bytes": size, "rows": count} for name, size, count in told]

    def schema(self, name: str) -> str:
        """What is staged is kept for no Time Travel and no Fail-safe, which would be paid for."""
        if name == STAGING:
            return f"CREATE TRANSIENT SCHEMA IF NOT EXISTS {self.identifier(name)} DATA_RETENTION_TIME_IN_DAYS = 0"
        return f"CREATE SCHEMA IF NOT EXISTS {self.identifier(name)}"

    def widened(self, written: str, column: str, former: str, type_name: str, other: str) -> list[list[str]]:
        """Changes it in its place; the comment last, for what stops is done again.

        https://docs.snowflake.com/en/sql-reference/sql/alter-table-column
        """
        change = f"ALTER TABLE {written} ALTER COLUMN {column}"
        steps = [] if parsed(type_name).word == "double" else [f"{change} SET DATA TYPE {self.type(type_name)}"]
        return [[*steps, f"{change} COMMENT {self.literal(MARK + type_name)}"]]

    def columns_of(self, tables: Sequence[tuple[str, str]]) -> str:
        """https://docs.snowflake.com/en/sql-reference/info-schema/columns"""
        written = ((self.literal(folded(schema)), self.literal(folded(name))) for schema, name in tables)
        asked = " OR ".join(f"(table_schema = {schema} AND table_name = {name})" for schema, name in written)
        word = f"CASE WHEN comment LIKE '{MARK}%' THEN comment ELSE data_type END"
        named = f"table_schema, table_name, column_name, {word} AS word, numeric_precision, numeric_scale"
        return f"SELECT {named} FROM information_schema.columns WHERE {asked} ORDER BY table_schema, table_name, ordinal_position"

    def lock(self, table: str) -> str:
        """A table whose rows are changed is locked until the transaction ends: https://docs.snowflake.com/en/sql-reference/transactions"""
        return f"UPDATE {table} SET nothing = nothing + 1"

    def lockable(self, table: str) -> list[str]:
        return [f"INSERT INTO {table} SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM {table})"]

    def guard(self, condition: str) -> str:
        return f"SELECT TO_NUMBER(CASE WHEN {condition} THEN '1' ELSE '{MOVED_WORD}' END) AS same"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
