"""What Spark's SQL has of its own, in ANSI mode."""

from __future__ import annotations

from pathlib import Path

from sqlglot import exp

from language.dialects.spark.query import SparkQuery
from language.dialects.spark.types import TYPES
from language.dialects.spark.written import of_digits, of_fields, of_remainder
from language.sql.findings import Told
from language.sql.listed import texts
from language.sql.listed.predicate import ListedPredicate
from language.sql.listed.rules import Rules, not_read
from language.sql.listed.written import nullif, unit
from shared_metadata.program.schema import SchemaColumn
from shared_metadata.program.type_names import TypeName, words

_OF_DAYS = ("year", "yyyy", "yy", "quarter", "month", "mon", "mm", "week")
_UNITS = (*_OF_DAYS, "day", "dd", "hour", "minute", "second", "millisecond", "microsecond")
# https://iceberg.apache.org/spec/#reserved-field-ids
KEPT = frozenset(("_file", "_pos", "_deleted", "_spec_id", "_partition", "_row_id", "_last_updated_sequence_number"))


def _exploded(kind: TypeName) -> list[tuple[str, TypeName]] | None:
    if kind.word == "map":
        return [("key", kind.parts[0]), ("value", kind.parts[1])]
    return [("col", kind.parts[0])] if kind.word == "array" else None


def _positioned(kind: TypeName) -> list[tuple[str, TypeName]] | None:
    found = _exploded(kind)
    return None if found is None else [("pos", TYPES.integer), *found]


def _inlined(kind: TypeName) -> list[tuple[str, TypeName]] | None:
    return [*kind.parts[0].named()] if kind.word == "array" and kind.parts[0].fields else None


def _refused_name(name: str) -> Told | None:
    cause = f"Iceberg has a column `{name}` of its own in every table, in whose place Spark reads no other"
    return (cause, "call it otherwise, with AS") if name in KEPT else None


def _unread(path: str, column: SchemaColumn) -> Told | None:
    """A table with a column of the type `time`, of which Spark reads none."""
    if "time" not in words(TYPES.read(column.type)):
        return None
    cause = f"Spark reads no table that has a `time`, as `{path}` has in the column `{column.name}`"
    return cause, "collect it as a text, by CAST, or have another engine compute this: USING duckdb"


RULES = Rules(
    engine="Spark",
    types=TYPES,
    query=SparkQuery,
    functions_file=Path(__file__).with_name("catalogue.json"),
    operators={
        exp.ILike: texts.like,
        exp.RegexpLike: texts.matched,
        exp.AtTimeZone: not_read("Spark has no AT TIME ZONE", "write from_utc_timestamp(…, 'zone')"),
    },
    signs={exp.IntDiv: "DIV"},
    written={
        **dict.fromkeys(("struct", "named_struct"), of_fields),
        **dict.fromkeys(("round", "bround"), of_digits),
        **dict.fromkeys(("mod", "pmod"), of_remainder),
        "nullif": nullif(TYPES),
    },
    checks={"date_trunc": unit(TYPES, _UNITS), "trunc": unit(TYPES, _OF_DAYS, at=1)},
    makers={
        **dict.fromkeys(("explode", "explode_outer"), _exploded),
        **dict.fromkeys(("posexplode", "posexplode_outer"), _positioned),
        **dict.fromkeys(("inline", "inline_outer"), _inlined),
    },
    makers_remedy="write it in FROM: LATERAL VIEW explode(…) t AS x",
    makers_in_select=True,
    grammar={
        exp.Substring: ("substring", ()),
        exp.StrPosition: ("position", ()),
        exp.Quantile: ("percentile", ()),
        exp.ApproxQuantile: ("percentile_approx", ()),
        exp.Overlay: ("overlay", ()),
        exp.Chr: ("chr", ()),
        exp.Transform: ("transform", ()),
        exp.Initcap: ("initcap", ("this",)),  # sqlglot gives it a second argument
    },
    as_written=TYPES.as_written,
    # https://spark.apache.org/docs/3.5.6/sql-ref-ansi-compliance.html: unless spark.sql.ansi.enforceReservedKeywords
    names_all_the_same=None,
    items_named=True,
    items_ordered=True,
    items_reused=True,
    distinct_computed=True,
    having_hides=True,
    groups_all=True,
    of_order=frozenset(("percentile_cont", "percentile_disc")),
    several_counted=True,
    ordered_windows=frozenset(("row_number", "rank", "dense_rank", "ntile", "percent_rank", "cume_dist", "lag", "lead")),
    ignoring=frozenset(("any_value",)),
    like_escape="\\",
    of_groups=frozenset(("grouping", "grouping_id")),
    bare_joins=True,
    choosing_joins=frozenset(("SEMI", "ANTI")),
    refused_name=_refused_name,
    unread=_unread,
)


class Predicate(ListedPredicate):
    rules = RULES
