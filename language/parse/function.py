"""CREATE FUNCTION, behind its name: parameters, what it returns, in what it is written, and its query."""

from __future__ import annotations

from language.forms.syntax import CreateFunction, Parameter, Part
from language.parse.behind import check_behind
from language.parse.clauses import ClauseParser
from language.parse.token_reader import TokenReader
from language.text.diagnostics import Problem, Span

_FUNCTION = "write CREATE FUNCTION name (most INTEGER, flights TABLE) RETURNS TABLE USING sql AS SELECT …"
_PARAMETER = "a parameter is a name and its type, as in most INTEGER, or a table, as in flights TABLE (carrier, dep_delay)"


def function(reader: TokenReader, name: Part) -> CreateFunction:
    """The function whose name was read last. Raises Problem."""
    parameters = _parameters(reader)
    reader.expect_word("RETURNS", _FUNCTION)
    returned = reader.next("`TABLE`", _FUNCTION)
    if not returned.is_word("TABLE"):
        remedy = "write RETURNS TABLE; what gives one value is an expression of the query, or a table of one row"
        raise Problem(returned.span, f"a function returns a table, and not `{returned.span.text}`", remedy)
    listed = reader.balanced(_FUNCTION) if (coming := reader.peek()) is not None and coming.is_symbol("(") else None
    reader.expect_word("USING", _FUNCTION)
    written = reader.next("`sql`", _FUNCTION)
    if not written.is_word("SQL"):
        remedy = "write USING sql; what SQL cannot say is computed outside, and collected"
        raise Problem(written.span, f"functions are not written in `{written.span.text}` here", remedy)
    if listed is not None:
        raise Problem(listed, "a function in SQL returns its query's columns", "leave the list out: write RETURNS TABLE USING sql")
    begin = reader.expect_word("AS", _FUNCTION)
    query = reader.rest("a query", "write a SELECT after AS")
    check_behind(query, reader.tokens, lambda of: ClauseParser(of, "view", tables=True).reads_one())
    return CreateFunction(name, parameters, query, begin.span.to(query), reader.whole)


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


def _parameter(reader: TokenReader) -> Parameter:
    name = reader.part("a parameter's name", _PARAMETER)
    if reader.take_word("TABLE"):
        listed = reader.peek()
        columns = reader.parts("a column", _PARAMETER) if listed is not None and listed.is_symbol("(") else ()
        return Parameter(name, None, columns)
    return Parameter(name, _type(reader, name))


def _type(reader: TokenReader, name: Part) -> Span:
    """The words up to the next `,` or `)` that closes no parenthesis of theirs."""
    first, depth = reader.peek(), 0
    while (token := reader.peek()) is not None and not (depth == 0 and (token.is_symbol(",") or token.is_symbol(")"))):
        depth += token.is_symbol("(") - token.is_symbol(")")
        reader.next("a type", _PARAMETER)
    if first is None or reader.last_span == name.span:
        raise Problem(name.span, f"the parameter `{name.text}` has no type", _PARAMETER)
    found = first.span.to(reader.last_span)
    if "--" in found.text or "/*" in found.text:
        raise Problem(found, "a comment stands within a type", "write it before the parameter")
    return found
