"""Redshift's SQL, brought into PostgreSQL's word by word: what only Redshift has is said otherwise, what it has not is refused.

https://docs.aws.amazon.com/redshift/latest/dg/c_redshift-and-postgres-sql.html and …/c_unsupported-postgresql-features.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache

import sqlglot
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import Token, TokenType

from doubles.redshift_data.calls import Edit, closing, edits_of_call
from doubles.redshift_data.errors import StatementFailed, syntax, unknown
from doubles.redshift_data.limits import MOST_NAME_BYTES

_FIRST = re.compile(r"\s*([a-zA-Z]+)")
STRINGS = frozenset((TokenType.STRING, TokenType.HEREDOC_STRING, TokenType.RAW_STRING, TokenType.NATIONAL_STRING))
NUMBERS = frozenset((TokenType.NUMBER,))
KNOWN = frozenset(
    (
        *("SELECT", "WITH", "(", "INSERT", "UPDATE", "DELETE", "MERGE", "COPY", "UNLOAD", "CREATE", "DROP", "ALTER"),
        *("TRUNCATE", "LOCK", "ANALYZE", "VACUUM", "SET", "GRANT", "REVOKE"),
    )
)
# What PostgreSQL reads and Redshift does not, by the words that begin it.
REFUSED = (
    ("ON", "CONFLICT"),
    ("RETURNING",),
    ("LATERAL",),
    ("FILTER", "("),
    ("DISTINCT", "ON", "("),
    ("IS", "DISTINCT", "FROM"),
    ("IS", "NOT", "DISTINCT", "FROM"),
    ("ARRAY", "["),
    ("TABLESAMPLE",),
    ("FOR", "UPDATE"),
)
# Types of PostgreSQL's that Redshift refuses: https://docs.aws.amazon.com/redshift/latest/dg/c_unsupported-postgresql-datatypes.html
NO_TYPES = frozenset(["BYTEA", "JSONB", "JSON", "UUID", "SERIAL", "BIGSERIAL", "MONEY", "XML", "INET", "CIDR"])
OTHERWISE = {
    "OBJECT": "jsonb_build_object",
    "NVL": "coalesce",
    "JSON_SERIALIZE": "serialized",
    "SYSDATE": "localtimestamp",
    "COLLATE": "collated",
}


@dataclass(frozen=True)
class Said:
    """A statement as PostgreSQL takes it.

    writes: the table that it writes, as 'schema.name'.  names: every name that stands in it so.  commits: it ends the transaction.
    """

    kind: str
    text: str
    writes: str = ""
    names: tuple[str, ...] = ()
    commits: bool = False
    tokens: Sequence[Token] = field(default=(), repr=False)


def said(text: str) -> Said:
    """Raises StatementFailed for what Redshift does not take, or this double does not know."""
    tokens = tokens_of(text)
    if not tokens:
        raise syntax("")
    first, words = word(tokens[0]), [word(token) for token in tokens]
    if first not in KNOWN:
        raise syntax(tokens[0].text)
    _refuse(text, tokens, words)
    names = tuple(dotted(tokens, at)[0] for at in range(len(tokens)) if _begins_a_name(tokens, at))
    if first in ("COPY", "UNLOAD"):
        return Said(first, text, dotted(tokens, 1)[0] if first == "COPY" else "", names, tokens=tokens)
    if first == "LOCK":
        at = 2 if words[1] == "TABLE" else 1
        table = text[tokens[at].start : tokens[-1].end + 1]
        return Said(first, f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE", "", names, tokens=tokens)
    if words[:2] == ["SET", "QUERY_GROUP"]:  # which PostgreSQL has not, and here no queue goes by
        return Said(first, f"SET redshift_double.{text[tokens[1].start :]}", "", names, tokens=tokens)
    if first in ("VACUUM", "ANALYZE"):
        return Said(first, "SELECT 1", "", names, tokens=tokens)
    edits = [*_of_words(text, tokens, words)]
    if first in ("CREATE", "ALTER") and "TABLE" in words[:4]:
        from doubles.redshift_data.tables import edits_of_table

        edits = [*edits_of_table(text, tokens, words)] or edits
    return Said(first, _edited(text, edits), _written(tokens, words), names, first == "TRUNCATE", tokens)


def tokens_of(text: str) -> list[Token]:
    """The first word stands for itself: after some, sqlglot's tokenizer reads no further."""
    begin = _FIRST.match(text)
    try:
        tokens = _tokenizer()("x" * begin.end() + text[begin.end() :] if begin else text)
    except TokenError:
        raise syntax(text[:20]) from None
    if begin and tokens:
        tokens = [Token(TokenType.VAR, begin[1], 1, 1, begin.start(1), begin.end() - 1), *tokens[1:]]
    while tokens and tokens[-1].token_type == TokenType.SEMICOLON:
        tokens = tokens[:-1]
    return tokens


