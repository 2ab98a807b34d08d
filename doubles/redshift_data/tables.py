"""CREATE TABLE and ALTER TABLE: Redshift's types and what it measures in bytes; keys are declared and never enforced.

https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_TABLE_NEW.html and …/r_ALTER_TABLE.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from sqlglot.tokenizer_core import Token, TokenType

from doubles.redshift_data.calls import Edit, closing
from doubles.redshift_data.errors import StatementFailed, syntax, unknown
from doubles.redshift_data.limits import (
    DEFAULT_VARBYTE_BYTES,
    DEFAULT_VARCHAR_BYTES,
    MOST_COLUMNS,
    MOST_VARBYTE_BYTES,
    MOST_VARCHAR_BYTES,
)
from doubles.redshift_data.words import NO_TYPES, dotted, word

PLAIN = {
    **{"SMALLINT": "smallint", "INT2": "smallint", "INTEGER": "integer", "INT": "integer", "INT4": "integer", "BIGINT": "bigint"},
    **{"INT8": "bigint", "REAL": "real", "FLOAT4": "real", "FLOAT8": "double precision", "FLOAT": "double precision"},
    **{"BOOLEAN": "boolean", "BOOL": "boolean", "DATE": "date", "TIME": "time", "TIMESTAMP": "timestamp", "SUPER": "jsonb"},
    **{"TIMESTAMPTZ": "timestamptz", "DOUBLE": "double precision"},
}
_VARCHAR = ("VARCHAR", "NVARCHAR", "TEXT", "CHARACTER")
_VARBYTE = ("VARBYTE", "VARBINARY")
_OF_COLUMNS = frozenset(("DISTKEY", "SORTKEY", "UNIQUE", "PRIMARY", "KEY", "NOT", "NULL"))


def edits_of_table(text: str, tokens: Sequence[Token], words: Sequence[str]) -> Iterator[Edit]:
    """What to say otherwise; nothing for a table that is made of a query."""
    at = words.index("TABLE") + 1
    while words[at] in ("IF", "NOT", "EXISTS"):
        at += 1
    _, at = dotted(tokens, at)
    if words[0] == "ALTER":
        yield from _altered(text, tokens, words, at)
    elif tokens[at].token_type == TokenType.L_PAREN:
        close = closing(tokens, at)
        parts = [*_parts(tokens, at + 1, close)]
        if len(parts) > MOST_COLUMNS:
            raise StatementFailed(f"tables can have at most {MOST_COLUMNS} columns")
        columns = (_column(text, tokens, words, *part) for part in parts)
        yield tokens[at].end + 1, tokens[close].start, ", ".join(column for column in columns if column)
        if close + 1 < len(tokens):
            _refuse_after(words, close + 1)
            yield tokens[close].end + 1, len(text), ""


def _altered(text: str, tokens: Sequence[Token], words: Sequence[str], at: int) -> Iterator[Edit]:
    if words[at] == "ADD":
        begin = at + 2 if words[at + 1] == "COLUMN" else at + 1
        if len([*_parts(tokens, begin, len(tokens))]) > 1:
            raise syntax(",")  # "You can add only one column in each ALTER TABLE statement."
        yield tokens[begin].start, len(text), _column(text, tokens, words, begin, len(tokens))
    elif words[at] not in ("DROP", "RENAME", "OWNER"):
        raise unknown(f"ALTER TABLE … {tokens[at].text}")


def _parts(tokens: Sequence[Token], begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Where what stands between commas begins and ends."""
    depth, commas = 0, [begin - 1]
    for number in range(begin, end):
        depth += {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}.get(tokens[number].token_type, 0)
        if depth == 0 and tokens[number].token_type == TokenType.COMMA:
            commas.append(number)
    yield from ((before + 1, after) for before, after in pairwise([*commas, end]))


def _column(text: str, tokens: Sequence[Token], words: Sequence[str], begin: int, end: int) -> str:
    """One column as PostgreSQL takes it; '' for a key of the table, which nothing enforces."""
    if words[begin].partition(" ")[0] in ("PRIMARY", "UNIQUE", "FOREIGN", "CONSTRAINT"):
        return ""
    name, (kind, *rest) = text[tokens[begin].start : tokens[begin].end + 1], words[begin + 1].split() or [""]
    sizes = _sizes(tokens, begin + 2)
    after = begin + 2 + (2 + max(2 * len(sizes) - 1, 0) if sizes else 0)
    if kind in ("DOUBLE", "CHARACTER") and not rest and after < end and words[after] in ("PRECISION", "VARYING"):
        sizes = _sizes(tokens, after + 1)
        after += 1 + (3 if sizes else 0)
    default = ""
    while after < end:
        if words[after] == "ENCODE":
            after += 2
        elif words[after] == "DEFAULT":
            default = f" DEFAULT {text[tokens[after + 1].start : tokens[end - 1].end + 1]}"
            break
        elif words[after] and set(words[after].split()) <= _OF_COLUMNS:
            after += 1
        else:
            raise syntax(tokens[after].text)
    return f"{name} {_type(name, kind, sizes, tokens[begin + 1])}{default}"


def _sizes(tokens: Sequence[Token], at: int) -> list[str]:
    if at >= len(tokens) or tokens[at].token_type != TokenType.L_PAREN:
        return []
    return [token.text for token in tokens[at + 1 : closing(tokens, at)] if token.token_type != TokenType.COMMA]


def _type(name: str, kind: str, sizes: Sequence[str], token: Token) -> str:
    if kind in _VARCHAR:
        most = _bytes(sizes, DEFAULT_VARCHAR_BYTES, MOST_VARCHAR_BYTES)
        return f"bpchar CHECK (octet_length({name}) <= {most})"
    if kind in _VARBYTE:
        return f"bytea CHECK (octet_length({name}) <= {_bytes(sizes, DEFAULT_VARBYTE_BYTES, MOST_VARBYTE_BYTES)})"
    if kind in ("DECIMAL", "NUMERIC"):
        precision, scale = [*(int(size) for size in sizes), 0, 0][:2] if sizes else (18, 0)
        if precision > 38 or scale > 37:
            raise StatementFailed(f"DECIMAL precision {precision} must be between 1 and 38")
        return f"numeric({precision},{scale})"
    if kind in PLAIN:
        return PLAIN[kind]
    raise StatementFailed(f'type "{token.text.lower()}" does not exist' if kind in NO_TYPES else f"Column {word(token)} of this type")


def _bytes(sizes: Sequence[str], default: int, most: int) -> int:
    size = default if not sizes else most if sizes[0].upper() == "MAX" else int(sizes[0])
    if size > most:
        raise StatementFailed(f"length for type character varying cannot exceed {most}")
    return size


def _refuse_after(words: Sequence[str], at: int) -> None:
    """What may stand after the columns, which says how rows are distributed and sorted."""
    known = {"DISTSTYLE", "DISTKEY", "SORTKEY", "COMPOUND", "INTERLEAVED", "BACKUP", "ENCODE"}
    if words[at] not in known:
        raise syntax(words[at] or "text")
