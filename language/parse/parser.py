"""Tokens to the syntax form: a small recursive-descent parser of Atoll's clauses; queries are cut out verbatim."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import islice

from language.cache.statements import Memo
from language.cache.workers import ALONE, Crew
from language.forms.syntax import (
    CreateCoded,
    CreateConnection,
    CreateFunction,
    CreateView,
    CreateWarehouse,
    Insert,
    Name,
    Option,
    OptionValue,
    Part,
    Statement,
    Syntax,
)
from language.parse.clauses import ClauseParser
from language.parse.elsewhere import refuse_condition, refuse_insert, unknown_kind, unknown_statement
from language.parse.function import function
from language.parse.token_reader import RESERVED, TokenReader
from language.text.characters import odd_characters
from language.text.diagnostics import Diagnostic, Gathering, Problem, SourceText, Span
from language.text.nesting import check_nesting
from language.text.statement_texts import StatementText, chunks_of, statement_texts
from language.text.tokens import Chunk, Kind, split_statements, tokenize

_IF = ("IF", "NOT", "EXISTS")
MOST_ODD = 20  # characters that no SQL has, of which each is told


def parse(sources: list[SourceText], memo: Memo | None = None, crew: Crew = ALONE) -> tuple[Syntax, list[Diagnostic]]:
    """Every file's statements, and what is wrong in those that could not be read; what `memo` knows is not read again."""
    syntax, problems = Syntax(), list[Diagnostic]()
    for read, wrong in crew.each(range(len(sources)), lambda number: _parse_file(sources[number], memo)):
        syntax.statements += read.statements
        syntax.broken += read.broken
        problems += wrong
    return syntax, problems


def _parse_file(source: SourceText, memo: Memo | None) -> tuple[Syntax, list[Diagnostic]]:
    syntax, problems = Syntax(), list[Diagnostic]()
    if not source.text.isascii() and (odd := list(islice(odd_characters(source.text), MOST_ODD))):
        return syntax, [Span(source, start, end).diagnostic(cause, remedy) for start, end, cause, remedy in odd]
    if memo is not None and _parse_texts(source, memo, syntax, problems):
        return syntax, problems
    try:
        chunks = split_statements(tokenize(source))
    except Problem as problem:
        return syntax, problem.diagnostics
    for chunk in chunks:
        _parse_chunk(chunk, syntax, problems)
    return syntax, problems


def _parse_texts(source: SourceText, memo: Memo, syntax: Syntax, problems: list[Diagnostic]) -> bool:
    """Parses a file statement by statement; False where it cannot be cut into them."""
    found: list[tuple[StatementText, Statement | list[Chunk]]] = []
    for text in statement_texts(source):
        read = memo.statement(text) or chunks_of(text)
        if read is None:
            return False
        found.append((text, read))
    for text, read in found:
        if not isinstance(read, list):
            syntax.statements.append(read)
            continue
        before = len(problems)
        for chunk in read:
            _parse_chunk(chunk, syntax, problems)
        if len(read) == 1 and len(problems) == before:
            memo.keep_statement(text, syntax.statements[-1])
    return True


def _parse_chunk(chunk: Chunk, syntax: Syntax, problems: list[Diagnostic]) -> None:
    parser = StatementParser(TokenReader(chunk))
    try:
        statement = parser.statement()
        check_nesting(chunk)
        syntax.statements.append(statement)
    except Problem as problem:
        problems += problem.diagnostics
        if parser.target is not None:
            syntax.broken.append(parser.target)
        return
    if chunk.end is None:
        last = chunk.tokens.last.span
        after = Span(last.source, last.end, last.end + 1)
        problems.append(after.diagnostic("this statement does not end", "write `;` here"))


