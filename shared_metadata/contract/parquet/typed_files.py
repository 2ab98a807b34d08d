"""Turns local files of text into Parquet on S3 by DuckDB, types given, rows never Python objects; what does not fit is set aside.

All is read as text, objects and lists in their own shape, since DuckDB's readers round and cut: a value is then exactly its column's
(exact_values), or DuckDB fails. Only then are objects and lists read as JSON text, too, to tell which rows these are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared_metadata.contract.collect import ExtractRequest
from shared_metadata.contract.parquet import rejected_rows
from shared_metadata.contract.parquet.duckdb_errors import unreached
from shared_metadata.contract.parquet.duckdb_session import identifier, literal, open_duckdb
from shared_metadata.contract.parquet.duckdb_types import duckdb_type
from shared_metadata.contract.parquet.exact_values import Value
from shared_metadata.contract.parquet.lax_json import HALF, mended
from shared_metadata.contract.parquet.left_rows import left_columns
from shared_metadata.contract.parquet.nested_values import as_texts
from shared_metadata.contract.parquet.staged_files import copied, with_keys
from shared_metadata.errors import RowError
from shared_metadata.program import Mode
from shared_metadata.program.intervals import to_text
from shared_metadata.program.schema import Schema
from shared_metadata.program.type_names import parsed

if TYPE_CHECKING:
    import duckdb

SETTINGS: Mapping[str, str] = {
    "preserve_insertion_order": "false",  # a file's rows have no order; keeping one takes memory
    # DuckDB's allocator keeps what was freed, a little more with every file: https://duckdb.org/docs/stable/configuration/overview
    "allocator_flush_threshold": "1MB",
    "allocator_bulk_deallocation_flush_threshold": "4MB",
}
REPLACEMENT = 0xFFFD  # https://www.unicode.org/charts/nameslist/n_FFF0.html, for what is no character
ROW_GROUP_ROWS = 61_440  # half of DuckDB's default: each thread holds one in memory until it is full
_NAMED = re.compile(r'Invalid Input Error: converting column "([^"]+)"')  # at the text's beginning, where it is ours
SourceSql = Callable[[Mapping[str, str]], str]  # fields with their DuckDB types ▸ a relation that has them


class TypedFiles:
    """Writes the Parquet files of one part.

    aws: the boto3 session.  fields: those of the source that are read; one that is not collected has its type here.
    place: of the table in the program.  deleted: the expression of whether a row is deleted there.
    """

    def __init__(self, aws: Any, request: ExtractRequest, fields: Mapping[str, str], *, place: str, deleted: str = "false") -> None:
        self._aws, self._out, self._left = aws, request.out, bool(request.part.get("left"))
        self._schema = Schema(left_columns(request.flow, request.schema.columns)) if self._left else request.schema
        self._hashing, self._masks, self._tolerant = request.hashing, request.table.masks, request.flow.bad_rows is not None
        self._place, self._deleted, merged = place, deleted, request.flow.mode == Mode.MERGE
        self._keys = {column.source: column.name for column in self._schema.columns if merged and column.name in request.flow.key}
        kinds = {column.source: column.type for column in self._schema.columns if column.source}
        self._types = {name: kinds.get(name, kind) for name, kind in fields.items()}
        self._shapes = {name: as_texts(parsed(kind)) for name, kind in self._types.items()}
        self._in_shape = {name: self._value(name, shape) for name, shape in self._shapes.items()}
        texts = {name: self._value(name, "VARCHAR") for name in self._types}
        self._of_text = {name: value.required() if name in self._keys else value for name, value in texts.items()}
        self._batch_start = request.window.interval.start
        self._connection: duckdb.DuckDBPyConnection | None = None

    def close(self) -> None:
        if self._connection:
            self._connection.close()

    def taken(self, read: Callable[[str], str]) -> str:
        """The condition of rows that the batch takes, '' for all. read: a field ▸ the expression of its typed value."""
        return ""

    def write(self, source: SourceSql, number: int, files: Sequence[Path] = ()) -> dict[str, Any]:
        """A Parquet file; returns {'key', 'rows', 'bytes', 'values'}.  files: of JSON that other programs wrote.

        Where the program tolerates bad rows, those with values that cannot be read as their type, and those with a null key, are in a
        file of their own, 'rejected' in the answer. Raises RowError where it does not.
        """
        name, marked = f"{number:04d}.parquet", [file for file in files if mended(file)]
        if self._left:
            return self._of_left(source, name)
        halves = self._with_halves(source) if marked else {}
        try:
            if halves:
                raise self._refused(f"a text of {min(halves)} holds half a character")
            strict = {name: self._strict(name) for name in self._types}
            typed = _selected(strict, f"{source(self._shapes)}{_where(self.taken(self._strict))}")
            written = self._copy(self._rows(typed), name)
            return with_keys(written, self._keys.values(), self._place)
        except RowError:
            misfits = {name: value.misfit for name, value in self._of_text.items() if value.misfit}
            if not self._tolerant or not (misfits or halves):
                raise
        texts, taken = source(dict.fromkeys(self._types, "VARCHAR")), self.taken(lambda name: self._of_text[name].lenient)
        bad = " OR ".join(f"({misfit})" for misfit in (*misfits.values(), *halves.values()))
        told = _where(f"({bad})", f"({taken}) IS NOT FALSE" if taken else "")  # what the WHERE reads may be what is none
        rejected = self._copy(f"{self._rejected(misfits, halves)} FROM {texts}{told}", f"{number:04d}-rejected.parquet")
        written = self._copy(self._rows(self._as_far_as_read(texts, _where(f"({bad}) IS NOT TRUE", taken))), name)
        return {**written, "rejected": {"key": rejected["key"], "rows": rejected["rows"]}}

    def _with_halves(self, source: SourceSql) -> dict[str, str]:
        """Fields of which rows that the batch takes have half a character ▸ the condition of those."""
        halves = {name: f"contains({identifier(name)}, {literal(HALF)})" for name in self._types}
        counted = ", ".join(f"count(*) FILTER ({half})" for half in halves.values())
        where = _where(f"({taken}) IS NOT FALSE" if (taken := self.taken(lambda name: self._of_text[name].lenient)) else "")
        (counts,) = self._run("", f"SELECT {counted} FROM {source(dict.fromkeys(self._types, 'VARCHAR'))}{where}")
        return {name: half for (name, half), count in zip(halves.items(), counts, strict=True) if count}

    def _of_left(self, source: SourceSql, name: str) -> dict[str, Any]:
        """Writes the file of rows that the WHERE no longer takes; one whose key cannot be read was never collected."""
        written = self._copy(self._rows(self._as_far_as_read(source(dict.fromkeys(self._types, "VARCHAR")))), name)
        return {"key": written["key"], "rows": 0, "bytes": 0, "values": {}, "left": {"key": written["key"], "rows": written["rows"]}}

    def _as_far_as_read(self, texts: str, where: str = "") -> str:
        return _selected({name: value.lenient for name, value in self._of_text.items()}, f"{texts}{where}")

    def _value(self, name: str, kind: str) -> Value:
        """kind: of DuckDB, as which the field is read. An object may have more than the program's type of it."""
        return Value(identifier(name), kind, more=True).as_type(self._types[name])

    def _strict(self, name: str) -> str:
        """The typed value of a field; DuckDB fails, and names it, where it is none."""
        value = self._in_shape[name]
        told = literal(f'converting column "{name}"')
        return f"CASE WHEN {value.misfit} THEN error({told}) ELSE {value.lenient} END" if value.misfit else value.strict

    def _rows(self, source: str) -> str:
        return f"SELECT {self._columns()} FROM {source}{self._hashing.joined}"

    def _rejected(self, misfits: Mapping[str, str], halves: Mapping[str, str]) -> str:
        """The SELECT of rejected rows, without masked values in their data."""
        words = {n: f"{n} is {'null, or ' * (n in self._keys)}no {duckdb_type(self._types[n]).lower()}" for n in misfits}
        reasons = [rejected_rows.reason(misfit, words[name]) for name, misfit in misfits.items()]
        reasons += [rejected_rows.reason(half, f"{name} holds half a character") for name, half in halves.items()]
        clear = [c for c in self._schema.columns if c.source and c.name not in self._masks]
        texts = {c.name: identifier(c.source) for c in clear}
        whole = {n: f"replace({text}, {literal(HALF)}, chr({REPLACEMENT}))" if halves else text for n, text in texts.items()}
        data = rejected_rows.as_json({name: (text, "VARCHAR") for name, text in whole.items()})
        return rejected_rows.select(to_text(self._batch_start), "collect", f"concat_ws(', ', {', '.join(reasons)})", data)

    def _copy(self, query: str, name: str) -> dict[str, Any]:
        return copied(partial(self._run, name), self._out, query, name, self._schema, f"ROW_GROUP_SIZE {ROW_GROUP_ROWS}")

    def _run(self, name: str, sql: str) -> list[Any]:
        import duckdb

        try:
            return self._open().execute(sql).fetchall()
        except (duckdb.ConversionException, duckdb.InvalidInputException) as error:
            raise self._unreadable(str(error)) from None
        except (duckdb.IOException, duckdb.HTTPException) as error:
            raise unreached(error, f"{name} could not be written: {type(error).__name__}", place=self._place) from None

    def _columns(self) -> str:
        found = [
            f"{self._hashing.value(column.name, identifier(column.source), column.type)} AS {identifier(column.name)}"
            for column in self._schema.columns
            if column.source
        ]
        batch = f"TIMESTAMPTZ {literal(to_text(self._batch_start))} AS _batch"
        deleted = any(column.name == "_deleted" for column in self._schema.columns)
        return ", ".join([*found, batch, *([f"{self._deleted} AS _deleted"] if deleted else [])])

    def _unreadable(self, message: str) -> RowError:
        """DuckDB's message holds the value, so only the column is taken from it."""
        named = _NAMED.match(message)
        column = f"a value of {named[1]}" if named and named[1] in self._types else "a value"
        return self._refused(f"{column} cannot be read as its type")

    def _refused(self, what: str) -> RowError:
        remedy = "set such rows aside with TOLERATE … BAD ROWS, or leave the column out of the program"
        return RowError(what, place=self._place, remedy=remedy)

    def _open(self) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            self._connection = open_duckdb(self._aws)
            for name, value in SETTINGS.items():
                self._connection.execute(f"SET {name} = {literal(value)}")
            self._hashing.prepare(self._connection)
        return self._connection


def _selected(values: Mapping[str, str], rows: str) -> str:
    """A relation of these expressions, by their names, over what stands in FROM."""
    return f"(SELECT {', '.join(f'{value} AS {identifier(name)}' for name, value in values.items())} FROM {rows})"


def _where(*conditions: str) -> str:
    given = [condition for condition in conditions if condition]
    return f" WHERE {' AND '.join(given)}" if given else ""


def paths(files: Sequence[Path]) -> str:
    """Local files as DuckDB's list of them."""
    return "[" + ", ".join(literal(str(file)) for file in files) + "]"


def longest(files: Sequence[Path]) -> int:
    """No value of a file is longer, in bytes."""
    return max(file.stat().st_size for file in files) + 1
