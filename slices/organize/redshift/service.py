"""Redshift's Data API as a service that runs statements elsewhere: https://docs.aws.amazon.com/redshift-data/latest/APIReference/."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared_metadata.contract.waiting.statements import Look, Status, submitted_otherwise
from shared_metadata.errors import DefinitionError, RetryLater
from systems.sql_warehouse.session import GUARD, MOVED

if TYPE_CHECKING:
    from mypy_boto3_redshift_data import RedshiftDataAPIServiceClient

# https://docs.aws.amazon.com/redshift/latest/mgmt/data-api.html, "Considerations"; …/API_BatchExecuteStatement.html
MOST_TEXT_BYTES, MOST_STATEMENTS = 100_000, 40
WAIT_SECONDS = 2  # of a call that looks: the service answers at once when the statement ends
_STATUS = {
    **{"SUBMITTED": Status.WAITS, "PICKED": Status.WAITS, "STARTED": Status.RUNS, "FINISHED": Status.DONE},
    **{"FAILED": Status.FAILED, "ABORTED": Status.CANCELLED},
}
# What a user's own settings (ALTER USER … SET) would decide over a view's values: of which zone a moment's day is, and how days are
# written and read. https://docs.aws.amazon.com/redshift/latest/dg/r_timezone_config.html, …/r_datestyle.html
SETTLING = ("SET timezone TO 'UTC'", "SET datestyle TO 'ISO, MDY'")
# Words of Redshift's that name what the statement or the catalog does, and no value of a row.
_TOLD = re.compile(
    r"(relation|column|schema|database|type|function|operator|permission denied|must be owner|syntax error|Table|S3ServiceException"
    r"|User \S+ is not authorized|invalid reference|missing FROM|subquery|aggregate|Spectrum Scan Error|disk full|Disk Full|FATAL"
    r"|Unmatched number of columns|INSERT has|UNION types|argument|identifier|tables can have|window|cross-database)[^\n]*"
)
# Words before which a value may stand that was refused: told up to there.
_BEFORE_A_VALUE = {
    "Value too long": "a text has more bytes than its column takes: Redshift's longest has 65,535",
    "String length exceeds": "a text has more bytes than its column takes: Redshift's longest has 65,535",
    "Divide by zero": "a number is divided by zero",
    "Invalid digit": "a text is no number",
    "Numeric data overflow": "a number has more digits than its type",
    "Overflow": "a number is too large for its type",
}
_CONFLICT = re.compile(r"1023|Serializable isolation violation|deadlock detected|already exists|duplicate key value")
_REMEDIES = {
    "permission denied": "grant it to the user that the statement runs as; the slice's README lists what that needs",
    "is not authorized": "attach the slice's role to the cluster or namespace, as the slice's README says",
    "s3serviceexception": "the role of the slice reads and writes the data bucket alone: deploy the slice's stack again",
    "disk full": "give the warehouse more room, or let it keep less",
}


class RedshiftService:
    """The statements in one database.

    where: which warehouse, how to sign in, and the database, as each call says it.  rpus: of its workgroup, where they are known.
    group: a query group, by which a queue of the warehouse takes them; '' for none.
    """

    kind = "Redshift statement"

    def __init__(
        self, client: RedshiftDataAPIServiceClient, where: Mapping[str, Any], place: str, rpus: int = 0, group: str = ""
    ) -> None:
        self._client, self._where, self._place, self._rpus = client, where, place, rpus
        # https://docs.aws.amazon.com/redshift/latest/dg/r_query_group.html
        self._first = [*([f"SET query_group TO '{group}'"] if group else []), *SETTLING]
        self._results: dict[str, Mapping[str, Any]] = {}

    def submit(self, text: str, token: str) -> str:
        """text: a JSON list of statements, which are one transaction."""
        texts = [*self._first, *json.loads(text)]
        longest = max(len(one.encode()) for one in texts)
        if longest > MOST_TEXT_BYTES or len(texts) > MOST_STATEMENTS:
            raise DefinitionError(
                f"a statement has {longest:,} bytes, and Redshift takes {MOST_TEXT_BYTES:,}"
                if longest > MOST_TEXT_BYTES
                else f"a transaction has {len(texts)} statements, and Redshift's Data API takes {MOST_STATEMENTS}",
                place=self._place,
                remedy="make the view of several, or give it fewer columns",
            )
        try:
            if len(texts) == 1:
                return str(self._client.execute_statement(Sql=texts[0], ClientToken=token, **self._where)["Id"])
            return str(self._client.batch_execute_statement(Sqls=texts, ClientToken=token, **self._where)["Id"])
        except ClientError as error:
            raise self._refused(error) or error from None

    def look(self, id: str) -> Look:
        found = self._client.describe_statement(Id=id, WaitTimeSeconds=WAIT_SECONDS)
        status, error = _STATUS[found["Status"]], found.get("Error", "")
        reason = _said(error, found) if status in (Status.FAILED, Status.CANCELLED) else ""
        if status == Status.DONE:
            self._results[id] = found
        elapsed = found.get("Duration", 0) / 1e9 if found.get("Duration", 0) > 0 else 0.0
        whole = (found["UpdatedAt"] - found["CreatedAt"]).total_seconds() if status == Status.DONE else elapsed
        size = sum(max(part.get("ResultSize", 0), 0) for part in found.get("SubStatements", [found]))
        return Look(
            status,
            reason=reason,
            transient=bool(_CONFLICT.search(error)) and MOVED not in reason,
            queue_seconds=max(whole - elapsed, 0.0),
            run_seconds=elapsed,
            rows=_rows(found),
            result={"bytes": size},
            # Redshift bills a workgroup's seconds by the minute (SYS_SERVERLESS_USAGE), whatever runs in it then.
            estimated={"redshift_rpu_seconds": round(self._rpus * elapsed, 3)} if self._rpus and elapsed else {},
            console_id=_query_id(found),
        )

    def cancel(self, id: str) -> None:
        """Nothing where it has ended, which the service refuses."""
        try:
            self._client.cancel_statement(Id=id)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ValidationException":
                raise

    def rows(self, id: str, number: int) -> list[list[Any]]:
        """The values that a statement of a transaction gave, counted from its end; the pages of a result are read to theirs."""
        found = self._results.get(id) or self._client.describe_statement(Id=id)
        parts = found.get("SubStatements") or []
        wanted = parts[number]["Id"] if parts else id
        rows, token = list[list[Any]](), ""
        while True:
            more: Mapping[str, Any] = {"NextToken": token} if token else {}
            page = self._client.get_statement_result(Id=wanted, **more)
            rows += [[_value(field) for field in record] for record in page["Records"]]
            token = page.get("NextToken", "")
            if not token:
                return rows

    def asks(self, statements: Sequence[Mapping[str, Any]]) -> list[str]:
        """Asks of each transaction that was at work, by one of its queries' ids, in microseconds and bytes.

        https://docs.aws.amazon.com/redshift/latest/dg/SYS_QUERY_HISTORY.html, …/SYS_QUERY_DETAIL.html; how uneven the slices' shares
        were stands at segments: …/cm_chap_system-tables.html
        """
        ids = [str(one["console_id"]) for one in statements if str(one.get("console_id", "")).isdecimal()]
        if not ids:
            return []
        steps = (
            "SELECT query_id, sum(CASE WHEN metrics_level = 'step' AND step_name = 'scan' THEN input_bytes ELSE 0 END) AS scanned, "
            "sum(CASE WHEN metrics_level = 'step' AND step_name = 'insert' THEN input_bytes ELSE 0 END) AS written, "
            "max(data_skewness) AS of_data, max(time_skewness) AS of_time FROM sys_query_detail GROUP BY query_id"
        )
        text = (
            "SELECT one.query_id, sum(h.queue_time) AS queued, sum(h.execution_time) AS ran, sum(steps.scanned) AS scanned, "
            "sum(steps.written) AS written, max(steps.of_data) AS of_data, max(steps.of_time) AS of_time "
            "FROM sys_query_history AS one "
            "JOIN sys_query_history AS h ON h.transaction_id = one.transaction_id "
            f"LEFT JOIN ({steps}) AS steps ON steps.query_id = h.query_id "
            f"WHERE one.query_id IN ({', '.join(ids)}) GROUP BY one.query_id"
        )
        return [text]

    def figures(self, rows: Sequence[Sequence[Any]]) -> Mapping[str, Mapping[str, Any]]:
        return {str(id): _figures(*told) for id, *told in rows}

    def _refused(self, error: ClientError) -> Exception | None:
        """What a refused call is in our words; None for one that AWS's own words tell."""
        code, said = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        if code == "ActiveStatementsExceededException":
            return RetryLater("Redshift runs as many statements as it may", place=self._place, remedy="nothing: it is asked again")
        if code != "ValidationException":
            return None
        name = self._where.get("WorkgroupName") or self._where.get("ClusterIdentifier")
        return submitted_otherwise(self.kind, said, self._place) or DefinitionError(
            f"Redshift takes no statement for {name}: {said}",
            place=self._place,
            remedy="see that it is there, is not paused, and is called so in the warehouse's options",
        )


