"""A statement as the API is given it: one of SQL, or a script of several.

https://docs.databricks.com/aws/en/sql/language-manual/sql-ref-scripting
"""

from __future__ import annotations

from dataclasses import dataclass, field

import sqlglot
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token

from doubles.databricks.errors import syntax, unknown


@dataclass(frozen=True)
class Sql:
    text: str


@dataclass(frozen=True)
class Declared:
    name: str


@dataclass(frozen=True)
class Assigned:
    """SET name = (query)."""

    name: str
    query: str


@dataclass(frozen=True)
class Signalled:
    """IF condition THEN SIGNAL … END IF."""

    condition: str
    message: str


@dataclass(frozen=True)
class Block:
    atomic: bool
    parts: list[Sql | Declared | Assigned | Signalled | Block] = field(default_factory=list)


def read(text: str) -> Sql | Block:
    """Raises StatementFailed."""
    try:
        tokens = sqlglot.Dialect.get_or_raise("databricks").tokenize(text)
    except SqlglotError as error:
        raise syntax(str(error)[:80]) from None
    if not tokens:
        raise syntax("end of input")
    if _word(tokens[0]) != "BEGIN":
        while tokens and tokens[-1].text == ";":
            tokens.pop()
        if any(token.text == ";" and token.token_type.name == "SEMICOLON" for token in tokens):
            raise syntax(";")  # one statement a call
        return Sql(text)
    reader = _Reader(text, tokens)
    found = reader.block()
    if reader.at < len(tokens):
        raise syntax(tokens[reader.at].text)
    return found


class _Reader:
    def __init__(self, text: str, tokens: list[Token]) -> None:
        self._text, self._tokens, self.at = text, tokens, 0

    def block(self) -> Block:
        self._expect("BEGIN")
        atomic = self._is("ATOMIC")
        found = Block(atomic)
        while not self._is("END"):
            part = self._part()
            if isinstance(part, Declared) and any(not isinstance(one, Declared) for one in found.parts):
                raise syntax("DECLARE")  # they come first
            if isinstance(part, Block) and atomic and not part.atomic:
                raise unknown("a block that is not atomic in one that is")
            found.parts.append(part)
            self._expect(";")
        return found

    def _part(self) -> Sql | Declared | Assigned | Signalled | Block:
        word = _word(self._token())
        if word == "BEGIN":
            return self.block()
        if word == "DECLARE":
            return Declared(self._until(";").split()[1].lower())
        if word == "SET":
            name, _, query = self._until(";").partition("=")
            return Assigned(name.split()[1].lower(), query.strip())
        if word == "IF":
            self._expect("IF")
            condition = self._until("THEN")
            self._expect("THEN")
            self._expect("SIGNAL")
            message = self._until(";").rpartition("MESSAGE_TEXT")[2].strip(" ='")
            for one in (";", "END", "IF"):
                self._expect(one)
            return Signalled(condition, message)
        return Sql(self._until(";"))

    def _until(self, end: str) -> str:
        """The text up to a word that is in no parentheses and no CASE."""
        begin, depth = self._token().start, 0
        while depth or _word(self._token()) != end:
            word = _word(self._token())
            depth += {"(": 1, ")": -1, "CASE": 1, "END": -1 if depth else 0}.get(word, 0)
            self.at += 1
        return self._text[begin : self._token().start].strip()

    def _token(self) -> Token:
        if self.at >= len(self._tokens):
            raise syntax("end of input")
        return self._tokens[self.at]

    def _is(self, word: str) -> bool:
        found = _word(self._token()) == word
        self.at += found
        return found

    def _expect(self, word: str) -> None:
        if not self._is(word):
            raise syntax(self._token().text)


def _word(token: Token) -> str:
    """'' for what is quoted."""
    return "" if token.token_type.name in ("STRING", "IDENTIFIER") else token.text.upper()
