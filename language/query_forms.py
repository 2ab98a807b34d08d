"""Forms of SQL that qualification does not see through: written in a way that it does, or refused, before anything else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlglot import exp

from language.places import Place, of_kind, place_of
from language.query_names import NameProblem

_SERIES = (exp.GenerateSeries, exp.ExplodingGenerateSeries, exp.GenerateDateArray)
_REFUSED: dict[type[exp.Expr], tuple[str, str]] = {
    exp.Columns: ("the columns behind COLUMNS(…) cannot be told", "name the columns"),
    exp.PositionalColumn: ("a column by its number says nothing once the table changes", "name the column"),
}
_PIVOTS = {
    False: (
        "the columns of PIVOT cannot be told",
        "write an aggregate for each: sum(x) FILTER (WHERE key = 'a') AS a",
    ),
    True: ("the columns of UNPIVOT cannot be told", "write a SELECT for each column and join them with UNION ALL"),
}


def refused(nodes: Sequence[exp.Expr]) -> Iterator[NameProblem]:
    """What of the query's nodes, as they were written, has no type and no origins."""
    for node in of_kind(nodes, exp.Pivot, exp.Star, *_REFUSED):
        if isinstance(node, exp.Pivot):
            place = place_of(node) or (place_of(node.parent) if node.parent is not None else None)
            yield (*(place or (0, 0)), *_PIVOTS[bool(node.unpivot)])
        elif not isinstance(node, exp.Star):
            yield (*(place_of(node) or (0, 0)), *_REFUSED[type(node)])
        elif not _is_item(node):
            yield (*(place_of(node) or (0, 0)), "the columns behind this * cannot be told", "name the columns")
    for table in of_kind(nodes, exp.Table):
        if isinstance(table.this, exp.Func) and not isinstance(table.this, _SERIES):
            name = table.this.name or table.this.sql_name().lower()
            remedy = "read a table, range, generate_series or unnest"
            yield (*(place_of(table) or (0, 0)), f"the columns of the function `{name}` cannot be told", remedy)


def unnamed(tree: exp.Query) -> Iterator[NameProblem]:
    """Output columns whose names are the warehouse's own invention."""
    query: exp.Expr = tree
    while isinstance(query, (exp.SetOperation, exp.Subquery)):
        query = query.this
    for item in query.selects:  # type: ignore[attr-defined]
        if not isinstance(item, (exp.Alias, exp.Column, exp.Dot)) and not item.is_star:
            yield (*(place_of(item) or (0, 0)), "this column has no name", "name it with AS")


def name_inner_columns(nodes: Sequence[exp.Expr], dialect: str) -> None:
    """Gives what is selected without a name one that nothing in the text can mean, where sqlglot would take a part's name."""
    for select in of_kind(nodes, exp.Select):
        for number, item in enumerate(select.expressions):
            if dialect == "duckdb" and isinstance(item, (exp.Cast, exp.Bracket, exp.Subquery)) and not item.alias:
                named = exp.Alias(alias=exp.to_identifier(f"_col_{number}"))
                item.replace(named)
                named.set("this", item)


def rewrite_series(nodes: Sequence[exp.Expr], dialect: str) -> None:
    """range(3) and generate_series(1, 3) in FROM are the list that unnest makes rows of."""
    for table in of_kind(nodes, exp.Table, exp.Unnest):
        if isinstance(table, exp.Unnest):
            name = "unnest"
        elif isinstance(table.this, _SERIES):
            name = "range" if table.this.args.get("is_end_exclusive") else "generate_series"
        else:
            continue
        alias = table.args.get("alias")
        if not table.alias_column_names:
            column = table.alias if table.alias and dialect == "postgres" else name
            alias = exp.TableAlias(this=exp.to_identifier(table.alias or name), columns=[exp.to_identifier(column)])
        if isinstance(table, exp.Unnest):
            table.set("alias", alias)
        else:
            series = table.this if not isinstance(table.this, exp.ExplodingGenerateSeries) else exp.GenerateSeries(**table.this.args)
            table.replace(exp.Unnest(expressions=[series], alias=alias))


def rewrite_exists(nodes: Sequence[exp.Expr]) -> list[tuple[int, int, str]]:
    """EXISTS asks for rows: a star in it reads no column. Returns the edits of the text that say so."""
    edits: list[tuple[int, int, str]] = []
    for exists in of_kind(nodes, exp.Exists):
        select = exists.this.unnest() if isinstance(exists.this, exp.Query) else None
        if isinstance(select, exp.Select) and len(select.expressions) == 1 and select.expressions[0].is_star:
            place: Place | None = place_of(select.expressions[0])
            if place is not None and not select.args.get("distinct"):
                edits.append((*place, "1"))
                select.set("expressions", [exp.Literal.number(1)])
    return edits


def _is_item(star: exp.Star) -> bool:
    item = star.parent if isinstance(star.parent, exp.Column) else star
    return isinstance(item.parent, (exp.Select, exp.Count))
