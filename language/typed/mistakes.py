"""What is wrong with the program that is typed, as it is found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import ParamSpec

from language.sql.problems import QueryProblem
from language.text.diagnostics import Diagnostic, Problem, Span
from language.typed.places import within

P = ParamSpec("P")


class Mistakes:
    def __init__(self, found: list[Diagnostic]) -> None:
        """found: where they are added."""
        self._found = found

    def __len__(self) -> int:
        return len(self._found)

    def add(self, problem: Problem) -> None:
        self._found += problem.diagnostics

    def gather(self, check: Callable[P, object], *values: P.args, **named: P.kwargs) -> None:
        """A mistake that the check raises stands beside the others."""
        try:
            check(*values, **named)
        except Problem as problem:
            self.add(problem)

    def say(self, problems: Iterable[QueryProblem], base: Span) -> None:
        """base: the text in whose offsets the problems are placed."""
        for problem in problems:
            span = within(base, problem.start, problem.end)
            self._found.append(span.diagnostic(problem.cause, problem.remedy))
