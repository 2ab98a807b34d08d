"""What a dialect that is typed by lists declares, and what the compiler asks of it then."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from language.sql.called_query import CalledQuery
from language.sql.findings import Told
from language.sql.listed.signatures import Functions, catalogue
from language.sql.listed.types import Types
from language.sql.scope import NOTHING, Typed
from language.text.diagnostics import Span
from shared_metadata.program.schema import SchemaColumn
from shared_metadata.program.type_names import TypeName

if TYPE_CHECKING:
    from language.sql.listed.expressions import Expressions

_PLAIN = re.compile(r"[a-z][a-z0-9_]*")
Operator = Callable[["Expressions", Any], Typed]
Written = Callable[[str, Sequence[exp.Expr], Sequence[TypeName]], TypeName | Told | None]
Check = Callable[[Sequence[exp.Expr], Sequence[TypeName]], Told | None]
Maker = Callable[[TypeName], Sequence[tuple[str, TypeName]] | None]


def not_read(cause: str, remedy: str) -> Operator:
    """How an expression is typed that sqlglot reads, and the dialect or Atoll does not."""

    def told(of: Expressions, node: exp.Expr) -> Typed:
        of.findings.problem(node, cause, remedy)
        return NOTHING

    return told


@dataclass(frozen=True, eq=False)
class Rules:
    """One dialect.

    engine: as messages call it.
    query: the class of its queries, which knows the words that are not the dialect's.
    functions_file: its catalogue, see `signatures`.
    operators: how expressions of these kinds are typed, where not as they are otherwise.
    signs: the kinds of arithmetic that there are, beside + - * / %, as `Types.arithmetic` is told them.
    written: functions that are typed by what is written: of the name, the arguments and their types; what is wrong, or None where it
    takes no such.
    makers: functions that make rows, "unnest" among them where it is a word: of an argument's type the columns, with their names
    where they have some; None of one that it does not take.  makers_remedy: where they stand.
    makers_in_select: whether one may be an item of a SELECT.
    checks: what is wrong with a function's arguments beside their types.
    grammar: calls that sqlglot reads by a grammar of its own and tells no place of, as they are called, and which parts of them are
    arguments; () for all.
    as_written: types of an operator's two sides, by what is written there.
    items_named: whether GROUP BY and HAVING may name the SELECT's columns.  items_ordered: whether expressions of ORDER BY may.
    items_reused: whether an item of the SELECT may name those before it.
    distinct_computed: whether ORDER BY of a SELECT DISTINCT may compute with what is selected.
    having_hides: whether HAVING hides from ORDER BY the aggregates that are not selected.
    lists_grouped: whether GROUP BY may have (a, b), and () for all rows.
    sets_of_columns: whether ROLLUP, CUBE and GROUPING SETS are of columns alone.
    several_counted: whether count(DISTINCT a, b) is one.
    ordered_windows: functions of a window that needs an ORDER BY.  ignoring: aggregates that may pass over NULLs.
    like_escape: what is an escape in a pattern that says none.  orders_within: whether an aggregate may have an ORDER BY.
    ordered_aggregates: those that have to.  of_order: those that are of the value that WITHIN GROUP orders by, their last argument.
    groups_all: whether GROUP BY ALL groups by what is no aggregate.
    of_groups: functions that tell by what a row is grouped.  bare_joins: whether JOIN may have no condition.
    choosing_joins: the kinds of joins that only choose among the rows before them, as sqlglot calls them.
    names_all_the_same: of the words that the engine keeps for itself, those that are names without quotes all the same; None for all.
    labels_free: whether AS may stand before any word.
    refused_name: why the outermost query can have no column of that name.
    unread: why a table, by its path, cannot be read that has this column.
    """

    engine: str
    types: Types
    query: Callable[[Span], CalledQuery]
    functions_file: Path
    operators: Mapping[type[exp.Expr], Operator] = field(default_factory=dict)
    signs: Mapping[type[exp.Expr], str] = field(default_factory=dict)
    written: Mapping[str, Written] = field(default_factory=dict)
    grammar: Mapping[type[exp.Expr], tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    as_written: Callable[[exp.Expr, TypeName, TypeName], tuple[TypeName, TypeName]] = lambda node, one, other: (one, other)
    makers: Mapping[str, Maker] = field(default_factory=dict)
    makers_remedy: str = "write it in FROM"
    makers_in_select: bool = False
    checks: Mapping[str, Check] = field(default_factory=dict)
    items_named: bool = False
    items_ordered: bool = False
    items_reused: bool = False
    distinct_computed: bool = False
    having_hides: bool = False
    lists_grouped: bool = False
    sets_of_columns: bool = False
    several_counted: bool = False
    ordered_windows: frozenset[str] = frozenset()
    ignoring: frozenset[str] = frozenset()
    like_escape: str = ""
    orders_within: bool = False
    ordered_aggregates: frozenset[str] = frozenset()
    of_order: frozenset[str] = frozenset()
    groups_all: bool = False
    of_groups: frozenset[str] = frozenset()
    bare_joins: bool = False
    choosing_joins: frozenset[str] = frozenset()
    names_all_the_same: frozenset[str] | None = frozenset()
    labels_free: bool = False
    refused_name: Callable[[str], Told | None] = lambda name: None
    unread: Callable[[str, SchemaColumn], Told | None] = lambda path, column: None

    @cached_property
    def functions(self) -> Functions:
        return catalogue(self.functions_file, self.types, [*self.written, *self.makers])

    @cached_property
    def no_names(self) -> frozenset[str]:
        """Words that are names in quotes alone."""
        same = self.names_all_the_same
        return self.functions.reserved - same if same is not None else frozenset()

    def read(self, span: Span) -> CalledQuery:
        """The query at `span`; it must be one SELECT or set operation over tables. Raises Problem where it is not."""
        query = self.query(span)
        query.check()
        return query

    def spelled(self, name: str) -> str:
        """A name as a query may write it: in double quotes where it is not taken as it is without them."""
        return name if _PLAIN.fullmatch(name) and name not in self.functions.reserved else '"' + name.replace('"', '""') + '"'
