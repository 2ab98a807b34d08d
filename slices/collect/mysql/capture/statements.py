"""What a statement means for one table; no I/O.

Rows have events of their own. Statements are there for what defines tables, and where a session logs them instead of rows.
"""

from __future__ import annotations

import re
from enum import Enum

_COMMENT = re.compile(r"/\*M?!\d*(.*?)\*/|/\*.*?\*/|--[ \t][^\n]*|#[^\n]*", re.DOTALL)
_NAME = r"(?:`(?:[^`]|``)+`|\"(?:[^\"]|\"\")+\"|[\w$]+)"
_TRUNCATE = re.compile(
    rf"TRUNCATE\s+(?:TABLE\s+)?(?:({_NAME})\s*\.\s*)?({_NAME})\s*(?:(?:NO)?WAIT\b.*)?;?", re.IGNORECASE | re.DOTALL
)
# What may change rows, or which table a name stands for, with no event of a row.
_DEFINES = re.compile(
    r"(ALTER\s+(ONLINE\s+|OFFLINE\s+|IGNORE\s+)*TABLE|DROP\s+(TEMPORARY\s+)?TABLE|CREATE\s+(OR\s+REPLACE\s+)?TABLE|RENAME\s+TABLE|TRUNCATE"
    r"|IMPORT\s+TABLE|INSERT|UPDATE|DELETE|REPLACE|LOAD|WITH|CALL|SELECT|DO)\b",
    re.IGNORECASE,
)
_SCHEMA = re.compile(r"(DROP|ALTER)\s+(DATABASE|SCHEMA)\b", re.IGNORECASE)
_INDEXES = re.compile(
    rf"ALTER\s+(ONLINE\s+)?TABLE\s+({_NAME}\s*\.\s*)?{_NAME}\s+((ADD|DROP|RENAME|ALTER)\s+(UNIQUE\s+|FULLTEXT\s+|SPATIAL\s+)?(INDEX|KEY)\b[^,;]*(\([^()]*\))?"
    r"|COMMENT\s*=?\s*'[^']*'|AUTO_INCREMENT\s*=?\s*\d+)\s*;?",
    re.IGNORECASE,
)


class Means(Enum):
    """Nothing; that all rows went; or what no log tells."""

    NOTHING = "nothing"
    EMPTIED = "emptied"
    UNTOLD = "untold"


def meaning(statement: str, database: str, schema: str, table: str) -> Means:
    """What a statement, run in a database, may mean for a table. What is not understood is untold, never nothing."""
    text = _COMMENT.sub(lambda found: f" {found[1] or ''} ", statement).strip()
    here = database.lower() == schema.lower()
    if _SCHEMA.match(text):
        return Means.UNTOLD if _mentions(text, schema) or here else Means.NOTHING
    if not _DEFINES.match(text) or not _mentions(text, table) or not (here or _mentions(text, schema)):
        return Means.NOTHING
    if emptied := _TRUNCATE.fullmatch(text):
        named = (_unquoted(emptied[1] or database), _unquoted(emptied[2]))
        return Means.EMPTIED if _same(named, (schema, table)) else Means.NOTHING
    return Means.NOTHING if _INDEXES.fullmatch(text) else Means.UNTOLD


def _mentions(text: str, name: str) -> bool:
    """Whether a name stands anywhere in a text, however it is quoted."""
    lowered = text.lower()
    forms = {name, name.replace("`", "``"), name.replace('"', '""')}
    return any(re.search(rf"(?<![\w$]){re.escape(form.lower())}(?![\w$])", lowered) for form in forms)


def _same(one: tuple[str, str], other: tuple[str, str]) -> bool:
    return [each.lower() for each in one] == [each.lower() for each in other]


def _unquoted(name: str) -> str:
    quote = name[:1]
    return name[1:-1].replace(quote * 2, quote) if quote in ("`", '"') else name
