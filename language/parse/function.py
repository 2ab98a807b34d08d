"""CREATE FUNCTION, behind its name: parameters, what it returns, in what it is written, and its query or where its code is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from language.forms.syntax import CreateCoded, CreateFunction, DeclaredColumn, Option, Parameter, Part
from language.parse.behind import check_behind
from language.parse.clauses import ClauseParser
from language.parse.token_reader import TokenReader
from language.text.diagnostics import Problem, Span
from language.text.tokens import Chunk, tokenize

_FUNCTION = "write CREATE FUNCTION name (most INTEGER, flights TABLE) RETURNS TABLE USING sql AS SELECT …"
_PARAMETER = "a parameter is a name and its type, as in most INTEGER, or a table, as in flights TABLE (carrier, dep_delay)"
_CODED = "write CREATE FUNCTION name (carrier VARCHAR, delay DOUBLE) RETURNS TABLE (carrier VARCHAR, risk DOUBLE) USING {0} WITH (…)"
_NOT_NULL = re.compile(r"\s+NOT\s+NULL$", re.IGNORECASE)
_COLUMN = "a column is a name and its type, as in carrier VARCHAR, or risk DOUBLE NOT NULL"
Options = Callable[[], tuple[Option, ...]]


def function(reader: TokenReader, name: Part, options: Options) -> CreateFunction | CreateCoded:
    """The function whose name was read last. Raises Problem.  options: reads those in parentheses."""
    parameters = _parameters(reader)
    reader.expect_word("RETURNS", _FUNCTION)
    returned = reader.next("`TABLE`", _FUNCTION)
    if not returned.is_word("TABLE"):
        remedy = "write RETURNS TABLE; what gives one value is an expression of the query, or a table of one row"
        raise Problem(returned.span, f"a function returns a table, and not `{returned.span.text}`", remedy)
    listed = reader.balanced(_FUNCTION) if (coming := reader.peek()) is not None and coming.is_symbol("(") else None
    reader.expect_word("USING", _FUNCTION)
    if reader.take_word("SQL") is None:
        return _coded(reader, name, parameters, listed, reader.part("`sql`, or what else it is written in", _FUNCTION), options)
    if listed is not None:
        raise Problem(listed, "a function in SQL returns its query's columns", "leave the list out: write RETURNS TABLE USING sql")
    begin = reader.expect_word("AS", _FUNCTION)
    query = reader.rest("a query", "write a SELECT after AS")
    check_behind(query, reader.tokens, lambda of: ClauseParser(of, "view", tables=True).reads_one())
    return CreateFunction(name, parameters, query, begin.span.to(query), reader.whole)


def _coded(
    reader: TokenReader, name: Part, takes: tuple[Parameter, ...], listed: Span | None, language: Part, options: Options
) -> CreateCoded:
    remedy = _CODED.format(language.text)
    if listed is None:
        raise Problem(language.span, f"a function in {language.text} says which columns it returns", remedy)
    given = tuple(_given(parameter, language) for parameter in takes)
    if not given:
        raise Problem(name.span, f"`{name.text}` takes no column, and a function in {language.text} is given rows", remedy)
    returned = tuple(_column(one) for one in _listed(TokenReader(Chunk(tokenize(listed.source, listed.start, listed.end), None))))
    found = options() if reader.take_word("WITH") else ()
    if (begin := reader.take_word("AS")) is not None:
        raise Problem(begin.span, f"a function in {language.text} has no query", "leave it out: WITH (…) says where its code is")
    reader.expect_end(remedy)
    return CreateCoded(name, given, returned, language, found, reader.whole)


def _given(parameter: Parameter, language: Part) -> DeclaredColumn:
    if parameter.type is None:
        remedy = "name the columns of its rows themselves, each with its type, as in (carrier VARCHAR, delay DOUBLE)"
        raise Problem(parameter.name.span, f"a function in {language.text} takes one table, and no word TABLE", remedy)
    found = _column(parameter)
    if found.required:
        raise Problem(parameter.type, "what a function is given may be null", "leave NOT NULL out; filter the rows in the call")
    return found


def _listed(reader: TokenReader) -> Iterator[Parameter]:
    """Names, each with its type, up to the end."""
    while True:
        one = _parameter(reader, "column", _COLUMN)
        if one.type is None:
            raise Problem(one.name.span, f"`{one.name.text}` is a column, and has no column's type", _COLUMN)
        yield one
        if reader.peek() is None:
            return
        reader.expect_symbol(",", _COLUMN)


def _column(parameter: Parameter) -> DeclaredColumn:
    """The column of a name and the words of its type, of which the last may be NOT NULL."""
    assert parameter.type is not None
    words = parameter.type
    found = _NOT_NULL.search(words.text)
    if found is None:
        return DeclaredColumn(parameter.name, words)
    return DeclaredColumn(parameter.name, Span(words.source, words.start, words.start + found.start()), required=True)


def _parameters(reader: TokenReader) -> tuple[Parameter, ...]:
    reader.expect_symbol("(", _FUNCTION)
    found = list[Parameter]()
    if reader.take_symbol(")"):
        return ()
    while True:
        found.append(_parameter(reader))
        token = reader.next("`,` or `)`", "close the list with `)`")
        if token.is_symbol(")"):
            return tuple(found)
        if not token.is_symbol(","):
            raise Problem(token.span, f"`,` or `)` should stand here, not `{token.span.text}`", _PARAMETER)


def _parameter(reader: TokenReader, what: str = "parameter", remedy: str = _PARAMETER) -> Parameter:
    name = reader.part(f"a {what}'s name", remedy)
    if reader.take_word("TABLE"):
        listed = reader.peek()
        columns = reader.parts("a column", _PARAMETER) if listed is not None and listed.is_symbol("(") else ()
        return Parameter(name, None, columns)
    return Parameter(name, _type(reader, name, what, remedy))


def _type(reader: TokenReader, name: Part, what: str, remedy: str) -> Span:
    """The words up to the next `,` or `)` that closes no parenthesis of theirs."""
    first, depth = reader.peek(), 0
    while (token := reader.peek()) is not None and not (depth == 0 and (token.is_symbol(",") or token.is_symbol(")"))):
        depth += token.is_symbol("(") - token.is_symbol(")")
        reader.next("a type", remedy)
    if first is None or reader.last_span == name.span:
        raise Problem(name.span, f"the {what} `{name.text}` has no type", remedy)
    found = first.span.to(reader.last_span)
    if "--" in found.text or "/*" in found.text:
        raise Problem(found, "a comment stands within a type", f"write it before the {what}")
    return found
