"""A place in one statement's tokens: taking words, symbols, names and lists, with one good error for each miss."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from language.forms.syntax import Name, Part
from language.text.diagnostics import Problem, Span
from language.text.tokens import Chunk, Kind, Token, Tokens

RESERVED = ("AS", "EVERY", "FROM")  # a name of these is written in quotes
K = TypeVar("K")
V = TypeVar("V")


class TokenReader:
    """Walks a statement's tokens once, from left to right."""

    def __init__(self, chunk: Chunk) -> None:
        self._tokens = chunk.tokens
        self._coming = iter(chunk.tokens)
        self._next: Token | None = next(self._coming)
        self._last = chunk.tokens.first  # that was taken; the one before it as long as none was

    @property
    def whole(self) -> Span:
        return self._tokens.first.span.to(self._tokens.last.span)

    @property
    def tokens(self) -> Tokens:
        """All of the statement's."""
        return self._tokens

    @property
    def last_span(self) -> Span:
        return self._last.span

    def peek(self) -> Token | None:
        return self._next

    def _take(self, token: Token) -> Token:
        self._last, self._next = token, next(self._coming, None)
        return token

    def next(self, expected: str, remedy: str) -> Token:
        if self._next is None:
            last = self._tokens.last.span
            after = Span(last.source, last.end, last.end + 1)
            raise Problem(after, f"the statement ends where {expected} should stand", remedy)
        return self._take(self._next)

    def take_word(self, *words: str) -> Token | None:
        return self._take(self._next) if self._next is not None and self._next.is_word(*words) else None

    def take_symbol(self, symbol: str) -> Token | None:
        return self._take(self._next) if self._next is not None and self._next.is_symbol(symbol) else None

    def expect_word(self, word: str, remedy: str) -> Token:
        token = self.next(f"`{word}`", remedy)
        if not token.is_word(word):
            raise Problem(token.span, f"`{word}` should stand here, not `{token.span.text}`", remedy)
        return token

    def expect_symbol(self, symbol: str, remedy: str) -> Token:
        token = self.next(f"`{symbol}`", remedy)
        if not token.is_symbol(symbol):
            raise Problem(token.span, f"`{symbol}` should stand here, not `{token.span.text}`", remedy)
        return token

    def expect_end(self, remedy: str) -> None:
        token = self.peek()
        if token is not None:
            raise Problem(token.span, f"`{token.span.text}` is more than the statement takes", remedy)

    def part(self, expected: str, remedy: str) -> Part:
        token = self.next(expected, remedy)
        if token.kind not in (Kind.WORD, Kind.QUOTED) or not token.text or token.is_word(*RESERVED):
            raise Problem(token.span, f"{expected} should stand here, not `{token.span.text}`", remedy)
        return Part(token.text, token.kind is Kind.QUOTED, token.span)

    def name(self, expected: str, remedy: str) -> Name:
        parts = [self.part(expected, remedy)]
        while self.take_symbol("."):
            parts.append(self.part("the rest of the name", "write it as in lake.ops.flights"))
        return Name(tuple(parts))

    def parenthesised(self, key: Callable[[], K], value: Callable[[], V], remedy: str) -> Iterator[tuple[K, V]]:
        """The items of `(key value, …)`, each read by the two functions given; at least one."""
        self.expect_symbol("(", remedy)
        while True:
            yield key(), value()
            token = self.next("`,` or `)`", "close the list with `)`")
            if token.is_symbol(")"):
                return
            if not token.is_symbol(","):
                cause = f"`,` or `)` should stand here, not `{token.span.text}`"
                raise Problem(token.span, cause, f"separate the items by commas; {remedy}")

    def names(self, expected: str, remedy: str) -> tuple[Name, ...]:
        """The names of `(a, b.c, …)`."""
        return tuple(name for name, _ in self.parenthesised(lambda: self.name(expected, remedy), lambda: None, remedy))

    def parts(self, expected: str, remedy: str) -> tuple[Part, ...]:
        """The single names of `(a, b, …)`."""
        return tuple(part for part, _ in self.parenthesised(lambda: self.part(expected, remedy), lambda: None, remedy))

    def balanced(self, remedy: str) -> Span:
        """The text between `(` and the `)` that belongs to it."""
        opening = last = self.expect_symbol("(", remedy)
        depth, first = 1, self.peek()
        while True:
            token = self.next("`)`", "close the parenthesis")
            depth += token.is_symbol("(") - token.is_symbol(")")
            if depth == 0:
                break
            last = token
        if first is None or last is opening:
            raise Problem(opening.span, "nothing stands between the parentheses", remedy)
        return first.span.to(last.span)

    def rest(self, expected: str, remedy: str) -> Span:
        """All that is left, from its first token to its last; at least one token."""
        first = self.next(expected, remedy)
        if self._next is not None:
            self._last, self._next, self._coming = self._tokens.last, None, iter(())
        return first.span.to(self._last.span)
