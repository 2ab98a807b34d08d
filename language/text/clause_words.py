"""The words with which Atoll's clauses begin, and after which words of SQL one of them can only be a name."""

from __future__ import annotations

# Each with how its clause is written.
CLAUSES = {
    "EVERY": "EVERY '15 minutes'",
    "REPLACE": "REPLACE",
    "APPEND": "APPEND",
    "MERGE": "MERGE ON (id)",
    "PARTITION": "PARTITION BY (column)",
    "CURSOR": "CURSOR updated_at",
    "CAPTURE": "CAPTURE",
    "MASK": "MASK (column HASH)",
    "EXPECT": "EXPECT name: (predicate) OR FAIL",
    "TOLERATE": "TOLERATE dataset STALE '1 day'",
    "FRESH": "FRESH WITHIN '26 hours'",
    "USING": "USING athena",
}
# Of SQL: behind each of them something has to follow.
_GO_ON = frozenset(
    (
        *("select", "distinct", "from", "where", "group", "by", "order", "having", "qualify", "window", "limit", "offset", "fetch"),
        *("join", "on", "using", "cross", "inner", "left", "right", "full", "outer", "natural", "asof", "positional", "semi", "anti"),
        *("and", "or", "not", "in", "like", "ilike", "rlike", "regexp", "similar", "to", "glob", "between", "symmetric", "is", "as"),
        *("with", "recursive", "union", "except", "intersect", "minus", "case", "when", "then", "else", "over", "filter", "lateral"),
        *("collate", "escape", "interval", "values", "table", "pivot", "unpivot", "for", "of", "at", "exists", "any", "some", "into"),
        *("tablesample", "sample", "nulls", "xor", "div", "mod"),
    )
)
_ENDINGS = frozenset(")]}'\"`$")


def goes_on(word: str) -> bool:
    """Whether it is a word of SQL's behind which something has to follow."""
    return word.lower() in _GO_ON


def ends_a_piece(before: str, earlier: str = "") -> bool:
    """Whether a clause can begin behind a word or sign of SQL; behind any other a word is a name.

    earlier: what stands before that word: behind `.` it is a name whatever it is, and behind SELECT an ALL goes on.
    """
    if not before:
        return False
    if before[0].isalnum() or before[0] == "_":
        return earlier == "." or not (goes_on(before) or (before.lower() == "all" and earlier.lower() == "select"))
    return before[-1] in _ENDINGS
