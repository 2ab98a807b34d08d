"""A mistake in a query, before it is known where in the program the query stands."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class QueryProblem:
    """What is wrong at [start, end) of the query's text."""

    start: int
    end: int
    cause: str
    remedy: str
