"""The messages of a statement's life: what a client asks to be executed and how it is told of columns and rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from doubles.oracle import values
from doubles.oracle.session import Described, Statement
from doubles.oracle.wire import Reader, Writer

_PARSE, _BIND, _DEFINE, _EXECUTE, _COMMITS = 0x01, 0x08, 0x10, 0x20, 0x100
_ONE_FETCH, _LONGEST_TEXT = 78, 32_767
_SIZES = {
    values.NUMBER: 22,
    values.DATE: 7,
    values.TIMESTAMP: 11,
    values.ZONED: 13,
    values.LOCAL: 11,
    values.DOUBLE: 8,
    values.FLOAT: 4,
}
_SIZES |= {
    values.RAW: 2000,
    values.BOOLEAN: 1,
    values.CLOB: 4000,
    values.BLOB: 4000,
    values.LONG: 2**31 - 1,
    values.LONG_RAW: 2**31 - 1,
}
_ROW, _ROWS, _COLUMNS = 7, 6, 16


@dataclass
class Executes:
    """One call. parses: the statement is new.  fetches: how many rows of a query are wanted at once."""

    cursor: int
    statement: Statement
    rows: list[list[Any]]
    fetches: int
    parses: bool
    executes: bool
    commits: bool

    @staticmethod
    def read(reader: Reader, known: Mapping[int, Statement]) -> Executes:
        options, cursor = reader.number(), reader.number()
        reader.byte()
        reader.number()
        reader.byte()
        reader.number()
        reader.raw(2)
        reader.number()
        fetches = reader.number()
        reader.number()
        reader.byte()
        binds = reader.number()
        reader.raw(5)
        reader.byte()
        defines = reader.number()
        reader.number()
        reader.raw(3)
        reader.number()
        reader.byte()
        reader.skip_numbers(2)
        reader.byte()
        reader.number()
        reader.byte()
        for _ in range(2):
            reader.byte()
            reader.number()
        reader.raw(2)
        reader.number()
        parses = bool(options & _PARSE)
        statement = Statement((reader.value() or b"").decode()) if parses else known[cursor]
        settings = [reader.number() for _ in range(13)]
        if options & _DEFINE:
            statement.fetch_kinds = [abs(_kind(reader)) for _ in range(defines)]
        elif options & _BIND:
            statement.bind_kinds = [_kind(reader) for _ in range(binds)]
        count = 1 if settings[7] else max(settings[1], 1)
        rows = [_bound(reader, statement.bind_kinds) for _ in range(count)] if options & _BIND and statement.bind_kinds else [[]]
        return Executes(cursor, statement, rows, fetches, parses, bool(options & _EXECUTE), bool(options & _COMMITS))

    @staticmethod
    def again(function: int, reader: Reader, known: Mapping[int, Statement]) -> Executes:
        cursor, count, _, flags = (reader.number() for _ in range(4))
        statement = known[cursor]
        times = 1 if function == _ONE_FETCH else count
        rows = [_bound(reader, statement.bind_kinds) for _ in range(times)] if statement.bind_kinds else [[]]
        return Executes(cursor, statement, rows, count, False, True, bool(flags & 1))


def _kind(reader: Reader) -> int:
    """A bind's, or a wanted column's, type, below zero where a value may be longer than a text of SQL's."""
    kind = reader.byte()
    reader.raw(3)
    size = reader.number()
    reader.skip_numbers(5)
    reader.byte()
    reader.skip_numbers(2)
    return -kind if size > _LONGEST_TEXT else kind


def _bound(reader: Reader, kinds: Sequence[int]) -> list[Any]:
    if reader.byte() != _ROW:
        raise ConnectionError("a row of binds was expected")
    found: dict[int, Any] = {}
    for number, kind in sorted(enumerate(kinds), key=lambda each: each[1] < 0):  # those that may be longer come after the others
        found[number] = values.read_bind(abs(kind), reader.value())
    return [found[number] for number in range(len(kinds))]


def write_columns(writer: Writer, columns: Sequence[Described], characters: int) -> None:
    writer.byte(_COLUMNS, 0).number(0, len(columns))
    if columns:
        writer.byte(0)
    for number, column in enumerate(columns):
        is_text = column.kind in values.TEXTS
        size = _SIZES.get(column.kind, 4000)
        writer.byte(column.kind, 0, column.precision & 255, column.scale & 255).number(size, 0, 0, 0, 0, characters if is_text else 0)
        writer.byte(1 if is_text else 0).number(size if is_text else 0, 0).byte(1, len(column.name)).text(column.name)
        writer.number(0, 0).number(number + 1, 0)
    writer.number(0, 0, 0, 0, 0, 0)


def has_locators(statement: Statement) -> bool:
    """Whether some of the values would be sent as what reads them later."""
    return any(kind in values.LARGE for kind in statement.fetch_kinds)


def write_rows(writer: Writer, statement: Statement, count: int) -> bool:
    """So many rows; whether there are no more. Large values are not sent before the client has said as what it takes them."""
    kinds = statement.fetch_kinds
    if has_locators(statement):
        return False
    part, statement.left = statement.left[:count], statement.left[count:]
    if part:
        writer.byte(_ROWS, 0).number(0, 0, len(part), 0, 0, 0)
    for row in part:
        writer.byte(_ROW)
        for value, kind in zip(row, kinds, strict=True):
            writer.value(None if value is None or value == "" or value == b"" else values.WRITE[kind](value))
            if kind in (values.LONG, values.LONG_RAW):
                writer.number(0, 0)
    statement.fetched += len(part)
    return len(part) < count or not statement.left
