"""Calls that Redshift writes otherwise than PostgreSQL: parts of dates, LISTAGG, shares of a window."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot.tokenizer_core import Token, TokenType

from doubles.redshift_data.errors import syntax

Edit = tuple[int, int, str]  # [start, end) of the text, and what stands there instead
FIRST_IS_A_PART = frozenset(("DATEADD", "DATEDIFF", "DATE_ADD", "DATE_DIFF", "DATE_PART"))


def edits_of_call(text: str, tokens: Sequence[Token], words: Sequence[str], at: int) -> list[Edit]:
    """What to say otherwise of the call that begins there."""
    here, first = words[at], tokens[at + 2]
    if here in FIRST_IS_A_PART and words[at + 2]:
        return [(first.start, first.end + 1, f"'{first.text.lower().removesuffix('s')}'")]
    if here == "EXTRACT" and words[at + 3] == "FROM":
        name = "extracted_epoch" if words[at + 2] == "EPOCH" else "extracted"
        return [(tokens[at].start, tokens[at + 3].end + 1, f"{name}('{first.text.lower()}', ")]
    if here == "LISTAGG":
        return _listagg(tokens, words, at)
    return _share(text, tokens, words, at) if here == "RATIO_TO_REPORT" else []


def _listagg(tokens: Sequence[Token], words: Sequence[str], at: int) -> list[Edit]:
    """LISTAGG(x, ',') WITHIN GROUP (ORDER BY y) ▸ string_agg(x::text, ',' ORDER BY y)."""
    close = closing(tokens, at + 1)
    named = (tokens[at].start, tokens[at].end + 1, "string_agg")
    if words[close + 1 : close + 3] != ["WITHIN", "GROUP"]:
        return [named]
    return [named, (tokens[close].start, tokens[close + 3].end + 1, " ")]


def _share(text: str, tokens: Sequence[Token], words: Sequence[str], at: int) -> list[Edit]:
    """RATIO_TO_REPORT(x) OVER (w) ▸ share_of(x, sum(x) OVER (w))."""
    close = closing(tokens, at + 1)
    if words[close + 1 : close + 2] != ["OVER"]:
        raise syntax(tokens[close].text)
    value = text[tokens[at + 1].start : tokens[close].end + 1]
    end = tokens[closing(tokens, close + 2)].end + 1
    named = (tokens[at].start, tokens[at].end + 1, "share_of")
    return [named, (tokens[close].start, tokens[close].end + 1, f", sum{value}"), (end, end, ")")]


def closing(tokens: Sequence[Token], at: int) -> int:
    """Where the parenthesis ends that begins there."""
    depth = 0
    for number in range(at, len(tokens)):
        depth += {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}.get(tokens[number].token_type, 0)
        if depth == 0:
            return number
    raise syntax("end of input")
