"""Databricks' own way of saying what a warehouse's statements say: https://docs.databricks.com/aws/en/sql/language-manual/"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import unquote

from shared_metadata.program.schema import SchemaColumn
from shared_metadata.program.type_names import TypeName, parsed
from slices.organize.databricks import nested
from systems.sql_warehouse.tables import MARK

_ENCLOSED = re.compile(r"""--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|"(?:[^"]|"")*\"""", re.DOTALL)
EXACT = 2**53  # the whole numbers up to here are doubles
MOST_FILES = 1000  # of one COPY INTO: https://docs.databricks.com/aws/en/sql/language-manual/delta-copy-into
HEX = "\\x"
MOVED_WORD = "atoll ledger moved"  # stands in the error of the guard of a ledger
ORDER = "atoll_order"  # a query's column that tells the order of its rows, and is none of the rows'
SUBMISSION = "atoll_submission_5c1f3d0e9b7a"  # stands for what is another word each time that a statement is submitted
_AND = " | "  # between what the comment of a column says and what its type is
_NULLS = "map('ignoreNullFields', 'false')"


def folded(name: str) -> str:
    """A program's name as Unity Catalog takes it: its names are small, and have no blank, point, slash or control character.

    What it does not take is written as in an address, %2e. https://docs.databricks.com/aws/en/sql/language-manual/sql-ref-names
    """
    return "".join(_escaped(letter) if letter.lower() != letter else field(letter) for letter in name)


def field(name: str) -> str:
    """The same of a field of a struct, which keeps its capitals; and of a name in a query, where capitals mean nothing."""
    return "".join(_escaped(letter) if letter in " ./%`" or letter < " " or letter == "\x7f" else letter for letter in name)


def _escaped(letter: str) -> str:
    return "".join(f"%{byte:02x}" for byte in letter.encode())


class DatabricksSql:
    """systems.sql_warehouse.dialect.WarehouseSql."""

    title = "Databricks"

    def identifier(self, name: str) -> str:
        return nested.quoted(folded(name))

    def name_known(self, name: str) -> str:
        return unquote(name)

    def filed(self, name: str) -> str:
        """A file's column keeps its name; tables whose columns are called by any name have a column mapping."""
        return nested.quoted(name)

    def literal(self, text: str) -> str:
        return nested.literal(text)

    def spelled(self, text: str) -> str:
        """A program's texts and names in quotes."""

        def one(found: re.Match[str]) -> str:
            piece = found[0]
            if piece[0] == '"':
                return nested.quoted(field(piece[1:-1].replace('""', '"')))
            return self.literal(piece[1:-1].replace("''", "'")) if piece[0] == "'" else piece

        return _ENCLOSED.sub(one, text)

    def told_apart(self, text: str) -> tuple[str, ...]:
        """Columns have the collation that catalog or schema say; bytes have none.

        https://docs.databricks.com/aws/en/sql/language-manual/sql-ref-collation, …/functions/encode
        """
        return (f"encode({text}, 'UTF-8')",)

    def type(self, type_name: str) -> str:
        return nested.written(parsed(type_name), field)

    def declared(self, type_name: str) -> str:
        """The comment tells Atoll's tables from others'."""
        return f"{self.type(type_name)} COMMENT {self.literal(MARK + type_name)}"

    def type_known(self, word: str, sizes: tuple[int, int]) -> str | None:
        if word.startswith(MARK):
            told, _, word = word.removeprefix(MARK).partition(_AND)
            if not word or nested.catalogued(parsed(told), field) == word:
                return told
        found = nested.known(word, unquote)
        return str(found) if found else None

    def moment(self, text: str) -> str:
        return f"CAST({self.literal(text.replace('T', ' ').removesuffix('Z') + '+00:00')} AS TIMESTAMP)"

    def in_utc(self, clocks: str) -> str:
        """Sessions are in UTC, which each script makes sure of."""
        return f"CAST(CAST({clocks} AS TIMESTAMP_NTZ) AS TIMESTAMP)"

    def now(self) -> str:
        return "current_timestamp()"

    def loaded(self, column: SchemaColumn) -> tuple[str, str]:
        kind, name = parsed(column.type), self.filed(column.name)
        return nested.written(kind, str), nested.made(name, kind, kind, (str, field), lambda value, _: value)

    def becomes(self, value: str, former: str, wanted: str) -> str:
        """The value itself where nothing is nested: numbers become wider ones by themselves."""
        kind = parsed(former)
        return nested.made(value, kind, parsed(wanted), (field, field), _cast) if kind.parts and former != wanted else value

    def unloaded(self, column: SchemaColumn) -> str:
        """A moment is written as what clocks show in UTC, as 64 bits and not as the 96 that Spark may take for a TIMESTAMP."""
        kind = parsed(column.type)
        return nested.made(self.identifier(column.name), kind, kind, (field, str), _unloaded)

    def as_json(self, columns: Sequence[SchemaColumn]) -> str:
        """An object of each column, without their braces, one after the other: each value is of a type of its own."""
        parts = [f"substring({one}, 2, length({one}) - 2)" for one in map(self._json, columns)]
        return "'{' || " + " || ',' || ".join(parts) + " || '}'" if parts else "'{}'"

    def _json(self, column: SchemaColumn) -> str:
        name, kind = self.identifier(column.name), parsed(column.type)
        if not kind.parts:
            return _pair(column.name, name, kind)
        value = nested.as_json(name, kind, field, _value_json)
        return f"'{{' || {self.literal(json.dumps(column.name, ensure_ascii=False))} || ':' || {value} || '}}'"

    def copy(self, table: str, manifest: str, files: Sequence[str], columns: Sequence[SchemaColumn]) -> list[str]:
        """A file is loaded into a table once, however often it is asked; the table is the claim's own, so it begins with none."""
        folder = posixpath.commonpath([posixpath.dirname(file) for file in files]).replace("s3:/", "s3://", 1) + "/" if files else ""
        values = ", ".join(f"{_as_filed(c)} AS {self.filed(c.name)}" for c in columns)
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
        """Writes to a folder of each submission's own: of two that run beside one another each empties its folder.

        https://docs.databricks.com/aws/en/ingestion/file-metadata-column tells of the files.
        """
        prefix = f"{prefix}{SUBMISSION}/"
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

    def widened(self, written: str, column: str, former: str, type_name: str, other: str) -> list[list[str]]:
        """https://docs.databricks.com/aws/en/delta/type-widening; the comment last, for what stops is done again."""
        comment = f"ALTER COLUMN {column} COMMENT {self.literal(MARK + type_name)}"
        changes = nested.changes(column, parsed(former), parsed(type_name), field)
        return [[f"ALTER TABLE {written} {one}" for one in (*changes, comment)]]

    def columns_of(self, tables: Sequence[tuple[str, str]]) -> str:
        """https://docs.databricks.com/aws/en/sql/language-manual/information-schema/columns"""
        written = ((self.literal(folded(schema)), self.literal(folded(name))) for schema, name in tables)
        asked = " OR ".join(f"(table_schema = {schema} AND table_name = {name})" for schema, name in written)
        word = f"CASE WHEN comment LIKE '{MARK}%' THEN {self._told()} ELSE full_data_type END"
        named = f"table_schema, table_name, column_name, {word} AS word, 0 AS digits, 0 AS scale, ordinal_position AS {ORDER}"
        return f"SELECT {named} FROM information_schema.columns WHERE {asked}"

    def _told(self) -> str:
        """What a column's comment says. Of fields the type is told too: a change of several statements may have stopped between."""
        return f"comment || CASE WHEN full_data_type LIKE '%<%' THEN '{_AND}' || full_data_type ELSE '' END"

    def lock(self, table: str) -> str:
        """Changes a row, which of two transactions one may: https://docs.databricks.com/aws/en/optimizations/isolation-level"""
        return f"UPDATE {table} SET nothing = nothing + 1"

    def lockable(self, table: str) -> list[str]:
        return [f"INSERT INTO {table} SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM {table})"]

    def guard(self, condition: str) -> str:
        """https://docs.databricks.com/aws/en/sql/language-manual/control-flow/signal-stmt"""
        return f"IF NOT ({condition}) THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{MOVED_WORD}'; END IF"


