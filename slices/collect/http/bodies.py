"""Takes the events out of a request's body, each as the text that was sent, so that no number changes; no I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from shared_metadata.contract.gzipped import TooLarge, Unpackable, unpack
from slices.collect.http.declared import Declared, Number, why_not
from slices.collect.http.signatures import Refused

MOST_EVENTS = 10_000  # of a request
_BLANK = re.compile(r"[ \t\r\n]*")  # what JSON takes for white space
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class Twice(Exception):
    """An object has a key twice: which of the values counts is told nowhere."""


def _no_number(text: str) -> NoReturn:
    raise ValueError("is no JSON")  # NaN, Infinity


def _object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Twice
    return found


_DECODER = json.JSONDecoder(parse_constant=_no_number, parse_float=Number, parse_int=Number, object_pairs_hook=_object_of)


def plain(body: bytes, encoding: str, most: int) -> bytes:
    """The body without its Content-Encoding.  most: bytes, before and after. Raises Refused."""
    if len(body) > most:
        raise Refused(413, f"the body has more than {most >> 10} KB")
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "x-gzip"):
        raise Refused(415, "the Content-Encoding is none that the endpoint knows: it takes gzip, or none")
    try:
        return unpack(body, most)
    except TooLarge:
        raise Refused(413, f"the body has more than {most >> 10} KB when it is unpacked") from None
    except Unpackable as error:
        raise Refused(400, f"the body {error}") from None


def events(body: bytes, form: str, columns: Sequence[Declared] = ()) -> list[str]:
    """A line of each event: a JSON object as it was sent, or a text as JSON. Raises Refused, which names a place and no value.

    json: one object, an array of objects, or objects one after another, which JSON lines are.  columns: that the table declares.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise Refused(400, "the body is no text in UTF-8") from None
    return [json.dumps(text)] if form == "text" else _objects(text, columns)


def _objects(text: str, columns: Sequence[Declared]) -> list[str]:
    found, at, in_array = list[str](), _after_blanks(text, 0), False
    if text[at : at + 1] == "[":
        in_array, at = True, _after_blanks(text, at + 1)
        if text[at : at + 1] == "]":
            _ends(text, at + 1)
            return []
    while True:
        value, end = _object(text, at, len(found) + 1)
        if columns and (why := why_not(value, columns)):
            raise Refused(400, f"event {len(found) + 1} {why}")
        found.append(text[at:end].replace("\n", " ").replace("\r", " "))
        if len(found) > MOST_EVENTS:
            raise Refused(413, f"a request takes {MOST_EVENTS:,} events at most")
        at = _after_blanks(text, end)
        if in_array and text[at : at + 1] == ",":
            at = _after_blanks(text, at + 1)
        elif in_array and text[at : at + 1] == "]":
            _ends(text, at + 1)
            return found
        elif in_array:
            raise Refused(400, f"the body is no JSON: after event {len(found)} neither a comma nor the array's end")
        elif at == len(text):
            return found


def _object(text: str, at: int, number: int) -> tuple[dict[str, Any], int]:
    """The object that begins there, and where it ends."""
    try:
        value, end = _DECODER.raw_decode(text, at)
        if _SURROGATE.search(text, at, end):
            _check_text(value)
    except (ValueError, RecursionError):
        raise Refused(400, f"event {number} is no JSON") from None
    except Twice:
        raise Refused(400, f"event {number} has a key twice") from None
    if not isinstance(value, dict):
        raise Refused(400, f"event {number} is no JSON object")
    return value, end


def _check_text(value: Any) -> None:
    """Raises UnicodeEncodeError, a ValueError, for half a character, which no text has."""
    json.dumps(value, ensure_ascii=False).encode()


def _after_blanks(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    assert found is not None
    return found.end()


def _ends(text: str, at: int) -> None:
    if _after_blanks(text, at) != len(text):
        raise Refused(400, "the body is no JSON: something stands after the array")
