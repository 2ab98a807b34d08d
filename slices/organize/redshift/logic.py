"""Redshift's own way of saying what a warehouse's statements say: https://docs.aws.amazon.com/redshift/latest/dg/cm_chap_SQLCommandRef.html"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from shared_metadata.program.schema import SchemaColumn
from shared_metadata.program.type_names import parsed
from systems.sql_warehouse.dialect import delete_using, fill, update_from
from systems.sql_warehouse.tables import widened_by_copying

# https://docs.aws.amazon.com/redshift/latest/dg/c_Supported_data_types.html
TYPES = {
    **{"boolean": "BOOLEAN", "int": "INTEGER", "long": "BIGINT", "float": "REAL", "double": "DOUBLE PRECISION", "date": "DATE"},
    **{"timestamp": "TIMESTAMP", "timestamptz": "TIMESTAMPTZ", "string": "VARCHAR(65535)", "binary": "VARBYTE(1024000)"},
}
_KNOWN = {
    **{"boolean": "boolean", "smallint": "int", "integer": "int", "bigint": "long", "real": "float", "double precision": "double"},
    **{"date": "date", "timestamp without time zone": "timestamp", "timestamp with time zone": "timestamptz"},
    **{"character varying": "string", "character": "string", "text": "string", "binary varying": "binary", "varbyte": "binary"},
}
_ENCLOSED = re.compile(r"""--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|"(?:[^"]|"")*\"""", re.DOTALL)
HEX = "\\x"  # as PostgreSQL writes bytes
EXACT = 2**53  # the whole numbers up to here are doubles
_UTC = "'UTC'"


class RedshiftSql:
    """systems.sql_warehouse.dialect.WarehouseSql.  role: the ARN of the role by which Redshift reads and writes S3."""

    title = "Redshift"

    def __init__(self, role: str) -> None:
        self._role = role

    def identifier(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def name_known(self, name: str) -> str:
        return name

    def filed(self, name: str) -> str:
        return self.identifier(name)

    def literal(self, text: str) -> str:
        """A backslash escapes there."""
        return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"

    def spelled(self, text: str) -> str:
        return _ENCLOSED.sub(lambda found: found[0].replace("\\", "\\\\") if found[0].startswith("'") else found[0], text)

    def told_apart(self, text: str) -> tuple[str, ...]:
        """A database may be one without case, and blanks at the end are none to `=`, but to LEN.

        https://docs.aws.amazon.com/redshift/latest/dg/r_COLLATE.html, …/r_Examples_with_character_types.html
        """
        return f"COLLATE({text}, 'case_sensitive')", f"LEN({text})"

    def type(self, type_name: str) -> str:
        kind = parsed(type_name)
        return f"DECIMAL({','.join(map(str, kind.sizes))})" if kind.sizes else TYPES[kind.word]

    def declared(self, type_name: str) -> str:
        return self.type(type_name)

    def type_known(self, word: str, sizes: tuple[int, int]) -> str | None:
        if word == "numeric":
            return f"decimal({sizes[0]},{sizes[1]})" if sizes[0] else None
        return _KNOWN.get(word)

    def moment(self, text: str) -> str:
        return f"CAST({self.literal(text.replace('T', ' ').removesuffix('Z') + '+00')} AS TIMESTAMPTZ)"

    def in_utc(self, clocks: str) -> str:
        return f"CAST({clocks} AS TIMESTAMP) AT TIME ZONE {_UTC}"

    def now(self) -> str:
        return "GETDATE()"

    def loaded(self, column: SchemaColumn) -> tuple[str, str]:
        """COPY reads a moment as one in UTC without a zone."""
        name = self.identifier(column.name)
        return ("TIMESTAMP", f"{name} AT TIME ZONE {_UTC}") if column.type == "timestamptz" else (self.type(column.type), name)

    def becomes(self, value: str, former: str, wanted: str) -> str:
        return value

    def unloaded(self, column: SchemaColumn) -> str:
        name = self.identifier(column.name)
        return f"{name} AT TIME ZONE {_UTC}" if column.type == "timestamptz" else name

    def as_json(self, columns: Sequence[SchemaColumn]) -> str:
        """An object of each column, without their braces, one after the other: a function has no room for many arguments."""
        parts = [f"substring({one}, 2, len({one}) - 2)" for one in map(self._json, columns)]
        return "'{' || " + " || ',' || ".join(parts) + " || '}'" if parts else "'{}'"

    def _json(self, column: SchemaColumn) -> str:
        """What a reader who keeps numbers as doubles would read otherwise is a text."""
        name, key = self.identifier(column.name), self.literal(column.name)
        text = f"json_serialize(object({key}, CAST({name} AS VARCHAR(65535))))"
        kind = parsed(column.type).word
        if kind in ("boolean", "int", "string"):
            return f"json_serialize(object({key}, {name}))"
        if kind == "long":
            return f"CASE WHEN {name} BETWEEN -{EXACT} AND {EXACT} THEN json_serialize(object({key}, {name})) ELSE {text} END"
        if kind in ("float", "double"):
            return f"CASE WHEN {name} - {name} = 0 THEN json_serialize(object({key}, {name})) ELSE {text} END"
        if kind == "binary":
            return f"json_serialize(object({key}, {self.literal(HEX)} || to_hex({name})))"
        return text

    def copy(self, table: str, manifest: str, files: Sequence[str], columns: Sequence[SchemaColumn]) -> list[str]:
        return [f"COPY {table} FROM {self.literal(manifest)} IAM_ROLE {self.literal(self._role)} FORMAT AS PARQUET MANIFEST"]

    def fill(self, table: str, named: str, query: str) -> str:
        return fill(table, named, query)

    def delete(self, table: str, other: str, alias: str, where: str) -> str:
        return delete_using(table, other, alias, where)

    def update(self, table: str, sets: str, other: str, alias: str, where: str) -> str:
        return update_from(table, sets, other, alias, where)

    def unload(self, query: str, prefix: str) -> list[str]:
        options = f"IAM_ROLE {self.literal(self._role)} FORMAT AS PARQUET MANIFEST VERBOSE ALLOWOVERWRITE"
        return [f"UNLOAD ({self.literal(query)}) TO {self.literal(prefix)} {options}"]

    def unloaded_files(self, answered: Callable[[], Sequence[Sequence[Any]]], prefix: str) -> None:
        return None

    def schema(self, name: str) -> str:
        return f"CREATE SCHEMA IF NOT EXISTS {self.identifier(name)}"

    def widened(self, written: str, column: str, former: str, type_name: str, other: str) -> list[list[str]]:
        return widened_by_copying(self, written, column, type_name, other)

    def columns_of(self, tables: Sequence[tuple[str, str]]) -> str:
        """https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_COLUMNS.html"""
        asked = " OR ".join(f"(table_schema = {self.literal(s)} AND table_name = {self.literal(t)})" for s, t in tables)
        named = "table_schema, table_name, column_name, data_type, numeric_precision, numeric_scale"
        return f"SELECT {named} FROM svv_columns WHERE {asked} ORDER BY table_schema, table_name, ordinal_position"

    def lock(self, table: str) -> str:
        """https://docs.aws.amazon.com/redshift/latest/dg/r_LOCK.html"""
        return f"LOCK {table}"

    def lockable(self, table: str) -> list[str]:
        return []

    def guard(self, condition: str) -> str:
        return f"SELECT 1 / (CASE WHEN {condition} THEN 1 ELSE 0 END) AS same"
