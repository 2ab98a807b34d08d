"""What Trino's SQL has of its own."""

from __future__ import annotations

from pathlib import Path

from sqlglot import exp

from language.dialects.trino.query import TrinoQuery
from language.dialects.trino.types import TYPES
from language.sql.listed.expressions import Expressions, refs_of
from language.sql.listed.predicate import ListedPredicate
from language.sql.listed.rules import Rules
from language.sql.scope import Typed
from shared_metadata.program.type_names import TypeName


def _array(of: Expressions, node: exp.Array) -> Typed:
    found = [of.typed(part) for part in node.expressions]
    kind = of.together(node, found, "this holds")
    return Typed(TypeName("array", (kind,)) if kind is not None else None, refs_of(found), False)


def _at_time_zone(of: Expressions, node: exp.AtTimeZone) -> Typed:
    return Typed(of.types.moment, of.typed(node.this).refs)


RULES = Rules(
    engine="Trino",
    types=TYPES,
    query=TrinoQuery,
    functions_file=Path(__file__).with_name("catalogue.json"),
    operators={exp.Array: _array, exp.AtTimeZone: _at_time_zone},
)


class Predicate(ListedPredicate):
    rules = RULES
