"""Queries of Trino's SQL in DuckDB's: names are resolved here, so that DuckDB sees each column under one name alone."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from sqlglot import exp

from doubles.athena.casts import coerced
from doubles.athena.errors import QueryFailed, unknown
from doubles.athena.expressions import Expressions
from doubles.athena.kinds import common, mismatch, said
from doubles.athena.scope import Column, Scope, Value
from doubles.athena.sources import Common, Query, Sources, Tables, only, ordinal, renamed
from doubles.athena.special import together
from doubles.athena.windows import direction

_READ = frozenset(
    ("expressions", "from_", "joins", "where", "group", "having", "windows", "order", "limit", "offset", "distinct", "with_")
)
_READ_OF_SET = frozenset(("this", "expression", "distinct", "order", "limit", "offset", "with_"))
_SETS: dict[type[exp.Expr], str] = {exp.Rollup: "ROLLUP", exp.Cube: "CUBE", exp.GroupingSets: "GROUPING SETS"}


class Queries:
    """Of one statement.  tables: how a table of the lake is read."""

    def __init__(self, tables: Tables) -> None:
        self._numbers = count(1)
        self._sources = Sources(tables, self._numbers, lambda node, known: self.query(node, known, None))

    def query(self, node: exp.Expr, known: Common | None = None, outer: Scope | None = None) -> Query:
        known = dict(known or {})
        if isinstance(node, exp.Subquery) and not any(node.args.get(part) for part in ("order", "limit", "offset", "alias")):
            return self.query(node.this, known, outer)
        if isinstance(node, exp.Values):
            return self._values(node)
        with_ = node.args.get("with_")
        if with_ is not None and with_.args.get("recursive"):
            raise unknown("a recursive WITH")
        for cte in with_.expressions if with_ is not None else ():
            known[cte.alias.lower()] = renamed(self.query(cte.this, known, outer), cte.args["alias"])
        if isinstance(node, exp.SetOperation):
            return self._together(node, known, outer)
        if not isinstance(node, exp.Select):
            raise unknown("this kind of a query")
        return self._select(node, known, outer)

    def _values(self, node: exp.Values) -> Query:
        expressions = Expressions(Scope(), lambda inner, around: self._rows(inner, {}, around))
        rows = [
            [expressions.of(part) for part in (row.expressions if isinstance(row, exp.Tuple) else [row])] for row in node.expressions
        ]
        if len({len(row) for row in rows}) != 1:
            raise mismatch("line 1:1: Values rows have mismatched sizes")
        columns = [together([row[number] for row in rows], "Values rows") for number in range(len(rows[0]))]
        sqls = [[sqls[row] for sqls, _ in columns] for row in range(len(rows))]
        sql = " UNION ALL ".join("SELECT " + ", ".join(f"{sql} AS c{n}" for n, sql in enumerate(row, 1)) for row in sqls)
        return Query(sql, [Column(f"_col{n}", Value(f"c{n + 1}", kind)) for n, (_, kind) in enumerate(columns)])

    def _together(self, node: exp.SetOperation, known: Common, outer: Scope | None) -> Query:
        only(node, _READ_OF_SET)
        left, right = self.query(node.this, known, outer), self.query(node.expression, known, outer)
        if len(left.columns) != len(right.columns):
            raise mismatch(f"line 1:1: {node.key.upper()} query has different number of fields")
        columns, sides = [], ([], [])  # type: tuple[list[Column], tuple[list[str], list[str]]]
        for number, (one, other) in enumerate(zip(left.columns, right.columns, strict=True), 1):
            kind = common(one.value.kind, other.value.kind)
            if kind is None:
                types = f"{said(one.value.kind)}, {said(other.value.kind)}"
                raise mismatch(f"line 1:1: column {number} in {node.key.upper()} query has incompatible types: {types}")
            for side, column in zip(sides, (one, other), strict=True):
                side.append(f"{coerced(Value(f'c{number}', column.value.kind), kind)} AS c{number}")
            columns.append(Column(one.name, Value(f"c{number}", kind)))
        word = {exp.Union: "UNION", exp.Intersect: "INTERSECT", exp.Except: "EXCEPT"}[type(node)]
        if not node.args.get("distinct"):
            word += " ALL"
        (one_side, other_side), (n, m) = sides, (next(self._numbers), next(self._numbers))
        sql = (
            f"SELECT {', '.join(one_side)} FROM ({left.sql}) AS s{n} {word} SELECT {', '.join(other_side)} FROM ({right.sql}) AS s{m}"
        )
        return Query(f"SELECT * FROM ({sql}) AS s{next(self._numbers)}{self._ordered(node, columns, None)}", columns)

    # -- SELECT

    def _select(self, node: exp.Select, known: Common, outer: Scope | None) -> Query:
        only(node, _READ)
        scope = Scope(outer=outer)
        expressions = Expressions(scope, lambda inner, around: self._rows(inner, known, around))
        from_ = self._sources.read(node, known, scope, expressions)
        expressions.windows = {window.name.lower(): window for window in node.args.get("windows") or ()}
        where, having = node.args.get("where"), node.args.get("having")
        kept = f" WHERE {expressions.condition(where.this)}" if where is not None else ""
        items = self._items(node, scope, expressions)
        grouped = self._grouped(node, expressions)
        if having is not None:
            grouped += f" HAVING {expressions.condition(having.this)}"
        distinct = node.args.get("distinct")
        if distinct is not None and distinct.args.get("on"):
            raise unknown("DISTINCT ON")
        listed = ", ".join(f"{column.value.sql} AS c{number}" for number, column in enumerate(items, 1))
        columns = [Column(column.name, Value(f"c{number}", column.value.kind)) for number, column in enumerate(items, 1)]
        expressions.aliases = {item.name: item.value for item in items if item.name}
        order = self._ordered(node, columns, expressions)
        return Query(f"SELECT {'DISTINCT ' if distinct is not None else ''}{listed}{from_}{kept}{grouped}{order}", columns)

    def _rows(self, node: exp.Expr, known: Common, around: Scope) -> tuple[str, Sequence[Column]]:
        found = self.query(node, known, around)
        return found.sql, found.columns

    def _items(self, node: exp.Select, scope: Scope, expressions: Expressions) -> list[Column]:
        found: list[Column] = []
        for item in node.expressions:
            if item.is_star:
                owner = tuple(part.name.lower() for part in item.parts[:-1]) if isinstance(item, exp.Column) else ()
                found += scope.starred(owner)
            else:
                value = expressions.of(item)
                name = item.alias_or_name.lower() if isinstance(item, (exp.Alias, exp.Column, exp.Dot)) else ""
                found.append(Column(name or f"_col{len(found)}", value))
        if not found:
            raise QueryFailed("COLUMN_NOT_FOUND", "line 1:1: SELECT * not allowed in queries without FROM clause")
        return found

    def _grouped(self, node: exp.Select, expressions: Expressions) -> str:
        group = node.args.get("group")
        if group is None:
            return ""
        only(group, frozenset(("expressions",)))
        return " GROUP BY " + ", ".join(self._group(part, node, expressions) for part in group.expressions)

    def _group(self, part: exp.Expr, node: exp.Select, expressions: Expressions) -> str:
        if isinstance(part, exp.Tuple):
            return f"({', '.join(expressions.of(one).sql for one in part.expressions)})"
        if type(part) not in _SETS:
            number = ordinal(part, len(node.expressions))
            return str(number) if number else expressions.of(part).sql
        sets = []
        for each in part.expressions:
            if isinstance(each, exp.Tuple):
                sets.append(f"({', '.join(expressions.of(one).sql for one in each.expressions)})")
            else:
                column = each.this if isinstance(each, exp.Paren) else each
                sets.append(f"({expressions.of(column).sql})" if isinstance(part, exp.GroupingSets) else expressions.of(column).sql)
        return f"{_SETS[type(part)]} ({', '.join(sets)})"

    def _ordered(self, node: exp.Expr, columns: Sequence[Column], expressions: Expressions | None) -> str:
        order, parts = node.args.get("order"), []
        for part in order.expressions if order is not None else ():
            number = ordinal(part.this, len(columns)) or _output(part.this, columns)
            if not number and expressions is None:
                raise unknown("ORDER BY of this after a set operation")
            parts.append(f"{number or (expressions and expressions.of(part.this).sql)} {direction(part)}")
        sql = f" ORDER BY {', '.join(parts)}" if parts else ""
        for name in ("offset", "limit"):
            clause = node.args.get(name)
            if clause is not None:
                sql += _cut(clause, name)
        return sql


def _cut(clause: exp.Expr, name: str) -> str:
    """LIMIT, FETCH FIRST or OFFSET."""
    number, options = clause.args.get("count") or clause.args.get("expression"), clause.args.get("limit_options")
    if isinstance(number, exp.Var) and number.name.upper() == "ALL":
        return ""
    if options is not None and (options.args.get("percent") or options.args.get("with_ties")):
        raise unknown("such a FETCH FIRST")
    if number is None and isinstance(clause, exp.Fetch):
        return " LIMIT 1"
    if not (isinstance(number, exp.Literal) and number.is_int):
        raise unknown(f"this {name.upper()}")
    return f" {name.upper()} {number.name}"


def _output(node: exp.Expr, columns: Sequence[Column]) -> int:
    """The column of the result that is called so; 0 where none is."""
    if not isinstance(node, exp.Column) or len(node.parts) > 1:
        return 0
    return next((number for number, column in enumerate(columns, 1) if column.name == node.name.lower()), 0)
