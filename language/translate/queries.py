"""SELECTs, written over from one dialect to another: what they read, group and order by, and their expressions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sqlglot import exp

from language.sql.dialect import Tables, dialect
from language.sql.meanings.kinds import WHOLE
from language.sql.problems import QueryProblem
from language.sql.query import OWN_COLUMNS
from language.sql.scope import UNKNOWN, Scope, Source, Typed
from language.translate.comparing import comparable, groups, ordered
from language.translate.expressions import Between, Expressions
from shared_metadata.program.type_names import TypeName, parsed

_READ = frozenset(("expressions", "from_", "joins", "where", "group", "having", "order", "limit", "offset", "distinct", "with_"))
_READ_IN_FROM = frozenset(("this", "db", "catalog", "alias", "with_"))
_SIDES, _KINDS = ("", "LEFT", "RIGHT", "FULL"), ("", "INNER", "OUTER", "CROSS")
_REMEDY = "write it by plain SELECTs and joins, or name the engine that it is written for"
Common = Mapping[str, Mapping[str, Typed]]


class Queries:
    """problems: what cannot be written over.  tables: by the names that FROM has, 'lake.ops.flights'."""

    def __init__(self, between: Between, tables: Tables, place: Callable[[exp.Expr], tuple[int, int]]) -> None:
        self._between, self._tables, self._place = between, tables, place
        self.problems: list[QueryProblem] = []

    def tell(self, node: exp.Expr, cause: str, remedy: str) -> None:
        self.problems.append(QueryProblem(*self._place(node), cause, remedy))

    def written(
        self, node: exp.Expr, known: Common | None = None, outer: Scope | None = None, *, named: bool = True
    ) -> tuple[exp.Expr, dict[str, Typed]]:
        """A SELECT or set operation in the other dialect, and its columns by name.  named: whether that of each is known outside."""
        known, with_ = known or {}, node.args.get("with_")
        made_with = None
        if with_ is not None:
            known, made_with = self._common(with_, known, outer)
        if isinstance(node, exp.Subquery):
            inner, columns = self.written(node.this, known, outer)
            made: exp.Expr = node.copy()
            made.set("this", inner)
        elif isinstance(node, exp.SetOperation):
            made, columns = self._together(node, known, outer, named)
        elif isinstance(node, exp.Select):
            made, columns = self._select(node, known, outer, named)
        else:
            self.tell(node, "this query is not on the list of what means the same", _REMEDY)
            return node, {}
        if made_with is not None:
            made.set("with_", made_with)
        return made, columns

    def _common(self, with_: exp.With, known: Common, outer: Scope | None) -> tuple[Common, exp.With]:
        made = with_.copy()
        if with_.args.get("recursive"):
            self.tell(with_, "a recursive WITH is not on the list of what means the same", _REMEDY)
        for cte, copied in zip(with_.expressions, made.expressions, strict=True):
            query, columns = self.written(cte.this, known, outer)
            copied.set("this", query)
            names = [column.name.lower() for column in cte.args["alias"].columns]
            known = {**known, cte.alias.lower(): dict(zip(names, columns.values(), strict=False)) if names else columns}
        return known, made

    def _together(self, node: exp.SetOperation, known: Common, outer: Scope | None, named: bool) -> tuple[exp.Expr, dict[str, Typed]]:
        left, columns = self.written(node.this, known, outer, named=named)
        right, others = self.written(node.expression, known, outer, named=False)
        made, found = node.copy(), {}
        made.set("this", left)
        made.set("expression", right)
        if node.args.get("by_name") or not (isinstance(node, exp.Union) or node.args.get("distinct")):
            self.tell(
                node, "this set operation is not on the list of what means the same", "write UNION, or INTERSECT or EXCEPT alone"
            )
        for (name, one), other in zip(columns.items(), others.values(), strict=False):
            kind = _wider(one.kind, other.kind)
            if kind is None and one.kind is not None and other.kind is not None:
                self.tell(node, f"`{name}` is {one.kind} on one side and {other.kind} on the other", "bring both to one type by CAST")
            found[name] = Typed(kind)
        if node.args.get("distinct"):
            expressions = self._expressions(Scope(_wider), known)
            for column in found.values():
                groups(expressions, node, column.kind) if column.kind is not None else None
        self._ends(node, made, self._expressions(Scope(_wider, [Source("", found)]), known))
        return made, found

    # -- SELECT

    def _expressions(self, scope: Scope, known: Common) -> Expressions:
        def rows(inner: exp.Expr, around: Scope) -> tuple[exp.Expr, Sequence[Typed]]:
            made, columns = self.written(inner, known, around, named=False)
            return made, [*columns.values()]

        return Expressions(self._between, scope, self.tell, rows)

    def _select(self, node: exp.Select, known: Common, outer: Scope | None, named: bool) -> tuple[exp.Expr, dict[str, Typed]]:
        for name, part in node.args.items():
            if part and name not in _READ:
                place = (
                    part
                    if isinstance(part, exp.Expr)
                    else part[0]
                    if isinstance(part, list) and isinstance(part[0], exp.Expr)
                    else node
                )
                self.tell(place, f"{name.strip('_').upper()} is not on the list of what means the same", _REMEDY)
        scope, made = Scope(_wider, outer=outer), node.copy()
        expressions = self._expressions(scope, known)
        self._from(node, made, known, scope, expressions)
        found = self._items(node, made, (scope, expressions), named)
        for name in ("where", "having"):
            if node.args.get(name) is not None:
                made.set(name, type(node.args[name])(this=expressions.condition(node.args[name].this)))
        self._group(node, made, scope, expressions)
        if (distinct := node.args.get("distinct")) is not None:
            if distinct.args.get("on"):
                self.tell(
                    distinct,
                    "DISTINCT ON is not on the list of what means the same",
                    "number the rows by row_number(), and take the first",
                )
            for column in found.values():
                groups(expressions, node.expressions[0], column.kind) if column.kind is not None else None
        around = Scope(
            _wider, [*scope.sources, Source("", {n: c for n, c in found.items() if not scope.find((), n)})], outer, scope.merged
        )
        self._ends(node, made, self._expressions(around, known))
        return made, found

    def _ends(self, node: exp.Expr, made: exp.Expr, expressions: Expressions) -> None:
        if node.args.get("order") is not None:
            made_order = ordered(expressions, node.args["order"])
            made.set("order", made_order or made.args["order"])
        for name in ("limit", "offset"):
            count = node.args.get(name)
            if count is not None and not isinstance(count.expression, exp.Literal):
                self.tell(count, f"{name.upper()} of what is no constant is not on the list", "write a number")

    def _items(self, node: exp.Select, made: exp.Select, within: tuple[Scope, Expressions], named: bool) -> dict[str, Typed]:
        scope, expressions = within
        found: dict[str, Typed] = {}
        for item, copied in zip(node.expressions, made.expressions, strict=True):
            if item.is_star:
                star = item.this if isinstance(item, exp.Column) else item
                if any(star.args.get(word) for word in ("except_", "except", "replace", "rename")):
                    self.tell(item, "a `*` that leaves columns out is not on the list of what means the same", "name the columns")
                owner = tuple(part.name.lower() for part in item.parts[:-1]) if isinstance(item, exp.Column) else ()
                found |= {
                    name: scope.find((), name)[0] if name in scope.merged else s.columns[name] for s, name in scope.starred(owner)
                }
                continue
            inner = item.this if isinstance(item, exp.Alias) else item
            piece = expressions.written(inner)
            if isinstance(item, exp.Alias):
                copied.set("this", piece.node)
            else:
                copied.replace(piece.node)
            if named and not isinstance(item, exp.Alias | exp.Column):
                self.tell(item, "this column has a name of the engine's making", "name it with AS")
            found[item.alias_or_name.lower()] = Typed(piece.kind)
        return found

    def _group(self, node: exp.Select, made: exp.Select, scope: Scope, expressions: Expressions) -> None:
        group = node.args.get("group")
        if group is None:
            return
        if any(part and name != "expressions" for name, part in group.args.items()):
            self.tell(group, "this GROUP BY is not on the list of what means the same", "name what it groups by, and no sets of it")
            return
        items = [item.this if isinstance(item, exp.Alias) else item for item in node.expressions]
        names = [item.alias_or_name.lower() for item in node.expressions]
        for part, copied in zip(group.expressions, made.args["group"].expressions, strict=True):
            if isinstance(part, exp.Literal):
                number = int(part.name) if part.name.isdigit() else 0
                if 0 < number <= len(items):
                    groups(expressions, part, expressions.written(items[number - 1]).kind)
            elif (
                isinstance(part, exp.Column)
                and len(part.parts) == 1
                and not scope.find((), part.name.lower())
                and part.name.lower() in names
            ):
                number = names.index(part.name.lower())
                groups(expressions, part, expressions.written(items[number]).kind)
                copied.replace(exp.Literal.number(number + 1))
            else:
                piece = expressions.written(part)
                groups(expressions, part, piece.kind) if piece.kind is not None else None
                copied.replace(piece.node)

    # -- FROM

    def _from(self, node: exp.Select, made: exp.Select, known: Common, scope: Scope, expressions: Expressions) -> None:
        if node.args.get("from_") is not None:
            self._source_of(node.args["from_"].this, made.args["from_"].this, known, scope)
        for join, copied in zip(node.args.get("joins") or (), made.args.get("joins") or (), strict=True):
            if join.args.get("method") or join.side not in _SIDES or join.kind not in _KINDS:
                self.tell(join.this, f"{join.args.get('method') or join.side or join.kind} JOIN is not on the list", _REMEDY)
            self._source_of(join.this, copied.this, known, scope)
            if join.args.get("on") is not None:
                copied.set("on", expressions.condition(join.args["on"]))
            for column in join.args.get("using") or ():
                kinds = [each.kind for each in scope.find((), column.name.lower())]
                comparable(expressions, column, *kinds)
                scope.merged.add(column.name.lower())

    def _source_of(self, node: exp.Expr, made: exp.Expr, known: Common, scope: Scope) -> None:
        alias = node.args.get("alias")
        if any(part and name not in _READ_IN_FROM for name, part in node.args.items()) or not isinstance(
            node, (exp.Table, exp.Subquery)
        ):
            self.tell(node, "this cannot be read in FROM everywhere", "read a table of the warehouse, or a query of WITH")
            return
        if isinstance(node, exp.Table):
            parts = tuple(part.name.lower() for part in node.parts)
            columns, hidden = known.get(parts[0]) if len(parts) == 1 else None, frozenset[str]()
            if columns is None:
                known_columns = self._tables.get(".".join(parts), ())
                columns = {column.name: Typed(parsed(column.type) if column.type else None) for column in known_columns}
                hidden = OWN_COLUMNS
            scope.sources.append(Source((alias.name if alias is not None else parts[-1]).lower(), columns, parts, hidden))
        else:
            query, columns = self.written(node.this, known, None)
            made.set("this", query)
            scope.sources.append(Source(node.alias.lower(), columns))
        if alias is not None and alias.columns:
            last, names = scope.sources.pop(), [column.name.lower() for column in alias.columns]
            shown = [column for name, column in last.columns.items() if name not in last.hidden]
            scope.sources.append(Source(last.called, dict(zip(names, shown, strict=False)), last.path))


def quoted(tree: exp.Expr, name: str) -> exp.Expr:
    """The tree with names in quotes that the dialect takes for words of its own without them."""
    spelled = dialect(name).spelled
    for identifier in tree.find_all(exp.Identifier):
        if not identifier.args.get("quoted") and spelled(identifier.name.lower()) != identifier.name.lower():
            identifier.set("quoted", True)
    return tree


def _wider(one: TypeName | None, other: TypeName | None) -> TypeName | None:
    """The type of values of both, where every dialect has the same for it; None where not."""
    if one == other or other == UNKNOWN:
        return one
    if one == UNKNOWN:
        return other
    return TypeName("long") if one is not None and other is not None and {one.word, other.word} <= {*WHOLE} else None
