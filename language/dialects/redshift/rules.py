"""What Redshift's SQL has of its own."""

from __future__ import annotations

from pathlib import Path

from sqlglot import exp

from language.dialects.redshift.query import RedshiftQuery
from language.dialects.redshift.types import TYPES
from language.sql.findings import Told
from language.sql.listed import moments, texts
from language.sql.listed.expressions import Expressions
from language.sql.listed.predicate import ListedPredicate
from language.sql.listed.rules import Rules, not_read
from language.sql.listed.written import nullif, unit
from language.sql.scope import NOTHING, Typed
from shared_metadata.program.schema import SchemaColumn
from shared_metadata.program.type_names import TypeName, parsed, words

# https://docs.aws.amazon.com/redshift/latest/dg/r_DATE_TRUNC.html
_UNITS = ("century", "decade", "year", "quarter", "month", "week", "day", "hour", "minute", "second", "millisecond", "microsecond")


def _at_time_zone(of: Expressions, node: exp.AtTimeZone) -> Typed:
    """A moment becomes what clocks show there; what clocks show, a moment."""
    inner = of.typed(node.this)
    of.typed(node.args["zone"])
    other = {"timestamp": "timestamptz", "timestamptz": "timestamp"}.get(inner.kind.word if inner.kind else "")
    if inner.kind is not None and other is None:
        of.findings.problem(node, f"there is no {TYPES.said(inner.kind)} AT TIME ZONE", "CAST it to a TIMESTAMP, or a TIMESTAMPTZ")
        return NOTHING
    return Typed(TypeName(other) if other else None, inner.refs)


def _extracted(of: Expressions, node: exp.Extract) -> Typed:
    """https://docs.aws.amazon.com/redshift/latest/dg/r_EXTRACT_function.html: of a moment with a zone it is inexact."""
    found, inner = moments.extracted(of, node), of.typed(node.expression).kind
    return Typed(TYPES.double, found.refs) if inner == TYPES.moment and found.kind is not None else found


def _unread(path: str, column: SchemaColumn) -> Told | None:
    """A table with a column of a type that Redshift keeps in none."""
    if not {"list", "map", "struct", "uuid", "time"} & set(words(parsed(column.type))):
        return None
    cause = f"Redshift keeps no table that has a {column.type}, as `{path}` has in the column `{column.name}`"
    return cause, "collect it by a query that makes a text of it"


RULES = Rules(
    engine="Redshift",
    types=TYPES,
    query=RedshiftQuery,
    functions_file=Path(__file__).with_name("catalogue.json"),
    # https://docs.aws.amazon.com/redshift/latest/dg/c_unsupported-postgresql-features.html
    operators={
        exp.ILike: texts.like,
        exp.SimilarTo: texts.matched,
        exp.AtTimeZone: _at_time_zone,
        exp.Extract: _extracted,
        exp.Bracket: not_read(
            "Redshift has subscripts of SUPER alone, which Atoll keeps in no table", "select it where it is collected"
        ),
        exp.Array: not_read("Redshift has arrays in SUPER alone, which Atoll keeps in no table", "make a text of it, by LISTAGG"),
        exp.Filter: not_read("Redshift has no FILTER", "write CASE WHEN … THEN … END within the call"),
        exp.NullSafeEQ: not_read("Redshift has no IS DISTINCT FROM", "write (a = b OR (a IS NULL AND b IS NULL))"),
        exp.NullSafeNEQ: not_read("Redshift has no IS DISTINCT FROM", "write NOT (a = b OR (a IS NULL AND b IS NULL))"),
    },
    written={"nullif": nullif(TYPES)},
    checks={"date_trunc": unit(TYPES, _UNITS)},
    grammar={
        exp.Substring: ("substring", ()),
        exp.StrPosition: ("position", ()),
        exp.Overlay: ("overlay", ()),
        exp.Initcap: ("initcap", ("this",)),
        exp.Chr: ("chr", ()),
        exp.DecodeCase: ("decode", ()),
    },
    labels_free=True,
    items_named=True,
    orders_within=True,
    ordered_windows=frozenset(("lag", "lead")),
    unread=_unread,
)


class Predicate(ListedPredicate):
    rules = RULES
