"""Snowflake as a service that runs statements elsewhere: a list of them is one request, and a transaction where it has to be one.

What defines something commits what is open there. So of a commit's statements those that make a table run before the
transaction, and those that drop one after it; of all others nothing is read by others before their commit, and each is by itself.
https://docs.snowflake.com/en/developer-guide/sql-api/submitting-multiple-statements and …/sql-reference/transactions
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from shared_metadata.contract.waiting.statements import Look, Status
from shared_metadata.errors import DefinitionError
from slices.organize.snowflake.api import SnowflakeApi
from slices.organize.snowflake.reasons import CANCELLED, TRANSIENT, reason
from systems.sql_warehouse.session import GUARD, estimated

MOST_TEXT_BYTES = 1_000_000  # https://docs.snowflake.com/en/user-guide/query-size-limits
PARAMETERS = {
    "TIMEZONE": "UTC",
    "TIMESTAMP_NTZ_OUTPUT_FORMAT": "YYYY-MM-DD HH24:MI:SS.FF6",
    "TIMESTAMP_LTZ_OUTPUT_FORMAT": "YYYY-MM-DD HH24:MI:SS.FF6TZH:TZM",
    "DATE_OUTPUT_FORMAT": "YYYY-MM-DD",
}
# What an account's or a user's own parameters would decide over a view's values and names; a request of several statements takes them
# as a statement, and not beside it: https://docs.snowflake.com/en/sql-reference/parameters, …/developer-guide/sql-api/reference
SETTINGS = {
    **{"TIMESTAMP_TYPE_MAPPING": "'TIMESTAMP_NTZ'", "QUOTED_IDENTIFIERS_IGNORE_CASE": "FALSE", "TWO_DIGIT_CENTURY_START": "1970"},
    **{"WEEK_START": "0", "WEEK_OF_YEAR_POLICY": "0", "BINARY_INPUT_FORMAT": "'HEX'", "BINARY_OUTPUT_FORMAT": "'HEX'"},
    **{"DATE_INPUT_FORMAT": "'AUTO'", "TIME_INPUT_FORMAT": "'AUTO'", "TIMESTAMP_INPUT_FORMAT": "'AUTO'"},
}
SETTLING = "ALTER SESSION SET " + ", ".join(f"{name} = {value}" for name, value in SETTINGS.items())
_MOST_SECONDS = 604_800
MOST_HISTORY = 10_000
# https://docs.snowflake.com/en/user-guide/warehouses-overview: of a standard warehouse of the first generation
CREDITS_AN_HOUR = {
    **{"X-Small": 1, "Small": 2, "Medium": 4, "Large": 8, "X-Large": 16, "2X-Large": 32},
    **{"3X-Large": 64, "4X-Large": 128, "5X-Large": 256, "6X-Large": 512},
}


class SnowflakeService:
    """where: database, role and warehouse, as a request's body has them.  limit_seconds: of one request.

    credit_price: dollars of a credit, as the program says it; 0 where it does not.
    """

    kind = "Snowflake query"

    def __init__(
        self, api: SnowflakeApi, where: Mapping[str, str], limit_seconds: float, place: str, credit_price: float = 0
    ) -> None:
        self._api, self._where, self._limit, self._place, self._price = api, where, limit_seconds, place, credit_price
        self._first = [SETTLING]
        self._answers: dict[str, tuple[int, dict[str, Any]]] = {}

    def submit(self, text: str, token: str) -> str:
        """text: a JSON list of statements.  token: the request's id, under which it is run once."""
        texts = [*self._first, *arranged(json.loads(text))]
        whole = ";\n".join(texts)
        if len(whole.encode()) > MOST_TEXT_BYTES:
            raise DefinitionError(
                f"the statements have {len(whole.encode()):,} bytes, and Snowflake takes {MOST_TEXT_BYTES:,}",
                place=self._place,
                remedy="make the view of several, or give it fewer columns",
            )
        body = {
            **{"statement": whole, "timeout": min(int(self._limit), _MOST_SECONDS), **self._where},
            "parameters": {**PARAMETERS, "MULTI_STATEMENT_COUNT": str(len(texts)), "QUERY_TAG": "atoll"},
        }
        status, told = self._api.ask("POST", "", {"requestId": token, "retry": "true"}, body)
        if "statementHandle" not in told:
            said = reason(str(told.get("code", status)), str(told.get("message", "")))
            raise DefinitionError(f"Snowflake takes no statement: {said}", place=self._place, remedy="mend what it says")
        id = str(told["statementHandle"])
        self._answers[id] = status, told
        return id

    def look(self, id: str) -> Look:
        status, told = self._answers.get(id) or self._api.ask("GET", f"/{id}")
        if status == 202:
            self._answers.pop(id, None)
            return Look(Status.RUNS)
        self._answers[id] = status, told
        code = str(told.get("code", ""))
        if status != 200:
            said = str(told.get("message", ""))
            ended = Status.CANCELLED if code == CANCELLED else Status.FAILED
            return Look(ended, reason=reason(code, said), transient=code in TRANSIENT)
        handles: Sequence[str] = told.get("statementHandles") or ()
        one = self._api.ask("GET", f"/{handles[1]}")[1] if len(handles) == 2 else told  # of several none tells what they did together
        taken = max(time.time() - told.get("createdOn", 0) / 1000, 0.0) if told.get("createdOn") else 0.0
        return Look(Status.DONE, run_seconds=taken, rows=_count(one))

    def cancel(self, id: str) -> None:
        self._answers.pop(id, None)
        self._api.ask("POST", f"/{id}/cancel")

    def asks(self, statements: Sequence[Mapping[str, Any]]) -> list[str]:
        """Asks of the queries of each request, by their ids: https://docs.snowflake.com/en/sql-reference/functions/query_history"""
        whose = dict[str, str]()
        for one in statements:
            id = str(one["id"])
            _, told = self._answers.get(id) or self._api.ask("GET", f"/{id}")
            whose |= dict.fromkeys(map(str, told.get("statementHandles") or [id]), id)
        requests = " ".join(f"WHEN '{query}' THEN '{id}'" for query, id in whose.items())
        sums = "sum(execution_time), sum(queued_overload_time + queued_provisioning_time), sum(bytes_scanned), max(rows_inserted)"
        text = (
            f"SELECT CASE query_id {requests} END AS request, max(warehouse_size), {sums} "
            f"FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY_BY_USER(RESULT_LIMIT => {MOST_HISTORY})) "
            f"WHERE query_id IN ({', '.join(map(repr, whose))}) GROUP BY request"
        )
        return [text]

    def figures(self, rows: Sequence[Sequence[Any]]) -> Mapping[str, Mapping[str, Any]]:
        return {str(id): _figures(told, self._price) for id, *told in rows}

    def rows(self, id: str, number: int) -> list[list[Any]]:
        """The values that a statement gave, counted from the end of all that were sent; the parts of a result are read to theirs."""
        _, told = self._answers.get(id) or self._api.ask("GET", f"/{id}")
        wanted = (told.get("statementHandles") or [id])[number]  # of one that was sent alone there are none
        _, told = self._api.ask("GET", f"/{wanted}")
        meta, rows = told["resultSetMetaData"], list(told["data"])
        for part in range(1, len(meta.get("partitionInfo", ()))):
            rows += self._api.ask("GET", f"/{wanted}", {"partition": str(part)})[1]["data"]
        return [[_value(value, column) for value, column in zip(row, meta["rowType"], strict=True)] for row in rows]


