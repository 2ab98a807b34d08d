"""Text to PostgreSQL's own parse tree, by its own parser."""

from __future__ import annotations

import ctypes
import json
from functools import cached_property
from typing import Any, NamedTuple

Node = dict[str, Any]
_SQL_COMMENT, _C_COMMENT = 275, 276
_LONGEST = 63  # bytes of a name: https://www.postgresql.org/docs/current/limits.html


class Word(NamedTuple):
    """A token at [start, end) of the text."""

    start: int
    end: int
    text: str

    @property
    def upper(self) -> str:
        return self.text.upper()


class NotRead(Exception):
    """A text that PostgreSQL's parser refuses.  at: the character at which it stops.  grammar: whether its grammar does."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.message, self.at, self.grammar = message, at, "syntax error" in message


class Text:
    """A query's text: its tokens, and its characters by the bytes that the parser counts."""

    def __init__(self, text: str) -> None:
        """What no UTF-8 has, and a NUL, at which C would end the text, become other characters that no query has."""
        self.text = text.encode("utf-8", "replace").decode().replace("\0", "\1")

    @cached_property
    def words(self) -> list[Word]:
        """The tokens, as far as the scanner reads the text."""
        import postgast

        readable = self.text
        while True:
            try:
                tokens = postgast.scan(readable).tokens
                return [self._word(t.start, t.end) for t in tokens if t.token not in (_SQL_COMMENT, _C_COMMENT)]
            except postgast.PgQueryError as error:
                readable = readable[: max(min(error.cursorpos, len(readable)) - 1, 0)]

    @cached_property
    def numbers(self) -> dict[int, int]:
        """Where a token starts ▸ its number."""
        return {word.start: number for number, word in enumerate(self.words)}

    @cached_property
    def _characters(self) -> list[int] | None:
        """Each byte's character; None where they are the same."""
        if self.text.isascii():
            return None
        return [number for number, letter in enumerate(self.text) for _ in letter.encode()] + [len(self.text)]

    def at(self, byte: int) -> Word | None:
        """The token that begins there."""
        number = self.numbers.get(self.character(byte)) if byte >= 0 else None
        return self.words[number] if number is not None else None

    def character(self, byte: int) -> int:
        return byte if self._characters is None else self._characters[byte]

    def _word(self, start: int, end: int) -> Word:
        start, end = self.character(start), self.character(end)
        return Word(start, end, self.text[start:end])


def parse(text: Text) -> Node:
    """The one statement's tree, as libpg_query writes it in JSON. Raises NotRead."""
    tree = json.loads(serialized(text.text))
    statements = tree["stmts"]
    found: Node = statements[0]["stmt"] if statements else {}
    if any(len(word.text.encode()) > _LONGEST for word in text.words if word.text.startswith('"') and "<" in word.text):
        _restore_types(text, found)
    return found


def _restore_types(text: Text, node: Any) -> None:
    """Names are cut as PostgreSQL cuts them; a list, map or struct that a CAST names is none of its, and may be as long as it is."""
    if isinstance(node, list):
        for each in node:
            _restore_types(text, each)
    for tag, inner in node.items() if isinstance(node, dict) else ():
        word = text.at(inner["location"]) if tag in ("typeName", "TypeName") and len(inner.get("names", ())) == 1 else None
        if word is not None and word.text.startswith('"') and "<" in word.text:
            inner["names"][0]["String"]["sval"] = word.text[1:-1].replace('""', '"')
        _restore_types(text, inner)


def serialized(text: str) -> bytes:
    """The parse tree as libpg_query writes it. Raises NotRead."""
    from postgast.native import lib

    result = lib.pg_query_parse(text.encode())
    try:
        if result.error:
            raise NotRead((result.error.contents.message or b"").decode(), max(result.error.contents.cursorpos - 1, 0))
        return ctypes.string_at(result.parse_tree)
    finally:
        lib.pg_query_free_parse_result(result)
