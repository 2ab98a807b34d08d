"""FROM in DuckDB's SQL: tables of the lake, queries, values, and rows made of arrays and maps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from sqlglot import exp

from doubles.athena.errors import QueryFailed, unknown
from doubles.athena.expressions import Expressions
from doubles.athena.kinds import BIGINT, field_names, literal, mismatch, said
from doubles.athena.scope import Column, Scope, Source, Value
from doubles.athena.special import together
from shared_metadata.program.type_names import TypeName as Kind

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


@dataclass(frozen=True)
class Sources:
    """Of one statement.  query: a query within FROM.  numbers: of places, of which no two have the same."""

    tables: Tables
    numbers: Iterator[int]
    query: Callable[[exp.Expr, Common], Query]

    def read(self, node: exp.Select, known: Common, scope: Scope, expressions: Expressions) -> str:
        """Fills the scope; ' FROM …'."""
        from_ = node.args.get("from_")
        if from_ is None:
            return ""
        sql = " FROM " + self._source(from_.this, known, scope, expressions)
        for join in node.args.get("joins") or ():
            only(join, _READ_OF_JOIN)
            if join.args.get("method") or join.kind.upper() not in ("", "INNER", "OUTER", "CROSS"):
                raise unknown(f"a {join.args.get('method') or join.kind} JOIN")
            right = self._source(join.this, known, scope, expressions)
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

    def _source(self, node: exp.Expr, known: Common, scope: Scope, expressions: Expressions) -> str:
        """Adds a table or query to the scope, under a name that no other one has; its SQL."""
        alias, number = node.args.get("alias"), next(self.numbers)
        path: tuple[str, ...] = ()
        lateral, called = "", ""
        if isinstance(node, exp.Table):
            only(node, _READ_IN_FROM)
            found = known.get(node.name.lower()) if not node.args.get("db") else None
            if found is None:
                sql, columns, path = self.tables(node, number)
                found = Query(sql, columns)
            called = node.name.lower()
        elif isinstance(node, exp.Subquery):
            found = self.query(node.this, known)
        elif isinstance(node, exp.Values):
            found = self.query(node, known)
        elif isinstance(node, exp.Unnest):
            found, lateral = _unnested(node, expressions), "LATERAL " if scope.sources else ""
        else:
            raise unknown(f"`{node.sql('trino')}` in FROM")
        if alias is not None and alias.name:
            called = alias.name.lower()
            found = renamed(found, alias, node.args.get("offset"))
        columns = [Column(one.name, Value(f"s{number}.{one.value.sql}", one.value.kind)) for one in found.columns]
        scope.sources.append(Source(called, columns, path))
        return f"{lateral}({found.sql}) AS s{number}"


def _unnested(node: exp.Unnest, expressions: Expressions) -> Query:
    """As many rows as the longest of them has elements; NULL where another one has none."""
    only(node, frozenset(("expressions", "alias", "offset")))
    given = [expressions.of(part) for part in node.expressions]
    lists = [*chain.from_iterable(_lists(value, f"l{number}") for number, value in enumerate(given))]
    lengths = ", ".join(f"coalesce(len({name}), 0)" for name, _ in lists)
    held = ", ".join(f"{value.sql} AS l{number}" for number, value in enumerate(given))
    numbered = f"SELECT *, unnest(range(1, greatest({lengths}, 0) + 1)) AS i FROM (SELECT {held}) AS q1"
    items = [item for name, kind in lists for item in _items(f"{name}[i]", kind)]
    items += [Value("i", BIGINT)] if node.args.get("offset") else []
    listed = ", ".join(f"{item.sql} AS c{number}" for number, item in enumerate(items, 1))
    columns = [Column("", Value(f"c{number}", item.kind)) for number, item in enumerate(items, 1)]
    return Query(f"SELECT {listed} FROM ({numbered}) AS q2", columns)


def _lists(value: Value, name: str) -> list[tuple[str, Kind]]:
    if value.kind.word == "array":
        return [(name, value.kind.parts[0])]
    if value.kind.word != "map":
        raise mismatch(f"line 1:1: Cannot unnest type: {said(value.kind)}")
    return [(f"map_keys({name})", value.kind.parts[0]), (f"map_values({name})", value.kind.parts[1])]


def _items(element: str, kind: Kind) -> list[Value]:
    """An element, or each field of one that is a row."""
    if kind.word != "row":
        return [Value(element, kind)]
    fields = zip(field_names(kind), kind.parts, strict=True)
    return [Value(f"struct_extract({element}, {literal(name)})", part) for name, part in fields]


def renamed(query: Query, alias: exp.Expr, offset: exp.Expr | None = None) -> Query:
    """offset: the last name, of WITH ORDINALITY, which the parser keeps apart."""
    names = [column.name.lower() for column in alias.args.get("columns") or ()]
    if names and isinstance(offset, exp.Identifier):
        names.append(offset.name.lower())
    if names and len(names) != len(query.columns):
        raise mismatch(f"line 1:1: Column alias list has {len(names)} entries but relation has {len(query.columns)} columns")
    return Query(query.sql, [Column(name, one.value) for name, one in zip(names, query.columns, strict=True)]) if names else query


def only(node: exp.Expr, read: frozenset[str]) -> None:
    for name, part in node.args.items():
        if part and name not in read:
            raise unknown(f"{name.strip('_').upper()} here")


def ordinal(node: exp.Expr, most: int) -> int:
    """The column that a number stands for; 0 where it is no such number."""
    if not (isinstance(node, exp.Literal) and node.is_int):
        return 0
    if not 1 <= int(node.name) <= most:
        raise QueryFailed("INVALID_COLUMN_REFERENCE", f"line 1:1: position {node.name} is not in select list")
    return int(node.name)
