"""The functions of a program: which there are, and what is wrong with each by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from language.forms.syntax import CreateCoded, CreateFunction, Part, Syntax
from language.resolve.arguments import declared_type
from language.resolve.called_in import tokens_of
from language.resolve.dataset_names import plain
from language.resolve.inlining import unbound
from language.resolve.names import Names, Undeclared
from language.sql.dialect import as_warehouse
from language.sql.from_words import named_in, queries_of_with
from language.sql.query import WarehouseQuery
from language.text.diagnostics import Diagnostic, Gathering, Problem
from language.text.tokens import Token


def declare_functions(syntax: Syntax, names: Names, problems: list[Diagnostic]) -> None:
    """Adds the program's functions to its names; those that are wrong to the broken ones, and what is wrong to `problems`."""
    found, coded = dict[str, CreateFunction](), dict[str, CreateCoded]()
    broken = set[tuple[str, ...]]()
    for statement in syntax.statements:
        if not isinstance(statement, CreateFunction | CreateCoded):
            continue
        try:
            with Gathering() as gathering:
                gathering(_check_name, statement, {**found, **coded}, names)
                if isinstance(statement, CreateFunction):
                    gathering(_check_parameters, statement)
                else:
                    gathering(_check_code, names, statement)
        except Problem as problem:
            problems += problem.diagnostics
            broken.add((statement.name.folded,))
            continue
        if isinstance(statement, CreateCoded):
            coded[statement.name.folded] = statement
        else:
            found[statement.name.folded] = statement
    for name, statement in found.items():
        try:
            _check_tables(statement, tokens_of(statement.query), coded)
        except Problem as problem:
            problems += problem.diagnostics
            broken.add((name,))
    broken |= {(name,) for name in _in_a_circle(found, problems)}
    names.broken |= broken
    names.functions.update((name, statement) for name, statement in found.items() if (name,) not in names.broken)
    names.coded.update((name, statement) for name, statement in coded.items() if (name,) not in names.broken)


def _check_name(statement: CreateFunction | CreateCoded, others: Mapping[str, CreateFunction | CreateCoded], names: Names) -> None:
    name = plain(statement.name, "cannot name a function", "use letters, digits and _")
    if (twin := others.get(name)) is not None:
        cause = f"the function `{name}` is there twice, first at {twin.name.span.position}"
        raise Problem(statement.name.span, cause, "rename one of them")
    if (other := names.connections.get(name) or names.warehouses.get(name)) is not None:
        cause = f"the name `{name}` is given twice, first at {other.name.span.position}"
        raise Problem(statement.name.span, cause, "rename one of them")


def _check_parameters(statement: CreateFunction) -> None:
    tokens = tokens_of(statement.query)
    own = {token.text.lower(): token.span for token in queries_of_with(tokens)}
    given = {token.text.lower(): token.span for before, token in pairwise(tokens) if before.is_word("AS")}
    seen: dict[str, str] = {}
    for parameter in statement.parameters:
        name = parameter.name.folded
        if name in seen:
            cause = f"the parameter `{name}` is there twice, first at {seen[name]}"
            raise Problem(parameter.name.span, cause, "rename one of them")
        seen[name] = str(parameter.name.span.position)
        if name in own or (parameter.type is not None and name in given):
            place = own.get(name) or given[name]
            raise Problem(place, f"`{name}` is a parameter of this function", "give this another name, or the parameter")
        _refuse_twins(parameter.columns)


def _check_code(names: Names, statement: CreateCoded) -> None:
    _refuse_twins([column.name for column in statement.takes])
    _refuse_twins([column.name for column in statement.returns])
    for column in statement.returns:
        plain(column.name, "cannot be a column of a function's", "use letters, digits and _; its readers may rename it, with AS")
    able = sorted({word for slice_ in names.slices.values() for word in slice_.functions})
    if statement.language.folded not in able:
        remedy = f"write USING {', or USING '.join(['sql', *able])}; what these cannot say is computed outside, and collected"
        raise Problem(statement.language.span, f"functions are not written in `{statement.language.text}` here", remedy)


