"""The shape of a query: digests of what decides over its rows and over each column, so that two queries can be compared by meaning.

Every name is replaced by the digest of what it stands for, from the innermost query outwards. So aliases, comments, layout and the
order in which CTEs are written do not count, and a change within a CTE counts for exactly the columns that come from it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.scope import Scope, traverse_scope, walk_in_scope

from language.sql.dialect import sqlglot_dialect
from language.text.recursion import bounded_recursion
from shared_metadata.program.lineage import ColumnRef
from shared_metadata.update_set.records import QueryShape

Renamed = Mapping[ColumnRef, ColumnRef]
_NOT_TOLD = (exp.Star, exp.Pivot, exp.Values, exp.TableAlias)
_CUTS = ("limit", "offset")
_CLAUSES = ("where", "group", "having", "qualify")
_SOURCE_FIRST = ("where", "group")  # clauses in which a name means the source's column rather than an item of the SELECT
_SPREAD = (exp.Unnest, exp.Explode, exp.Posexplode, exp.Inline)


def query_shape(sql: str, dialect: str, renamed: Renamed | None = None) -> QueryShape | None:
    """The shape of a query in a slice's dialect; None where it cannot be told: an unexpanded `*`, PIVOT, a recursive CTE.

    renamed: inputs' columns that are to be read under another name, as written here ▸ as meant.
    """
    with bounded_recursion():
        try:
            return _Shapes(dialect, renamed or {}).of(sqlglot.parse_one(sql, dialect=sqlglot_dialect(dialect)))
        except (SqlglotError, RecursionError):
            return None


@dataclass
class _Relation:
    """What a FROM clause may name: digests of its rows and of its columns; `rest` is every other column's."""

    rows: str
    columns: dict[str, str]
    rest: str = ""


@dataclass(frozen=True)
class _Item:
    """One item of a SELECT: its name, and the names in it that could mean other items. shadows: it uses a column of its own name."""

    name: str
    named: tuple[str, ...]
    shadows: bool

    @staticmethod
    def of(node: exp.Expr) -> _Item:
        name, named = node.alias_or_name.lower(), [c.name.lower() for c in node.find_all(exp.Column) if not c.table]
        every = [c.name.lower() for c in node.find_all(exp.Column)]
        return _Item(name, tuple(dict.fromkeys(n for n in named if n != name)), name in every)


