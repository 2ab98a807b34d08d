"""What must hold between flows: one writer a dataset, known inputs, no cycles, intervals that fit."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from language.forms.durations import spell
from language.forms.resolved import Collect, Publish, Resolved, ResolvedProgram, View
from language.resolve.names import Names
from language.text.diagnostics import Diagnostic, Span, did_you_mean

LONGEST_CIRCLE = 10  # of views that is shown whole
SUGGESTIONS = 20  # of names that may have been meant: each looks at every name of the program


@dataclass(frozen=True)
class _Writer:
    """The statement that makes a dataset, and where it says so."""

    statement: Resolved
    span: Span


def check_graph(program: ResolvedProgram, names: Names, problems: list[Diagnostic]) -> None:
    """Adds what is wrong between the program's statements to `problems`."""
    writers: dict[str, _Writer] = {}
    for statement in program.statements:
        for dataset, span in _writes(statement):
            twin = writers.setdefault(dataset, _Writer(statement, span))
            if twin.span is not span:
                cause = f"`{dataset}` is made twice, first at {twin.span.position}"
                problems.append(span.diagnostic(cause, "a table has one statement that makes it: rename or remove one"))
    for statement in program.statements:
        if not isinstance(statement, Collect):
            _check_inputs(statement, writers, names, problems)
    _check_ids(program, problems)
    _check_cycles(program, problems)


def _writes(statement: Resolved) -> list[tuple[str, Span]]:
    if isinstance(statement, Collect):
        return [(table.dataset, table.span) for table in statement.tables]
    name = statement.dataset if isinstance(statement, View) else statement.target
    return [(name, statement.statement.target.span)]


def _check_inputs(statement: View | Publish, writers: dict[str, _Writer], names: Names, problems: list[Diagnostic]) -> None:
    clauses = statement.statement.clauses
    assert clauses.every is not None  # the parser refuses a statement without it
    own = statement.settings.interval_seconds
    for input_ in statement.inputs:
        writer = writers.get(input_.dataset)
        if writer is None:
            if not names.is_broken(tuple(input_.dataset.split("."))):
                remedy = "collect it with INSERT INTO, or create it as a MATERIALIZED VIEW"
                cause = f"nothing in the program makes `{input_.dataset}`"
                meant = _meant(input_.dataset, statement, writers, names) if len(problems) < SUGGESTIONS else ""
                problems.append(input_.span.diagnostic(cause, meant + remedy))
            continue
        theirs = writer.statement.settings.interval_seconds
        if own % theirs and theirs % own:
            cause = f"every {spell(own)} does not fit `{input_.dataset}`, made every {spell(theirs)} at "
            remedy = f"use a multiple of {spell(theirs)}, or an interval that divides it"
            problems.append(clauses.every.span.diagnostic(cause + str(writer.span.position), remedy))


def _meant(dataset: str, reader: Resolved, writers: dict[str, _Writer], names: Names) -> str:
    others = {name for name, writer in writers.items() if writer.statement is not reader}
    return did_you_mean(dataset, others | {".".join(broken) for broken in names.broken}, most=len(writers) + len(names.broken))


def _check_ids(program: ResolvedProgram, problems: list[Diagnostic]) -> None:
    """Two collects into one schema would be one flow twice."""
    first: dict[str, Span] = {}
    for statement in program.statements:
        if not isinstance(statement, Collect) or statement.query is not None:
            continue
        span = statement.statement.target.span
        twin = first.setdefault(statement.id, span)
        if twin is not span:
            remedy = "list all tables in one statement, or collect one by INSERT INTO … AS SELECT * FROM its table"
            cause = f"tables are collected into `{statement.id}` twice, first at {twin.position}"
            problems.append(span.diagnostic(cause, remedy))


def _check_cycles(program: ResolvedProgram, problems: list[Diagnostic]) -> None:
    views = {s.dataset: s for s in program.statements if isinstance(s, View)}
    done: set[str] = set()
    for start in views:
        path: dict[str, None] = {}  # in the order in which they read each other
        stack = [(start, iter(views[start].inputs))] if start not in done else []
        while stack:
            dataset, inputs = stack[-1]
            path.setdefault(dataset)
            following = next((i for i in inputs if i.dataset in views and i.dataset not in done), None)
            if following is None:
                done.add(dataset)
                stack.pop()
                path.popitem()
            elif following.dataset in path:
                circle = list(path)[list(path).index(following.dataset) :]
                problems.append(_circle([views[name] for name in circle], following.span))
                done.add(following.dataset)
            else:
                stack.append((following.dataset, iter(views[following.dataset].inputs)))


def _circle(views: list[View], span: Span) -> Diagnostic:
    """What to say of views each of which reads the next one, and the last one the first."""
    shown = views[:LONGEST_CIRCLE]
    names = [view.dataset for view in shown]
    places = [f"{view.dataset} at {view.statement.target.span.position}" for view in shown]
    left = len(views) - len(shown)
    said = [*names, f"{left} more", names[0]] if left else [*names, names[0]]
    cause = f"views read each other in a circle: {' reads '.join(said)} ({', '.join(places)})"
    return span.diagnostic(cause, "break the circle: one of them must read something else")


def levels(statements: Sequence[Resolved]) -> Iterator[list[int]]:
    """The statements' numbers, each in a level after those that make what it reads; the ones that read each other in a circle, and
    their readers, are left out."""
    makers = {dataset: number for number, statement in enumerate(statements) for dataset in makes(statement)}
    graph = TopologicalSorter[int]()
    for number, statement in enumerate(statements):
        inputs = () if isinstance(statement, Collect) else statement.inputs
        graph.add(number, *(makers[i.dataset] for i in inputs if i.dataset in makers))
    with contextlib.suppress(CycleError):  # the check of the graph tells it
        graph.prepare()
    while ready := graph.get_ready():
        yield sorted(ready)
        graph.done(*ready)


def makes(statement: Resolved) -> list[str]:
    """The datasets of a statement that others can read."""
    if isinstance(statement, Collect):
        return [table.dataset for table in statement.tables]
    return [statement.dataset] if isinstance(statement, View) else []
