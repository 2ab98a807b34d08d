"""Tests of a program as they are written: rows that a view is given, and those that it should make."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from language.forms.syntax import Name, Part
from language.text.diagnostics import Span


class RowsKind(Enum):
    """How rows are written."""

    CSV = "csv"
    FILE = "file"
    QUERY = "query"
    NONE = "none"


@dataclass(frozen=True)
class Rows:
    """`CSV $$…$$`, `CSV FROM 'file'`, `(query)` or `NO ROWS`; span: of the text, the file's name or the query."""

    kind: RowsKind
    span: Span
    text: str = ""


@dataclass(frozen=True)
class GivenTable:
    """`GIVEN dataset rows`."""

    dataset: Name
    rows: Rows


@dataclass(frozen=True)
class Trial:
    """`TEST name OF target|call [AT 'moment'] {GIVEN …} {EXPECT …}`.

    call: the function's call in place of a target.  moment: the batch's start, with its place.  fails: the expectations that rows do
    not meet.
    """

    name: Part
    target: Name
    call: Span | None
    moment: tuple[str, Span] | None
    given: tuple[GivenTable, ...]
    expected: Rows | None
    fails: tuple[Part, ...]
    span: Span
