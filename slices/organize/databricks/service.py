"""Databricks as a service that runs statements elsewhere: a list of them is one script.

It takes no token of a statement: one whose answer was lost is submitted again, and may run beside itself. So every list of
statements gives the same then: what is staged is overwritten, a file copied into a table once, a result written to a folder of each
submission's own, and a commit finds its ledger moved.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from shared_metadata.contract.waiting.statements import Look, Status
from shared_metadata.errors import DefinitionError, RetryLater, SecretError
from slices.organize.databricks.api import DatabricksApi
from slices.organize.databricks.logic import ORDER, SUBMISSION
from slices.organize.databricks.reasons import TRANSIENT_CODES, reason, refusal, transient
from slices.organize.databricks.script import ANSWER, scripted
from systems.sql_warehouse.session import estimated

MOST_TEXT_BYTES = 16 << 20  # https://docs.databricks.com/api/workspace/statementexecution/executestatement
WAIT = "10s"
_STATES = {"PENDING": Status.WAITS, "RUNNING": Status.RUNS, "FAILED": Status.FAILED, "CANCELED": Status.CANCELLED}
_WHOLE = ("INT", "LONG", "SHORT", "BYTE", "BIGINT", "SMALLINT", "TINYINT")


class DatabricksService:
    """warehouse_id: of the SQL warehouse.  catalog: whose schemas statements name.

    rates: DBUs of one of its clusters in an hour, and dollars of a DBU, as the program says them; 0 for what it does not.
    """

    kind = "Databricks query"

    def __init__(self, api: DatabricksApi, warehouse_id: str, catalog: str, place: str, rates: tuple[float, float] = (0, 0)) -> None:
        self._api, self._warehouse, self._catalog, self._place, self._rates = api, warehouse_id, catalog, place, rates
        self._answers: dict[str, dict[str, Any]] = {}

    def submit(self, text: str, token: str) -> str:
        """text: a JSON list of statements."""
        whole = scripted(json.loads(text))
        if len(whole.encode()) > MOST_TEXT_BYTES:
            raise DefinitionError(
                f"the statements have {len(whole.encode()):,} bytes, and Databricks takes {MOST_TEXT_BYTES:,}",
                place=self._place,
                remedy="make the view of several, or give it fewer columns",
            )
        body = {
            **{"warehouse_id": self._warehouse, "catalog": self._catalog},
            **{"wait_timeout": WAIT, "on_wait_timeout": "CONTINUE", "disposition": "INLINE", "format": "JSON_ARRAY"},
        }

        def sent() -> dict[str, Any]:
            return {**body, "statement": whole.replace(SUBMISSION, uuid.uuid4().hex)}

        status, told = self._api.ask("POST", "sql/statements", sent)
        if status != 200 or "statement_id" not in told:
            cause, remedy = refusal(status, told, self._warehouse)
            raise DefinitionError(cause, place=self._place, remedy=remedy)
        self._answers[str(told["statement_id"])] = told
        return str(told["statement_id"])

    def look(self, id: str) -> Look:
        told = self._known(id)
        state = "CLOSED" if told is None else str(told["status"]["state"])
        if told is None or state == "CLOSED":
            return Look(Status.FAILED, reason="Databricks keeps its result no longer", transient=True)
        if state in ("PENDING", "RUNNING"):
            self._answers.pop(id, None)
        if state == "SUCCEEDED":
            return self._done(id)
        error = told["status"].get("error", {})
        code, said = str(error.get("error_code", "")), str(error.get("message", ""))
        again = code in TRANSIENT_CODES or transient(said)
        return Look(_STATES[state], reason=reason(code, said) if error else "", transient=again)

    def cancel(self, id: str) -> None:
        self._answers.pop(id, None)
        self._api.ask("POST", f"sql/statements/{id}/cancel", {})

    def rows(self, id: str, number: int) -> list[list[Any]]:
        """The values that a statement gave, counted among all of its list; the chunks of a result are read to their end."""
        told = self._known(id) or {"manifest": {"schema": {}}}
        columns, result = told["manifest"]["schema"].get("columns", []), told.get("result", {})
        rows = list(result.get("data_array") or [])
        while (chunk := result.get("next_chunk_index")) is not None:
            result = self._api.ask("GET", f"sql/statements/{id}/result/chunks/{chunk}")[1]
            rows += result.get("data_array") or []
        answers = [ANSWER.fullmatch(column["name"]) for column in columns]
        if not all(answers):
            return _ordered([dict(zip(_names(columns), map(_value, row, columns), strict=True)) for row in rows])
        found = {int(one[1]): (int(one[2]), value) for one, value in zip(answers, rows[0], strict=True) if one}
        count = next(iter(found.values()))[0]
        return _ordered(json.loads(found[number % count][1], parse_float=Decimal))

    def _known(self, id: str) -> dict[str, Any] | None:
        """What it says of a statement; None where it keeps it no longer."""
        if id not in self._answers:
            status, told = self._api.ask("GET", f"sql/statements/{id}")
            if status == 404:
                return None
            if status != 200:
                cause, remedy = refusal(status, told, self._warehouse)
                raise DefinitionError(cause, place=self._place, remedy=remedy)
            self._answers[id] = told
        return self._answers[id]

    def _done(self, id: str) -> Look:
        """A look with what Query History knows of it, if it does already: https://docs.databricks.com/api/workspace/queryhistory/list"""
        try:
            _, told = self._api.ask("GET", "sql/history/queries", query={"filter_by.statement_ids": id, "include_metrics": "true"})
        except (RetryLater, SecretError):
            told = {}
        known: list[Mapping[str, Any]] = [one for one in told.get("res", ()) if one.get("query_id") == id]
        found: Mapping[str, Any] = known[0] if known else {}
        metrics: Mapping[str, Any] = found.get("metrics", {})
        begun, executed = found.get("query_start_time_ms", 0), metrics.get("execution_time_ms", 0)
        queued = max(metrics.get("query_compilation_start_timestamp", begun) - begun, 0)
        rows, ran = metrics.get("rows_produced_count"), (executed or metrics.get("total_time_ms", 0)) / 1000
        return Look(
            Status.DONE,
            queue_seconds=queued / 1000,
            run_seconds=ran,
            bytes_scanned=int(metrics.get("read_bytes", 0)),
            rows=None if rows is None else int(rows),
            bytes_written=int(metrics.get("write_remote_bytes", 0)),
            # A SQL warehouse is billed while it runs, whatever runs in it then.
            estimated=estimated("databricks_dbus", self._rates[0] * ran / 3600, self._rates[1]),
        )

    def asks(self, statements: Sequence[Mapping[str, Any]]) -> list[str]:
        """Nothing: Query History has told."""
        return []

    def figures(self, rows: Sequence[Sequence[Any]]) -> Mapping[str, Mapping[str, Any]]:
        return {}


def _names(columns: Sequence[Mapping[str, Any]]) -> list[str]:
    """The columns' names, each once."""
    return [ORDER if column["name"] == ORDER else str(at) for at, column in enumerate(columns)]


def _ordered(rows: list[dict[str, Any]]) -> list[list[Any]]:
    if rows and ORDER in rows[0]:
        rows = sorted(rows, key=lambda row: int(row[ORDER]))
    return [[value for name, value in row.items() if name != ORDER] for row in rows]


def _value(value: str | None, column: Mapping[str, Any]) -> Any:
    """Every value is a text: https://docs.databricks.com/aws/en/dev-tools/sql-execution-tutorial"""
    kind = str(column.get("type_name", "STRING"))
    if value is None or kind not in (*_WHOLE, "DECIMAL", "BOOLEAN", "DOUBLE", "FLOAT"):
        return value
    if kind == "BOOLEAN":
        return value.lower() == "true"
    if kind in ("DOUBLE", "FLOAT"):
        return float(value)
    return Decimal(value) if kind == "DECIMAL" else int(value)