def _said(error: str, found: Mapping[str, Any]) -> str:
    """Redshift's reason without any value that a row may hold."""
    broken: Mapping[str, Any] = next((part for part in found.get("SubStatements", ()) if part.get("Status") == "FAILED"), {})
    if str(broken.get("QueryString", "")).startswith(GUARD) and "ivide by zero" in error:
        return MOVED
    words = error.removeprefix("ERROR:").strip()
    if not words:
        return ""
    if _CONFLICT.search(words):
        return "another transaction has written the same table meanwhile (1023)"
    for begins, said in _BEFORE_A_VALUE.items():
        if words.startswith(begins):
            return said
    known = _TOLD.match(words)
    if known is None:
        return "Redshift's words may quote a row; its console shows them"
    remedy = next((remedy for word, remedy in _REMEDIES.items() if word in known[0].lower()), "")
    return f"{known[0].strip()}{f' ({remedy})' if remedy else ''}"


def _figures(queued: Any, ran: Any, scanned: Any, written: Any, of_data: Any, of_time: Any) -> dict[str, Any]:
    """Seconds, bytes, and the most uneven shares of slices, as Redshift counts them; as far as they are known."""
    seconds = {"queue_seconds": queued, "run_seconds": ran}
    found: dict[str, Any] = {name: float(value) / 1e6 for name, value in seconds.items() if value is not None}
    counts = {"bytes_scanned": scanned, "bytes_written": written, "data_skewness": of_data, "time_skewness": of_time}
    return found | {name: int(value) for name, value in counts.items() if value}


def _rows(found: Mapping[str, Any]) -> int | None:
    """How many rows the statements have written, or their result has."""
    counts = [part.get("ResultRows", -1) for part in found.get("SubStatements") or [found]]
    known = [count for count in counts if count >= 0]
    return max(known) if known else None


def _query_id(found: Mapping[str, Any]) -> str:
    """What SYS_QUERY_HISTORY and the console call it; of a transaction that of the statement that took longest. '' for none."""
    longest = max(found.get("SubStatements") or [found], key=lambda part: part.get("Duration", 0))
    known = longest.get("RedshiftQueryId") or found.get("RedshiftQueryId") or 0
    return str(known) if known > 0 else ""


def _value(field: Mapping[str, Any]) -> Any:
    return None if field.get("isNull") else next(iter(field.values()))
