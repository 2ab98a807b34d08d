"""A query in Snowflake's SQL, as its text alone tells it.

A name means the same with quotes as without: the slice writes it as Snowflake folds it (ADR 74).
"""

from __future__ import annotations

from dataclasses import dataclass

from language.sql.listed.parted_query import PartedQuery, pieces


@dataclass(frozen=True, eq=False)
class SnowflakeQuery(PartedQuery):
    engine = "Snowflake"
    pieces = pieces("dateadd", "datediff", "timestampadd", "timestampdiff", "date_part")
    # https://docs.snowflake.com/en/sql-reference/functions-date-time
    parts = frozenset((
        *("year", "quarter", "month", "week", "day", "hour", "minute", "second", "millisecond", "microsecond", "nanosecond"),
        *("dayofweek", "dayofweekiso", "dayofyear", "weekiso", "yearofweek", "yearofweekiso", "epoch_second", "epoch_millisecond"),
    ))  # fmt: skip
    dialect: str = "snowflake"