class _Shapes:
    def __init__(self, dialect: str, renamed: Renamed) -> None:
        self._dialect, self._renamed = dialect, renamed
        self._known: dict[int, _Relation] = {}

    def of(self, tree: exp.Expr) -> QueryShape | None:
        with_ = [node for node in tree.find_all(exp.With) if node.args.get("recursive")]
        told = not with_ and not any(_counts(node) for node in tree.find_all(*_NOT_TOLD))
        scopes = traverse_scope(tree) if told else []
        for scope in scopes:
            self._known[id(scope.expression)] = self._relation(scope)
        root = self._known.get(id(scopes[-1].expression)) if scopes else None
        return QueryShape(root.rows, root.columns) if root else None

    def _relation(self, scope: Scope) -> _Relation:
        query = scope.expression
        if isinstance(query, exp.SetOperation):
            return self._set_operation(scope, query)
        items = [_Item.of(item) for item in query.expressions] if isinstance(query, exp.Select) else []
        named = [name for part in _deciding(query) for name in _aliases(query.args[part], items, part in _SOURCE_FIRST)]
        self._name_columns(scope)
        self._name_queries(scope)
        if not isinstance(query, exp.Select):
            whole = self._digest(self._text(query))
            return _Relation(whole, {}, whole)
        texts: dict[str, str] = {}
        for item, node in zip(items, query.expressions, strict=True):
            texts[item.name] = "|".join([self._text(node.unalias()), *(texts[name] for name in item.named if name in texts)])
        rows = self._digest(*self._row_parts(scope, query, texts), *(texts[name] for name in sorted(set(named))))
        return _Relation(rows, {name: self._digest(text) for name, text in texts.items()})

    def _set_operation(self, scope: Scope, query: exp.SetOperation) -> _Relation:
        sides = [self._known[id(side.expression)] for side in scope.set_operation_scopes]
        kind = [query.key, str(bool(query.args.get("distinct"))), str(bool(query.args.get("by_name")))]
        left, right = sides
        if query.args.get("by_name"):
            names = dict.fromkeys([*left.columns, *right.columns])
            columns = {n: self._digest(left.columns.get(n, ""), right.columns.get(n, "")) for n in names}
        else:
            pairs = zip(left.columns.items(), right.columns.values(), strict=True)
            columns = {name: self._digest(one, other) for (name, one), other in pairs}
        compared = list(columns.values()) if query.args.get("distinct") or not isinstance(query, exp.Union) else []
        cut = [
            self._text(query.args[part]) for part in ("order", "limit", "offset") if query.args.get("limit") and query.args.get(part)
        ]
        return _Relation(self._digest(*kind, left.rows, right.rows, *compared, *cut), columns)

    def _row_parts(self, scope: Scope, select: exp.Select, items: Mapping[str, str]) -> Iterable[str]:
        """All of a SELECT but its items; of these what also decides over rows."""
        values = list(items.values())

        def text(node: exp.Expr) -> str:
            if isinstance(node, exp.Ordered):
                return text(node.this) + str(node.args.get("desc")) + str(node.args.get("nulls_first"))
            place = int(node.this) if isinstance(node, exp.Literal) and node.is_int else 0
            return values[place - 1] if 0 < place <= len(values) else self._text(node)

        from_ = select.args.get("from_")
        for source in [from_, *(select.args.get("joins") or ()), *(select.args.get("laterals") or ())]:
            yield self._source(scope, source) if source is not None else "no table"
        for part in ("where", "having", "qualify", "sample"):
            if select.args.get(part):
                yield part + self._text(select.args[part])
        group = select.args.get("group")
        if group is not None:
            yield "group" + "|".join(sorted(map(text, group.expressions)))
            yield "sets" + "|".join(self._text(g) for n in ("grouping_sets", "cube", "rollup") for g in group.args.get(n) or ())
            if group.args.get("all"):
                yield "|".join(t for t, item in zip(values, select.expressions, strict=True) if not item.find(exp.AggFunc))
        else:
            yield "one row" if any(_aggregates(item) for item in select.expressions) else "rows"
        if select.args.get("distinct"):
            yield "distinct" + self._text(select.args["distinct"]) + "|".join(values)
        yield "|".join(t for t, item in zip(values, select.expressions, strict=True) if item.find(*_SPREAD, exp.Anonymous))
        yield "|".join(self._text(window) for window in select.args.get("windows") or ())
        if _is_cut(select):
            order = select.args.get("order")
            yield "order" + "|".join(map(text, order.expressions)) if order else ""
            yield "|".join(self._text(select.args[part]) for part in _CUTS if select.args.get(part))

    def _source(self, scope: Scope, node: exp.Expr) -> str:
        """FROM or JOIN, with what its tables and queries are in place of their names."""
        node = node.copy()
        for table in [*node.find_all(exp.Table, exp.Subquery)]:
            found = scope.sources.get(table.alias_or_name)
            if found is not None:
                rows = exp.to_identifier(self._rows_of(found))
                table.set("this", rows if isinstance(table, exp.Table) else exp.Table(this=rows))
                for name in ("db", "catalog", "alias"):
                    table.set(name, None)
        return self._text(node)

    def _rows_of(self, source: exp.Expr | Scope) -> str:
        if isinstance(source, Scope):
            return self._known[id(source.expression)].rows
        return ".".join(part.name.lower() for part in source.parts) if isinstance(source, exp.Table) else ""

    # -- names

    def _name_columns(self, scope: Scope) -> None:
        """Each column of the scope becomes the digest of what it stands for; one that no source is known to have keeps its name."""
        for column in [node for node in walk_in_scope(scope.expression) if isinstance(node, exp.Column)]:
            meaning = self._meaning(scope, column.table, column.name.lower())
            if meaning is not None:
                column.replace(exp.column(exp.to_identifier(meaning)))

    def _meaning(self, scope: Scope | None, table: str, name: str) -> str | None:
        while scope is not None:
            known = scope.selected_sources if not table else scope.sources
            selected = [scope.sources[alias] for alias in known if not table or alias.lower() == table.lower()]
            found = [meaning for s in selected if (meaning := self._column(s, name, sure=bool(table) or len(selected) == 1))]
            if found:
                return found[0]
            scope = scope.parent
        return None

    def _column(self, source: exp.Expr | Scope, name: str, *, sure: bool) -> str | None:
        if isinstance(source, Scope):
            known = self._known.get(id(source.expression))
            return known.columns.get(name) or (known.rest if sure else None) if known else None
        dataset = self._rows_of(source)
        ref = ColumnRef(dataset, name)
        return str(self._renamed.get(ref, ref)) if sure or ref in self._renamed else None

    def _name_queries(self, scope: Scope) -> None:
        """Each query within an expression becomes the digest of its shape."""
        for inner in scope.subquery_scopes:
            known = self._known[id(inner.expression)]
            inner.expression.replace(exp.to_identifier(self._digest(known.rows, *known.columns.values())))

    # -- texts

    def _text(self, node: exp.Expr) -> str:
        return node.sql(dialect=sqlglot_dialect(self._dialect), comments=False, normalize=True)

    def _digest(self, *parts: str) -> str:
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _counts(node: exp.Expr) -> bool:
    """Whether what cannot be told matters: count(*) is no star."""
    if isinstance(node, exp.TableAlias):
        return bool(node.columns) and isinstance(node.parent, (exp.Table, exp.Subquery, exp.CTE))
    return not (isinstance(node, exp.Star) and isinstance(node.parent, exp.Count))


def _is_cut(query: exp.Expr) -> bool:
    """Whether the order of its rows decides which of them there are."""
    return any(query.args.get(part) for part in (*_CUTS, "distinct"))


def _deciding(query: exp.Expr) -> list[str]:
    """The clauses of a query that decide over its rows and may name its items."""
    return [part for part in (*_CLAUSES, *(["order"] if _is_cut(query) else [])) if query.args.get(part)]


def _aliases(clause: exp.Expr, items: list[_Item], source_first: bool) -> list[str]:
    """The SELECT's items that a clause may mean by a name."""
    names = {c.name.lower() for c in clause.find_all(exp.Column) if not c.table}
    return [item.name for item in items if item.name in names and not (source_first and item.shadows)]


def _aggregates(item: exp.Expr) -> bool:
    return any(not isinstance(node.parent, exp.Window) for node in item.find_all(exp.AggFunc))
