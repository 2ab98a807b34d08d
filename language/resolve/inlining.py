"""Calls of functions in a query become what they stand for: each function's query, with the call's arguments in it.

It is done on the text, by tokens, whatever the dialect: what follows sees plain SQL, so dependencies, types and lineage are exact,
and each place of it still knows where it was written. No name means another thing by being moved: a value names no column, a function
names only its parameters, queries of its own WITH and tables in full, and no argument a query of WITH that the function has too.
A call of a function in code becomes a table of its own name, and what that is given a query of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from language.forms.syntax import CreateCoded, CreateFunction, Parameter
from language.resolve.arguments import cast, value
from language.resolve.called_in import tokens_of
from language.resolve.names import Names, Undeclared
from language.sql.from_words import Named, arguments, has_alias, named_in, orders, queries_of_with
from language.text.diagnostics import Problem, Span
from language.text.inlined import Inlined, Pieces, inlined
from language.text.nesting import check_nesting
from language.text.tokens import Chunk, Kind, Token, tokenize

MOST_CALLS = 500  # that one query may come to
LONGEST = 1_000_000  # characters of a query with its calls in it
RESULTS = "results-of-functions"  # a schema of no program, in which queries find what functions in code have given
_TOO_LARGE = "make a materialized view of a part of it"
Edit = tuple[Span, Pieces]


class Given(NamedTuple):
    """What stands for a table parameter.  free: the names in FROM, of one part, that mean something where the call stands."""

    pieces: Pieces
    free: frozenset[str] = frozenset()


class Called(NamedTuple):
    """A call of a function in code.  table: the dataset that stands in its place.  text: the query of the rows that it is given."""

    table: str
    function: CreateCoded
    text: Inlined


@dataclass(frozen=True)
class Scope:
    """What the names of a function's parameters stand for at a call; of a statement's own query nothing.

    called: through which calls it came to this.
    """

    values: Mapping[str, Pieces] = field(default_factory=dict)
    tables: Mapping[str, Given] = field(default_factory=dict)
    called: str = ""


NOWHERE = Scope()


def inlined_query(query: Span, names: Names, dialect: str, warehouse: str) -> tuple[Span, tuple[Called, ...]]:
    """The query with its calls of functions inlined, and its calls of code; itself where it has none. Raises Problem, or Undeclared.

    warehouse: in which it runs.
    """
    lower = query.text.lower()
    if not any(name in lower for name in (*names.functions, *names.coded)) and not any(name[0] in lower for name in names.broken):
        return query, ()
    inlining = _Inlining(names, dialect, warehouse)
    text, _ = inlining.text(query, NOWHERE)
    if not text.parts:
        return query, ()
    check_nesting(Chunk(tokenize(text), None))
    return text.span, tuple(inlining.coded)


def unbound(function: CreateFunction, names: Names, dialect: str) -> Span:
    """The query of a function that nothing calls: its values are NULLs of their types, its tables are left as they are named."""
    values: dict[str, Pieces] = {p.name.folded: cast("NULL", p.type) for p in function.parameters if p.type is not None}
    return _Inlining(names, dialect).text(function.query, Scope(values))[0].span


class _Inlining:
    """Works on one statement's query."""

    def __init__(self, names: Names, dialect: str, warehouse: str = "") -> None:
        self._names, self._dialect, self._warehouse, self._calls = names, dialect, warehouse, 0
        self.coded: list[Called] = []

    def text(self, span: Span, scope: Scope) -> tuple[Inlined, frozenset[str]]:
        """The text at `span` with its calls and the scope's parameters inlined, and the names in FROM that are neither."""
        tokens, edits, free = tokens_of(span), list[Edit](), set[str]()
        done = -1
        for named in named_in(tokens):
            if named.first <= done:
                continue
            name = named.parts[0] if len(named.parts) == 1 else ""
            if named.call and self._is_function(name):
                given, done = self._call(named, tokens, scope)
                place, ends = named.span.to(tokens[done].span), done + 1
            elif named.in_from and not named.call and name in scope.tables:
                given, place, ends, done = scope.tables[name], named.span, named.last + 1, named.last
            else:
                free |= {name} if named.in_from and not named.call and name else set()
                if named.in_from and name in scope.values:
                    raise Problem(named.span, f"`{name}` is a value, and FROM takes a table", "declare it as a TABLE")
                continue
            free |= given.free
            alias = () if has_alias(tokens, ends) else (f" AS {named.span.text}",)
            select = tuple[str, ...]()
            if named.first and (before := tokens[named.first - 1]).is_word("TABLE"):  # TABLE t is SELECT * FROM t
                place, select = before.span.to(place), ("SELECT * FROM ",)
            edits.append((place, (*select, *given.pieces, *alias)))
        edits += [*_of_values(tokens, scope.values, edits)]
        made = inlined(span, edits, scope.called)
        if len(made.text) > LONGEST:
            raise Problem(span, f"with its calls inlined this has more than {LONGEST:,} characters", _TOO_LARGE)
        return made, frozenset(free)

    def _is_function(self, name: str) -> bool:
        if (name,) in self._names.broken and name not in self._names.warehouses and name not in self._names.connections:
            raise Undeclared
        return name in self._names.functions or name in self._names.coded

    def _function(self, name: str) -> CreateFunction | CreateCoded:
        self._names.called.add(name)
        return self._names.functions.get(name) or self._names.coded[name]

    def _call(self, named: Named, tokens: Sequence[Token], scope: Scope) -> tuple[Given, int]:
        """What a call stands for, and the number of its last token."""
        function = self._function(named.parts[0])
        self._calls += 1
        if self._calls > MOST_CALLS:
            raise Problem(named.span, f"this query comes to more than {MOST_CALLS} calls of functions", _TOO_LARGE)
        if not named.in_from:
            remedy = (
                f"write FROM {function.called}; where something else is meant, rename the function at {function.name.span.position}"
            )
            raise Problem(named.span, f"`{named.span.text}` gives a table, which stands in FROM", remedy)
        found = arguments(tokens, named.last + 1)
        if found is None:
            raise Problem(named.span, f"the call of `{named.span.text}` does not end", "close it with `)`")
        given, last = found
        if isinstance(function, CreateCoded):
            return self._coded(function, named, tokens, found, scope), last
        if len(given) != len(function.parameters):
            cause = f"`{function.name.text}` takes {_counted(len(function.parameters))}, and {len(given) or 'none'} stand here"
            raise Problem(named.span.to(tokens[last].span), cause, f"write {function.called}")
        own = {token.text.lower() for token in queries_of_with(tokens_of(function.query))}
        place = f"{named.span.position}{f' ({scope.called})' if scope.called else ''}"
        values, tables, free = dict[str, Pieces](), dict[str, Given](), frozenset[str]()
        for parameter, (begin, end) in zip(function.parameters, given, strict=True):
            if begin == end:
                raise Problem(named.span, f"an argument of `{named.span.text}` is missing", f"write {function.called}")
            if parameter.type is not None:
                span = tokens[begin].span.to(tokens[end - 1].span)
                text, _ = self.text(span, scope)
                values[parameter.name.folded] = value(text, tokens[begin:end], parameter, function, self._dialect)
                continue
            table = self._table(tokens[begin:end], f"`{parameter.name.text}` of `{function.name.text}`", scope)
            if met := sorted(own & table.free):
                place_of = tokens[begin].span.to(tokens[end - 1].span)
                cause = f"`{met[0]}` is a query of WITH here, and another one within `{function.name.text}`"
                raise Problem(place_of, cause, f"rename one of them; the function is at {function.name.span.position}")
            tables[parameter.name.folded] = Given(_seen(table.pieces, parameter, place), table.free)
            free |= table.free
        body, _ = self.text(function.query, Scope(values, tables, place))
        return Given(("(", replace(body, body=True), ")"), free), last

    def _coded(
        self, function: CreateCoded, named: Named, tokens: Sequence[Token], found: tuple[list[tuple[int, int]], int], scope: Scope
    ) -> Given:
        """The table that stands for what a function in code gives; what it is given becomes a query of its own."""
        given, last = found
        place = named.span.to(tokens[last].span)
        if len(given) != 1 or given[0][0] == given[0][1]:
            cause = f"`{function.name.text}` takes one table, and {len(given) if len(given) > 1 else 'none'} stand here"
            raise Problem(place, cause, f"write {function.called}")
        argument = tokens[given[0][0] : given[0][1]]
        table = self._table(argument, f"what `{function.name.text}` is given", scope)
        if table.free:
            cause = f"`{min(table.free)}` means nothing by itself, and what `{function.name.text}` is given is computed by itself"
            raise Problem(argument[0].span.to(argument[-1].span), cause, "write that query of WITH within the call's parentheses")
        at = f"{named.span.position}{f' ({scope.called})' if scope.called else ''}"
        columns = (piece for column in function.takes for piece in (", ", inlined(column.name.span, (), at)))
        pieces: Pieces = ("SELECT ", *[*columns][1:], " FROM ", *table.pieces, f" AS {function.name.folded}")
        name = f"{function.name.folded}-{len(self.coded) + 1}"
        self.coded.append(Called(f"{self._warehouse}.{RESULTS}.{name}", function, inlined(place, [(place, pieces)], scope.called)))
        return Given((f'{self._warehouse}."{RESULTS}"."{name}"',))

    def _table(self, tokens: Sequence[Token], what: str, scope: Scope) -> Given:
        """What an argument stands for that is a table's name, a call, or a query in parentheses.  what: as an error names it."""
        span = tokens[0].span.to(tokens[-1].span)
        if tokens[0].is_symbol("(") and (listed := arguments(tokens, 0)) is not None and listed[1] == len(tokens) - 1:
            text, free = self.text(span, scope)
            return Given((replace(text, body=True),), free)
        words = [token.kind in (Kind.WORD, Kind.QUOTED) for token in tokens[::2]]
        if len(tokens) % 2 and all(words) and all(token.is_symbol(".") for token in tokens[1::2]):
            name = tokens[0].text.lower()
            if len(tokens) == 1 and name in scope.tables:
                return scope.tables[name]
            return Given((inlined(span, (), scope.called),), frozenset({name} if len(tokens) == 1 else ()))
        named = Named((tokens[0].text.lower(),), tokens[0].span, 0, 0, True, True)
        if len(tokens) > 1 and tokens[1].is_symbol("(") and self._is_function(named.parts[0]):
            given, last = self._call(named, tokens, scope)
            if last == len(tokens) - 1:
                return given
        raise Problem(
            span,
            f"{what} is a table, and this is none",
            "name a table, as in lake.ops.flights, or write a query in parentheses: (SELECT …)",
        )


