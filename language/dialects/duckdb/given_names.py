"""Names that a query gives to columns by what is no AS of a column: a PIVOT's values and aggregates, a pattern after COLUMNS."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

Tree = dict[str, Any]
_GROUP = re.compile(r"\\\\\d")  # of a pattern after COLUMNS, when it is escaped
_VALUE = r"[-+\w.: ]+"  # a number, a moment, true or NULL as DuckDB writes it; no expression of more than one name is written so


@dataclass(frozen=True)
class GivenNames:
    """written: a pattern of the names.  unnamed: where DuckDB makes up a part of them, the bytes of what should have been named."""

    written: str
    unnamed: tuple[int, ...] = ()

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(self.written, re.IGNORECASE | re.DOTALL)


def names_by_pattern(alias: str) -> GivenNames:
    """Those that an AS behind COLUMNS gives, in which \\0 stands for the name of a column."""
    return GivenNames(_GROUP.sub(".*", re.escape(alias)))


def names_of_pivot(pivot: Tree) -> Iterator[GivenNames]:
    """Names of the columns that its values become: each value's, and the aggregate's where that has one or is one of several."""
    values = "_".join(f"(?:{'|'.join(map(_entry, on.get('entries', ())))})" for on in pivot.get("pivots", ()))
    aggregates = pivot.get("aggregates", ())
    if len(aggregates) < 2:
        yield GivenNames(values)
    for aggregate in aggregates:
        if alias := aggregate.get("alias"):
            yield GivenNames(f"{values}_{re.escape(alias)}")
    unnamed = [aggregate for aggregate in aggregates if not aggregate.get("alias")]
    if len(aggregates) > 1 and unnamed:
        yield GivenNames(f"{values}_.*", tuple(aggregate.get("query_location", 0) for aggregate in unnamed))


def _entry(entry: Tree) -> str:
    if alias := entry.get("alias"):
        return re.escape(str(alias))
    values = (each.get("value") for each in entry.get("values", ()))
    return "_".join(re.escape(value) if isinstance(value, str) else _VALUE for value in values)
