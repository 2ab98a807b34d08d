"""Turns local files of text into Parquet on S3 by DuckDB, types given, rows never Python objects; what does not fit is set aside."""

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
from shared_metadata.contract.parquet.duckdb_types import duckdb_name, duckdb_type
from shared_metadata.contract.parquet.exact_values import A_DAY
from shared_metadata.contract.parquet.left_rows import left_columns
from shared_metadata.contract.parquet.nested_json import fits
from shared_metadata.contract.parquet.staged_files import copied, with_keys
from shared_metadata.errors import RowError
from shared_metadata.program import Mode
from shared_metadata.program.intervals import to_text
from shared_metadata.program.schema import Schema
from shared_metadata.program.type_names import TypeName, parsed

if TYPE_CHECKING:
    import duckdb

# Sources have fractions in what they call whole numbers, and DuckDB would round them: they are read as what holds both.
WHOLE: Mapping[str, tuple[str, int]] = {"INTEGER": ("DOUBLE", 31), "BIGINT": ("DECIMAL(38,9)", 63)}
# Of a moment DuckDB takes the day alone: a day is read as a text.
READ_AS: Mapping[str, str] = {**{kind: read for kind, (read, _) in WHOLE.items()}, "DATE": "VARCHAR"}
SETTINGS: Mapping[str, str] = {
    "preserve_insertion_order": "false",  # a file's rows have no order; keeping one takes memory
    # DuckDB's allocator keeps what was freed, a little more with every file: https://duckdb.org/docs/stable/configuration/overview
    "allocator_flush_threshold": "1MB",
    "allocator_bulk_deallocation_flush_threshold": "4MB",
}
ROW_GROUP_ROWS = 61_440  # half of DuckDB's default: each thread holds one in memory until it is full
# Where DuckDB names the column: at its text's beginning, where it is ours, and behind the last line of data that it quotes.
_NAMED = (
    re.compile(r'Invalid Input Error: converting column "([^"]+)"'),
    re.compile(
        r".*\nColumn ([^\n]+) is being converted as type [^\n]+\nThis type [^\n]*\n(?:Possible solutions:\n)?(?:\* [^\n]*\n)*"
        r"\n  file = (?!.*\n  file = )",
        re.DOTALL,
    ),
)
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
        kinds = {column.source: duckdb_type(column.type) for column in self._schema.columns if column.source}
        self._types = {name: kinds.get(name, kind) for name, kind in fields.items()}
        nested = {column.source: parsed(column.type) for column in self._schema.columns if column.source and column.type[-1:] == ">"}
        self._nested = {name: _widened(kind) for name, kind in nested.items()}
        self._batch_start = request.window.interval.start
        self._connection: duckdb.DuckDBPyConnection | None = None

    def close(self) -> None:
        if self._connection:
            self._connection.close()

    def taken(self, read: Callable[[str], str]) -> str:
        """The condition of rows that the batch takes, '' for all. read: a field ▸ the expression of its typed value."""
        return ""

    def write(self, source: SourceSql, number: int) -> dict[str, Any]:
        """A Parquet file; returns {'key', 'rows', 'bytes', 'values'}.

        Where the program tolerates bad rows, those with values that cannot be read as their type, and those with a null key, are in a
        file of their own, 'rejected' in the answer. Raises RowError where it does not.
        """
        name = f"{number:04d}.parquet"
        if self._left:
            return self._of_left(source, name)
        try:
            typed = source({name: self._wide(name) for name in self._types})
            written = self._copy(self._rows(f"(SELECT * FROM {typed}{_where(self.taken(self._known))})"), name)
            return with_keys(written, self._keys.values(), self._place)
        except RowError:
            misfits = self._misfits()
            if not self._tolerant or not misfits:
                raise
        texts, taken = source(dict.fromkeys(self._types, "VARCHAR")), self.taken(self._read)
        bad = " OR ".join(misfits.values())
        rejected = self._copy(f"{self._rejected(misfits)} FROM {texts}{_where(f'({bad})', taken)}", f"{number:04d}-rejected.parquet")
        written = self._copy(self._rows(self._as_far_as_read(texts, _where(f"NOT ({bad})", taken))), name)
        return {**written, "rejected": {"key": rejected["key"], "rows": rejected["rows"]}}

    def _of_left(self, source: SourceSql, name: str) -> dict[str, Any]:
        """Writes the file of rows that the WHERE no longer takes; one whose key cannot be read was never collected."""
        written = self._copy(self._rows(self._as_far_as_read(source(dict.fromkeys(self._types, "VARCHAR")))), name)
        return {"key": written["key"], "rows": 0, "bytes": 0, "values": {}, "left": {"key": written["key"], "rows": written["rows"]}}

    def _as_far_as_read(self, texts: str, where: str = "") -> str:
        read = ", ".join(f"{self._read(name)} AS {identifier(name)}" for name in self._types)
        return f"(SELECT {read} FROM {texts}{where})"

    def _misfits(self) -> dict[str, str]:
        """Field ▸ the condition of texts that are no value of its type, or of a key that is null."""
        checked = {name: f"{identifier(name)} IS NOT NULL AND " for name, kind in self._types.items() if kind != "VARCHAR"}
        checked |= dict.fromkeys(self._keys, "")
        return {name: f"({there}{self._read(name)} IS NULL)" for name, there in checked.items()}

    def _known(self, name: str) -> str:
        """The value of a field for a condition; null of a day that is none."""
        return f"TRY_CAST({identifier(name)} AS DATE)" if self._types[name] == "DATE" else identifier(name)

    def _read(self, name: str) -> str:
        """A text as the field's type; null where it is none."""
        kind = self._types[name]
        if kind == "DATE":
            return f"CASE WHEN {_is_day(name)} THEN TRY_CAST({identifier(name)} AS DATE) END"
        if name in self._nested:
            json = f"TRY_CAST({identifier(name)} AS JSON)"
            value = f"TRY_CAST({json} AS {duckdb_name(self._nested[name])})"
            return (
                f"CASE WHEN {fits(json, self._nested[name])} AND {self._is_whole(name, value)} THEN TRY_CAST({value} AS {kind}) END"
            )
        if kind not in WHOLE:
            return f"TRY_CAST({identifier(name)} AS {kind})"
        number = f"TRY_CAST({identifier(name)} AS {WHOLE[kind][0]})"
        return f"CASE WHEN {number} = trunc({number}) THEN TRY_CAST({number} AS {kind}) END"

    def _value(self, name: str) -> str:
        """The value of a field; one that has to be a whole number, or a day, is checked, since DuckDB would round or cut it."""
        value, kind, told = identifier(name), self._types[name], literal(f'converting column "{name}"')
        if kind == "DATE":
            unfit = f"{value} IS NOT NULL AND {self._read(name)} IS NULL"
            return f"CASE WHEN {unfit} THEN error({told}) ELSE TRY_CAST({value} AS DATE) END"
        if self._wide(name) == kind:
            return value
        if name in self._nested:
            return f"CAST(CASE WHEN {self._is_whole(name, value)} THEN {value} ELSE error({told}) END AS {kind})"
        least, most = -(2 ** WHOLE[kind][1]), 2 ** WHOLE[kind][1] - 1
        unfit = f"{value} <> trunc({value}) OR {value} NOT BETWEEN {least} AND {most}"
        return f"CAST(CASE WHEN {unfit} THEN error({told}) ELSE {value} END AS {kind})"

    def _wide(self, name: str) -> str:
        """The type as which a field is read, so that nothing of it is rounded."""
        kind = self._types[name]
        return duckdb_name(self._nested[name]) if name in self._nested else READ_AS.get(kind, kind)

    def _is_whole(self, name: str, value: str) -> str:
        """Whether every whole number within a value is one: as such, and read back, it is the same value."""
        return f"CAST(TRY_CAST({value} AS {self._types[name]}) AS {self._wide(name)}) IS NOT DISTINCT FROM {value}"

    def _rows(self, source: str) -> str:
        return f"SELECT {self._columns()} FROM {source}{self._hashing.joined}"

    def _rejected(self, misfits: Mapping[str, str]) -> str:
        """The SELECT of rejected rows, without masked values in their data."""
        reasons = ", ".join(
            rejected_rows.reason(misfit, f"{name} is {'null, or ' * (name in self._keys)}no {self._types[name].lower()}")
            for name, misfit in misfits.items()
        )
        clear = [c for c in self._schema.columns if c.source and c.name not in self._masks]
        data = rejected_rows.as_json({c.name: (identifier(c.source), "VARCHAR") for c in clear})
        return rejected_rows.select(to_text(self._batch_start), "collect", f"concat_ws(', ', {reasons})", data)

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
            f"{self._hashing.value(column.name, self._value(column.source), column.type)} AS {identifier(column.name)}"
            for column in self._schema.columns
            if column.source
        ]
        batch = f"TIMESTAMPTZ {literal(to_text(self._batch_start))} AS _batch"
        deleted = any(column.name == "_deleted" for column in self._schema.columns)
        return ", ".join([*found, batch, *([f"{self._deleted} AS _deleted"] if deleted else [])])

    def _unreadable(self, message: str) -> RowError:
        """DuckDB's message holds the value, so only the column is taken from it."""
        named = next((found[1] for pattern in _NAMED if (found := pattern.match(message))), "")
        column = f"a value of {named}" if named in self._types else "a value"
        return RowError(
            f"{column} cannot be read as its type",
            place=self._place,
            remedy="set such rows aside with TOLERATE … BAD ROWS, or leave the column out of the program",
        )

    def _open(self) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            self._connection = open_duckdb(self._aws)
            for name, value in SETTINGS.items():
                self._connection.execute(f"SET {name} = {literal(value)}")
            self._hashing.prepare(self._connection)
        return self._connection


def _is_day(name: str) -> str:
    return f"regexp_full_match(CAST({identifier(name)} AS VARCHAR), {literal(A_DAY)})"


def _widened(kind: TypeName) -> TypeName:
    """The type with each whole number as what holds fractions, too."""
    wide = {"int": parsed("double"), "long": parsed("decimal(38,9)")}
    return wide.get(kind.word) or kind.over(_widened)


def _where(*conditions: str) -> str:
    given = [condition for condition in conditions if condition]
    return f" WHERE {' AND '.join(given)}" if given else ""


def paths(files: Sequence[Path]) -> str:
    """Local files as DuckDB's list of them."""
    return "[" + ", ".join(literal(str(file)) for file in files) + "]"


def longest(files: Sequence[Path]) -> int:
    """No value of a file is longer, in bytes."""
    return max(file.stat().st_size for file in files) + 1
