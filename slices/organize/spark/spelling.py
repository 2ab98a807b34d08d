"""SQL as Spark itself writes it: a program's texts and quoted names, 'it''s' and "a name", mean something else there.

Spark takes 'it''s' for two texts beside one another, a backslash for the beginning of an escape, and "a name" for a text:
https://spark.apache.org/docs/3.5.6/sql-ref-literals.html#string-literal
"""

from __future__ import annotations

import re

_ENCLOSED = re.compile(r"""--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|"(?:[^"]|"")*\"""", re.DOTALL)


def as_spark(sql: str) -> str:
    """The statement with its texts and names as Spark reads them; comments stay."""
    return _ENCLOSED.sub(lambda found: _spelled(found[0]), sql)


def _spelled(piece: str) -> str:
    if piece[0] == "'":
        return "'" + piece[1:-1].replace("''", "'").replace("\\", "\\\\").replace("'", "\\'") + "'"
    if piece[0] == '"':
        return "`" + piece[1:-1].replace('""', '"').replace("`", "``") + "`"
    return piece
