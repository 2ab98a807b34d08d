"""What Snowflake's SQL has of its own."""

from __future__ import annotations

from pathlib import Path

from sqlglot import exp

from language.dialects.snowflake.query import SnowflakeQuery
from language.dialects.snowflake.types import TYPES
from language.sql.findings import Told
from language.sql.listed import texts
from language.sql.listed.predicate import ListedPredicate
from language.sql.listed.rules import Rules, not_read
from language.sql.listed.written import nullif, unit
from shared_metadata.program.schema import SchemaColumn
from shared_metadata.program.type_names import parsed, words

# https://docs.snowflake.com/en/sql-reference/functions-date-time#supported-date-and-time-parts
_UNITS = ("year", "quarter", "month", "week", "day", "hour", "minute", "second", "millisecond", "microsecond", "nanosecond")


def _unread(path: str, column: SchemaColumn) -> Told | None:
    """A table with a column of a type that Atoll keeps in no table of Snowflake's."""
    if not {"list", "map", "struct", "uuid", "time"} & set(words(parsed(column.type))):
        return None
    cause = f"Snowflake keeps no table of Atoll's that has a {column.type}, as `{path}` has in the column `{column.name}`"
    return cause, "collect it by a query that makes a text of it"


_SEMI = not_read("Snowflake has paths into a VARIANT alone, which Atoll keeps in no table", "select it where it is collected")
# https://docs.snowflake.com/en/sql-reference/reserved-keywords: no names in a SHOW, in DDL, or of a table in FROM, alone
_ELSEWHERE = frozenset((
    *("account", "connection", "constraint", "database", "gscluster", "issue", "organization", "schema", "view"),
    *("cross", "full", "inner", "join", "lateral", "left", "natural", "right", "using"),
))  # fmt: skip
RULES = Rules(
    engine="Snowflake",
    types=TYPES,
    query=SnowflakeQuery,
    functions_file=Path(__file__).with_name("catalogue.json"),
    operators={
        exp.ILike: texts.like,
        exp.SimilarTo: not_read("Snowflake has no SIMILAR TO", "write a RLIKE b"),
        exp.AtTimeZone: not_read("Snowflake has no AT TIME ZONE", "write convert_timezone('UTC', 'Europe/Zurich', a)"),
        exp.Bracket: _SEMI,
        exp.JSONExtract: _SEMI,
        exp.Array: not_read("Snowflake has arrays of VARIANT alone, which Atoll keeps in no table", "make a text of it, by LISTAGG"),
        exp.Filter: not_read("Snowflake has no FILTER", "write CASE WHEN … THEN … END within the call"),
    },
    written={"nullif": nullif(TYPES)},
    checks={"date_trunc": unit(TYPES, _UNITS)},
    grammar={
        exp.Substring: ("substring", ()),
        exp.StrPosition: ("position", ()),
        exp.Initcap: ("initcap", ("this",)),
        exp.Chr: ("chr", ()),
        exp.DecodeCase: ("decode", ()),
        exp.GroupConcat: ("listagg", ("this", "separator")),
    },
    names_all_the_same=_ELSEWHERE,
    items_named=True,
    orders_within=True,
    # https://docs.snowflake.com/en/sql-reference/functions-window-syntax
    ordered_windows=frozenset(("row_number", "rank", "dense_rank", "ntile", "percent_rank", "cume_dist", "lag", "lead")),
    unread=_unread,
)


class Predicate(ListedPredicate):
    rules = RULES
