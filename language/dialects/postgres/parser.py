"""Text to PostgreSQL's own parse tree, by its own parser; where that refuses, what is wrong, at the place."""

from __future__ import annotations

import ctypes
import difflib
import json
import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple

from language.dialects.postgres import catalogue
from language.sql.problems import QueryProblem

Node = dict[str, Any]
_CLAUSES = ("SELECT", "FROM", "WHERE", "GROUP", "ORDER", "HAVING", "LIMIT", "OFFSET", "UNION", "INTERSECT", "EXCEPT", "WINDOW")
_JOINS = (
    "JOIN",
    "LEFT",
    "RIGHT",
    "FULL",
    "INNER",
    "CROSS",
    "NATURAL",
    "LATERAL",
    "USING",
    "DISTINCT",
    "BETWEEN",
    "PARTITION",
    "OVER",
)
_ENDS = frozenset((*_CLAUSES, ")", ""))
_BEFORE_NAMES = frozenset(
    (
        *["SELECT", "FROM", "WHERE", "JOIN", "BY", "ON", "AS", "DISTINCT", "AND", "OR", "NOT", "HAVING", "WHEN", "THEN", "ELSE"],
        *",(=<>+-*/%|",
    )
)
_IGNORED = ("IGNORE", "RESPECT")
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
    """What PostgreSQL's parser refuses."""

    def __init__(self, problem: QueryProblem) -> None:
        super().__init__(problem.cause)
        self.problem = problem


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
    tree = _parsed(text.text)
    if isinstance(tree, _Refusal):
        raise NotRead(_problem(text, tree))
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


class _Refusal(NamedTuple):
    message: str
    at: int


def _parsed(text: str) -> Node | _Refusal:
    from postgast.native import lib

    result = lib.pg_query_parse(text.encode())
    try:
        if result.error:
            return _Refusal((result.error.contents.message or b"").decode(), max(result.error.contents.cursorpos - 1, 0))
        tree: Node = json.loads(ctypes.string_at(result.parse_tree))
        return tree
    finally:
        lib.pg_query_free_parse_result(result)


def _problem(text: Text, refusal: _Refusal) -> QueryProblem:
    """What to say of a text that the parser reads up to `refusal.at`."""
    if "syntax error" not in refusal.message:
        return _refused(text, refusal)
    here = next((number for number, word in enumerate(text.words) if word.end > refusal.at), len(text.words))
    word = text.words[here] if here < len(text.words) else Word(len(text.text.rstrip()), len(text.text.rstrip()), "")
    before = text.words[here - 1] if here else Word(0, 0, "")
    if before.upper in _IGNORED and word.upper == "NULLS":
        remedy = "PostgreSQL has no such window; take the values that are no NULL in a subquery, or do it in a view"
        return QueryProblem(before.start, word.end, f"`{before.text} {word.text}` is no PostgreSQL", remedy)
    after = text.words[here + 1].upper if here + 1 < len(text.words) else ""
    if before.text == "," and word.upper in _ENDS and (word.upper not in ("ORDER", "GROUP") or after == "BY"):
        return QueryProblem(before.start, before.end, "nothing follows this comma", "remove it, or write what it separates")
    if (word.text == "," and before.text in (",", "(")) or (word.text == "," and before.upper in _ENDS):
        return QueryProblem(
            word.start, word.end, f"nothing stands between `{before.text}` and `,`", "write a column, or remove the comma"
        )
    return next(_meant(text, refusal, here), None) or _unexpected(word, before)


def _refused(text: Text, refusal: _Refusal) -> QueryProblem:
    """What the grammar takes and the parser does not."""
    said = refusal.message.split(" at or near")[0].split(":")[0]
    if said.startswith("unterminated"):
        end = min(refusal.at + 1, len(text.text))
        return QueryProblem(refusal.at, end, f"this SQL cannot be read: {said}", "end it before this statement ends")
    here = next((number for number, word in enumerate(text.words) if word.end > refusal.at), None)
    if here is None:  # what the scanner refuses is no token
        end = refusal.at + len(re.split(r"\s", text.text[refusal.at :], maxsplit=1)[0])
        return QueryProblem(refusal.at, end, f"this SQL cannot be read: {said}", "write what PostgreSQL takes here")
    last = here
    while last + 2 < len(text.words) and text.words[last + 1].text == ".":
        last += 2
    remedy = (
        "write connection.schema.table for a table, table.column for a column"
        if "name" in said
        else "write what PostgreSQL takes here"
    )
    return QueryProblem(text.words[here].start, text.words[last].end, f"this SQL cannot be read: {said}", remedy)


def _unexpected(word: Word, before: Word) -> QueryProblem:
    if not word.text:
        end = before.end
        return QueryProblem(before.start, end, f"the query ends after `{before.text}`, and something must follow", "complete it")
    if before.text.startswith("'") and word.text.startswith("'"):
        return QueryProblem(word.start, word.end, "two texts follow one another", "write a comma between them, or || to join them")
    cause = (
        f"this SQL cannot be read: `{word.text}` cannot stand after `{before.text}`"
        if before.text
        else f"`{word.text}` begins no query"
    )
    return QueryProblem(word.start, word.end, cause, "check the SQL before and at this place")


def _meant(text: Text, refusal: _Refusal, here: int) -> Iterator[QueryProblem]:
    """What makes the parser read on when it is put in the place of a word near the mistake."""
    near = [number for number in (here - 1, here, here - 2) if 0 <= number < len(text.words)]
    for number in near:
        word = text.words[number]
        is_name = number > 0 and text.words[number - 1].upper in _BEFORE_NAMES and word.text.lower() in catalogue.reserved()
        if is_name and _reads_on(text, refusal, number, f'"{word.text}"'):
            yield QueryProblem(
                word.start, word.end, f"`{word.text}` is a word of SQL itself", f'as a name it is written "{word.text}"'
            )
    for number in near:
        word = text.words[number]
        if not word.text.isidentifier() or word.text.lower() in catalogue.reserved():
            continue
        close = difflib.get_close_matches(word.upper, (*_CLAUSES, *_JOINS), n=2, cutoff=0.7)
        for keyword in close:
            if _reads_on(text, refusal, number, keyword):
                yield QueryProblem(word.start, word.end, f"`{word.text}` is no word of SQL here", f"did you mean {keyword}?")


def _reads_on(text: Text, refusal: _Refusal, number: int, instead: str) -> bool:
    word = text.words[number]
    found = _parsed(text.text[: word.start] + instead + text.text[word.end :])
    if not isinstance(found, _Refusal):
        return True
    moved = len(instead) - (word.end - word.start)
    return "syntax error" in found.message and found.at - moved > max(refusal.at, word.end)
