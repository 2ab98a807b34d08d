"""What other programs write as JSON and is none by the letter (RFC 8259): NaN and the infinities, and halves of characters.

NaN and the infinities become texts, of which a column of numbers is made again, and which any reader takes where a nested value is
kept as its text. Half a character no text has: it is marked, so that its row is told or set aside, and not the file with it.
"""

from __future__ import annotations

import re
from pathlib import Path

# Code points that stand for nothing and are never sent: https://www.unicode.org/faq/private_use.html#noncharacters
HALF = "\ufdd0\ufdef\ufdd0"
_MARK = HALF.encode("ascii", "backslashreplace")
_CONSTANTS = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|(-?\b(?:NaN|Infinity)\b)', re.DOTALL)
_CONSTANTS_OF_FILE = re.compile(_CONSTANTS.pattern.encode(), re.DOTALL)
_MAYBE_HALF = re.compile(rb"\\u[dD][89a-fA-F]")
# Escapes one after the other, so that none begins within another: a pair is a character, and either half alone is none.
_ESCAPES = re.compile(rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(u[dD][89a-fA-F]..)|.)", re.DOTALL)


def quoted(text: str) -> str:
    """JSON in which NaN and the infinities are texts; any other text as it is."""
    if "NaN" not in text and "Infinity" not in text:
        return text
    return _CONSTANTS.sub(lambda found: f'"{found[1]}"' if found[1] else found[0], text)


def mended(file: Path) -> bool:
    """Writes a file of JSON anew where it is none by the letter. Returns whether it has halves of characters, each as `HALF` now."""
    text, halves = file.read_bytes(), 0
    found = text
    if b"NaN" in text or b"Infinity" in text:
        found = _CONSTANTS_OF_FILE.sub(lambda one: b'"' + one[1] + b'"' if one[1] else one[0], found)
    if _MAYBE_HALF.search(text):
        pieces, at = list[bytes](), 0
        for one in _ESCAPES.finditer(found):
            if one[1]:
                pieces += [found[at : one.start()], _MARK]
                at, halves = one.end(), halves + 1
        found = b"".join((*pieces, found[at:]))
    if found != text:
        file.write_bytes(found)
    return halves > 0
