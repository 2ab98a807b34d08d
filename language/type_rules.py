"""What the rules of every dialect have in common: mismatches, conditions, and the columns of set operations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlglot import Dialect, exp

from language.duckdb_kinds import UNSETTLED, T, Type, is_number, kind_of, say, say_type

Kind = exp.DataType | exp.DType | None
Rule = Callable[[Any], Kind]


@dataclass(frozen=True)
class Mismatch:
    """What an expression cannot be, and what to do."""

    node: exp.Expr
    cause: str
    remedy: str


class TypeRules:
    """The rules of one dialect, for one query after another.

    metadata: for `annotate_types`.  own: the nodes that have a rule.  sides: of each set operation, by id, its columns and types.
    """

    def __init__(self, dialect: str, united: Callable[[Type, Type], Type]) -> None:
        self.mismatches: list[Mismatch] = []
        self.sides: dict[int, list[tuple[str, Type]]] = {}
        self._united = united
        rules = self.rules()
        self.own = frozenset(rules) - {exp.Anonymous, exp.AnonymousAggFunc}
        self.metadata: dict[type[exp.Expr], dict[str, Any]] = {
            **Dialect.get_or_raise(dialect).EXPRESSION_METADATA,
            **{kind: {"annotator": _annotator(rule)} for kind, rule in rules.items()},
            **{kind: {"annotator": self._set_operation} for kind in (exp.Union, exp.Except, exp.Intersect)},
        }

    def begin(self) -> None:
        """Forgets the query before."""
        self.mismatches, self.sides = [], {}

    def rules(self) -> dict[type[exp.Expr], Rule]:
        """Of each kind of node: its type, when its parts have theirs."""
        raise NotImplementedError

    def note(self, node: exp.Expr, cause: str, remedy: str) -> None:
        self.mismatches.append(Mismatch(node, cause, remedy))

    def condition(self, node: exp.Expr) -> None:
        """Notes a condition that is neither true nor false."""
        if kind_of(node) not in (T.BOOLEAN, T.TEXT, *UNSETTLED) and not is_number(node):
            self.note(node, f"a condition is true or false, and this is {say(node)}", "compare it with something")

    def _set_operation(self, annotator: Any, node: exp.SetOperation) -> None:
        """The sides' common types, also where sqlglot looks them up for whoever reads the result."""
        left, right = self._columns(node.this), self._columns(node.expression)
        if node.args.get("by_name"):
            there, here = dict(left), dict(right)
            pairs = [(name, there.get(name), here.get(name)) for name in {**there, **here}]
        elif len(left) != len(right):
            cause = f"the two sides have {len(left)} and {len(right)} columns"
            self.note(node.expression, cause, "select as many columns on both sides")
            pairs = [(name, kind, None) for name, kind in left]
        else:
            pairs = [(name, one, other) for (name, one), (_, other) in zip(left, right, strict=True)]
        found = [(name, self._side(node, name, one, other)) for name, one, other in pairs]
        self.sides[id(node)] = found
        annotator._setop_column_types[id(node)] = [(name, kind or T.UNKNOWN) for name, kind in found]

    def _columns(self, side: exp.Expr) -> list[tuple[str, Type]]:
        query = side.unnest()
        return self.sides.get(id(query)) or [(s.alias_or_name, s.type) for s in query.selects]  # type: ignore[attr-defined]

    def _side(self, node: exp.SetOperation, name: str, one: Type, other: Type) -> Type:
        if T.UNKNOWN in (one.this if one else None, other.this if other else None):
            return None
        found = self._united(one, other)
        if found is None and one is not None and other is not None:
            cause = f"`{name}` is {say_type(one)} on one side and {say_type(other)} on the other"
            self.note(node.expression, cause, "CAST one to the other's type")
        return found


def _annotator(rule: Rule) -> Callable[[Any, exp.Expr], None]:
    def annotate(annotator: Any, node: exp.Expr) -> None:
        annotator._set_type(node, rule(node))

    return annotate
