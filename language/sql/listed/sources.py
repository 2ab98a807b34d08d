"""FROM: the tables, queries, values and lists whose rows a SELECT reads, with their columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from language.sql.dialect import Tables
from language.sql.findings import Findings
from language.sql.listed import made
from language.sql.listed.clauses import JOINING
from language.sql.listed.expressions import Expressions
from language.sql.listed.rules import Rules
from language.sql.query import OWN_COLUMNS
from language.sql.scope import Scope, Source, Typed
from shared_metadata.program.lineage import Use

_READ_IN_FROM = frozenset(("this", "db", "catalog", "alias", "with_"))
_READ_OF_JOIN = frozenset(("this", "side", "kind", "on", "using", "method"))
_KINDS = frozenset(("", "INNER", "OUTER", "CROSS"))
Common = Mapping[str, Mapping[str, Typed]]  # the columns of the queries of WITH, by name


@dataclass(frozen=True)
class Sources:
    """Reads FROM clauses.  query: reads a query within one."""

    rules: Rules
    findings: Findings
    tables: Tables
    query: Callable[[exp.Expr, Common], dict[str, Typed]]

    def read(self, node: exp.Select, known: Common, scope: Scope, expressions: Expressions) -> None:
        """Fills the scope."""
        from_ = node.args.get("from_")
        with expressions.within(JOINING):
            if from_ is not None:
                self._source(from_.this, known, scope, expressions)
            for join in node.args.get("joins") or ():
                self._join(join, known, scope, expressions)
            for lateral in node.args.get("laterals") or ():
                self._source(lateral, known, scope, expressions)
        expressions.use = Use.VALUE

    def _join(self, join: exp.Join, known: Common, scope: Scope, expressions: Expressions) -> None:
        before, problem = len(scope.sources), self.findings.problem
        self._source(join.this, known, scope, expressions)
        padded = {"LEFT": slice(before, None), "RIGHT": slice(before), "FULL": slice(None)}.get(join.side, slice(0))
        scope.sources[padded] = [source.padded() for source in scope.sources[padded]]
        if join.args.get("method"):
            problem(join, f"there is no {join.args['method']} JOIN", "write JOIN … ON, or USING")
        elif join.kind not in _KINDS | self.rules.choosing_joins or any(
            p and name not in _READ_OF_JOIN for name, p in join.args.items()
        ):
            problem(join, f"there is no {join.kind or 'such'} JOIN", "choose rows by WHERE EXISTS (…), or NOT EXISTS")
        on, using = join.args.get("on"), join.args.get("using") or ()
        if on is None and not using and join.kind != "CROSS" and (join.side or not self._may_be_bare(join)):
            problem(join, "this JOIN has no condition", "write ON or USING, or CROSS JOIN")
        as_it_is = isinstance(on, exp.Boolean) and on.this and join.side in ("", "LEFT")
        if isinstance(join.this, exp.Unnest) and (using or (on is not None and not as_it_is)):
            problem(
                join, "UNNEST is joined to each row by no condition", "write CROSS JOIN, or LEFT JOIN … ON true, and filter by WHERE"
            )
        expressions.use = Use.JOIN
        if on is not None:
            expressions.condition(on)
        for column in using:
            self._merge(column, scope, before, expressions)
        if join.kind in self.rules.choosing_joins:
            del scope.sources[before:]

    def _may_be_bare(self, join: exp.Join) -> bool:
        """Whether rows are combined by a comma, of which the tree tells nothing."""
        before = self.findings.query.span.text[: self.findings.place(join.this)[0]].rstrip("( \t\n")
        return self.rules.bare_joins or not before.upper().endswith("JOIN")

    def _merge(self, column: exp.Expr, scope: Scope, before: int, expressions: Expressions) -> None:
        """Makes a column of USING one of both sides."""
        name = column.name.lower()
        for side, sources in (("left", scope.sources[:before]), ("right", scope.sources[before:])):
            having = [source for source in sources if name in source.columns]
            if not having or (len(having) > 1 and name not in scope.merged):
                many = "none" if not having else "more than one"
                cause = f"USING is by a column of both sides, and {many} is called `{name}` on the {side}"
                self.findings.problem(column, cause, "write ON, with the columns of each side")
                return
        found = [source.columns[name] for source in scope.sources if name in source.columns]
        expressions.together(column, found, "this compares")
        for each in scope.find((), name):
            self.findings.used(each.refs, Use.JOIN, column)
        scope.merged.add(name)

    def _source(self, node: exp.Expr, known: Common, scope: Scope, expressions: Expressions) -> None:
        alias = node.args.get("alias")
        if isinstance(node, (exp.Unnest, exp.Lateral)):
            scope.sources.append(made.rows(node, expressions))
            return
        if any(
            part and name not in (*_READ_IN_FROM, *(["expressions"] if isinstance(node, exp.Values) else []))
            for name, part in node.args.items()
        ):
            self.findings.problem(node, "this is not known here, but for its name", "read the table alone, or a query")
        if isinstance(node, exp.Table):
            parts = tuple(part.name.lower() for part in node.parts)
            columns, hidden = known.get(parts[0]) if len(parts) == 1 else None, frozenset[str]()
            if columns is None:
                columns, hidden = self._table(node, ".".join(parts)), OWN_COLUMNS
            if alias is None and len(parts) > 1:
                self._name(node, parts)
            scope.sources.append(Source((alias.name if alias is not None else parts[-1]).lower(), columns, parts, hidden))
        elif isinstance(node, exp.Subquery):
            scope.sources.append(Source(node.alias.lower(), self.query(node.this, known)))
        elif isinstance(node, exp.Values):
            if alias is None or not alias.columns:
                self.findings.problem(node, "the columns of VALUES have no names", "name them: (VALUES …) AS t (a, b)")
            scope.sources.append(Source(node.alias.lower(), self.query(node, known)))
        else:
            self.findings.problem(node, "this cannot be read in FROM here", "read a table of the warehouse, or a query of WITH")
        if alias is not None and alias.columns and scope.sources:
            last = scope.sources.pop()
            shown = [column for name, column in last.columns.items() if name not in last.hidden]
            scope.sources.append(Source(last.called, self.called(alias, shown), last.path))

    def called(self, alias: exp.Expr, columns: Sequence[Typed]) -> dict[str, Typed]:
        """The columns by the names that an alias gives them."""
        names = [column.name.lower() for column in alias.args["columns"]]
        if len(names) != len(columns):
            self.findings.problem(alias, f"there are {len(columns)} columns, and {len(names)} names for them", "name each of them")
        return dict(zip(names, columns, strict=False))

    def _table(self, node: exp.Table, path: str) -> dict[str, Typed]:
        columns, types = self.tables.get(path, ()), self.rules.types
        for column in columns:
            told = self.rules.unread(path, column) if column.type else None
            if told is not None:
                self.findings.problem(node, *told)
        return {
            column.name: Typed(types.read(column.type) if column.type else None, frozenset({(path, column.name)}), column.nullable)
            for column in columns
        }

    def _name(self, table: exp.Table, parts: tuple[str, ...]) -> None:
        """A table's last name stays its name whatever a slice puts in its place; columns named through more are named through it."""
        end = self.findings.place(table)[1]
        self.findings.edits.append((end, end, f" AS {self.rules.spelled(parts[-1])}"))
        for column in self.findings.query.tree.find_all(exp.Column):
            owner = tuple(part.name.lower() for part in column.parts[:-1])
            if len(owner) > 1 and parts[-len(owner) :] == owner and "start" in column.parts[0].meta:
                start, last = self.findings.place(column.parts[0])[0], self.findings.place(column.parts[-2])[0]
                self.findings.edits.append((start, last, ""))
