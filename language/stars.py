"""What stands behind each `*` of a query: remembered before sqlglot expands it, so that the text can name the columns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from language.places import Place, of_kind, place_of

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
_MADE = re.compile(r"_\d+")


@dataclass
class _Star:
    table: str
    place: Place
    replaced: frozenset[str]


@dataclass
class StarPlaces:
    """Per SELECT that has stars: its items before expansion; None for one that is no star."""

    selects: list[tuple[exp.Select, list[_Star | None]]] = field(default_factory=list)

    def place(self, query: exp.Expr) -> Place | None:
        """The first star of a query, or of the leftmost SELECT of a set operation."""
        while isinstance(query, (exp.SetOperation, exp.Subquery)):
            query = query.this
        for select, items in self.selects:
            if select is query:
                return next(item.place for item in items if item is not None)
        return None

    def edits(self, dialect: str) -> tuple[tuple[int, int, str], ...]:
        """(start, end, text) of each star after qualification has expanded them."""
        found = []
        for select, items in self.selects:
            found += _edits(select, items, dialect)
        return tuple(sorted(found))


def remember_stars(nodes: Sequence[exp.Expr]) -> StarPlaces:
    """The stars of all SELECTs among the nodes, not those of count(*)."""
    found = StarPlaces()
    for select in of_kind(nodes, exp.Select):
        if any(item.is_star for item in select.expressions):
            found.selects.append((select, [_star(item) if item.is_star else None for item in select.expressions]))
    return found


def _star(item: exp.Expr) -> _Star:
    """`*`, `t.*`, with EXCLUDE, REPLACE or RENAME after it."""
    places = [(n.meta["start"], n.meta["end"] + 1) for n in item.walk() if "start" in n.meta]
    table = item.table.lower() if isinstance(item, exp.Column) else ""
    star = item.this if isinstance(item, exp.Column) else item
    replaced = frozenset(each.alias.lower() for each in star.args.get("replace") or ())
    return _Star(table, (min(p[0] for p in places), max(p[1] for p in places)) if places else (0, 0), replaced)


def _edits(select: exp.Select, items: list[_Star | None], dialect: str) -> list[tuple[int, int, str]]:
    expanded, found = list(select.expressions), []
    if any(item.is_star for item in expanded):
        return []
    plain = sum(item is None for item in items)
    several = sum(item is not None for item in items) > 1
    at = 0
    for item in items:
        if item is None:
            at += 1
            continue
        end = at + len(expanded) - plain if not several else at
        while several and end < len(expanded) and _came_from(expanded[end], item):
            end += 1
        text = ", ".join(_text(column, dialect) for column in expanded[at:end])
        found.append((*item.place, text))
        at = end
    return found


def _came_from(item: exp.Expr, star: _Star) -> bool:
    column = item.unalias()
    if item.alias_or_name.lower() in star.replaced:
        return True
    made = isinstance(column, exp.Column) and star.table in ("", column.table.lower())
    return made and place_of(column) is None


def _text(item: exp.Expr, dialect: str) -> str:
    """A column as a reader would write it; tables that qualification has named have no name in the text."""
    for part in item.find_all(exp.Identifier):
        part.set("quoted", part.quoted or not _PLAIN.fullmatch(part.name))
    value = item.unalias()
    if isinstance(value, exp.Coalesce) and place_of(value) is None:  # made of USING
        value = exp.column(value.this.this.copy())
    for column in value.find_all(exp.Column):
        if _MADE.fullmatch(column.table) and "start" not in column.args["table"].meta:
            column.set("table", None)
    named = isinstance(value, exp.Column) and value.name == item.alias_or_name
    return value.sql(dialect) if named else exp.alias_(value, item.args["alias"]).sql(dialect)