@cache
def _tokenizer() -> Callable[[str], list[Token]]:
    return sqlglot.Dialect.get_or_raise("redshift").tokenize


def word(token: Token) -> str:
    """The token's word in capitals; '' of a text, a number, and a name in quotes."""
    return "" if token.token_type in STRINGS or token.token_type in NUMBERS or _quoted(token) else token.text.upper()


def dotted(tokens: Sequence[Token], at: int) -> tuple[str, int]:
    """The name that begins there, folded, with its schema; and where what follows it begins."""
    parts, end = [tokens[at].text.lower()], at + 1
    while end + 1 < len(tokens) and tokens[end].token_type == TokenType.DOT:
        parts.append(tokens[end + 1].text.lower())
        end += 2
    return ".".join(parts), end


def _quoted(token: Token) -> bool:
    return token.token_type == TokenType.IDENTIFIER


def _begins_a_name(tokens: Sequence[Token], at: int) -> bool:
    follows = at + 1 < len(tokens) and tokens[at + 1].token_type == TokenType.DOT
    return follows and (at == 0 or tokens[at - 1].token_type != TokenType.DOT)


def _refuse(text: str, tokens: Sequence[Token], words: Sequence[str]) -> None:
    for at, token in enumerate(tokens):
        if token.token_type == TokenType.SEMICOLON:
            raise StatementFailed("cannot insert multiple commands into a prepared statement")
        if _quoted(token) and len(token.text.encode()) > MOST_NAME_BYTES:
            raise StatementFailed(f'identifier "{token.text[:20]}…" will be truncated')
        if any(tuple(words[at : at + len(refused)]) == refused for refused in REFUSED):
            raise syntax(token.text)
        before = words[at - 1] if at else ""
        if words[at] in NO_TYPES and (before in ("AS", "::") or tokens[at - 1].token_type == TokenType.DCOLON):
            raise StatementFailed(f'type "{token.text.lower()}" does not exist')
        if token.token_type == TokenType.L_BRACKET:
            raise unknown("a subscript")
    if "MERGE" in words[:1]:
        _refuse_merge(words)


def _refuse_merge(words: Sequence[str]) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/r_MERGE.html: both branches, no condition of their own."""
    joined = " ".join(words)
    if "REMOVE DUPLICATES" in joined:
        raise unknown("MERGE … REMOVE DUPLICATES")
    if "WHEN MATCHED THEN" not in joined or "WHEN NOT MATCHED THEN" not in joined:
        raise syntax("WHEN")


def _of_words(text: str, tokens: Sequence[Token], words: Sequence[str]) -> list[Edit]:
    edits: list[Edit] = []
    for at, token in enumerate(tokens):
        here, calls = words[at], at + 1 < len(tokens) and tokens[at + 1].token_type == TokenType.L_PAREN
        if here in OTHERWISE and (calls or here == "SYSDATE"):
            edits.append((token.start, token.end + 1, OTHERWISE[here]))
        elif here == "APPROXIMATE":
            edits.append((token.start, token.end + 1, ""))
        elif here in ("SUPER", "VARBYTE", "VARBINARY") and at and words[at - 1] in ("AS", "::"):
            end = _end_of_sizes(tokens, at)
            edits.append((token.start, end, "jsonb" if here == "SUPER" else "bytea"))
        elif calls:
            edits += edits_of_call(text, tokens, words, at)
    return edits


def _end_of_sizes(tokens: Sequence[Token], at: int) -> int:
    """Where a type's name ends, with its sizes."""
    opens = at + 1 < len(tokens) and tokens[at + 1].token_type == TokenType.L_PAREN
    return int(tokens[closing(tokens, at + 1) if opens else at].end) + 1


def _written(tokens: Sequence[Token], words: Sequence[str]) -> str:
    """The table that a statement writes; '' for none."""
    after = {"INSERT": ("INTO",), "DELETE": ("FROM",), "MERGE": ("INTO",), "UPDATE": ("UPDATE",), "TRUNCATE": ("TRUNCATE", "TABLE")}
    after |= {"ALTER": ("TABLE",), "DROP": ("TABLE",)}
    if words[0] not in after:
        return ""
    at = max((number for number, one in enumerate(words[:3]) if one in after[words[0]]), default=-1) + 1
    while words[at] in ("IF", "EXISTS", "ONLY", "FROM"):
        at += 1
    return dotted(tokens, at)[0] if at else ""


def _edited(text: str, edits: Sequence[Edit]) -> str:
    pieces, done = list[str](), 0
    for start, end, instead in sorted(edits):
        pieces += text[done:start], instead
        done = end
    return "".join([*pieces, text[done:]])
