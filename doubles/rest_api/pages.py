"""How APIs cut a list into pages: after a record, from a number on, or by a token that says where the last page ended."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any

from doubles.rest_api.server import Record


def after(rows: Sequence[Record], last: str, size: int, key: str = "id") -> tuple[list[Record], bool] | None:
    """The records behind the one with this key, and whether there are more; None where that is gone."""
    start = 0
    if last:
        found = [number for number, row in enumerate(rows) if str(row[key]) == last]
        if not found:
            return None
        start = found[0] + 1
    return list(rows[start : start + size]), start + size < len(rows)


def numbered(rows: Sequence[Record], page: int, size: int) -> tuple[list[Record], bool]:
    """The records of a page by its number, from 1 on, and whether there are more: what moves before it moves over its edge."""
    return list(rows[(page - 1) * size : page * size]), page * size < len(rows)


def by_value(rows: Sequence[Record], token: str, size: int, order: Callable[[Record], Any]) -> tuple[list[Record], str]:
    """The records behind the place of a token, in their order, and the token of the next page; '' for the last.

    The token says what the last record was ordered by, so that no other one that comes, goes or moves shifts the rest.
    order: what JSON can hold.
    """
    rows = sorted(rows, key=order)
    if token:
        place = json.loads(base64.urlsafe_b64decode(token.encode()))
        rows = [row for row in rows if order(row) > place]
    found, more = list(rows[:size]), len(rows) > size
    return found, base64.urlsafe_b64encode(json.dumps(order(found[-1])).encode()).decode() if more else ""