def _seen(pieces: Pieces, parameter: Parameter, called: str) -> Pieces:
    """A table as the function sees it: of its columns those that the parameter has."""
    if not parameter.columns:
        return pieces
    columns = parameter.columns[0].span.to(parameter.columns[-1].span)
    return ("(SELECT ", inlined(columns, (), called), " FROM ", *pieces, f" AS {parameter.name.span.text})")


def _of_values(tokens: Sequence[Token], values: Mapping[str, Pieces], done: Sequence[Edit]) -> list[Edit]:
    """Each place that names a value: a word by itself, behind no AS and no dot. Raises Problem."""
    found = list[Edit]()
    for number, token in enumerate(tokens) if values else ():
        if token.kind is not Kind.WORD or token.text.lower() not in values:
            continue
        before = tokens[number - 1] if number else None
        after = tokens[number + 1] if number + 1 < len(tokens) else None
        if before is not None and (before.is_symbol(".") or before.is_word("AS")):
            continue
        if after is not None and (after.is_symbol(".") or after.is_symbol("(")):
            continue
        if any(place.start <= token.span.start < place.end for place, _ in done):
            continue
        if orders(tokens, number):
            cause = f"`{token.text}` is one value, by which rows are neither ordered nor grouped"
            raise Problem(token.span, cause, f'name a column; one that is called so is written "{token.text}", or with its table')
        found.append((token.span, values[token.text.lower()]))
    return found


def _counted(count: int) -> str:
    return f"{count or 'no'} argument{'' if count == 1 else 's'}"
