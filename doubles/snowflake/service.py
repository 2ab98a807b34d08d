"""The calls of the SQL API: https://docs.snowflake.com/en/developer-guide/sql-api/reference"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from doubles.snowflake import results, words
from doubles.snowflake.errors import Refused, StatementFailed, missing
from doubles.snowflake.faults import CALL, STATEMENT, Fault, Faults
from doubles.snowflake.history import with_history
from doubles.snowflake.limits import MOST_STATEMENT_BYTES, ROWS_A_PARTITION, SYNC_SECONDS
from doubles.snowflake.session import Database, Outcome, Session
from doubles.snowflake.signing import check_token

Answer = tuple[int, dict[str, Any]]
_RUNNING = {"code": "333334", "message": "Asynchronous execution in progress. Use provided query id to perform query monitoring."}


@dataclass
class Account:
    """users: their public keys, in PEM.  warehouses: by name, 'STARTED', or 'SUSPENDED' where it does not resume by itself."""

    name: str
    users: dict[str, str] = field(default_factory=dict)
    roles: set[str] = field(default_factory=set)
    warehouses: dict[str, str] = field(default_factory=dict)
    databases: dict[str, Database] = field(default_factory=dict)
    stages: dict[str, Callable[[], tuple[Any, str, str]]] = field(default_factory=dict)


@dataclass
class Request:
    """One call's statements.  outcomes: of those that have ended."""

    handle: str
    texts: list[str]
    handles: list[str]
    created: float
    ended: float = 0.0
    done: threading.Event = field(default_factory=threading.Event)
    outcomes: list[Outcome] = field(default_factory=list)
    error: StatementFailed | None = None
    session: Session | None = None


