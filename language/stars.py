"""What stands behind each `*` of a query: remembered before sqlglot expands it, so that the text can name the columns."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlglot import exp

from language.places import Place


@dataclass
class _Star:
    table: str
    place: Place


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


def remember_stars(tree: exp.Query) -> StarPlaces:
    """The stars of all SELECTs in the tree, not those of count(*)."""
    found = StarPlaces()
    for select in tree.find_all(exp.Select):
        if any(item.is_star for item in select.expressions):
            found.selects.append((select, [_star(item) if item.is_star else None for item in select.expressions]))
    return found


def _star(item: exp.Expr) -> _Star:
    """`*`, `t.*`, with EXCLUDE, REPLACE or RENAME after it."""
    places = [(n.meta["start"], n.meta["end"] + 1) for n in item.walk() if "start" in n.meta]
    table = item.table.lower() if isinstance(item, exp.Column) else ""
    return _Star(table, (min(p[0] for p in places), max(p[1] for p in places)) if places else (0, 0))


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
        while several and end < len(expanded) and _came_from(expanded[end], item.table):
            end += 1
        text = ", ".join(_text(column, dialect) for column in expanded[at:end])
        found.append((*item.place, text))
        at = end
    return found


def _came_from(item: exp.Expr, table: str) -> bool:
    column = item.unalias()
    written = any("start" in n.meta for n in item.walk())
    return isinstance(column, exp.Column) and not written and table in ("", column.table.lower())


def _text(item: exp.Expr, dialect: str) -> str:
    column = item.unalias()
    if isinstance(column, exp.Column) and column.name == item.alias_or_name:
        return column.sql(dialect)
    return item.sql(dialect)
