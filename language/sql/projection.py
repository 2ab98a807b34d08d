"""What of a collect query the slice runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from language.text.diagnostics import Problem, Span
from shared_metadata.program import Column


@dataclass(frozen=True)
class Projection:
    """Columns and rows of one table; `columns` is empty for all of them."""

    source: str
    columns: tuple[Column, ...]
    filter: str


@dataclass(frozen=True)
class CollectedQuery:
    """projection: the query's columns and WHERE of one table; or what makes it more than that.

    casts: of each output column that it casts itself, the type as in a schema.  edits: take these casts out of the text.
    """

    projection: Projection | Problem
    casts: Mapping[str, str] = field(default_factory=dict)
    edits: tuple[tuple[Span, str], ...] = ()
