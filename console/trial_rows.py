"""The rows of a test: CSV, a file of it, or a query, as Parquet files of the columns that a table has."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from console.project import decoded_file
from language.forms.trials import Rows, RowsKind
from language.text.diagnostics import Problem, Span, did_you_mean
from shared_metadata.contract.parquet.given_rows import BadCell, Cells, GivenRows
from shared_metadata.errors import DefinitionError, InputError
from shared_metadata.program.schema import SchemaColumn


class _Csv(NamedTuple):
    """lines: of each row, the place that messages name."""

    names: tuple[str, ...]
    rows: Sequence[Cells]
    lines: Sequence[Span]


def names_of(rows: Rows, given: GivenRows) -> list[str] | None:
    """The folded names of the columns that rows have; None where there are no rows to tell. Raises Problem."""
    if rows.kind is RowsKind.NONE:
        return None
    return _names_of_query(rows, given) if rows.kind is RowsKind.QUERY else list(_read(rows).names)


def columns_named(names: Sequence[str], columns: Sequence[SchemaColumn], rows: Rows) -> tuple[SchemaColumn, ...]:
    """Those of the columns. Raises Problem for a name that none has, or that is there twice."""
    known = {column.name: column for column in columns}
    for number, name in enumerate(names):
        if name not in known:
            raise Problem(_first_line(rows), f"there is no column `{name}`", did_you_mean(name, known) + f"it has {', '.join(known)}")
        if name in names[:number]:
            raise Problem(_first_line(rows), f"the column `{name}` is there twice", "remove one of them")
    return tuple(known[name] for name in names)


def staged(rows: Rows, columns: Sequence[SchemaColumn], given: GivenRows) -> str:
    """The file of the rows, '' for none. Raises Problem."""
    if rows.kind is RowsKind.NONE:
        return ""
    if rows.kind is RowsKind.QUERY:
        names = _names_of_query(rows, given)
        columns_named(names, columns, rows)
        try:
            return given.of_query(rows.text, names, columns)
        except DefinitionError as error:
            raise _unmade(rows, error) from None
        except BadCell as bad:
            raise _unlike(_first_line(rows), bad) from None
    read = _read(rows)
    columns_named(read.names, columns, rows)
    try:
        return given.of_texts(read.names, read.rows, columns)
    except BadCell as bad:
        raise _unlike(read.lines[bad.row], bad, "; an empty cell is null") from None


def _unlike(place: Span, bad: BadCell, more: str = "") -> Problem:
    return Problem(place, f"`{bad.cell}` is no {bad.column.type}, which `{bad.column.name}` is", f"correct it{more}")


def _unmade(rows: Rows, error: DefinitionError) -> Problem:
    return Problem(_first_line(rows), f"these rows cannot be made: {error.what}", error.remedy)


def _names_of_query(rows: Rows, given: GivenRows) -> list[str]:
    try:
        return given.names_of(rows.text)
    except DefinitionError as error:
        raise _unmade(rows, error) from None


def _read(rows: Rows) -> _Csv:
    text = rows.text
    if rows.kind is RowsKind.FILE:
        try:
            text = decoded_file(str(Path(rows.span.source.file).parent / rows.text)).removeprefix("\ufeff")
        except InputError as error:
            raise Problem(rows.span, error.what, "write the file's name as it is beside this test") from None
        if "\0" in text:
            raise Problem(rows.span, "these rows have a zero byte", "remove it, or save the file as plain UTF-8 text")
    names, found, lines = tuple[str, ...](), list[Cells](), list[Span]()
    for place, cells in _lines(rows, text):
        given = [cell.strip() for cell in cells]
        if not any(given):
            continue
        if not names:
            names = tuple(name.lower() for name in given)
            continue
        if len(given) != len(names):
            raise Problem(
                place, f"this row has {len(given)} cells, of {len(names)} columns", "write one for each; an empty cell is null"
            )
        found.append([cell or None for cell in given])
        lines.append(place)
    if not names:
        raise Problem(_first_line(rows), "these rows do not begin with the names of their columns", "write them as the first line")
    return _Csv(names, found, lines)


def _lines(rows: Rows, text: str) -> Iterator[tuple[Span, Sequence[str]]]:
    """The cells of each line, with its place. Raises Problem for a line that is no CSV."""
    reader = csv.reader(io.StringIO(text), skipinitialspace=True)
    try:
        for cells in reader:
            yield _line(rows, reader.line_num - 1), cells
    except csv.Error as error:
        remedy = f"end lines with a line feed, and write no more than {csv.field_size_limit()} characters into a cell"
        raise Problem(_line(rows, reader.line_num - 1), f"this row is no CSV: {error}", remedy) from None


def _line(rows: Rows, number: int) -> Span:
    """The line of that number, from 0, of rows that stand in the test; of those in a file, where the test names it."""
    if rows.kind is RowsKind.FILE:
        return rows.span
    start = rows.span.start
    for _ in range(number):
        start = rows.span.source.text.index("\n", start) + 1
    end = rows.span.source.text.find("\n", start)
    line = rows.span.source.text[start : min(end, rows.span.end) if end >= 0 else rows.span.end]
    start += len(line) - len(line.lstrip())
    return Span(rows.span.source, start, start + max(len(line.strip()), 1))


def _first_line(rows: Rows) -> Span:
    if rows.kind is not RowsKind.CSV:
        return rows.span
    before = len(rows.span.text) - len(rows.span.text.lstrip())
    return _line(rows, rows.span.text[:before].count("\n"))
