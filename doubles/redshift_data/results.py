"""A statement's result as the API shows it: https://docs.aws.amazon.com/redshift-data/latest/APIReference/API_GetStatementResult.html"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import psycopg

from doubles.redshift_data.errors import StatementFailed, invalid
from doubles.redshift_data.limits import MOST_RESULT_BYTES, MOST_ROW_BYTES, ROWS_A_PAGE
from doubles.redshift_data.transaction import Outcome

_NAMES = {"text": "varchar", "bpchar": "varchar", "bytea": "varbyte", "jsonb": "super", "name": "varchar"}


def told(outcome: Outcome) -> dict[str, Any]:
    """What DescribeStatement says of it, and what is kept of its rows. Raises StatementFailed for more than is handed on."""
    base = {"ResultRows": outcome.count, "HasResultSet": outcome.rows is not None, "ResultSize": -1}
    if outcome.rows is None:
        return base
    records = [[_field(value) for value in row] for row in outcome.rows]
    sizes = [len(json.dumps(record)) for record in records]
    if any(size > MOST_ROW_BYTES for size in sizes):
        raise StatementFailed("Packet for query is too large")
    if sum(sizes) > MOST_RESULT_BYTES:
        raise StatementFailed("Database response exceeded size limit")
    return {**base, "ResultSize": sum(sizes), "_records": records, "_columns": [_column(one) for one in outcome.columns]}


def page(statement: Mapping[str, Any], token: str) -> dict[str, Any]:
    """One page of the rows that a statement has given."""
    if not statement.get("HasResultSet"):
        raise invalid("Query does not have result. Please check query status with DescribeStatement.")
    begin = int(token) if token.isdecimal() else 0
    records: Sequence[Any] = statement["_records"]
    more = {"NextToken": str(begin + ROWS_A_PAGE)} if begin + ROWS_A_PAGE < len(records) else {}
    shown = {"Records": records[begin : begin + ROWS_A_PAGE], "ColumnMetadata": statement["_columns"]}
    return {**shown, "TotalNumRows": len(records), **more}


def _field(value: Any) -> dict[str, Any]:
    if value is None:
        return {"isNull": True}
    for kind, name in ((bool, "booleanValue"), (int, "longValue"), (float, "doubleValue")):
        if isinstance(value, kind):
            return {name: value}
    if isinstance(value, dict | list):
        return {"stringValue": json.dumps(value)}
    if isinstance(value, datetime):
        return {"stringValue": value.isoformat(" ")}
    return {"stringValue": value.isoformat() if isinstance(value, date) else value.hex() if isinstance(value, bytes) else str(value)}


def _column(one: Any) -> dict[str, Any]:
    info = psycopg.adapters.types.get(one.type_code)
    name = info.name if info else "varchar"
    sizes = {"precision": one.precision or 0, "scale": one.scale or 0} if name == "numeric" else {"precision": 0, "scale": 0}
    return {"name": one.name, "label": one.name, "typeName": _NAMES.get(name, name), "nullable": 1, "length": 0, **sizes}
