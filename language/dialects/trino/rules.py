"""What Trino's SQL has of its own."""

from __future__ import annotations

from pathlib import Path

from sqlglot import exp

from language.dialects.trino.query import TrinoQuery
from language.dialects.trino.types import TYPES
from language.dialects.trino.written import of_remainder, of_row
from language.sql.listed import elements
from language.sql.listed.expressions import Expressions
from language.sql.listed.made import of_list_or_map
from language.sql.listed.predicate import ListedPredicate
from language.sql.listed.rules import Rules
from language.sql.listed.written import nullif, unit, written_out
from language.sql.scope import Typed

_OF_DAYS = ("day", "week", "month", "quarter", "year")
_UNITS = ("millisecond", "second", "minute", "hour", *_OF_DAYS)
_SHORT = ("MILLISECOND", "SECOND", "MINUTE", "HOUR")


def _at_time_zone(of: Expressions, node: exp.AtTimeZone) -> Typed:
    found, zone = of.typed(node.this), of.typed(node.args["zone"])
    if found.kind is not None and found.kind.word not in TYPES.moments[1:]:
        of.findings.problem(node, f"{TYPES.said(found.kind)} has no time of day", "CAST it to a timestamp")
    if not (isinstance(node.args["zone"], exp.Literal) and zone.kind == TYPES.text):
        of.findings.problem(node, "a zone is written out", "write AT TIME ZONE 'Europe/Berlin'")
    return Typed(TYPES.moment, found.refs | zone.refs)


def _moved(of: Expressions, node: exp.Add | exp.Sub) -> Typed:
    """+ and -, of which Trino takes no hours to or from a date."""
    found = of.computed(node, "+" if isinstance(node, exp.Add) else "-")
    steps = [part for part in (node.this, node.expression) if isinstance(part, exp.Interval)]
    if (
        found.kind is not None
        and found.kind.word == "date"
        and any(s.args["unit"].name.upper().removesuffix("S") in _SHORT for s in steps)
    ):
        of.findings.problem(node, "a date has no hours to add to", "CAST it to a timestamp, or add days")
    return found


RULES = Rules(
    engine="Trino",
    types=TYPES,
    query=TrinoQuery,
    functions_file=Path(__file__).with_name("catalogue.json"),
    operators={exp.Array: elements.array, exp.AtTimeZone: _at_time_zone, exp.Add: _moved, exp.Sub: _moved},
    written={"nullif": nullif(TYPES), "row": of_row, "mod": of_remainder},
    checks={
        "date_trunc": unit(TYPES, _UNITS, of_days=_OF_DAYS),
        "date_add": unit(TYPES, _UNITS, of_days=_OF_DAYS),
        "date_diff": unit(TYPES, _UNITS, of_days=_OF_DAYS),
        "round": written_out(1, "the number of digits", number=True),
        "regexp_extract": written_out(2, "the number of a group", number=True),
        **dict.fromkeys(("json_extract", "json_extract_scalar"), written_out(1, "a path")),
        "listagg": written_out(1, "what stands between texts"),
        **dict.fromkeys(("date_format", "date_parse", "format_datetime"), written_out(1, "a format")),
    },
    grammar={
        exp.GroupConcat: ("listagg", ("this", "separator")),
        exp.Substring: ("substring", ("this", "start", "length")),
        exp.StrPosition: ("strpos", ("this", "substr")),
        exp.Trim: ("trim", ("this", "expression")),
        exp.Chr: ("chr", ()),
    },
    makers={"unnest": of_list_or_map},
    makers_remedy="write it in FROM: CROSS JOIN UNNEST(…) AS t (x)",
    items_ordered=True,
    lists_grouped=True,
    sets_of_columns=True,
    ordered_windows=frozenset(("lag", "lead")),
    orders_within=True,
    ordered_aggregates=frozenset(("listagg",)),
    of_groups=frozenset(("grouping",)),
)


class Predicate(ListedPredicate):
    rules = RULES
