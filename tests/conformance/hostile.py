"""Names and values that would do harm if they were put into SQL as they are; every stage's suite sends them through its slices."""

from __future__ import annotations

import re
import string
from functools import cache
from pathlib import Path

# Names of columns, as databases take them; folded already.
NAMES = (
    "select",
    "from thing; drop table thing; --",
    'quo"te',
    'two""quotes"',
    "apostrophe'",
    "back\\slash",
    "back`tick",
    "[bracket]",
    "percent %s %(x)s %%",
    "brace {} {0} {name} {% $x %}",
    "dollar $1 $$",
    "/* comment",
    "-- comment",
    "new\nline and\ttab",
    "question? colon:x",
    "comma, (paren)",
    "dotted.name",
    " spaces around ",
    "ünïcødé 🛫",
    "right to left \u202e",
    "1st",
    "batch_start()",
    "x" * 63,
)
# What engines call columns of theirs, and what we do with a number.
_THEIRS = {"filename", "file_index", "file_row_number", "_metadata", "rowid", "oid", "excluded", "c0", "k0", "x0"}
_NAMED = re.compile(r"\bAS ([a-z_]\w*)|\b([a-z_]\w*) AS \(|[})] ([a-z_]+) (?:WHERE|ON|USING|JOIN|GROUP|ANTI)\b|\b(_?atoll_[a-z]+)\b")
_KEPT = {"_batch", "_deleted", "_view_batch", "tableoid"}  # which Atoll or PostgreSQL keeps for itself

# Texts, which nothing may read as anything else. PostgreSQL knows no U+0000.
VALUES = (
    "'; DROP TABLE thing; --",
    '"; DROP TABLE thing; --',
    "') OR 1=1 --",
    "\\'; DROP TABLE thing; --",
    "'||(SELECT current_user)||'",
    "\\",
    "\\N",
    "\\.",
    "NULL",
    "$1 $$x$$ ${x}",
    "%s %(x)s %% {0} {} {% $states.input %}",
    "/* */ -- # ;",
    "a\r\nb\tc",
    "a,b;\"c\"|'d'",
    "東京 🛫 Zürich é \u202e",
    "\u2028\x7f\x1b[31m",
    "<script>${jndi:x}</script>=1+1",
    "A" * 250,
)

# Texts that some database takes for one another: by its collation, without blanks at their ends, case, accents or what is not seen.
ALIKE = (
    *("", " ", "  ", "a", "a ", "a  ", " a", "A", "A ", "a\t", "a\n", "a\u00a0", "a\u200b", "ab", "AB", "a b", "aB "),
    *("é", "e\u0301", "e", "É", "É ", "ß", "ss", "ẞ", "\u0131", "i", "I", "İ", "æ", "ae", "\uff41", "0", "0 ", "00", "\uff10"),
)


@cache
def ours() -> tuple[str, ...]:
    """What the SQL that Atoll sends calls its own columns and relations, found in the code; a user's columns may be called so too."""
    root, found = Path(__file__).parents[2], {*_THEIRS, *string.ascii_lowercase}
    for folder in ("slices", "systems", "shared_metadata"):
        for path in (root / folder).rglob("*.py"):
            if "tests" not in path.parts:
                found |= {name for names in _NAMED.findall(path.read_text()) for name in names if name}
    return tuple(sorted(found - _KEPT - {*NAMES}))


def literal(text: str) -> str:
    """As a program's author writes it in SQL."""
    return "'" + text.replace("'", "''") + "'"
