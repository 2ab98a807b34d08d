"""The clauses of INSERT and of views, in any order, each once (EXPECT as often as wanted)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from language.forms.durations import duration, interval, spell
from language.forms.syntax import Clauses, CursorClause, Expect, MaskedColumn, ModeClause, TableList, Tolerate, TolerateBadRows
from language.parse.behind import check_behind
from language.parse.elsewhere import TABLES, unknown_clause
from language.parse.token_reader import TokenReader
from language.text.diagnostics import Gathering, Problem, Span, did_you_mean
from language.text.tokens import Kind, Token
from shared_metadata.program import Mask, Mode

ACTIONS = ("WARN", "FAIL", "QUARANTINE")
_EXPECT = "write EXPECT name: (predicate) OR WARN, FAIL or QUARANTINE"
_TOLERATE = "write TOLERATE dataset STALE '1 day'"
_BAD_ROWS = "write TOLERATE 100 BAD ROWS, or TOLERATE 0.1 PERCENT BAD ROWS"
_BEGINNINGS = ("EVERY", "EXPECT", "TOLERATE", "FRESH", "AS", "REPLACE", "APPEND", "MERGE", "PARTITION", "CURSOR", "CAPTURE", "MASK")
_REPEATED = ("expectations", "tolerates")
_MASK = "write MASK (column HASH, other DROP)"
_CURSOR = "name the column that grows with every change, as in CURSOR updated_at"
_MERGE = "name the key, as in MERGE ON (id)"


class ClauseParser:
    """Parses what follows a target; `verb` is 'INSERT' or 'view', for messages."""

    def __init__(self, reader: TokenReader, verb: str, tables: bool) -> None:
        self._reader = reader
        self._verb = verb
        self._expectations: dict[str, Expect] = {}
        self._tolerates: list[Tolerate] = []
        self._bad_rows: TolerateBadRows | None = None
        self._found: dict[str, Any] = {}
        self._spans: dict[str, Span] = {}
        self._readers = _OF_INSERTS if tables else _OF_VIEWS

    @property
    def words(self) -> Collection[str]:
        """Those with which its clauses begin."""
        return self._readers.keys()

    def clauses(self) -> Clauses:
        start = self._reader.last_span
        with Gathering() as gathering:
            while (token := self._reader.peek()) is not None:
                word = self._word_of(token)
                gathering(self._clause, token, word)
                if gathering.diagnostics:
                    self._skip()
            if not gathering.diagnostics:
                self._check_whole(start)
        expectations, tolerates = tuple(self._expectations.values()), tuple(self._tolerates)
        return Clauses(**self._found, expectations=expectations, tolerates=tolerates, bad_rows=self._bad_rows, spans=self._spans)

    def _word_of(self, token: Token) -> str:
        """The word with which a clause begins. Raises Problem where none does."""
        word = token.text.upper() if token.kind is Kind.WORD else ""
        if word not in self._readers:
            raise unknown_clause(self._reader, self._readers, "an INSERT" if self._verb == "INSERT" else "a view")
        return word

    def _skip(self) -> None:
        """Goes on after a clause that cannot be read to what can only be the next one."""
        depth = 0
        while (token := self._reader.peek()) is not None and not (depth <= 0 and token.is_word(*_BEGINNINGS)):
            depth += token.is_symbol("(") - token.is_symbol(")")
            self._reader.next("a clause", "")

    def _clause(self, token: Token, word: str) -> None:
        self._reader.next("a clause", "")
        field, read = self._readers[word]
        if field in self._found:
            first = self._spans[field].position
            what = "a mode" if field == "mode" else f"`{word}`"
            raise Problem(token.span, f"{what} is given twice, first at {first}", "keep one of them")
        value = read(self, token)
        self._spans.setdefault(field, token.span.to(self._reader.last_span))
        if field not in _REPEATED:
            self._found[field] = value

    def _check_whole(self, start: Span) -> None:
        found = self._found
        after = Span(start.source, start.end, start.end + 1)
        if "tables" in found and "query" in found:
            raise Problem(
                self._spans["query"],
                "an INSERT takes either TABLES (…) or a query, not both",
                "make it two statements",
            )
        if "tables" not in found and "query" not in found:
            what = "`AS <query>`, or `FROM <connection> TABLES (…)`" if self._verb == "INSERT" else "`AS <query>`"
            raise Problem(after, f"this {self._verb} has no query", f"end it with {what}")
        if "every" not in found:
            raise Problem(after, f"this {self._verb} does not say how often it runs", "add EVERY, as in EVERY '1 hour'")
        if self._verb == "view" and "mode" not in found:
            raise Problem(
                after,
                "this view does not say how its rows reach the table",
                "add REPLACE (the whole table), APPEND (one batch's rows) or MERGE ON (key)",
            )
        every, fresh = found["every"], found.get("fresh_within")
        if fresh is not None and fresh.seconds < every.seconds:
            raise Problem(
                fresh.span,
                f"it cannot be fresh within {spell(fresh.seconds)} when it runs every {spell(every.seconds)}",
                "allow at least one interval, or run more often",
            )

    def _every(self, _: Token) -> Any:
        return interval(self._reader.next("a duration", "as in EVERY '15 minutes'"))

    def _fresh(self, _: Token) -> Any:
        self._reader.expect_word("WITHIN", "write FRESH WITHIN '26 hours'")
        return duration(self._reader.next("a duration", "as in FRESH WITHIN '26 hours'"))

    def _tolerate(self, token: Token) -> None:
        following = self._reader.peek()
        if following is not None and following.kind is Kind.NUMBER:
            self._tolerate_bad_rows(token, following)
        else:
            self._tolerate_stale(token)

    def _tolerate_bad_rows(self, token: Token, number: Token) -> None:
        self._reader.next("a number", _BAD_ROWS)
        percent = self._reader.take_word("PERCENT") is not None
        self._reader.expect_word("BAD", _BAD_ROWS)
        self._reader.expect_word("ROWS", _BAD_ROWS)
        if self._bad_rows is not None:
            cause = f"`TOLERATE … BAD ROWS` is given twice, first at {self._bad_rows.span.position}"
            raise Problem(token.span.to(self._reader.last_span), cause, "keep one of them")
        _check_number(number, percent)
        self._bad_rows = TolerateBadRows(number.text, percent, token.span.to(self._reader.last_span))

    def _tolerate_stale(self, token: Token) -> None:
        dataset = self._reader.name("an input", _TOLERATE)
        self._reader.expect_word("STALE", _TOLERATE)
        stale = duration(self._reader.next("a duration", _TOLERATE))
        twin = next((t for t in self._tolerates if t.dataset.folded == dataset.folded), None)
        if twin is not None:
            cause = f"TOLERATE names `{dataset.dotted}` twice, first at {twin.dataset.span.position}"
            raise Problem(dataset.span, cause, "keep one of them")
        self._tolerates.append(Tolerate(dataset, stale, token.span.to(self._reader.last_span)))

    def _plain_mode(self, token: Token) -> ModeClause:
        return ModeClause(Mode(token.text.upper()), (), token.span)

    def _merge(self, token: Token) -> ModeClause:
        if (coming := self._reader.peek()) is None or not (coming.is_word("ON") or coming.is_symbol("(")):
            return ModeClause(Mode.MERGE, (), token.span)  # by the key that the source's table has
        self._reader.expect_word("ON", _MERGE)
        key = self._reader.parts("a key column", _MERGE)
        return ModeClause(Mode.MERGE, key, token.span.to(self._reader.last_span))

    def _cursor(self, _: Token) -> CursorClause:
        if by := self._reader.take_word("BY", "ON"):
            raise Problem(by.span, f"`{by.text}` does not stand behind CURSOR", _CURSOR)
        column, following = self._reader.part("a column", _CURSOR), self._reader.peek()
        if following is not None and following.is_symbol("("):
            raise Problem(column.span, "CURSOR takes a column, and nothing that is computed", _CURSOR)
        rising = self._reader.take_word("RISING")
        return CursorClause(column, rising.span if rising else None)

    def _capture(self, token: Token) -> Span:
        return token.span

    def _partition(self, _: Token) -> Any:
        self._reader.expect_word("BY", "write PARTITION BY (column)")
        return self._reader.parts("a column", "name columns of the query, as in PARTITION BY (day); a computed one has a name there")

    def _masks(self, _: Token) -> tuple[MaskedColumn, ...]:
        items = self._reader.parenthesised(lambda: self._reader.name("a column", _MASK), self._mask, _MASK)
        return tuple(MaskedColumn(name, how) for name, how in items)

    def _mask(self) -> Mask:
        how = self._reader.next("HASH or DROP", _MASK)
        if not how.is_word("HASH", "DROP"):
            raise Problem(how.span, f"`{how.span.text}` is no way to mask", did_you_mean(how.text, [*map(str.upper, Mask)]) + _MASK)
        return Mask(how.text.lower())

    def _engine(self, _: Token) -> Any:
        return self._reader.part("an engine", "name what computes the query, as in USING athena")

    def _expect(self, token: Token) -> None:
        name = self._reader.part("the expectation's name", _EXPECT)
        self._reader.expect_symbol(":", _EXPECT)
        predicate = self._reader.balanced(_EXPECT)
        self._reader.expect_word("OR", _EXPECT)
        action = self._reader.next("WARN, FAIL or QUARANTINE", _EXPECT)
        if not action.is_word(*ACTIONS):
            raise Problem(action.span, f"`{action.span.text}` is no action", did_you_mean(action.text, ACTIONS) + _EXPECT)
        twin = self._expectations.get(name.folded)
        if twin is not None:
            cause = f"the expectation `{name.folded}` is there twice, first at {twin.name.span.position}"
            raise Problem(name.span, cause, "rename one of them")
        self._expectations[name.folded] = Expect(name, predicate, action.text.upper(), token.span.to(action.span))

    def _tables(self, token: Token) -> TableList:
        origin = self._reader.name("a connection", TABLES)
        self._reader.expect_word("TABLES", f"{TABLES}, or AS SELECT … FROM {origin.dotted}")
        tables = self._reader.names("a table", f"{TABLES}; what is renamed or filtered is a statement of its own, with AS SELECT …")
        return TableList(origin, tables, token.span.to(self._reader.last_span))

    def _query(self, _: Token) -> Span:
        """What is left."""
        query = self._reader.rest("a query", "write a SELECT after AS")
        check_behind(query, self._reader.tokens, lambda reader: ClauseParser(reader, self._verb, tables=True).reads_one())
        return query

    def reads_one(self) -> bool:
        """Whether a clause can be read that begins here."""
        token = self._reader.peek()
        try:
            if token is not None:
                self._clause(token, self._word_of(token))
        except Problem:
            return False
        return token is not None


# Of no parser's own: one with methods of itself in it would keep its statement's tokens until circles are looked for.
_OF_VIEWS: Mapping[str, tuple[str, Callable[[ClauseParser, Token], Any]]] = {
    "EVERY": ("every", ClauseParser._every),
    **dict.fromkeys(("REPLACE", "APPEND"), ("mode", ClauseParser._plain_mode)),
    "MERGE": ("mode", ClauseParser._merge),
    "PARTITION": ("partition_by", ClauseParser._partition),
    "EXPECT": ("expectations", ClauseParser._expect),
    "FRESH": ("fresh_within", ClauseParser._fresh),
    "TOLERATE": ("tolerates", ClauseParser._tolerate),
    "USING": ("engine", ClauseParser._engine),
    "AS": ("query", ClauseParser._query),
}
_OF_INSERTS = {
    **_OF_VIEWS,
    "CURSOR": ("cursor", ClauseParser._cursor),
    "CAPTURE": ("capture", ClauseParser._capture),
    "MASK": ("masks", ClauseParser._masks),
    "FROM": ("tables", ClauseParser._tables),
}


def _check_number(number: Token, percent: bool) -> None:
    """Rows are counted whole, and no share is more than all."""
    if percent and not 0 <= float(number.text) <= 100:
        raise Problem(number.span, f"{number.span.text} percent are more than all rows", "write at most 100 PERCENT")
    if not percent and not number.text.isdecimal():
        raise Problem(number.span, f"{number.span.text} is no count of rows", _BAD_ROWS)