def _refuse_twins(columns: Sequence[Part]) -> None:
    folded = [column.folded for column in columns]
    for number, column in enumerate(columns):
        if column.folded in folded[:number]:
            raise Problem(column.span, f"the column `{column.text}` is there twice", "remove one of them")


def _check_tables(statement: CreateFunction, tokens: Sequence[Token], coded: Mapping[str, CreateCoded]) -> None:
    """Raises Problem for a name in FROM that only means something where the function is called, and for a call of code."""
    known = {parameter.name.folded for parameter in statement.parameters} | {t.text.lower() for t in queries_of_with(tokens)}
    for named in named_in(tokens):
        if named.call and len(named.parts) == 1 and (code := coded.get(named.parts[0])) is not None:
            cause = f"`{code.name.text}` is written in {code.language.text}, and a function in SQL calls none that is"
            raise Problem(named.span, cause, "call it in the view, and let this function take its rows as a TABLE")
        if named.in_from and not named.call and len(named.parts) == 1 and named.parts[0] not in known:
            cause = f"`{named.span.text}` is no parameter of `{statement.name.text}`, nor a query of its WITH"
            raise Problem(named.span, cause, "name a table in full, as in lake.ops.flights, or take it as a TABLE")


def _in_a_circle(functions: dict[str, CreateFunction], problems: list[Diagnostic]) -> Iterator[str]:
    """The functions of which one calls the other; what is wrong with them is added to `problems`."""
    left = dict(functions)
    while True:
        calls = {name: _called_by(one, left) for name, one in left.items()}
        try:
            TopologicalSorter(calls).prepare()
            return
        except CycleError as error:
            circle: list[str] = list(reversed(error.args[1]))  # each calls the next one
        start = circle.index(min(circle))
        circle = [*circle[start:-1], *circle[:start], circle[start]]
        first = left[circle[0]]
        cause = (
            f"functions call each other in a circle: {' calls '.join(circle)}" if len(circle) > 2 else f"`{circle[0]}` calls itself"
        )
        problems.append(first.name.span.diagnostic(cause, "a function is put in place of its calls, so it cannot come to itself"))
        yield from circle[:-1]
        for name in circle[:-1]:
            left.pop(name, None)


def _called_by(function: CreateFunction, among: dict[str, CreateFunction]) -> set[str]:
    named = (one for one in named_in(tokens_of(function.query)) if one.call and len(one.parts) == 1)
    return {one.parts[0] for one in named if one.parts[0] in among}


def check_uncalled(names: Names, problems: list[Diagnostic]) -> None:
    """Adds what the text of functions tells that no statement calls, as a query of the program's first warehouse."""
    for name, code in names.coded.items():
        if name not in names.called:
            problems += _of_types(code, names)
    for name, function in names.functions.items():
        if name in names.called:
            continue
        for warehouse in [*names.warehouses.values()][:1]:
            try:
                dialect = names.organizer(warehouse, None, function.name.span).capabilities.dialect
                for parameter in function.parameters:
                    if parameter.type is not None:
                        declared_type(parameter.type, dialect)
                engine = as_warehouse(dialect)
                query: WarehouseQuery = engine.read(unbound(function, names, dialect))
                problems += engine.mistakes(query)
            except Problem as problem:
                problems += problem.diagnostics
            except Undeclared:
                pass


def _of_types(code: CreateCoded, names: Names) -> list[Diagnostic]:
    """What is wrong with the types of a function's columns, for the first slice that would run it."""
    runs = next(slice_ for slice_ in names.slices.values() if code.language.folded in slice_.functions)
    try:
        with Gathering() as gathering:
            for column in (*code.takes, *code.returns):
                gathering(declared_type, column.type, runs.capabilities.dialect)
    except Problem as problem:
        return problem.diagnostics
    return []
