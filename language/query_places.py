"""What a query says, and where, remembered before qualification rewrites it: USING, which it turns into conditions, and stars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from language.places import Place, of_kind, place_of
from language.stars import StarPlaces, remember_stars


@dataclass
class Written:
    """using: of each SELECT, the columns that its joins have in common ▸ the place that says so.

    names: of each SELECT without stars, what its items were called before a list of columns renamed them, as in `q(a, b)`.
    """

    stars: StarPlaces
    using: dict[int, dict[str, Place]] = field(default_factory=dict)
    names: dict[int, list[str]] = field(default_factory=dict)

    def names_of(self, query: exp.Expr) -> list[str]:
        """Of a SELECT, or of the leftmost one of a set operation."""
        while isinstance(query, (exp.SetOperation, exp.Subquery)):
            query = query.this
        return self.names.get(id(query), [])

    def place(self, column: exp.Expr) -> Place:
        """Of a column, or of the star or USING that it came from."""
        if found := place_of(column):
            return found
        select = column.find_ancestor(exp.Select)
        if select is None:
            return 0, 0
        return self.using.get(id(select), {}).get(column.name) or self.stars.place(select) or (0, 0)


def remember(nodes: Sequence[exp.Expr]) -> Written:
    """Of the nodes of a query that is not yet qualified."""
    written = Written(remember_stars(nodes))
    for join in of_kind(nodes, exp.Join):
        select = join.find_ancestor(exp.Select)
        for column in join.args.get("using") or () if select is not None else ():
            if place := place_of(column):
                written.using.setdefault(id(select), {}).setdefault(column.name.lower(), place)
    for select in of_kind(nodes, exp.Select):
        if not any(item.is_star for item in select.expressions):
            written.names[id(select)] = [item.alias_or_name.lower() for item in select.expressions]
    return written