class SnowflakeApi:
    """An account, and the requests that it was sent."""

    def __init__(self, account: Account) -> None:
        self.account, self.faults = account, Faults()
        self.sync_seconds = SYNC_SECONDS
        self.requests: dict[str, Request] = {}
        self._by_request_id: dict[str, str] = {}
        self._lock = threading.Lock()

    def forget(self) -> None:
        """As if it had been asked nothing, and nothing were to go wrong."""
        self.faults.disarm()
        with self._lock:
            self.requests.clear()
            self._by_request_id.clear()

    def answer(self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: Mapping[str, Any]) -> Answer:
        """The status, and what is answered."""
        try:
            check_token(self.account.name, self.account.users, headers)
            met = self.faults.met(CALL, f"{method} {path}")
            if "refuse" in met:
                raise met["refuse"].refusal()
            found = self._answer(method, path.strip("/").split("/"), query, body)
            if "lose_answer" in met:
                raise met["lose_answer"].refusal()
            return found
        except Refused as refused:
            return refused.status, {"code": refused.code, "message": refused.message}

    def _answer(self, method: str, parts: list[str], query: Mapping[str, str], body: Mapping[str, Any]) -> Answer:
        if parts[:3] != ["api", "v2", "statements"]:
            raise Refused(404, "390404", "not found")
        if method == "POST" and len(parts) == 3:
            return self._submit(query, body)
        if len(parts) > 3 and parts[3].partition("-")[0]:
            request, number = self._found(parts[3])
            if method == "POST" and parts[4:] == ["cancel"]:
                return self._cancel(request)
            if method == "GET":
                return self._told(request, number, int(query.get("partition", 0)))
        raise Refused(405, "391905", "method not allowed")

    def _submit(self, query: Mapping[str, str], body: Mapping[str, Any]) -> Answer:
        text, wanted = str(body.get("statement", "")), int(body.get("parameters", {}).get("MULTI_STATEMENT_COUNT", "1"))
        with self._lock:
            former = self._by_request_id.get(query.get("requestId", "")) if query.get("retry") == "true" else None
            if former is None:
                request = self._made(text, wanted)
                if "requestId" in query:
                    self._by_request_id[query["requestId"]] = request.handle
                met = self.faults.met(STATEMENT, text)
                threading.Thread(target=self._work, args=(request, body, met), name="snowflake", daemon=True).start()
            else:
                request = self.requests[former]
        if query.get("async") != "true":
            request.done.wait(self.sync_seconds)
        return self._told(request, None, 0)

    def _made(self, text: str, wanted: int) -> Request:
        if len(text.encode()) > MOST_STATEMENT_BYTES:
            raise Refused(422, "000001", "SQL statement is too large")
        handle = f"01b{uuid.uuid4().hex[3:8]}-{str(uuid.uuid4())[9:-3]}000"  # as none of its statements' ends
        request = Request(handle, [text], [], time.time())
        self.requests[handle] = request
        request.handles = [f"{handle[:-3]}{number:03d}" for number in range(1, 1 + max(wanted, 500))]
        return request

    def _work(self, request: Request, body: Mapping[str, Any], met: Mapping[str, Fault]) -> None:
        try:
            self._run(request, body, met)
        except StatementFailed as failed:
            request.error = failed
        except Exception as error:  # a thread that ends otherwise would leave the request running for ever
            request.error = StatementFailed("300002", "XX000", f"Processing aborted: {type(error).__name__}: {error}")
        finally:
            if request.session is not None:
                request.session.end()
            request.ended = time.time()
            request.done.set()

    def _run(self, request: Request, body: Mapping[str, Any], met: Mapping[str, Fault]) -> None:
        said = words.statements(with_history(request.texts[0], [*self.requests.values()]))
        wanted = int(body.get("parameters", {}).get("MULTI_STATEMENT_COUNT", "1"))
        if wanted not in (0, len(said)):
            text = f"Actual statement count {len(said)} did not match the desired statement count {wanted}."
            raise StatementFailed("000008", "0A000", text)
        if len(said) == 1 and said[0].kind in (words.BEGIN, words.COMMIT, words.ROLLBACK, words.SESSION):
            raise StatementFailed("391911", "0A000", "the statement is only supported in a request of several")
        request.texts, request.handles = [one.written for one in said], request.handles[: len(said)]
        request.session = session = self._session(body)
        if "slow" in met:
            session.stopped.wait(met["slow"].seconds)
        if "fail" in met:
            raise met["fail"].end()
        for one in said:
            if one.kind == words.COMMIT and "stops_inside" in met:
                raise met["stops_inside"].end()
            request.outcomes.append(session.run(one))
        if "lost_commit" in met:
            raise met["lost_commit"].end()

    def _session(self, body: Mapping[str, Any]) -> Session:
        """https://docs.snowflake.com/en/developer-guide/sql-api/submitting-requests: names are case-sensitive there."""
        account = self.account
        role, warehouse, database = (str(body.get(name, "")) for name in ("role", "warehouse", "database"))
        if role not in account.roles:
            raise StatementFailed("390189", "08001", f"Role '{role}' specified in the connect string does not exist.")
        if account.warehouses.get(warehouse) is None:
            text = "No active warehouse selected in the current session."
            raise StatementFailed("000606", "57P03", text)
        if account.warehouses[warehouse] == "SUSPENDED":
            raise StatementFailed("000607", "57P03", f"Cannot perform operation. Warehouse '{warehouse}' is suspended.")
        if database not in account.databases:
            raise missing("Database", database)
        return Session(account.databases[database], self._stage)

    def _stage(self, written: str) -> tuple[Any, str, str]:
        name = written.replace('"', "")
        if name not in self.account.stages:
            raise missing("Stage", name)
        return self.account.stages[name]()

    def _found(self, handle: str) -> tuple[Request, int | None]:
        if handle in self.requests:
            return self.requests[handle], None
        for request in self.requests.values():
            if handle in request.handles:
                return request, request.handles.index(handle)
        raise Refused(404, "000709", f"Statement {handle} not found")

    def _cancel(self, request: Request) -> Answer:
        if not request.done.is_set() and request.session is not None:
            request.session.stop()
        return 200, {"code": "000604", "sqlState": "57014", "message": "SQL execution canceled", "statementHandle": request.handle}

    def _told(self, request: Request, number: int | None, partition: int) -> Answer:
        url = f"/api/v2/statements/{request.handle}"
        about = {"statementHandle": request.handle, "statementStatusUrl": url, "createdOn": int(request.created * 1000)}
        if not request.done.is_set():
            return 202, {**about, **_RUNNING}
        if number is not None and number < len(request.outcomes):
            return 200, {**about, **_result(request.outcomes[number], partition)}
        if request.error is not None:
            failed = request.error
            return 422, {**about, "code": failed.code, "sqlState": failed.state, "message": failed.message}
        if len(request.outcomes) == 1:
            return 200, {**about, **_result(request.outcomes[0], partition)}
        whole = Outcome([("multiple statement execution", "VARCHAR")], [("Multiple statements executed successfully.",)])
        return 200, {**about, **_result(whole, 0), "statementHandles": request.handles}


def _result(outcome: Outcome, partition: int) -> dict[str, Any]:
    most, rows = ROWS_A_PARTITION, outcome.rows
    parts = [{"rowCount": len(rows[at : at + most]), "uncompressedSize": 0} for at in range(0, max(len(rows), 1), most)]
    meta = {"numRows": len(rows), "format": "jsonv2", "rowType": results.row_type(outcome.columns), "partitionInfo": parts}
    return {
        **{"code": "090001", "sqlState": "00000", "message": "Statement executed successfully."},
        **{"resultSetMetaData": meta, "data": results.data(rows[partition * most : (partition + 1) * most])},
        "stats": {"numRowsInserted": outcome.count},
    }
