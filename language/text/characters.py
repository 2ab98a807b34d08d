"""Characters that look like others, or like nothing: what editors, chats and word processors put where SQL has a plain sign."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

INVISIBLE = "\u00ad\u200b-\u200d\u2060\ufeff"  # of no width, where they do not end a line
QUOTED = r"""[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(\w*)\$.*?\$\1\$"""
# What is no part of the statement's own words: texts, quoted names, comments.
APART = rf"{QUOTED}|--[^\n]*|/\*.*?\*/"
# Signs that no compatibility mapping makes plain: dashes, minus, quotes.
_SIGNS = {**dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"), "\u2215": "/", "\u2217": "*", "\u00d7": "*"}
_SIGNS |= {**dict.fromkeys("\u2018\u2019\u201a\u2032", "'"), **dict.fromkeys("\u201c\u201d\u201e\u2033", '"')}
_FULL_WIDTH = "\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff5e\u3001"
_ODD = re.compile(rf"{APART}|(?P<sign>[{''.join(_SIGNS)}{_FULL_WIDTH}])|(?<=\w)(?P<hidden>[{INVISIBLE}]+)(?=\w)", re.DOTALL)
_LETTERS = dict(
    zip(
        "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0425"
        "\u03bf\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7\u0131",
        "aeopcyxijsABEKMHOPCTXoABEZHIKMNOPTYXi",
        strict=True,
    )
)
_WORD = re.compile(r"[^\W\d]\w*")


def odd_characters(text: str) -> Iterator[tuple[int, int, str, str]]:
    """Start, end, cause and remedy of each sign outside of quotes and comments that no SQL has, and of what hides within a word."""
    for found in _ODD.finditer(text):
        if found["hidden"]:
            yield found.start(), found.end(), f"{_named(found['hidden'][0])} hides in this word", "remove it"
        elif found["sign"]:
            plain = _SIGNS.get(found["sign"]) or unicodedata.normalize("NFKC", found["sign"]).replace("\u3001", ",")
            yield found.start(), found.end(), f"this is {_named(found['sign'])}, which SQL does not read", f"write {plain}"


def likeness(text: str) -> str:
    """What to say of the first word whose letters are some of one alphabet and look like those of another; '' without any."""
    for found in _WORD.finditer(text) if not text.isascii() else ():
        word = found.group()
        strange = [letter for letter in word if not letter.isascii()]
        if strange and all(letter in _LETTERS for letter in strange):
            plain = "".join(_LETTERS.get(letter, letter) for letter in word)
            return f"`{strange[0]}` in `{word}` is {_named(strange[0])}: `{plain}` is written in plain letters"
    return ""


def _named(character: str) -> str:
    return f"U+{ord(character):04X} {unicodedata.name(character, 'without a name')}"
