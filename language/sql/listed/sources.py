"""FROM: the tables and queries whose rows a SELECT reads, with their columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlglot import exp

from language.sql.dialect import Tables
from language.sql.findings import Findings
from language.sql.listed.expressions import Expressions
from language.sql.listed.rules import Rules
from language.sql.query import OWN_COLUMNS
from language.sql.scope import Scope, Source, Typed
from shared_metadata.program.lineage import Use

_READ_IN_FROM = frozenset(("this", "db", "catalog", "alias", "with_"))
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
        if from_ is not None:
            self._source(from_.this, known, scope)
        for join in node.args.get("joins") or ():
            self._join(join, known, scope, expressions)
        expressions.use = Use.VALUE

    def _join(self, join: exp.Join, known: Common, scope: Scope, expressions: Expressions) -> None:
        before = len(scope.sources)
        self._source(join.this, known, scope)
        padded = {"LEFT": slice(before, None), "RIGHT": slice(before), "FULL": slice(None)}.get(join.side, slice(0))
        scope.sources[padded] = [source.padded() for source in scope.sources[padded]]
        if join.args.get("method"):
            self.findings.problem(join, f"there is no {join.args['method']} JOIN", "write JOIN … ON, or USING")
        expressions.use = Use.JOIN
        if join.args.get("on") is not None:
            expressions.condition(join.args["on"])
        for column in join.args.get("using") or ():
            name = column.name.lower()
            for each in scope.find((), name):
                self.findings.used(each.refs, Use.JOIN, column)
            scope.merged.add(name)
        if join.kind in self.rules.choosing_joins:
            del scope.sources[before:]

    def _source(self, node: exp.Expr, known: Common, scope: Scope) -> None:
        alias = node.args.get("alias")
        if any(part and name not in _READ_IN_FROM for name, part in node.args.items()):
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
        else:
            self.findings.problem(node, "this cannot be read in FROM here", "read a table of the warehouse, or a query of WITH")
        if alias is not None and alias.columns and scope.sources:
            last, names = scope.sources.pop(), [column.name.lower() for column in alias.columns]
            shown = [column for name, column in last.columns.items() if name not in last.hidden]
            scope.sources.append(Source(last.called, dict(zip(names, shown, strict=False)), last.path))

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
