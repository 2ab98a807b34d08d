"""A collect query in PostgreSQL's SQL, as its text alone tells it: tables, names, and whether it is columns of one table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from language.dialects.postgres.misread import syntax_problem
from language.dialects.postgres.parser import Node, NotRead, Text, parse
from language.dialects.postgres.places import Place, Places
from language.sql.query import TableReference, first_word
from language.text.diagnostics import Problem, Span

_READ_ONLY = "remove INSERT, UPDATE, DELETE, INTO or FOR UPDATE"


@dataclass(frozen=True, eq=False)
class PostgresQuery:
    """Its parts raise Problem where the text is no query that PostgreSQL reads."""

    span: Span
    dialect: str = "postgres"

    def __getstate__(self) -> dict[str, object]:
        return {"span": self.span, "dialect": self.dialect}

    @cached_property
    def text(self) -> Text:
        return Text(self.span.text)

    @cached_property
    def statement(self) -> Node:
        """The SelectStmt."""
        try:
            found: Node = parse(self.text)
        except NotRead as refused:
            problem = syntax_problem(self.text, refused)
            raise Problem(self.at((problem.start, problem.end)), problem.cause, problem.remedy) from refused
        if "SelectStmt" not in found:
            raise Problem(first_word(self.span), "a query must be a SELECT", "write AS SELECT …")
        return found["SelectStmt"]  # type: ignore[no-any-return]

    def at(self, place: Place) -> Span:
        """A place in the query's text as one of the program; the first word for none."""
        start, end = place
        return Span(self.span.source, self.span.start + start, self.span.start + end) if end else first_word(self.span)

    @cached_property
    def places(self) -> Places:
        return Places(self.text)

    @cached_property
    def tables(self) -> tuple[TableReference, ...]:
        found = [self._table(node) for node in _tables(self.statement, frozenset())]
        return tuple(sorted(found, key=lambda reference: reference.span.start))

    @property
    def first_word(self) -> Span:
        return first_word(self.span)

    @property
    def common_tables(self) -> frozenset[str]:
        return frozenset(node["ctename"] for node in inner_nodes(self.statement, "CommonTableExpr"))

    def check_reads(self) -> None:
        """Raises Problem for a query that locks or writes."""
        writing = [part for part in ("intoClause", "lockingClause") if part in self.statement]
        inner = [node for node in inner_nodes(self.statement, "CommonTableExpr") if "SelectStmt" not in node["ctequery"]]
        inner += [node for node in inner_nodes(self.statement, "SelectStmt") if "lockingClause" in node or "intoClause" in node]
        if writing or inner:
            raise Problem(first_word(self.span), "a query only reads", _READ_ONLY)

    def output_names(self) -> Iterator[tuple[str, Span] | None]:
        """Each output column's folded name and place; None where the text does not tell it."""
        from language.dialects.postgres.targets import output_name

        node = self.statement
        while "larg" in node:
            node = node["larg"]
        for target in (each["ResTarget"] for each in node.get("targetList", ())):
            name = output_name(target)
            yield (name.lower(), self.at(self.places.of({"ResTarget": target}))) if name is not None else None

    def column_names(self) -> Iterator[tuple[tuple[str, ...], tuple[Span, ...]]]:
        """The parts of each column's name, with their places."""
        for node in inner_nodes(self.statement, "ColumnRef"):
            names = tuple(part["String"]["sval"] for part in node["fields"] if "String" in part)
            places = self.places.names(node.get("location", 0), len(node["fields"]))
            yield (*names, *("*",) * (len(node["fields"]) - len(names))), tuple(map(self.at, places))

    def name_at_source(self, reference: TableReference) -> str:
        return ".".join(reference.parts[1:])

    def _table(self, node: Node) -> TableReference:
        parts = tuple(node[name] for name in ("catalogname", "schemaname", "relname") if name in node)
        spans = tuple(map(self.at, self.places.names(node.get("location", 0), len(parts))))
        return TableReference(parts, spans, node)


def read(span: Span) -> PostgresQuery:
    """The query at `span`. Raises Problem where PostgreSQL's parser refuses it, or where it is no query that reads."""
    query = PostgresQuery(span)
    query.check_reads()
    return query


def inner_nodes(node: Any, kind: str) -> Iterator[Node]:
    """All nodes of a kind within a tree."""
    stack = [node]
    while stack:
        found = stack.pop()
        if isinstance(found, list):
            stack += found
        elif isinstance(found, dict):
            for tag, inner in found.items():
                if tag == kind or (kind == "SelectStmt" and tag in ("larg", "rarg") and isinstance(inner, dict)):
                    yield inner
                stack.append(inner)


def is_aggregate(call: Node) -> bool:
    """Whether a FuncCall is of an aggregate, with a window or without."""
    from language.dialects.postgres.catalogue import functions

    return any(function.kind == "a" for function in functions(call["funcname"][-1]["String"]["sval"]))


def _tables(node: Any, common: frozenset[str]) -> Iterator[Node]:
    """The tables that are no queries of a WITH that is in sight."""
    if isinstance(node, list):
        for each in node:
            yield from _tables(each, common)
        return
    if not isinstance(node, dict):
        return
    if "withClause" in node:
        names = [each["CommonTableExpr"]["ctename"] for each in node["withClause"]["ctes"]]
        recursive = bool(node["withClause"].get("recursive"))
        for number, each in enumerate(node["withClause"]["ctes"]):
            yield from _tables(each, common | frozenset(names if recursive else names[:number]))
        node, common = {tag: inner for tag, inner in node.items() if tag != "withClause"}, common | frozenset(names)
    for tag, inner in node.items():
        if tag != "RangeVar":
            yield from _tables(inner, common)
        elif "schemaname" in inner or inner["relname"] not in common:
            yield inner
