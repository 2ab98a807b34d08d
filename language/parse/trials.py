"""Tokens to tests: `TEST name OF view GIVEN … EXPECT …;`, as `atoll test` runs them."""

from __future__ import annotations

from language.forms.syntax import Name, Part
from language.forms.trials import GivenTable, Rows, RowsKind, Trial
from language.parse.token_reader import TokenReader
from language.text.diagnostics import Diagnostic, Problem, SourceText, Span
from language.text.tokens import Chunk, Kind, split_statements, tokenize

_TEST = "write TEST name OF warehouse.schema.view GIVEN dataset CSV $$…$$ EXPECT CSV $$…$$;"
_ROWS = "rows are CSV $$…$$, CSV FROM 'file.csv', a query in parentheses, or NO ROWS"
_EXPECT = "write EXPECT and rows, or EXPECT name FAILS for an expectation of the view"
_DOLLARS = "$$"


def parse_trials(source: SourceText) -> tuple[list[Trial], list[Diagnostic]]:
    """A file's tests, and what is wrong in those that cannot be read."""
    found, problems, names = list[Trial](), list[Diagnostic](), dict[str, Span]()
    try:
        chunks = split_statements(tokenize(source))
    except Problem as problem:
        return found, problem.diagnostics
    for chunk in chunks:
        try:
            trial = _trial(TokenReader(chunk))
            _check_end(chunk)
            if (twin := names.setdefault(trial.name.folded, trial.name.span)) is not trial.name.span:
                cause = f"the test `{trial.name.text}` is there twice, first at {twin.position}"
                raise Problem(trial.name.span, cause, "rename one of them")
            found.append(trial)
        except Problem as problem:
            problems += problem.diagnostics
    return found, problems


def _check_end(chunk: Chunk) -> None:
    if chunk.end is None:
        last = chunk.tokens.last.span
        raise Problem(Span(last.source, last.end, last.end + 1), "this test does not end", "write `;` here")


def _trial(reader: TokenReader) -> Trial:
    reader.expect_word("TEST", _TEST)
    name = reader.part("a name", _TEST)
    reader.expect_word("OF", _TEST)
    target = reader.name("a view, or a call of a function", _TEST)
    call = _call(reader, target)
    moment = None
    if reader.take_word("AT"):
        token = reader.next("a moment", "as in AT '2026-01-01T00:00:00Z'")
        moment = token.text, token.span
    given, expected, fails = list[GivenTable](), list[Rows](), list[Part]()
    while (coming := reader.peek()) is not None:
        if reader.take_word("GIVEN"):
            given.append(_given(reader, given))
        elif reader.take_word("EXPECT"):
            _expect(reader, expected, fails)
        else:
            raise Problem(coming.span, f"`{coming.span.text}` is no part of a test", f"GIVEN or EXPECT begins the next; {_TEST}")
    if not expected and not fails:
        raise Problem(name.span, "this test expects nothing", _EXPECT)
    return Trial(name, target, call, moment, tuple(given), expected[0] if expected else None, tuple(fails), reader.whole)


def _call(reader: TokenReader, target: Name) -> Span | None:
    """The call that a name begins; None where it is a name alone."""
    opening = reader.take_symbol("(")
    if opening is None:
        return None
    depth = 1
    while depth:
        token = reader.next("`)`", "close the parenthesis")
        depth += token.is_symbol("(") - token.is_symbol(")")
    return target.span.to(reader.last_span)


def _given(reader: TokenReader, others: list[GivenTable]) -> GivenTable:
    dataset = reader.name("a dataset", _TEST)
    if twin := next((one for one in others if one.dataset.folded == dataset.folded), None):
        raise Problem(dataset.span, f"`{dataset.dotted}` is given twice, first at {twin.dataset.span.position}", "keep one of them")
    return GivenTable(dataset, _rows(reader))


def _expect(reader: TokenReader, expected: list[Rows], fails: list[Part]) -> None:
    coming = reader.peek()
    if coming is not None and (coming.is_word("CSV", "NO") or coming.is_symbol("(")):
        if expected:
            raise Problem(coming.span, f"rows are expected twice, first at {expected[0].span.position}", "keep one of them")
        expected.append(_rows(reader))
        return
    fails.append(reader.part("rows, or an expectation's name", _EXPECT))
    reader.expect_word("FAILS", _EXPECT)


def _rows(reader: TokenReader) -> Rows:
    coming = reader.peek()
    if coming is not None and coming.is_symbol("("):
        query = reader.balanced(_ROWS)
        return Rows(RowsKind.QUERY, query, query.text)
    if no := reader.take_word("NO"):
        end = reader.expect_word("ROWS", _ROWS)
        return Rows(RowsKind.NONE, no.span.to(end.span))
    reader.expect_word("CSV", _ROWS)
    if reader.take_word("FROM"):
        token = reader.next("a file", _ROWS)
        if token.kind is not Kind.STRING:
            raise Problem(token.span, f"`{token.span.text}` names no file", "write CSV FROM 'flights.csv', beside this file")
        return Rows(RowsKind.FILE, token.span, token.text)
    token = reader.next("rows", _ROWS)
    text, span = token.span.text, token.span
    if text.startswith(_DOLLARS) and text.endswith(_DOLLARS) and len(text) >= 2 * len(_DOLLARS):
        inner = Span(span.source, span.start + len(_DOLLARS), span.end - len(_DOLLARS))
        return Rows(RowsKind.CSV, inner, inner.text)
    if token.kind is Kind.STRING:
        inner = Span(span.source, span.start + 1, span.end - 1)
        return Rows(RowsKind.CSV, inner, inner.text)
    raise Problem(span, f"`{text}` are no rows", _ROWS)
