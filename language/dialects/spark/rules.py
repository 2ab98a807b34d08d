"""What Spark's SQL has of its own, in ANSI mode."""

from __future__ import annotations

from pathlib import Path

from sqlglot import exp

from language.dialects.spark.query import SparkQuery
from language.dialects.spark.types import TYPES
from language.dialects.spark.written import of_digits, of_fields, of_remainder
from language.sql.listed.expressions import Expressions, refs_of
from language.sql.listed.predicate import ListedPredicate
from language.sql.listed.rules import Rules, Told
from language.sql.scope import NOTHING, Typed
from shared_metadata.program.schema import SchemaColumn
from shared_metadata.program.type_names import words

# https://iceberg.apache.org/spec/#reserved-field-ids
KEPT = frozenset(("_file", "_pos", "_deleted", "_spec_id", "_partition", "_row_id", "_last_updated_sequence_number"))


def _within(of: Expressions, node: exp.Bracket) -> Typed:
    """An element of a list, or a value of a map."""
    inner, at = of.typed(node.this), [of.typed(part) for part in node.expressions]
    refs = refs_of([inner, *at])
    if inner.kind is None or len(at) != 1 or at[0].kind is None:
        return Typed(None, refs)
    wanted = TYPES.integer if inner.kind.word == "array" else inner.kind.parts[0] if inner.kind.word == "map" else None
    if wanted is None or TYPES.common(at[0].kind, wanted) != wanted:
        cause = f"there is no {TYPES.said(inner.kind)}[{TYPES.said(at[0].kind)}]"
        of.findings.problem(node, cause, "write list[0], or map['key']")
        return Typed(None, refs)
    return Typed(inner.kind.parts[-1], refs)


def _at_time_zone(of: Expressions, node: exp.AtTimeZone) -> Typed:
    of.findings.problem(node, "Spark has no AT TIME ZONE", "write from_utc_timestamp(…, 'zone')")
    return NOTHING


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
        exp.ILike: Expressions.texts,
        exp.RegexpLike: Expressions.texts,
        exp.Bracket: _within,
        exp.AtTimeZone: _at_time_zone,
    },
    signs={exp.IntDiv: "DIV"},
    written={
        **dict.fromkeys(("struct", "named_struct"), of_fields),
        **dict.fromkeys(("round", "bround"), of_digits),
        **dict.fromkeys(("mod", "pmod"), of_remainder),
    },
    grammar={
        exp.Substring: ("substring", ()),
        exp.StrPosition: ("position", ()),
        exp.Quantile: ("percentile", ()),
        exp.ApproxQuantile: ("percentile_approx", ()),
        exp.Overlay: ("overlay", ()),
        exp.Chr: ("chr", ()),
        exp.Initcap: ("initcap", ("this",)),  # sqlglot gives it a second argument
    },
    as_written=TYPES.as_written,
    items_named=True,
    choosing_joins=frozenset(("SEMI", "ANTI")),
    refused_name=_refused_name,
    unread=_unread,
)


class Predicate(ListedPredicate):
    rules = RULES
