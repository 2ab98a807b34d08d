"""Reads users' files: text in UTF-8, with or without a byte-order mark, and JSON; reports the place of an error."""

from __future__ import annotations

import json
from typing import Any

from shared_metadata.errors import InputError


def decoded(data: bytes, file: str) -> str:
    """The text as it is, a byte-order mark included. Raises InputError that names the line."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"byte {error.start} is not UTF-8", place=f"{file}:{line}", remedy="save the file as UTF-8") from None


def json_text(data: bytes, file: str) -> str:
    """The text of a JSON file without a byte-order mark, as JSON's readers want it. Raises InputError."""
    return decoded(data, file).removeprefix("\ufeff")


def json_object(text: str, place: str, remedy: str) -> dict[str, Any]:
    """The object in a JSON text. Raises InputError with the place of the mistake, and none of the text."""
    try:
        found = json.loads(text)
    except RecursionError:
        raise InputError("this is JSON of too many levels", place=place, remedy=remedy) from None
    except ValueError as error:
        at = f":{error.lineno}:{error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        raise InputError("this is not JSON", place=f"{place}{at}", remedy=remedy) from None
    if not isinstance(found, dict):
        raise InputError("this is JSON, but no object", place=place, remedy=remedy)
    return found