class StatementParser:
    """Parses one statement; `target` is its name as soon as that is known."""

    def __init__(self, reader: TokenReader) -> None:
        self.reader = reader
        self.target: Name | None = None

    def statement(self) -> Statement:
        if self.reader.take_word("INSERT"):
            return self._insert()
        if self.reader.take_word("CREATE"):
            return self._create()
        token = self.reader.peek()
        assert token is not None  # a chunk has at least one token
        raise unknown_statement(token)

    def _create(self) -> Statement:
        kinds: dict[str, Callable[[], Statement]] = {
            "WAREHOUSE": self._warehouse,
            "CONNECTION": self._connection,
            "MATERIALIZED": self._view,
            "VIEW": self._plain_view,
            "FUNCTION": self._function,
        }
        with Gathering() as gathering:
            gathering(refuse_condition, self.reader, "OR", "REPLACE")
            token = self.reader.next("WAREHOUSE, CONNECTION or MATERIALIZED VIEW", "say what to create")
            kind = kinds.get(token.text.upper()) if token.kind is Kind.WORD else None
            if kind is None:
                self._look_for_target()
                raise unknown_kind(token, kinds)
            return kind()

    def _look_for_target(self) -> None:
        """Takes the first name of several parts for the target of a statement that is none, so that its readers are not blamed."""
        while (
            (coming := self.reader.peek()) is not None and coming.kind in (Kind.WORD, Kind.QUOTED) and not coming.is_word(*RESERVED)
        ):
            name = self.reader.name("a name", "")
            if len(name.parts) > 1:
                self.target = name
                return

    def _warehouse(self) -> CreateWarehouse:
        return CreateWarehouse(*self._endpoint("USING", "CREATE WAREHOUSE lake USING iceberg;"))

    def _connection(self) -> CreateConnection:
        return CreateConnection(*self._endpoint("TO", "CREATE CONNECTION crm TO salesforce WITH (secret = 'crm');"))

    def _endpoint(self, link: str, example: str) -> tuple[Part, Part, tuple[Option, ...], Span]:
        with Gathering() as gathering:
            gathering(refuse_condition, self.reader, *_IF)
            name = self.reader.part("a name", f"as in {example}")
            self.target = Name((name,))
            self.reader.expect_word(link, f"as in {example}")
            system = self.reader.part("a system", f"as in {example}")
            options = self._options() if self.reader.take_word("WITH") else ()
            self.reader.expect_end(f"as in {example}")
        return name, system, options, self.reader.whole

    def _options(self) -> tuple[Option, ...]:
        options: dict[str, Option] = {}
        remedy = "options are written WITH (key = 'value', other = 3, flag = TRUE)"
        items = self.reader.parenthesised(lambda: self.reader.part("an option's name", remedy), self._option_value, remedy)
        for part, (value, span) in items:
            if part.folded in options:
                raise Problem(part.span, f"the option `{part.folded}` is given twice", "remove one of them")
            options[part.folded] = Option(part.folded, value, part.span, span)
        return tuple(options.values())

    def _option_value(self) -> tuple[OptionValue, Span]:
        remedy = "a value is a quoted string, a number, TRUE or FALSE"
        self.reader.expect_symbol("=", "options are written key = 'value'")
        minus = self.reader.take_symbol("-")
        token = self.reader.next("a value", remedy)
        if token.kind is Kind.NUMBER and (number := _number(token.text)) is not None:
            return (-number, minus.span.to(token.span)) if minus else (number, token.span)
        if minus is None and token.kind is Kind.STRING:
            return token.text, token.span
        if minus is None and token.is_word("TRUE", "FALSE"):
            return token.is_word("TRUE"), token.span
        raise Problem(token.span, f"`{token.span.text}` is not an option's value", remedy)

    def _insert(self) -> Insert:
        refuse_insert(self.reader)
        self.reader.expect_word("INTO", "as in INSERT INTO lake.crm FROM crm TABLES (Account) EVERY '1 hour';")
        self.target = self.reader.name("a target", "name what to insert into, as in INSERT INTO lake.crm")
        clauses = ClauseParser(self.reader, "INSERT", tables=True).clauses()
        return Insert(self.target, clauses, self.reader.whole)

    def _view(self) -> CreateView:
        self.reader.expect_word("VIEW", "write CREATE MATERIALIZED VIEW")
        with Gathering() as gathering:
            gathering(refuse_condition, self.reader, *_IF)
            self.target = self.reader.name("a name", "name the view, as in CREATE MATERIALIZED VIEW lake.ops.carrier_day")
            clauses = ClauseParser(self.reader, "view", tables=False).clauses()
        return CreateView(self.target, clauses, self.reader.whole)

    def _plain_view(self) -> Statement:
        before = self.reader.last_span
        self.target = self.reader.name("a name", "name the view")
        raise Problem(before, "a view must be materialized", "write CREATE MATERIALIZED VIEW")

    def _function(self) -> CreateFunction | CreateCoded:
        with Gathering() as gathering:
            gathering(refuse_condition, self.reader, *_IF)
            name = self.reader.part("a name", "name the function, as in CREATE FUNCTION top (flights TABLE, most INTEGER)")
            self.target = Name((name,))
            return function(self.reader, name, self._options)


def _number(text: str) -> int | float | None:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
