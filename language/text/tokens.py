"""Text to tokens and statements' chunks of tokens: sqlglot's tokenizer, with places and unterminated text named."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from sqlglot import Dialect, TokenType
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token as RawToken

from language.text.diagnostics import Problem, SourceText, Span

DIALECT = "duckdb"  # its tokenizer knows $$…$$, E'…', "…" and nested comments: what every dialect we cut queries for writes
_TOKENIZER = Dialect.get_or_raise(DIALECT)
_WORD = re.compile(r"[^\W\d][\w$]*")
_WORDS = re.compile(r"[^\W\d][\w$]*(?:\s+[^\W\d][\w$]*)+")
_ENCLOSED = re.compile(
    r"""--[^\n]*|\{\#.*?\#\}|e'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$
    |(?P<open>/\*|\{\#|e?'|"|\$\w*\$)|.""",
    re.DOTALL | re.IGNORECASE | re.VERBOSE,
)
_BLOCK = re.compile(r"/\*|\*/")
_OPENED = {"/*": ("comment", "*/"), "{#": ("comment", "#}"), '"': ("quoted name", '"')}
_SYMBOLS = frozenset({TokenType.COMMA, TokenType.DOT, TokenType.L_PAREN, TokenType.R_PAREN, TokenType.SEMICOLON})
_BOUNDS = frozenset({TokenType.SEMICOLON, TokenType.CREATE, TokenType.INSERT})
_CREATABLE = frozenset({"WAREHOUSE", "CONNECTION", "MATERIALIZED", "FUNCTION", "VIEW"})


class Kind(Enum):
    """What a token is to Atoll's own grammar."""

    WORD = "word"
    QUOTED = "quoted name"
    STRING = "string"
    NUMBER = "number"
    SYMBOL = "symbol"


class Token(NamedTuple):
    """`text` is the value: a string without its quotes, a word as written."""

    kind: Kind
    text: str
    span: Span

    def is_word(self, *words: str) -> bool:
        return self.kind is Kind.WORD and self.text.upper() in words

    def is_symbol(self, symbol: str) -> bool:
        return self.kind is Kind.SYMBOL and self.text == symbol


@dataclass(frozen=True)
class Tokens:
    """A text's tokens as sqlglot reads them, at offsets from `start`; each is made when it is asked for: of a query none is."""

    source: SourceText
    start: int
    read: Sequence[RawToken]

    def __iter__(self) -> Iterator[Token]:
        for number in range(len(self.read)):
            yield from self.at(number)

    def at(self, number: int) -> Sequence[Token]:
        """What one of sqlglot's tokens is to Atoll's grammar: most often one token, too."""
        token = self.read[number]
        token_type, span = token.token_type, self._span(token)
        if token_type in _SYMBOLS:
            return (Token(Kind.SYMBOL, token.text, span),)
        if token_type is TokenType.VAR and token.text.isidentifier():
            return (Token(Kind.WORD, token.text, span),)
        return _tokens(token_type, token.text, span)

    @property
    def first(self) -> Token:
        return self.at(0)[0]

    @property
    def last(self) -> Token:
        return self.at(len(self.read) - 1)[-1]

    @property
    def semicolons(self) -> list[int]:
        """The offset behind each `;`."""
        return [self._span(token).end for token in self.read if token.token_type is TokenType.SEMICOLON]

    def between(self, begin: int, end: int) -> Tokens:
        return Tokens(self.source, self.start, self.read[begin:end])

    def _span(self, token: RawToken) -> Span:
        return Span(self.source, self.start + token.start, self.start + token.end + 1)


@dataclass(frozen=True)
class Chunk:
    """One statement's tokens, without the `;`; `end` is the `;`, or None where it is missing."""

    tokens: Tokens
    end: Token | None


def tokenize(source: SourceText, start: int = 0, end: int | None = None) -> Tokens:
    """The tokens of a file, or of its characters [start, end).

    Raises Problem for a string, name or comment that does not end, and for a character at which an engine would stop reading.
    """
    if (nothing := source.text.find("\0", start, end)) >= 0:
        cause = "a character U+0000 stands here, at which engines stop reading"
        raise Problem(Span(source, nothing, nothing + 1), cause, "remove it, or save the file as plain UTF-8 text")
    try:
        return Tokens(source, start, _TOKENIZER.tokenize(source.text[start:end]))
    except (SqlglotError, RecursionError, ValueError) as error:
        raise _unterminated(source) from error


def _tokens(token_type: TokenType, value: str, span: Span) -> list[Token]:
    text = span.text
    if text.startswith('"'):
        return [Token(Kind.QUOTED, value, span)]
    if token_type is TokenType.STRING and text.startswith("'"):
        return [Token(Kind.STRING, value, span)]
    if token_type is TokenType.NUMBER:
        return [Token(Kind.NUMBER, text, span)]
    if _WORD.fullmatch(text):
        return [Token(Kind.WORD, text, span)]
    if _WORDS.fullmatch(text):  # sqlglot makes one token of PARTITION BY
        return [
            Token(Kind.WORD, word.group(), Span(span.source, span.start + word.start(), span.start + word.end()))
            for word in _WORD.finditer(text)
        ]
    return [Token(Kind.SYMBOL, text, span)]


def block_end(text: str, start: int, end: int) -> int | None:
    """Where the block comment that begins at `start` ends, before `end`; they nest. None for one that does not end."""
    depth = 0
    for match in _BLOCK.finditer(text, start, end):
        depth += 1 if match.group() == "/*" else -1
        if depth == 0:
            return match.end()
    return None


def _unterminated(source: SourceText) -> Problem:
    position = 0
    while match := _ENCLOSED.match(source.text, position):
        position, opening = match.end(), match["open"]
        end = block_end(source.text, match.start(), len(source.text)) if opening == "/*" else None
        if end is not None:
            position = end
        elif opening:
            what, closing = _OPENED.get(opening, ("string", opening.lstrip("eE")))
            span = Span(source, match.start(), match.end())
            return Problem(span, f"this {what} does not end", f"close it with {closing}")
    return Problem(Span(source, 0, 1), "the text cannot be read", "save the file as plain UTF-8 text")


def split_statements(tokens: Tokens) -> list[Chunk]:
    """Tokens as statements: each ends at a `;`, or, where that was forgotten, before the next statement's verb."""
    chunks: list[Chunk] = []
    begin = 0
    for index, token in enumerate(tokens.read):
        if token.token_type not in _BOUNDS:
            continue
        ends = token.token_type is TokenType.SEMICOLON
        if begin < index and (ends or _starts_statement(tokens, index)):
            chunks.append(Chunk(tokens.between(begin, index), tokens.at(index)[0] if ends else None))
            begin = index
        if ends:
            begin = index + 1
    if begin < len(tokens.read):
        chunks.append(Chunk(tokens.between(begin, len(tokens.read)), None))
    return chunks


def _starts_statement(tokens: Tokens, index: int) -> bool:
    if index + 1 == len(tokens.read) or tokens.at(index - 1)[-1].is_word("AS"):
        return False
    verb, following = tokens.at(index)[0], tokens.at(index + 1)[0]
    return (verb.is_word("CREATE") and following.is_word(*_CREATABLE)) or (verb.is_word("INSERT") and following.is_word("INTO"))
