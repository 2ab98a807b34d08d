"""Queries of Trino's SQL in DuckDB's: names are resolved here, so that DuckDB sees each column under one name alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from sqlglot import exp

from doubles.athena.calls import direction
from doubles.athena.casts import coerced
from doubles.athena.errors import QueryFailed, unknown
from doubles.athena.expressions import Expressions
from doubles.athena.kinds import common, mismatch, said
from doubles.athena.scope import Column, Scope, Source, Value
from doubles.athena.special import together

_READ = frozenset(("expressions", "from_", "joins", "where", "group", "having", "order", "limit", "offset", "distinct", "with_"))
_READ_OF_SET = frozenset(("this", "expression", "distinct", "order", "limit", "offset", "with_"))
_READ_IN_FROM = frozenset(("this", "db", "catalog", "alias", "with_", "version"))
_READ_OF_JOIN = frozenset(("this", "side", "kind", "on", "using", "method", "pivots"))


@dataclass(frozen=True)
class Query:
    """DuckDB's SQL, whose columns are c1, c2, …; and what each is called."""

    sql: str
    columns: Sequence[Column]


Common = Mapping[str, Query]  # the queries of WITH, by name
# How a table of the lake is read, by the number of its place in the statement: SQL of its rows, its columns, its path.
Tables = Callable[[exp.Table, int], tuple[str, Sequence[Column], tuple[str, ...]]]


class Queries:
    """Of one statement.  tables: how a table of the lake is read."""

    def __init__(self, tables: Tables) -> None:
        self._tables, self._numbers = tables, count(1)

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
            known[cte.alias.lower()] = _renamed(self.query(cte.this, known, outer), cte.args["alias"])
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
        _only(node, _READ_OF_SET)
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
            if word != "UNION":
                raise unknown(f"{word} ALL")
            word = "UNION ALL"
        (one_side, other_side), (n, m) = sides, (next(self._numbers), next(self._numbers))
        sql = (
            f"SELECT {', '.join(one_side)} FROM ({left.sql}) AS s{n} {word} SELECT {', '.join(other_side)} FROM ({right.sql}) AS s{m}"
        )
        return Query(f"SELECT * FROM ({sql}) AS s{next(self._numbers)}{self._ordered(node, columns, None)}", columns)

    # -- SELECT

    def _select(self, node: exp.Select, known: Common, outer: Scope | None) -> Query:
        _only(node, _READ)
        scope = Scope(outer=outer)
        expressions = Expressions(scope, lambda inner, around: self._rows(inner, known, around))
        from_ = self._from(node, known, scope, expressions)
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
        _only(group, frozenset(("expressions",)))
        parts = []
        for part in group.expressions:
            number = _ordinal(part, len(node.expressions))
            parts.append(str(number) if number else expressions.of(part).sql)
        return f" GROUP BY {', '.join(parts)}"

    def _ordered(self, node: exp.Expr, columns: Sequence[Column], expressions: Expressions | None) -> str:
        order, parts = node.args.get("order"), []
        for part in order.expressions if order is not None else ():
            number = _ordinal(part.this, len(columns)) or _output(part.this, columns)
            if not number and expressions is None:
                raise unknown("ORDER BY of this after a set operation")
            parts.append(f"{number or (expressions and expressions.of(part.this).sql)} {direction(part)}")
        sql = f" ORDER BY {', '.join(parts)}" if parts else ""
        for name in ("limit", "offset"):
            clause = node.args.get(name)
            if clause is not None:
                if not (isinstance(clause, (exp.Limit, exp.Offset)) and isinstance(clause.expression, exp.Literal)):
                    raise unknown(f"this {name.upper()}")
                sql += f" {name.upper()} {clause.expression.name}"
        return sql

    # -- FROM

    def _from(self, node: exp.Select, known: Common, scope: Scope, expressions: Expressions) -> str:
        from_ = node.args.get("from_")
        if from_ is None:
            return ""
        sql = " FROM " + self._source(from_.this, known, scope)
        for join in node.args.get("joins") or ():
            _only(join, _READ_OF_JOIN)
            if join.args.get("method") or join.kind.upper() not in ("", "INNER", "OUTER", "CROSS"):
                raise unknown(f"a {join.args.get('method') or join.kind} JOIN")
            right = self._source(join.this, known, scope)
            sql += self._joined(join, right, scope, expressions)
        return sql

    def _joined(self, join: exp.Join, right: str, scope: Scope, expressions: Expressions) -> str:
        on, using = join.args.get("on"), join.args.get("using")
        if using:
            conditions = []
            for column in using:
                name = column.name.lower()
                one, other = scope.merge(name, scope.sources[:-1], scope.sources[-1])
                sqls, kind = together([one.value, other.value], "All USING columns")
                conditions.append(f"{sqls[0]} = {sqls[1]}")
                scope.merged.append(Column(name, Value(f"coalesce({', '.join(sqls)})", kind)))
            condition = " AND ".join(conditions)
        elif on is not None:
            condition = expressions.condition(on)
        else:
            return f" CROSS JOIN {right}"
        return f" {join.side or 'INNER'} JOIN {right} ON {condition}"

    def _source(self, node: exp.Expr, known: Common, scope: Scope) -> str:
        """Adds a table or query to the scope, under a name that no other one has; its SQL."""
        alias, number = node.args.get("alias"), next(self._numbers)
        path: tuple[str, ...] = ()
        if isinstance(node, exp.Table):
            _only(node, _READ_IN_FROM)
            found = known.get(node.name.lower()) if not node.args.get("db") else None
            if found is None:
                sql, columns, path = self._tables(node, number)
                found = Query(sql, columns)
            called = node.name.lower()
        elif isinstance(node, (exp.Subquery, exp.Values)):
            found, called = self.query(node.this if isinstance(node, exp.Subquery) else node, known, None), ""
        else:
            raise unknown(f"`{node.sql('trino')}` in FROM")
        if alias is not None and alias.name:
            called = alias.name.lower()
            found = _renamed(found, alias)
        columns = [Column(one.name, Value(f"s{number}.{one.value.sql}", one.value.kind)) for one in found.columns]
        scope.sources.append(Source(called, columns, path))
        return f"({found.sql}) AS s{number}"


def _renamed(query: Query, alias: exp.Expr) -> Query:
    names = [column.name.lower() for column in alias.args.get("columns") or ()]
    if names and len(names) != len(query.columns):
        raise mismatch(f"line 1:1: Column alias list has {len(names)} entries but relation has {len(query.columns)} columns")
    return Query(query.sql, [Column(name, one.value) for name, one in zip(names, query.columns, strict=True)]) if names else query


def _only(node: exp.Expr, read: frozenset[str]) -> None:
    for name, part in node.args.items():
        if part and name not in read:
            raise unknown(f"{name.strip('_').upper()} here")


def _ordinal(node: exp.Expr, most: int) -> int:
    """The column that a number stands for; 0 where it is no such number."""
    if not (isinstance(node, exp.Literal) and node.is_int):
        return 0
    if not 1 <= int(node.name) <= most:
        raise QueryFailed("INVALID_COLUMN_REFERENCE", f"line 1:1: position {node.name} is not in select list")
    return int(node.name)


def _output(node: exp.Expr, columns: Sequence[Column]) -> int:
    """The column of the result that is called so; 0 where none is."""
    if not isinstance(node, exp.Column) or len(node.parts) > 1:
        return 0
    return next((number for number, column in enumerate(columns, 1) if column.name == node.name.lower()), 0)
