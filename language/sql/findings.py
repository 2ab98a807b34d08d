"""What typing a query finds besides its columns: mistakes, uses of the inputs' columns, and edits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlglot import exp

from language.sql.called_query import CalledQuery
from language.sql.problems import QueryProblem
from language.sql.scope import Ref
from language.sql.typing import QueryUse
from shared_metadata.program.lineage import Use

Told = tuple[str, str]  # what is wrong, and what to do about it


@dataclass
class Findings:
    query: CalledQuery
    problems: list[QueryProblem] = field(default_factory=list)
    uses: dict[tuple[Ref, Use], QueryUse] = field(default_factory=dict)
    edits: list[tuple[int, int, str]] = field(default_factory=list)

    def place(self, node: exp.Expr) -> tuple[int, int]:
        """A call's to its closing parenthesis."""
        found = self.query.place(node)
        start, end = found.start - self.query.span.start, found.end - self.query.span.start
        text = self.query.span.text
        end += isinstance(node, exp.Func) and text[end : end + 1] == "("
        words = text[start:end]
        while isinstance(node, exp.Func) and words.count("(") > words.count(")") and ")" in text[end:]:
            end = text.index(")", end) + 1
            words = text[start:end]
        return start, end

    def words(self, node: exp.Expr) -> str:
        start, end = self.place(node)
        return self.query.span.text[start:end]

    def problem(self, node: exp.Expr, cause: str, remedy: str) -> None:
        self.problems.append(QueryProblem(*self.place(node), cause, remedy))

    def used(self, refs: Iterable[Ref], use: Use, node: exp.Expr) -> None:
        for table, column in sorted(refs):
            if ((table, column), use) not in self.uses:
                self.uses[(table, column), use] = QueryUse(table, column, use, *self.place(node))
