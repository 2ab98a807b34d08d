"""A dialect that is typed by lists, as the compiler asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from sqlglot import exp

from language.sql.called_query import CalledQuery
from language.sql.dialect import AsWarehouse, Dialect, lower
from language.sql.listed.binding import bind
from language.sql.listed.predicate import ListedPredicate
from language.sql.listed.rules import Rules
from language.sql.query import BATCH_BOUNDS
from language.text.diagnostics import Diagnostic, did_you_mean


def listed_dialect(
    name: str, rules: Rules, query: type[CalledQuery], predicate: type[ListedPredicate], fold: Callable[[str, bool], str] = lower
) -> Dialect:
    """A warehouse's dialect. sqlglot has it under the same name."""
    warehouse = AsWarehouse(rules.read, partial(bind, rules), partial(_unknown_functions, rules), predicate.at, predicate.typed)
    return Dialect(name=name, sqlglot=name, fold=fold, spelled=rules.spelled, kept=(query,), warehouse=warehouse)


def _unknown_functions(rules: Rules, query: CalledQuery) -> Iterator[Diagnostic]:
    known = rules.functions.names
    for call in query.tree.find_all(exp.Anonymous):
        name = call.name.lower()
        if name not in known and name not in BATCH_BOUNDS:
            remedy = did_you_mean(name, known) + "call one that there is"
            yield query.place(call).diagnostic(f"{rules.engine} has no function `{name}`", remedy)