def _cast(value: str, kind: TypeName) -> str:
    return f"CAST({value} AS {nested.written(kind, field)})"


def _as_filed(column: SchemaColumn) -> str:
    """A file's value as its type; what it holds is known by name."""
    kind = parsed(column.type)
    return nested.made(nested.quoted(column.name), kind, kind, (str, str), _cast)


def _unloaded(value: str, kind: TypeName) -> str:
    clocks = _as_clocks(kind)
    return value if clocks == kind else _cast(value, clocks)


def _as_clocks(kind: TypeName) -> TypeName:
    """The type with moments of no zone for those in UTC."""
    return TypeName("timestamp") if kind.word == "timestamptz" else kind.over(_as_clocks)


def _pair(key: str, value: str, kind: TypeName) -> str:
    """An object of one value. What a reader who keeps numbers as doubles would read otherwise is a text."""

    def pair(one: str) -> str:
        return f"to_json(named_struct({nested.literal(key)}, {one}), {_NULLS})"

    text = pair(f"CAST({value} AS STRING)")
    if kind.word in ("boolean", "int", "string"):
        return pair(value)
    if kind.word == "long":
        return f"CASE WHEN {value} BETWEEN -{EXACT} AND {EXACT} THEN {pair(value)} ELSE {text} END"
    if kind.word in ("float", "double"):
        return f"CASE WHEN {value} - {value} = 0 THEN {pair(value)} ELSE {text} END"
    return pair(f"{nested.literal(HEX)} || lower(hex({value}))") if kind.word == "binary" else text


def _value_json(value: str, kind: TypeName) -> str:
    """That of a value alone: an object of one, {"v":…}, without what is around it."""
    whole = _pair("v", value, kind)
    return f"substring({whole}, 6, length({whole}) - 6)"
