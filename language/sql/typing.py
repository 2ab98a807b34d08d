"""A query as it was typed: plain data whose places are offsets into the query's text, so that it holds wherever that text stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from language.sql.problems import QueryProblem
from shared_metadata.program.lineage import Use


class QueryColumn(NamedTuple):
    """One output column. type: '' where a problem says that it cannot be told.  inputs: sorted, (table, column, field …) each.

    source_type: of a collect query's, as the source calls it; '' where that is not told.
    """

    name: str
    type: str
    inputs: tuple[tuple[str, ...], ...]
    start: int
    end: int
    nullable: bool = True
    source_type: str = ""


class QueryUse(NamedTuple):
    """The first place where a column of an input, or a field of one, is used in this way."""

    table: str
    column: str
    use: Use
    start: int
    end: int
    fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class TypedQuery:
    """edits: (start, end, text): each star's columns, to be put in its place.  moments: of texts that mean another time tomorrow."""

    columns: tuple[QueryColumn, ...] = ()
    uses: tuple[QueryUse, ...] = ()
    edits: tuple[tuple[int, int, str], ...] = ()
    problems: tuple[QueryProblem, ...] = ()
    moments: tuple[tuple[int, int], ...] = ()
