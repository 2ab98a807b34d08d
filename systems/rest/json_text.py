"""Reads a JSON document, and tells where in its text the list of records stands, so that this need not be written anew."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

_SPACE = re.compile(r"[ \t\n\r]*")
_read = json.JSONDecoder().raw_decode
Span = tuple[int, int]


def located(text: str, path: Sequence[str]) -> tuple[Any, str | None]:
    """The document, and the text of the list at a path of its objects; None where there is none. Raises ValueError."""
    document, span, end = _value(text, _past_space(text, 0), path)
    if _past_space(text, end) != len(text):
        raise json.JSONDecodeError("Extra data", text, end)
    return document, text[slice(*span)] if span and text[span[0]] == "[" else None


def _value(text: str, at: int, path: Sequence[str]) -> tuple[Any, Span | None, int]:
    """A value, the place of what stands at the path within it, and where it ends."""
    if not path or text[at : at + 1] != "{":
        found, end = _read(text, at)
        return found, None if path else (at, end), end
    document: dict[str, Any] = {}
    span, at = None, _past_space(text, at + 1)
    if text[at : at + 1] == "}":
        return document, None, at + 1
    while True:
        name, at = scanstring(text, _past(text, at, '"'))
        at = _past_space(text, _past(text, _past_space(text, at), ":"))
        if name == path[0]:
            document[name], span, at = _value(text, at, path[1:])
        else:
            document[name], at = _read(text, at)
        at = _past_space(text, at)
        if text[at : at + 1] == "}":
            return document, span, at + 1
        at = _past_space(text, _past(text, at, ","))


def _past(text: str, at: int, mark: str) -> int:
    if text[at : at + 1] != mark:
        raise json.JSONDecodeError(f"Expecting {mark}", text, at)
    return at + 1


def _past_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    assert found  # it may be empty
    return found.end()
