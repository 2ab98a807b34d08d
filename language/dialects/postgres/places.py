"""Where the nodes of a parse tree stand: the tree tells where each begins, the tokens tell where it ends."""

from __future__ import annotations

from typing import Any

from language.dialects.postgres.parser import Text, Word

Place = tuple[int, int]
_OPENING, _CLOSING = frozenset("(["), frozenset(")]")
_TYPE_WORDS = frozenset(("PRECISION", "VARYING", "WITH", "WITHOUT", "TIME", "ZONE", "TO", "MINUTE", "SECOND", "MONTH", "HOUR", "DAY"))
_ENDED_BY_WORDS = {
    "NullTest": ("NULL", "ISNULL", "NOTNULL"),
    "BooleanTest": ("TRUE", "FALSE", "UNKNOWN"),
    "JsonIsPredicate": ("JSON", "KEYS", "OBJECT", "ARRAY", "SCALAR", "VALUE"),
}
_CALLS = frozenset(
    {
        *(
            "FuncCall",
            "CoalesceExpr",
            "MinMaxExpr",
            "GroupingFunc",
            "XmlExpr",
            "XmlSerialize",
            "JsonObjectConstructor",
            "JsonFuncExpr",
        ),
        *("JsonArrayConstructor", "JsonArrayQueryConstructor", "JsonParseExpr", "JsonScalarExpr", "JsonSerializeExpr"),
        *(
            "JsonObjectAgg",
            "JsonArrayAgg",
            "SubLink",
            "A_ArrayExpr",
            "RowExpr",
            "TypeCast",
            "SQLValueFunction",
            "A_Expr",
            "RangeTableFunc",
        ),
        "JsonTable",
    }
)


class Places:
    """Places of one text's tree."""

    def __init__(self, text: Text) -> None:
        self._text = text

    def of(self, node: Any) -> Place:
        """[start, end) in characters of all that the node and its parts say; (0, 0) where the tree tells nothing."""
        found: list[Word] = []
        self._collect(node, found)
        if not found:
            return 0, 0
        return self._closed(min(word.start for word in found), max(word.end for word in found))

    def word(self, node: Any) -> Place:
        """The token with which it begins."""
        word = self._text.at(node.get("location", 0)) if isinstance(node, dict) else None
        return (word.start, word.end) if word is not None else self.of(node)

    def query(self, node: Any) -> Place:
        """A query's place: from its first word on."""
        start, end = self.of(node)
        before = [word for word in self._text.words if word.end <= start]
        while before and before[-1].upper in ("SELECT", "DISTINCT", "ALL", "VALUES"):
            start = before.pop().start
        return start, end

    def names(self, location: int, count: int) -> list[Place]:
        """The place of a dotted name of so many parts."""
        word = self._text.at(location)
        if word is None:
            return [(0, 0)] * count
        first = self._text.numbers[word.start]
        found = self._text.words[first : first + 2 * count : 2]
        return [(word.start, word.end) for word in found[:count]]

    def _collect(self, node: Any, found: list[Word]) -> None:
        if isinstance(node, list):
            for each in node:
                self._collect(each, found)
        elif isinstance(node, dict):
            for tag, inner in node.items():
                if isinstance(inner, dict):
                    self._add(tag, inner, found)
                if isinstance(inner, (dict, list)):
                    self._collect(inner, found)

    def _add(self, tag: str, node: dict[str, Any], found: list[Word]) -> None:
        """The tokens of one node itself."""
        if tag in ("format", "pathspec", "returning"):
            return
        if "location" not in node and tag not in ("ColumnRef", "A_Const", "FuncCall", "TypeCast"):
            return
        word = self._text.at(node.get("location", 0))
        if word is None:
            return
        found.append(word)
        number = self._text.numbers[word.start]
        if tag == "ColumnRef":
            found.append(self._word(number + 2 * (len(node["fields"]) - 1)) or word)
        elif tag == "FuncCall" and word.upper != "AT" and not self._follows(number, "OVERLAPS"):
            names = node["funcname"] if node.get("funcformat") != "COERCE_SQL_SYNTAX" else node["funcname"][-1:]
            found.append(self._argument_end(number + 2 * (len(names) - 1)))
        elif tag in ("typeName", "TypeName"):
            found.append(self._type_end(number, len(node["names"])))
        elif tag == "CaseExpr":
            found.append(self._case_end(number))
        elif tag in _ENDED_BY_WORDS:
            found.append(self._words_end(number, _ENDED_BY_WORDS[tag]))
        elif tag in _CALLS or (tag == "over" and word.text == "("):
            found.append(self._argument_end(number))

    def _word(self, number: int) -> Word | None:
        return self._text.words[number] if number < len(self._text.words) else None

    def _follows(self, number: int, word: str) -> bool:
        following = self._word(number + 1)
        return following is not None and following.upper == word

    def _argument_end(self, number: int) -> Word:
        """The bracket that closes what opens at this token or at the next one; else the token."""
        words = self._text.words
        for first in (number, number + 1):
            if first < len(words) and words[first].text in _OPENING:
                return words[self._closing(first)]
        return words[min(number, len(words) - 1)]

    def _closing(self, first: int) -> int:
        depth, words = 0, self._text.words
        for number in range(first, len(words)):
            depth += (words[number].text in _OPENING) - (words[number].text in _CLOSING)
            if depth == 0:
                return number
        return len(words) - 1

    def _type_end(self, number: int, names: int) -> Word:
        words, at = self._text.words, number
        if self._follows(at, "."):
            at += 2 * (names - 1)
        while (following := self._word(at + 1)) is not None:
            if following.upper in _TYPE_WORDS:
                at += 1
            elif following.text in _OPENING:
                at = self._closing(at + 1)
            else:
                break
        return words[min(at, len(words) - 1)]

    def _case_end(self, number: int) -> Word:
        depth, words = 0, self._text.words
        for each in words[number:]:
            depth += (each.upper == "CASE") - (each.upper == "END")
            if depth == 0:
                return each
        return words[-1]

    def _words_end(self, number: int, ends: tuple[str, ...]) -> Word:
        last = self._text.words[number]
        for each in self._text.words[number : number + 6]:
            if each.upper in ends:
                last = each
        return last

    def _closed(self, start: int, end: int) -> Place:
        """Made wider until what is opened within is closed within."""
        words = self._text.words
        first, last = self._text.numbers[start], next(n for n, word in enumerate(words) if word.end >= end)
        depth = lowest = 0
        for word in words[first : last + 1]:
            depth += (word.text in _OPENING) - (word.text in _CLOSING)
            lowest = min(lowest, depth)
        open_at_end = depth - lowest
        while open_at_end > 0 and last + 1 < len(words):
            last += 1
            open_at_end += (words[last].text in _OPENING) - (words[last].text in _CLOSING)
        while lowest < 0 and first > 0:
            first -= 1
            lowest += (words[first].text in _OPENING) - (words[first].text in _CLOSING)
        return words[first].start, words[last].end
