"""Databricks' own way of saying what a warehouse's statements say: https://docs.databricks.com/aws/en/sql/language-manual/"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import unquote

from shared_metadata.program.schema import SchemaColumn
from shared_metadata.program.type_names import parsed
from systems.sql_warehouse.tables import MARK

# https://docs.databricks.com/aws/en/sql/language-manual/sql-ref-datatypes
TYPES = {
    **{"boolean": "BOOLEAN", "int": "INT", "long": "BIGINT", "float": "FLOAT", "double": "DOUBLE", "date": "DATE"},
    **{"timestamp": "TIMESTAMP_NTZ", "timestamptz": "TIMESTAMP", "string": "STRING", "binary": "BINARY"},
}
_KNOWN = {word: name for name, word in TYPES.items()} | {"TINYINT": "int", "SMALLINT": "int", "LONG": "long"}
_DECIMAL = re.compile(r"DECIMAL\((\d+), ?(\d+)\)")
_ENCLOSED = re.compile(r"""--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|"(?:[^"]|"")*\"""", re.DOTALL)
EXACT = 2**53  # the whole numbers up to here are doubles
MOST_FILES = 1000  # of one COPY INTO: https://docs.databricks.com/aws/en/sql/language-manual/delta-copy-into
HEX = "\\x"
MOVED_WORD = "atoll ledger moved"  # stands in the error of the guard of a ledger
ORDER = "atoll_order"  # a query's column that tells the order of its rows, and is none of the rows'
_NULLS = "map('ignoreNullFields', 'false')"


def folded(name: str) -> str:
    """A program's name as Unity Catalog takes it: its names are small, and have no blank, point, slash or control character.

    What it does not take is written as in an address, %2e. https://docs.databricks.com/aws/en/sql/language-manual/sql-ref-names
    """
    return "".join(
        _escaped(letter) if letter in " ./%`" or letter < " " or letter == "\x7f" or letter.lower() != letter else letter
        for letter in name
    )


def _escaped(letter: str) -> str:
    return "".join(f"%{byte:02x}" for byte in letter.encode())


class DatabricksSql:
    """systems.sql_warehouse.dialect.WarehouseSql."""

    title = "Databricks"

    def identifier(self, name: str) -> str:
        return _quoted(folded(name))

    def name_known(self, name: str) -> str:
        return unquote(name)

    def filed(self, name: str) -> str:
        """A file's column keeps its name; tables whose columns are called by any name have a column mapping."""
        return _quoted(name)

    def literal(self, text: str) -> str:
        """Two quotes within a text are none there, and a backslash escapes."""
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

    def spelled(self, text: str) -> str:
        """A program's texts and names in quotes."""

        def one(found: re.Match[str]) -> str:
            piece = found[0]
            if piece[0] == '"':
                return self.identifier(piece[1:-1].replace('""', '"'))
            return self.literal(piece[1:-1].replace("''", "'")) if piece[0] == "'" else piece

        return _ENCLOSED.sub(one, text)

    def told_apart(self, text: str) -> tuple[str, ...]:
        """Columns have the collation that catalog or schema say; bytes have none.

        https://docs.databricks.com/aws/en/sql/language-manual/sql-ref-collation, …/functions/encode
        """
        return (f"encode({text}, 'UTF-8')",)

    def type(self, type_name: str) -> str:
        kind = parsed(type_name)
        return f"DECIMAL({','.join(map(str, kind.sizes))})" if kind.sizes else TYPES[kind.word]

    def declared(self, type_name: str) -> str:
        """The comment tells Atoll's tables from others'."""
        return f"{self.type(type_name)} COMMENT {self.literal(MARK + type_name)}"

    def type_known(self, word: str, sizes: tuple[int, int]) -> str | None:
        if word.startswith(MARK):
            return word.removeprefix(MARK)
        if found := _DECIMAL.fullmatch(word):
            return f"decimal({found[1]},{found[2]})"
        return _KNOWN.get(word)

    def moment(self, text: str) -> str:
        return f"CAST({self.literal(text.replace('T', ' ').removesuffix('Z') + '+00:00')} AS TIMESTAMP)"

    def in_utc(self, clocks: str) -> str:
        """Sessions are in UTC, which each script makes sure of."""
        return f"CAST(CAST({clocks} AS TIMESTAMP_NTZ) AS TIMESTAMP)"

    def now(self) -> str:
        return "current_timestamp()"

    def loaded(self, column: SchemaColumn) -> tuple[str, str]:
        return self.type(column.type), self.filed(column.name)

    def unloaded(self, column: SchemaColumn) -> str:
        """A moment is written as what clocks show in UTC, as 64 bits and not as the 96 that Spark may take for a TIMESTAMP."""
        name = self.identifier(column.name)
        return f"CAST({name} AS TIMESTAMP_NTZ)" if column.type == "timestamptz" else name

    def as_json(self, columns: Sequence[SchemaColumn]) -> str:
        """An object of each column, without their braces, one after the other: each value is of a type of its own."""
        parts = [f"substring({one}, 2, length({one}) - 2)" for one in map(self._json, columns)]
        return "'{' || " + " || ',' || ".join(parts) + " || '}'" if parts else "'{}'"

    def _json(self, column: SchemaColumn) -> str:
        """What a reader who keeps numbers as doubles would read otherwise is a text."""
        name, key, kind = self.identifier(column.name), self.literal(column.name), parsed(column.type).word

        def pair(value: str) -> str:
            return f"to_json(named_struct({key}, {value}), {_NULLS})"

        text = pair(f"CAST({name} AS STRING)")
        if kind in ("boolean", "int", "string"):
            return pair(name)
        if kind == "long":
            return f"CASE WHEN {name} BETWEEN -{EXACT} AND {EXACT} THEN {pair(name)} ELSE {text} END"
        if kind in ("float", "double"):
            return f"CASE WHEN {name} - {name} = 0 THEN {pair(name)} ELSE {text} END"
        return pair(f"{self.literal(HEX)} || lower(hex({name}))") if kind == "binary" else text

    def copy(self, table: str, manifest: str, files: Sequence[str], columns: Sequence[SchemaColumn]) -> list[str]:
        """A file is loaded into a table once, however often it is asked; the table is the claim's own, so it begins with none."""
        folder = posixpath.commonpath([posixpath.dirname(file) for file in files]).replace("s3:/", "s3://", 1) + "/" if files else ""
        values = ", ".join(f"CAST({self.filed(c.name)} AS {self.type(c.type)}) AS {self.filed(c.name)}" for c in columns)
        return [
            f"COPY INTO {table} FROM (SELECT {values} FROM {self.literal(folder)}) FILEFORMAT = PARQUET "
            f"FILES = ({', '.join(self.literal(file.removeprefix(folder)) for file in files[at : at + MOST_FILES])})"
            for at in range(0, len(files), MOST_FILES)
        ]

    def fill(self, table: str, named: str, query: str) -> str:
        """The service takes no token of a statement, so whatever may run twice gives the same twice."""
        return f"INSERT OVERWRITE {table} ({named}) {query}"

    def delete(self, table: str, other: str, alias: str, where: str) -> str:
        """https://docs.databricks.com/aws/en/sql/language-manual/delta-delete-from: it has no USING."""
        return f"DELETE FROM {table} WHERE EXISTS (SELECT 1 FROM {other} AS {alias} WHERE {where})"

    def update(self, table: str, sets: str, other: str, alias: str, where: str) -> str:
        """https://docs.databricks.com/aws/en/sql/language-manual/delta-update: it has no FROM."""
        return f"MERGE INTO {table} USING {other} AS {alias} ON {where} WHEN MATCHED THEN UPDATE SET {sets}"

    def unload(self, query: str, prefix: str) -> list[str]:
        """https://docs.databricks.com/aws/en/ingestion/file-metadata-column tells of the files."""
        told = "_metadata.file_path AS url, max(_metadata.file_size) AS bytes, count(*) AS rows"
        files = f"read_files({self.literal(prefix)}, format => 'parquet')"
        return [
            f"INSERT OVERWRITE DIRECTORY {self.literal(prefix)} USING PARQUET {query}",
            f"SELECT {told} FROM {files} GROUP BY _metadata.file_path",
        ]

    def unloaded_files(self, answered: Callable[[], Sequence[Sequence[Any]]], prefix: str) -> list[dict[str, Any]]:
        return [
            {"url": unquote(str(url)), "bytes": int(size), "rows": int(count)} for url, size, count in sorted(map(tuple, answered()))
        ]

    def schema(self, name: str) -> str:
        return f"CREATE SCHEMA IF NOT EXISTS {self.identifier(name)}"

    def widened(self, written: str, column: str, type_name: str, other: str) -> list[list[str]]:
        """https://docs.databricks.com/aws/en/delta/type-widening; the comment last, for what stops is done again."""
        change = f"ALTER TABLE {written} ALTER COLUMN {column}"
        return [[f"{change} TYPE {self.type(type_name)}", f"{change} COMMENT {self.literal(MARK + type_name)}"]]

    def columns_of(self, tables: Sequence[tuple[str, str]]) -> str:
        """https://docs.databricks.com/aws/en/sql/language-manual/information-schema/columns"""
        written = ((self.literal(folded(schema)), self.literal(folded(name))) for schema, name in tables)
        asked = " OR ".join(f"(table_schema = {schema} AND table_name = {name})" for schema, name in written)
        word = f"CASE WHEN comment LIKE '{MARK}%' THEN comment ELSE upper(full_data_type) END"
        named = f"table_schema, table_name, column_name, {word} AS word, 0 AS digits, 0 AS scale, ordinal_position AS {ORDER}"
        return f"SELECT {named} FROM information_schema.columns WHERE {asked}"

    def lock(self, table: str) -> str:
        """Changes a row, which of two transactions one may: https://docs.databricks.com/aws/en/optimizations/isolation-level"""
        return f"UPDATE {table} SET nothing = nothing + 1"

    def lockable(self, table: str) -> list[str]:
        return [f"INSERT INTO {table} SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM {table})"]

    def guard(self, condition: str) -> str:
        """https://docs.databricks.com/aws/en/sql/language-manual/control-flow/signal-stmt"""
        return f"IF NOT ({condition}) THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{MOVED_WORD}'; END IF"


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
