"""What the parts of an analysis share: the text with its places, the inputs, what is wrong, and how inputs' columns are used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from language.dialects.postgres.kinds import UNKNOWN, Kind
from language.dialects.postgres.moments import moves
from language.dialects.postgres.parser import Node, Text
from language.dialects.postgres.places import Place, Places
from language.dialects.postgres.scope import Column, Expr, Ref, Scope, Untold
from language.sql.problems import QueryProblem
from shared_metadata.program.lineage import Use

if TYPE_CHECKING:
    from language.dialects.postgres.scope import Output


class Context:
    """inputs: of each table's names as written, the folded parts ▸ its name among `tables`, whose columns these are."""

    def __init__(self, text: Text, inputs: Mapping[tuple[str, ...], str], tables: Mapping[str, Sequence[Column]]) -> None:
        self.text, self.places = text, Places(text)
        self.inputs, self.tables = inputs, tables
        self.uses: dict[tuple[Ref, Use], Place | None] = {}
        self.first_named: dict[Ref, Place] = {}
        self.edits: list[tuple[int, int, str]] = []
        self.moments: dict[Place, None] = {}
        self._problems: dict[QueryProblem, None] = {}

    # -- what is wrong

    @property
    def problems(self) -> tuple[QueryProblem, ...]:
        return tuple(sorted(self._problems, key=lambda problem: (problem.start, problem.end)))

    def problem(self, place: Place, cause: str, remedy: str) -> None:
        self._problems[QueryProblem(*place, cause, remedy)] = None

    def failed(self, node: Node, cause: str, remedy: str, parts: Iterable[Expr] = ()) -> Expr:
        """An expression that is wrong, and a problem that says so."""
        place = self.places.of(node)
        self.problem(place, cause, remedy)
        return self.broken(node, parts)

    def broken(self, node: Node, parts: Iterable[Expr] = ()) -> Expr:
        """An expression of which a problem already tells that it is wrong."""
        found = tuple(parts)
        return Expr(None, self.places.of(node), ("broken", id(node)), found, refs_of(found))

    def untold(self, node: Node, cause: str, parts: Iterable[Expr] = ()) -> Expr:
        """An expression whose type cannot be told before it is CAST."""
        found, place = tuple(parts), self.places.of(node)
        remedy = f"CAST it to the type that it has: CAST({self.said(place)} AS …)"
        return Expr(None, place, ("untold", id(node)), found, refs_of(found), untold=Untold(place, cause, remedy))

    def said(self, place: Place) -> str:
        """The text at a place, or … for a long one."""
        text = self.text.text[slice(*place)]
        return text if len(text) <= 40 and "\n" not in text else "…"

    def describe(self, expr: Expr) -> str:
        """An expression and its type, as errors say it."""
        if expr.tag == "column" and expr.kind is not None:
            return f"`{self.said(expr.place)}` ({expr.kind})"
        if expr.kind == UNKNOWN:
            return "text in quotes"
        return str(expr.kind) if expr.kind is not None else "an unknown type"

    # -- the making of expressions

    def made(self, node: Node, kind: Kind | None, key: tuple[object, ...], parts: Iterable[Expr] = (), *, tag: str = "") -> Expr:
        """The type of parts; where one of them has no type that can be told, and the whole has none, the reason is theirs."""
        found = tuple(parts)
        untold = next((part.untold for part in found if part.untold), None) if kind is None else None
        return Expr(kind, self.places.of(node), (*key, *(part.key for part in found)), found, refs_of(found), tag=tag, untold=untold)

    def expression(self, scope: Scope, node: Node) -> Expr:
        from language.dialects.postgres.expressions import expression

        return expression(self, scope, node)

    def expressions(self, scope: Scope, nodes: Iterable[Node]) -> list[Expr]:
        return [self.expression(scope, node) for node in nodes]

    def query(self, node: Node, parent: Scope | None, *, exists: bool = False) -> tuple[list[Output], Scope]:
        """What a SelectStmt puts out."""
        from language.dialects.postgres.select import select

        return select(self, node, parent, exists=exists)

    def read_as(self, expr: Expr, kind: str) -> None:
        """Notes a text in quotes that is another value tomorrow, read as this type."""
        if expr.tag == "literal" and moves(str(expr.key[2] or ""), kind):
            self.moments[expr.place] = None

    # -- how inputs are used

    def name(self, ref: Ref, place: Place) -> None:
        if place < self.first_named.get(ref, (len(self.text.text) + 1, 0)):
            self.first_named[ref] = place

    def use(self, expr: Expr, use: Use) -> None:
        for part in expr.walk():
            if not part.parts:
                for ref in part.refs:
                    self.use_ref(ref, use, part.place if part.named else None)

    def use_ref(self, ref: Ref, use: Use, place: Place | None = None) -> None:
        former = self.uses.setdefault((ref, use), place)
        if place is not None and (former is None or place < former):
            self.uses[ref, use] = place


def refs_of(parts: Iterable[Expr]) -> frozenset[Ref]:
    return frozenset().union(*(part.refs for part in parts))
