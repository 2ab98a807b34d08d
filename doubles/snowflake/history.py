"""QUERY_HISTORY_BY_USER of the information schema: a statement that names it finds its rows in its place.

https://docs.snowflake.com/en/sql-reference/functions/query_history
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

_NAMED = re.compile(r"TABLE\(INFORMATION_SCHEMA\.QUERY_HISTORY_BY_USER\(RESULT_LIMIT => \d+\)\)")
COLUMNS = (
    *("query_id", "warehouse_size", "execution_time", "queued_overload_time", "queued_provisioning_time", "bytes_scanned"),
    "rows_inserted",
)
SIZE = "X-Small"


def with_history(text: str, requests: Iterable[Any]) -> str:
    """The text with a row of each statement that has ended; their bytes are no measure of anything."""
    if not _NAMED.search(text):
        return text
    rows = list[str]()
    for request in requests:
        if request.done.is_set() and request.error is None:
            taken = max(int(1000 * (request.ended - request.created)) // max(len(request.handles), 1), 1)
            for handle, outcome in zip(request.handles, request.outcomes, strict=False):
                rows.append(f"('{handle}', '{SIZE}', {taken}, 0, 0, 4096, {outcome.count})")
            if len(request.outcomes) == 1:
                rows.append(f"('{request.handle}', '{SIZE}', {taken}, 0, 0, 4096, {request.outcomes[0].count})")
    if not rows:
        rows.append("('', '', 0, 0, 0, 0, 0)")
    return _NAMED.sub(f"(SELECT * FROM VALUES {', '.join(rows)} AS v ({', '.join(COLUMNS)})) AS h", text)
