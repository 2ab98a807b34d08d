"""The views of a warehouse's own queries, as far as they are asked here; a statement that names one finds its rows in its place.

https://docs.aws.amazon.com/redshift/latest/dg/SYS_QUERY_HISTORY.html, …/SYS_QUERY_DETAIL.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

VIEWS = {
    "sys_query_history": ("query_id bigint", "transaction_id bigint", "queue_time bigint", "execution_time bigint"),
    "sys_query_detail": (
        *("query_id bigint", "metrics_level varchar", "step_name varchar", "input_bytes bigint"),
        *("data_skewness int", "time_skewness int"),
    ),
}
_NAMED = re.compile(rf"\b({'|'.join(VIEWS)})\b")


def with_history(text: str, statements: Iterable[Mapping[str, Any]]) -> str:
    """The text with the views' rows, of all statements that have ended."""
    if not _NAMED.search(text):
        return text
    ended = [one for one in statements if one["Status"] == "FINISHED"]
    rows = {"sys_query_history": [*_history(ended)], "sys_query_detail": [*_detail(ended)]}
    return _NAMED.sub(lambda found: _view(found[1], rows[found[1]]), text)


def _view(name: str, rows: list[tuple[str, ...]]) -> str:
    columns = [column.split(" ") for column in VIEWS[name]]
    nothing = ", ".join(f"CAST(NULL AS {kind}) AS {column}" for column, kind in columns)
    each = (", ".join(f"CAST({value} AS {kind})" for value, (_, kind) in zip(row, columns, strict=True)) for row in rows)
    union = " UNION ALL ".join(f"SELECT {row}" for row in each)
    return f"(SELECT {nothing} WHERE false{' UNION ALL ' + union if union else ''})"


def _queries(ended: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Each statement with its transaction's."""
    for one in ended:
        yield from ((part, one) for part in one.get("SubStatements", (one,)))


def _history(ended: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, ...]]:
    """In microseconds; a transaction waits before its first query."""
    first = None
    for part, one in _queries(ended):
        waited = 0 if first == one["Id"] else max(int((one["UpdatedAt"] - one["CreatedAt"]) * 1e6 - one["Duration"] / 1000), 0)
        first = one["Id"]
        yield str(part["RedshiftQueryId"]), str(one["RedshiftQueryId"]), str(waited), str(max(part["Duration"], 0) // 1000)


def _detail(ended: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, ...]]:
    """A step that scans of each query, and one that inserts of those that write; their bytes and skewness measure nothing."""
    for part, _ in _queries(ended):
        yield str(part["RedshiftQueryId"]), "'step'", "'scan'", "4096", "NULL", "NULL"
        yield str(part["RedshiftQueryId"]), "'segment'", "'scan'", "4096", "0", "44"
        if str(part["QueryString"]).startswith(("INSERT", "COPY")):
            yield str(part["RedshiftQueryId"]), "'step'", "'insert'", "2048", "NULL", "NULL"
            yield str(part["RedshiftQueryId"]), "'segment'", "'insert'", "2048", "77", "1"
