"""The SQL over staging tables that any database takes; pure text.

The columns of a staging table have names of ours, by their place: a user's column may have any name. `staged` gives them those of the
table again, for statements in which nothing of ours stands beside them.
"""

from __future__ import annotations

from collections.abc import Sequence

from systems.sql_target.table import TargetColumn

ROW, PART = "_atoll_row", "_atoll_part"


def names(columns: Sequence[TargetColumn], alias: str = "") -> str:
    prefix = f"{alias}." if alias else ""
    return ", ".join(prefix + column.sql for column in columns)


def places(columns: Sequence[TargetColumn]) -> list[str]:
    """The names of columns in a table of ours."""
    return [f"c{number}" for number in range(len(columns))]


def staged(stage: str, columns: Sequence[TargetColumn]) -> str:
    """The rows of a staging table, with the table's own names of the columns."""
    listed = (f"x.{place} AS {column.sql}" for place, column in zip(places(columns), columns, strict=True))
    return f"(SELECT {', '.join(listed)} FROM {stage} x)"


def numbered(stage: str, first: int, end: int, without: str) -> str:
    """The rows [first, end) of a numbered stage, less those that a table of rejected rows names."""
    others = f" AND NOT EXISTS (SELECT 1 FROM {without} x WHERE x.{ROW} = n.{ROW})" if without else ""
    return f"(SELECT n.* FROM {stage} n WHERE n.{ROW} >= {first} AND n.{ROW} < {end}{others})"


def key_twice(stage: str, columns: Sequence[TargetColumn], key: Sequence[TargetColumn]) -> str:
    """Counts the keys that occur more than once, as the table's own types and collations compare them."""
    return f"SELECT count(*) FROM (SELECT 1 FROM {staged(stage, columns)} s GROUP BY {names(key, 's')} HAVING count(*) > 1) twice"


def same(columns: Sequence[TargetColumn], left: str, right: str) -> str:
    """The condition that values are equal for their own types."""
    return " AND ".join(f"{left}.{c.sql} {c.equals} {right}.{c.sql}" for c in columns)
