"""Statements that define: types become domains of the prelude or PostgreSQL's own; names without quotes stand in capitals."""

from __future__ import annotations

import re

_PIECE = re.compile(r"""("[^"]*"|'(?:[^']|'')*')""")
_WORD = re.compile(r"[A-Za-z_][\w$#]*")
_KEYWORDS = frozenset(
    {
        "CREATE",
        "TABLE",
        "VIEW",
        "INDEX",
        "UNIQUE",
        "PRIMARY",
        "KEY",
        "NOT",
        "NULL",
        "DEFAULT",
        "ALTER",
        "ADD",
        "DROP",
        "COLUMN",
        "RENAME",
    }
    | {"TO", "MODIFY", "AS", "SELECT", "FROM", "WHERE", "ON", "GRANT", "REVOKE", "ALL", "INSERT", "UPDATE", "DELETE", "CONSTRAINT"}
    | {"CHECK", "AND", "OR", "IN", "WITH", "TIME", "ZONE", "TRUNCATE", "CASCADE", "SET"}
)
# What a type of Oracle's is here, as a text that no later pattern matches; names in `…` are the prelude's domains.
_TYPES = (
    (r"INTERVAL DAY(\(\d\))? TO SECOND(\(\d\))?", "oracle.`INTERVAL DAY(2) TO SECOND(6)`"),
    (r"INTERVAL YEAR(\(\d\))? TO MONTH", "oracle.`INTERVAL YEAR(2) TO MONTH`"),
    (r"TIMESTAMP(\(\d\))? WITH LOCAL TIME ZONE", "oracle.`TIMESTAMP(6) WITH LOCAL TIME ZONE`"),
    (r"TIMESTAMP(\(\d\))? WITH TIME ZONE", "timestamptz\\1"),
    (r"TIMESTAMP(\(\d\))?(?! WITH)", "timestamp\\1"),
    (r"LONG RAW", "oracle.`LONG RAW`"),
    (r"(DATE|CLOB|NCLOB|BLOB|JSON|XMLTYPE|ROWID|BFILE|LONG)", "oracle.`\\1`"),
    (r"MDSYS\.SDO_GEOMETRY", "oracle.`SDO_GEOMETRY`"),
    (r"FLOAT(\(\d+\))?", "oracle.`FLOAT`"),
    (r"RAW\(\d+\)", "bytea"),
    (r"BINARY_DOUBLE", "double precision"),
    (r"BINARY_FLOAT", "real"),
    (r"NUMBER\(\*, ?(\d+)\)", "numeric(38,\\1)"),
    (r"(?:NUMBER|INTEGER)(\([\d, -]+\))?", "numeric\\1"),
    (r"N?VARCHAR2\((\d+)(?: CHAR| BYTE)?\)", "varchar(\\1)"),
    (r"N?CHAR\((\d+)\)", "char(\\1)"),
    (r"BOOLEAN", "boolean"),
)
# Each outside what an earlier one has made.
_ANY_TYPE = [(re.compile(rf"`[^`]*`|\b{pattern}(?!\w)"), other) for pattern, other in _TYPES]
_OWN = re.compile(r"`[^`]*`|\b(?:timestamptz|timestamp|bytea|double precision|real|numeric|varchar|char|boolean|oracle)\b")
_MODIFY = re.compile(r"MODIFY \(?(\"[^\"]+\"|\w+) (.*?)\)?$", re.DOTALL)
_STATISTICS = re.compile(r"BEGIN\s+DBMS_STATS\.GATHER_TABLE_STATS\(('[^']*'|:\w+), ?('[^']*'|:\w+)\);\s*END;?", re.IGNORECASE)

_ARCHIVAL = re.compile(r'ALTER\s+TABLE\s+("[^"]+"|\w+)\s+ROW\s+ARCHIVAL', re.IGNORECASE)
VISIBILITY = "oracle.row_archival"  # of a session: 'ALL' where it sees the rows that are archived in their tables


def is_definition(text: str) -> bool:
    return re.match(r"\s*(CREATE|ALTER|DROP|TRUNCATE|GRANT|REVOKE|BEGIN)\b", text, re.IGNORECASE) is not None


def define(text: str) -> str:
    """PostgreSQL's statement."""
    if found := _STATISTICS.match(text.strip()):
        owner, table = (part.strip("'") for part in found.groups())
        return f'ANALYZE "{owner}"."{table}"'
    if found := _ARCHIVAL.fullmatch(text.strip()):
        table = _folded(found[1]) if found[1][0] != '"' else found[1]
        seen = f"current_setting('{VISIBILITY}', true) = 'ALL' OR \"ORA_ARCHIVE_STATE\" = '0'"
        return (
            f"ALTER TABLE {table} ADD COLUMN \"ORA_ARCHIVE_STATE\" varchar(4000) NOT NULL DEFAULT '0', ENABLE ROW LEVEL SECURITY, "
            f'FORCE ROW LEVEL SECURITY; CREATE POLICY "ROW ARCHIVAL" ON {table} USING ({seen}) WITH CHECK (true)'
        )
    pieces = [piece if piece[:1] in ('"', "'") else _code(piece) for piece in _PIECE.split(text)]
    written = "".join(pieces)
    written = _MODIFY.sub(lambda found: f"ALTER COLUMN {found[1]} TYPE {found[2]}", written)
    written = re.sub(r'"?CASCADE"? "CONSTRAINTS"(?: "PURGE")?$', "CASCADE", written.strip())
    return re.sub(r"\bADD \((.*)\)$", r"ADD COLUMN \1", written, flags=re.DOTALL)


def _code(code: str) -> str:
    for pattern, other in _ANY_TYPE:
        code = pattern.sub(lambda found: found[0] if found[0][0] == "`" else found.expand(other), code)  # noqa: B023
    found, at = [], 0
    for own in _OWN.finditer(code):
        found += [_folded(code[at : own.start()]), own[0].replace("`", '"')]
        at = own.end()
    return "".join([*found, _folded(code[at:])])


def _folded(code: str) -> str:
    return _WORD.sub(lambda word: word[0] if word[0].upper() in _KEYWORDS else f'"{word[0].upper()}"', code)
