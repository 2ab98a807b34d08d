"""Clauses that stand within a query, or behind it: they would be read as names there, or stop its parser at some word of theirs."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

from sqlglot import TokenType

from language.parse.token_reader import TokenReader
from language.text.clause_words import CLAUSES, ends_a_piece, goes_on
from language.text.diagnostics import Gathering, Problem, Span
from language.text.tokens import Chunk, Kind, Token, Tokens

_WORDS = re.compile(rf"(?<![\w$])(?:{'|'.join(CLAUSES)})(?![\w$])")
_TEMPLATE = re.compile(r"\{\{[^{}]{0,500}\}\}|\{%.{0,500}?%\}", re.DOTALL)
_NO_TEMPLATES = "name a table in FROM, as in lake.ops.flights; the bounds of a batch are batch_start() and batch_end()"
_MAY_BE_SQL = frozenset(
    ("REPLACE", "APPEND", "CURSOR", "CAPTURE", "USING", "MERGE")
)  # as in FROM t append, or JOIN t merge ON (same)
_NO_ALIAS = ("USING", "REPLACE")  # a parenthesis behind one: JOIN … USING (id), * REPLACE (1 AS id)
_AFTER_TABLES = ("WHERE", "GROUP", "HAVING", "QUALIFY", "WINDOW", "ORDER", "LIMIT", "OFFSET", "UNION", "EXCEPT", "INTERSECT")
_OPENING = frozenset((TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE))
_CLOSING = frozenset((TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE))
_REPEATED = ("EXPECT", "TOLERATE")
_MOST = 20  # places of a query that are told
_LONGEST = 1000  # tokens of clauses that follow one another
_SHOWN = 60  # characters of clauses that are said whole


@dataclass(frozen=True)
class _Found:
    """Clauses that follow one another, or, where it is not `whole`, what begins one.

    words: with which they begin.  end: the number of the token behind.  first: whether the query begins there.
    name: what is called so if they are none, '' where they must be clauses.
    """

    span: Span
    words: Sequence[str]
    end: int
    whole: bool
    name: str
    first: bool


def check_behind(query: Span, tokens: Tokens, clause: Callable[[TokenReader], bool]) -> None:
    """Raises Problem for the clauses in the query, wherever they stand outside of brackets.

    tokens: of the statement.  clause: reads the clause at which a reader stands; False where none can be read.
    """
    if ("{{" in query.text or "{%" in query.text) and (template := _template(query, tokens)):
        raise Problem(template, "a template stands here, and queries are plain SQL", _NO_TEMPLATES)
    said = query.text.upper()
    if any(word in said for word in CLAUSES) and _WORDS.search(said):  # of few queries any is
        begin = bisect_left(tokens.read, query.start - tokens.start, key=lambda token: token.start)
        with Gathering() as gathering:
            for found in islice(_Query(tokens.between(begin, len(tokens.read)), clause).found(), _MOST):
                gathering(_refuse, found)


def _template(query: Span, tokens: Tokens) -> Span | None:
    """The first `{{ … }}` or `{% … %}` outside of texts."""
    for raw in tokens.read:
        start = tokens.start + raw.start
        if start >= query.start and query.source.text[start] == "{":
            found = _TEMPLATE.match(query.source.text, start, query.end)
            if found is not None:
                return Span(query.source, start, found.end())
    return None


def _refuse(found: _Found) -> None:
    text, many = " ".join(found.span.text.split()), len(found.words) > 1
    shown = f"`{text}`" if len(text) <= _SHOWN else f"{', '.join(f'`{word}`' for word in found.words)}"
    stand = "stand" if many else "stands"
    written = CLAUSES[found.words[0]] if not found.whole else text.upper() if text.isalpha() else "them" if many else "it"
    name = f'; as a name it is written "{found.name}"' if found.name else ""
    place, where = ("behind AS", "") if found.first else ("behind the query", ", where clauses stand")
    raise Problem(found.span, f"{shown} {stand} {place}", f"write {written} before AS{where}{name}")


class _Query:
    """The tokens of a query, of which those in no brackets are looked at."""

    def __init__(self, tokens: Tokens, clause: Callable[[TokenReader], bool]) -> None:
        self._tokens, self._clause = tokens, clause
        self._count = len(tokens.read)

    def found(self) -> Iterator[_Found]:
        depth, done, tables = 0, 0, False
        for number, raw in enumerate(self._tokens.read):
            depth += (raw.token_type in _OPENING) - (raw.token_type in _CLOSING)
            if depth or number < done:
                continue
            token = self._tokens.at(number)[0]
            tables = tables or token.is_word("FROM")
            if token.is_word(*CLAUSES) and (number == 0 or ends_a_piece(self._said(number - 1), self._said(number - 2))):
                found = self._clauses(number, token) or (self._beginning(number, token) if tables else None)
                if found is not None:
                    done = found.end
                    yield found

    def _clauses(self, number: int, token: Token) -> _Found | None:
        """The clauses that begin at a token; None where there are none, or where they are most likely names."""
        reader = TokenReader(Chunk(self._tokens.between(number, min(number + _LONGEST, self._count)), None))
        last, words, twice = token.span, list[str](), False
        while (coming := reader.peek()) is not None and coming.is_word(*CLAUSES) and self._clause(reader):
            if coming.is_word("CURSOR", "USING") and goes_on(reader.last_span.text):
                break
            word = coming.text.upper()
            if twice := word in words and word not in _REPEATED:
                break
            last = reader.last_span
            words.append(word)
        if not words:
            return None
        end = bisect_left(self._tokens.read, last.end - self._tokens.start, key=lambda raw: raw.start)
        sure = number == 0 or not _MAY_BE_SQL.issuperset(words)
        if not sure and (not (twice or self._ends_tables(end)) or self._owns_a_column(token)):
            return None
        joins = not sure and words[0] in ("MERGE", "USING") and self._joins(number)
        if joins and words[0] == "USING":
            return None
        alias = joins or words in (["REPLACE"], ["APPEND"], ["CAPTURE"], ["MERGE"])
        return _Found(token.span.to(last), words, end, True, token.text.lower() if alias else "", number == 0)

    def _beginning(self, number: int, token: Token) -> _Found | None:
        """What can only be the beginning of a clause, or an alias that nothing uses; else None."""
        following = self._tokens.at(number + 1)[0] if number + 1 < self._count else None
        wrong = following is not None and following.kind in (Kind.NUMBER, Kind.STRING)
        listed = following is not None and following.is_symbol("(") and not token.is_word(*_NO_ALIAS)
        if not wrong and (not (listed or self._ends_tables(number + 1)) or self._owns_a_column(token)):
            return None
        name = "" if wrong else token.text.lower()
        return _Found(token.span, [token.text.upper()], number + 1, False, name, number == 0)

    def _ends_tables(self, number: int) -> bool:
        """Whether the query ends at a token, or goes on after its tables."""
        return number == self._count or self._tokens.at(number)[0].is_word(*_AFTER_TABLES)

    def _joins(self, number: int) -> bool:
        """Whether a JOIN stands before a token that says up to there not which rows meet."""
        said = [self._said(before).upper() for before in range(number)]
        return "JOIN" in said and not {"ON", "USING"}.intersection(said[-said[::-1].index("JOIN") :])

    def _owns_a_column(self, name: Token) -> bool:
        """Whether the query says a column of a table that is called so."""
        return name.text.lower() in self._owners

    @cached_property
    def _owners(self) -> frozenset[str]:
        """What stands before the first dot of a name, folded."""
        read = self._tokens.read
        dots = [number for number, raw in enumerate(read) if number and raw.token_type is TokenType.DOT]
        return frozenset(read[dot - 1].text.lower() for dot in dots if dot < 2 or read[dot - 2].token_type is not TokenType.DOT)

    def _said(self, number: int) -> str:
        """What is written at a token, the last word of several; '' outside of the query."""
        return self._tokens.at(number)[-1].span.text if 0 <= number < self._count else ""
