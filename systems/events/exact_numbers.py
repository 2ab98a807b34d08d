"""Keeps DuckDB from rounding what JSON says exactly: it reads a number with a point or an exponent as a double, whatever its cast.

Fifteen digits survive that (https://en.cppreference.com/w/cpp/types/climits, DBL_DIG). A number of more is put into quotes, as a
value is read as a text anyway, and is then read by its digits; of an object or an array with one the whole text is.
"""

from __future__ import annotations

import json
import re

_MANY = re.compile(r"[0-9.]{16,}")  # quick to look for, and in few events: only these are looked through
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|[\[\]{}]')
_DIGITS_KEPT = 15


def exact(text: str) -> str:
    """A JSON object with the same values, each of which DuckDB reads as a text without rounding it; any other text as it is."""
    return _quoted(text) if _MANY.search(text) else text


def _quoted(text: str) -> str:
    pieces, written, depth, begins, rounded = list[str](), 0, 0, 0, False
    for token in _TOKEN.finditer(text):
        word = token[0]
        if word in "{[":
            depth += 1
            if depth == 2:
                begins, rounded = token.start(), False
        elif word in "}]":
            depth -= 1
            if depth == 1 and rounded:
                pieces += [text[written:begins], json.dumps(text[begins : token.end()])]
                written = token.end()
        elif not word.startswith('"') and _is_rounded(word):
            rounded = True
            if depth == 1:
                pieces += [text[written : token.start()], f'"{word}"']
                written = token.end()
    return "".join((*pieces, text[written:]))


def _is_rounded(number: str) -> bool:
    """Whether it may be, as a double."""
    digits = re.split("[eE]", number)[0]
    is_integer = digits == number and "." not in number
    return not is_integer and sum(map(str.isdigit, digits)) > _DIGITS_KEPT
