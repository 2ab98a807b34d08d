"""JSON lines: an object a line; a value's type is what a sample allows, and what is nested is its text or a struct."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from shared_metadata.contract.own_columns import unlike
from shared_metadata.contract.parquet.duckdb_session import identifier, literal
from shared_metadata.contract.parquet.guessed_types import SAMPLE_ROWS, guessed
from shared_metadata.contract.parquet.json_keys import Keys, first_keys, is_object, keys_of, value_of
from shared_metadata.program.type_names import TypeName, list_of, struct_of
from slices.collect.s3.config import Config
from slices.collect.s3.formats.shape import LONGEST_LINE_BYTES, ROW, Shape, Unreadable, compression, lines_of, no_rows, texts

if TYPE_CHECKING:
    import duckdb

_WORDS = {"BOOLEAN": "boolean", "BIGINT": "long", "UBIGINT": "long", "DOUBLE": "double"}
IS_OBJECT = is_object("line")
SPACE = literal(" \t\r\n")
IS_FILLED = f"trim(coalesce(line, ''), {SPACE}) <> ''"


class JsonLines:
    name = "JSON lines"
    exact = False
    extensions: tuple[str, ...] = ()

    def __init__(self, config: Config) -> None:
        self._config = config

    def shape(self, connection: duckdb.DuckDBPyConnection, url: str, head: bytes, wanted: Sequence[str] = ()) -> Shape:
        packed = compression(head)
        lines = f"(SELECT line, row_number() OVER () AS {ROW} FROM {lines_of(url, packed, 'utf-8')})"
        names = list(wanted) or self._names(connection, lines)
        if not names:
            if connection.execute(f"SELECT 1 FROM {lines} WHERE ({IS_OBJECT}) IS NOT TRUE AND {IS_FILLED} LIMIT 1").fetchone():
                raise Unreadable("no line is a JSON object: one in brackets, or over several lines, is none")
            return no_rows()
        form = f"format='newline_delimited', records=true, auto_detect=false, columns={texts(names)}"
        unpacked = literal("uncompressed" if packed == "none" else packed)
        relation = f"read_json({literal(url)}, {form}, compression={unpacked}, maximum_object_size={LONGEST_LINE_BYTES})"
        return replace(_by_lines(lines, names, Keys()), relation=relation)

    def typed(self, connection: duckdb.DuckDBPyConnection, shape: Shape) -> dict[str, str]:
        """Guesses as of other texts; what is nested is its text, or what DuckDB makes of the sample."""
        if not shape.columns:
            return {}
        found = guessed(connection, shape.skipping, list(shape.columns))
        for name in shape.columns if self._config.nested == "struct" else ():
            sample = f"(SELECT {identifier(name)} AS value FROM {shape.skipping} WHERE value IS NOT NULL LIMIT {SAMPLE_ROWS})"
            (structure,) = connection.execute(
                f"SELECT json_group_structure(try_cast(value AS JSON))::VARCHAR FROM {sample}"
            ).fetchone() or ("",)
            if structure and structure[0] in "[{":
                found[name] = structured(json.loads(structure))
        return found

    def _names(self, connection: duckdb.DuckDBPyConnection, lines: str) -> list[str]:
        """The keys of the first objects, in the order in which they come; of those that differ in case the first."""
        some = f"(SELECT * FROM (SELECT * FROM {lines} LIMIT {SAMPLE_ROWS}) WHERE {IS_OBJECT})"
        return first_keys(connection, some, "line", ROW)


def spelled(connection: duckdb.DuckDBPyConnection, shape: Shape) -> Shape:
    """The shape with the keys as the file's objects spell them, at each of which it looks."""
    names = list(shape.columns)
    found = keys_of(connection, f"(SELECT line FROM {shape.lines} WHERE {IS_OBJECT})", "line", names)
    return _by_lines(shape.lines, names, found) if found != Keys() else shape


def _by_lines(lines: str, names: Sequence[str], keys: Keys) -> Shape:
    """The shape of a file whose lines are taken apart one by one, which DuckDB's own reader does faster."""
    import duckdb

    values = ", ".join(f"{value_of('line', keys.of(name))} AS {identifier(name)}" for name in names)
    twice = keys.is_twice("line", names)
    is_row = f"CASE WHEN {IS_OBJECT} THEN {f'NOT ({twice})' if twice else 'true'} ELSE false END"
    why = f"CASE WHEN {IS_OBJECT} THEN 'has a key twice' WHEN json_valid(line) THEN 'is no JSON object' ELSE 'is no JSON' END"
    row = unlike(names, ROW)
    skipping = f"(SELECT {values}, {ROW} AS {row} FROM (SELECT * FROM {lines} WHERE {is_row}))"
    skipped = f"(SELECT 'line ' || {ROW} AS place, {why} AS why, line AS raw FROM {lines} WHERE NOT {is_row} AND {IS_FILLED})"
    each = f"CASE WHEN {is_row} THEN true WHEN {IS_FILLED} THEN error('a line is no row') ELSE false END"
    relation = f"(SELECT {values} FROM (SELECT * FROM {lines} WHERE {each}))"
    return Shape(relation, dict.fromkeys(names, duckdb.sqltype("VARCHAR")), skipping, skipping, skipped, lines=lines, row=row)


def structured(found: object) -> str:
    """The type of what DuckDB's json_structure tells: {'a': 'BIGINT', 'b': ['VARCHAR']} ▸ 'struct<a: long, b: list<string>>'."""
    return str(_type(found))


def _type(found: object) -> TypeName:
    if isinstance(found, list):
        return list_of(_type(found[0]))
    if isinstance(found, dict):
        try:
            return struct_of(tuple((name, _type(part)) for name, part in found.items()))
        except ValueError:
            return TypeName("string")
    return TypeName(_WORDS.get(str(found), "string"))