def _figures(told: Sequence[Any], price: float) -> dict[str, Any]:
    """Sums over one request's queries; credits of a warehouse of that size, by the second that they ran."""
    size, ran, queued, scanned, rows = told
    found = {"queue_seconds": float(queued or 0) / 1000, "run_seconds": float(ran or 0) / 1000, "bytes_scanned": int(scanned or 0)}
    credits = estimated("snowflake_credits", CREDITS_AN_HOUR.get(str(size or ""), 0) * found["run_seconds"] / 3600, price)
    return {
        **found,
        **({"rows": int(rows)} if rows is not None else {}),
        # A warehouse is billed while it runs, a minute at least, whatever runs in it then.
        **({"estimated": credits} if credits else {}),
    }


def arranged(texts: Sequence[str]) -> list[str]:
    """A commit's statements with their transaction; all others as they are. The last one stays the last.

    Each list can be run again after it has stopped anywhere: a staging table is made anew, a commit's where there is none.
    """
    if not any(text.startswith(GUARD) for text in texts):
        return [_made(text, "CREATE OR REPLACE TABLE ") for text in texts]
    *most, last = [_made(text, "CREATE TABLE IF NOT EXISTS ") for text in texts]
    if _begins(last, "DROP"):
        most, last = [*most, last], "SELECT 1 AS done"
    made = [text for text in most if _begins(text, "CREATE", "ALTER")]
    gone = [text for text in most if _begins(text, "DROP")]
    rest = [text for text in most if text not in made and text not in gone]
    return [*made, "BEGIN TRANSACTION", *rest, "COMMIT", *gone, last]


def _made(text: str, begin: str) -> str:
    plain = "CREATE TABLE "
    return begin + text.removeprefix(plain) if text.startswith(plain) and not text.startswith(f"{plain}IF NOT EXISTS") else text


def _begins(text: str, *words: str) -> bool:
    return text.split(" ", 1)[0] in words


def _count(told: Mapping[str, Any]) -> int | None:
    stats = told.get("stats", {}) if "statementHandles" not in told else {}
    known = [int(stats[name]) for name in ("numRowsInserted", "numRowsUpdated", "numRowsDeleted") if name in stats]
    return sum(known) if known else None


def _value(value: str | None, column: Mapping[str, Any]) -> Any:
    """https://docs.snowflake.com/en/developer-guide/sql-api/handling-responses: numbers, days and seconds as texts."""
    kind = column["type"].lower()
    if value is None or kind in ("text", "variant", "binary", "object", "array"):
        return value
    if kind == "fixed":
        return Decimal(value) if column.get("scale") else int(value)
    if kind == "boolean":
        return value.lower() in ("true", "1")
    if kind == "date":
        return (date(1970, 1, 1) + timedelta(days=int(value))).isoformat()
    if kind.startswith("timestamp"):
        seconds, _, fraction = value.split(" ")[0].partition(".")
        whole = datetime(1970, 1, 1, tzinfo=UTC if kind != "timestamp_ntz" else None) + timedelta(
            seconds=int(seconds), microseconds=int((fraction + "000000")[:6])
        )
        return whole.isoformat(sep=" ")
    return float(value) if kind == "real" else value
