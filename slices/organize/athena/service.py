"""Athena as an engine that runs statements elsewhere: https://docs.aws.amazon.com/athena/latest/APIReference/."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from shared_metadata.contract.waiting.statements import Look, Status, submitted_otherwise
from shared_metadata.errors import DefinitionError

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient

# https://docs.aws.amazon.com/athena/latest/ug/service-limits.html
MOST_BYTES_OF_TEXT = 262_144
# https://aws.amazon.com/athena/pricing/: a statement is billed for 10 MB at least
MEGABYTE, LEAST_MEGABYTES = 1 << 20, 10
# "DML query timeout" of the same page: what an account has by itself, and the most that can be asked for
TIMEOUT_MINUTES, MOST_TIMEOUT_MINUTES = 30, 240
TIMEOUTS = (206, 210)  # https://docs.aws.amazon.com/athena/latest/ug/error-reference.html, of ErrorType
SYSTEM = 1  # https://docs.aws.amazon.com/athena/latest/APIReference/API_AthenaError.html
_STATUS = {
    "QUEUED": Status.WAITS,
    "RUNNING": Status.RUNS,
    "SUCCEEDED": Status.DONE,
    "FAILED": Status.FAILED,
    "CANCELLED": Status.CANCELLED,
}
_FORBIDDEN = re.compile(r"not authorized to perform|Access ?Denied|Insufficient (?:Lake Formation )?permission", re.IGNORECASE)
MOST_OF_A_REASON = 500
_LATE = (
    f'raise "DML query timeout" of Athena in Service Quotas, to {MOST_TIMEOUT_MINUTES} minutes at most, make it of several views, '
    "or have Spark compute it: USING spark"
)
_CODE = re.compile(r"([A-Z][A-Z0-9_]{3,}): ?(.*)", re.DOTALL)
# Errors before any row is read, whose words can quote nothing but the statement and the catalog.
_WORDS_ARE_THE_STATEMENTS = frozenset(
    {
        *("SYNTAX_ERROR", "TYPE_MISMATCH", "COLUMN_NOT_FOUND", "TABLE_NOT_FOUND", "SCHEMA_NOT_FOUND", "FUNCTION_NOT_FOUND"),
        *("NOT_SUPPORTED", "INVALID_ARGUMENTS", "AMBIGUOUS_NAME", "EXPRESSION_NOT_AGGREGATE", "EXPRESSION_NOT_SCALAR"),
        *("MISMATCHED_COLUMN_ALIASES", "DUPLICATE_COLUMN_NAME", "MISSING_GROUP_BY", "NESTED_WINDOW", "CATALOG_NOT_FOUND"),
        *("PERMISSION_DENIED", "ICEBERG_TOO_MANY_OPEN_PARTITIONS", "HIVE_TOO_MANY_OPEN_PARTITIONS"),
        *("EXCEEDED_MEMORY_LIMIT", "EXCEEDED_LOCAL_MEMORY_LIMIT", "EXCEEDED_TIME_LIMIT", "QUERY_EXPIRED", "COMPILER_ERROR"),
    }
)


class Athena:
    """The statements of one workgroup."""

    kind = "Athena query"

    def __init__(self, client: AthenaClient, workgroup: str, database: str, place: str) -> None:
        """database: one that is there; statements name theirs."""
        self._client, self._workgroup, self._database, self._place = client, workgroup, database, place

    def submit(self, text: str, token: str) -> str:
        if (size := len(text.encode())) > MOST_BYTES_OF_TEXT:
            raise DefinitionError(
                f"the statement has {size:,} bytes, and Athena takes {MOST_BYTES_OF_TEXT:,}",
                place=self._place,
                remedy="make it of several views, or have another engine compute it: USING duckdb",
            )
        try:
            started = self._client.start_query_execution(
                QueryString=text,
                ClientRequestToken=token,
                WorkGroup=self._workgroup,
                QueryExecutionContext={"Database": self._database},
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "InvalidRequestException":
                raise
            otherwise = submitted_otherwise(self.kind, error.response["Error"].get("Message", ""), self._place)
            raise otherwise or DefinitionError(
                f"Athena's workgroup {self._workgroup} takes no statement: it is not there, or is disabled",
                place=self._place,
                remedy="deploy OrganizeAthenaSlice again, or enable the workgroup",
            ) from None
        return started["QueryExecutionId"]

    def look(self, id: str) -> Look:
        found = self._client.get_query_execution(QueryExecutionId=id)["QueryExecution"]
        state, statistics = found["Status"], found.get("Statistics", {})
        scanned = statistics.get("DataScannedInBytes", 0)
        status, fault = _STATUS[state["State"]], state.get("AthenaError", {})
        said = state.get("StateChangeReason", "")
        reason, remedy, late = _said(said), "", fault.get("ErrorType") in TIMEOUTS
        if late:  # again it would take as long
            reason, remedy = f"it took longer than the account lets a query take ({TIMEOUT_MINUTES} minutes by itself)", _LATE
        elif status == Status.CANCELLED and "limit" in said.lower():
            status, reason = Status.FAILED, "it would have scanned more than its workgroup allows (scan_limit_gb of the warehouse)"
        return Look(
            status,
            reason=reason if status in (Status.FAILED, Status.CANCELLED) else "",
            remedy=remedy,
            transient=not late and (bool(fault.get("Retryable")) or fault.get("ErrorCategory") == SYSTEM),
            queue_seconds=statistics.get("QueryQueueTimeInMillis", 0) / 1000,
            run_seconds=statistics.get("EngineExecutionTimeInMillis", 0) / 1000,
            bytes_scanned=scanned,
            used={"athena_mb_scanned": max(scanned / MEGABYTE, LEAST_MEGABYTES)} if scanned else {},
        )

    def cancel(self, id: str) -> None:
        self._client.stop_query_execution(QueryExecutionId=id)

    def row(self, id: str) -> list[int]:
        """The first row of a statement that counts; the row before it names the columns."""
        rows = self._client.get_query_results(QueryExecutionId=id, MaxResults=2)["ResultSet"]["Rows"]
        return [int(value["VarCharValue"]) for value in rows[1]["Data"]]


def _said(reason: str) -> str:
    """Athena's reason without any value that a row may hold: its code, and its words where they are of the statement."""
    if _FORBIDDEN.search(reason):  # of what, in names of resources
        return reason.partition("\n")[0][:MOST_OF_A_REASON]
    if reason.startswith("Query exhausted resources"):
        return "it needs more resources than Athena gives one query"
    found = _CODE.search(reason)
    if found is None:
        return "Athena gives no code for it"
    code, words = found[1], found[2].partition("\n")[0].strip()
    return f"{code}: {words}" if code in _WORDS_ARE_THE_STATEMENTS else f"{code}, in words that may quote a row"
