"""Reads what users hand over in files: text in UTF-8, with or without a byte-order mark, and JSON; says where it is wrong."""

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
    """The text of a JSON file, as all who read JSON take it: without a byte-order mark. Raises InputError."""
    return decoded(data, file).removeprefix("\ufeff")


def json_object(text: str, place: str, remedy: str) -> dict[str, Any]:
    """The object that stands there. Raises InputError that says where the mistake is, and nothing of what stands there."""
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
