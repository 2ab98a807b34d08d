"""The calls of the API: https://docs.databricks.com/api/workspace/statementexecution, …/queryhistory, and its tokens."""

from __future__ import annotations

import base64
import secrets
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from doubles.databricks import results, script
from doubles.databricks.errors import Refused, StatementFailed
from doubles.databricks.faults import CALL, STATEMENT, Fault, Faults
from doubles.databricks.limits import MOST_STATEMENT_BYTES, MOST_WAIT_SECONDS, ROWS_A_CHUNK, TOKEN_SECONDS
from doubles.databricks.session import Catalog, Outcome, Session

Answer = tuple[int, dict[str, Any]]
_PATH = ["api", "2.0", "sql"]


@dataclass
class Workspace:
    """principals: the secret of each, by its id.  warehouses: by id, 'RUNNING', 'STOPPED' (it starts by itself) or 'DELETED'.

    locations: what opens an external location, by the 's3://…' that it covers.
    """

    principals: dict[str, str] = field(default_factory=dict)
    warehouses: dict[str, str] = field(default_factory=dict)
    catalogs: dict[str, Catalog] = field(default_factory=dict)
    locations: dict[str, Callable[[], Any]] = field(default_factory=dict)
    may_use: bool = True


@dataclass
class Statement:
    """One call's statement."""

    id: str
    text: str
    begun: float
    started: float = 0.0
    ended: float = 0.0
    done: threading.Event = field(default_factory=threading.Event)
    outcome: Outcome | None = None
    error: StatementFailed | None = None
    cancelled: bool = False
    session: Session | None = None


class DatabricksApi:
    """A workspace, and the statements that it was sent.  most_wait_seconds: how long a call waits at most."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace, self.faults, self.most_wait_seconds = workspace, Faults(), MOST_WAIT_SECONDS
        self.token_seconds = TOKEN_SECONDS
        self.statements: dict[str, Statement] = {}
        self._tokens: dict[str, float] = {}
        self._lock = threading.Lock()

    def forget(self) -> None:
        """As if it had been asked nothing, and nothing were to go wrong."""
        self.faults.disarm()
        self.workspace.may_use, self.most_wait_seconds = True, MOST_WAIT_SECONDS
        with self._lock:
            self.statements.clear()

    def withdraw(self) -> None:
        """Has every token that was given end at once."""
        with self._lock:
            self._tokens.clear()

    def answer(self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: Mapping[str, Any]) -> Answer:
        """The status, and what is answered."""
        try:
            met = self.faults.met(CALL, f"{method} {path}")
            if "refuse" in met:
                raise met["refuse"].refusal()
            parts = path.strip("/").split("/")
            found = self._token(headers, body) if path == "/oidc/v1/token" else self._known(method, parts, query, headers, body)
            if "lose_answer" in met:
                raise met["lose_answer"].refusal()
            return found
        except Refused as refused:
            return refused.status, {"error_code": refused.code, "message": refused.message}

    def _token(self, headers: Mapping[str, str], body: Mapping[str, Any]) -> Answer:
        """https://docs.databricks.com/aws/en/dev-tools/auth/oauth-m2m"""
        who, _, secret = base64.b64decode(headers.get("Authorization", "").removeprefix("Basic ")).decode().partition(":")
        if body.get("grant_type") != "client_credentials" or body.get("scope") != "all-apis":
            return 400, {"error": "invalid_request"}
        if self.workspace.principals.get(who) != secret:
            return 401, {"error": "invalid_client", "error_description": "Client authentication failed"}
        token = secrets.token_hex(16)
        with self._lock:
            self._tokens[token] = time.time() + self.token_seconds
        return 200, {"access_token": token, "token_type": "Bearer", "expires_in": int(self.token_seconds), "scope": "all-apis"}

    def _known(
        self, method: str, parts: list[str], query: Mapping[str, str], headers: Mapping[str, str], body: Mapping[str, Any]
    ) -> Answer:
        with self._lock:
            until = self._tokens.get(headers.get("Authorization", "").removeprefix("Bearer "), 0.0)
        if time.time() >= until:
            raise Refused(401, "UNAUTHENTICATED", "Request to get token failed: invalid or expired access token.")
        if (method, parts) == ("POST", [*_PATH, "statements"]):
            return self._submit(body)
        if (method, parts) == ("GET", [*_PATH, "history", "queries"]):
            return self._history(query)
        if method == "GET" and parts[:4] == [*_PATH, "warehouses"] and parts[4] in self.workspace.warehouses:
            return 200, {"id": parts[4], "cluster_size": "X-Small", "state": self.workspace.warehouses[parts[4]]}
        if parts[:4] == [*_PATH, "statements"] and len(parts) > 4:
            statement = self.statements.get(parts[4])
            if statement is None:
                raise Refused(404, "NOT_FOUND", f"The statement {parts[4]} was not found.")
            if (method, parts[5:]) == ("POST", ["cancel"]):
                return self._cancel(statement)
            if method == "GET" and not parts[5:]:
                return 200, self._told(statement)
            if method == "GET" and parts[5:7] == ["result", "chunks"] and statement.outcome is not None:
                return 200, _chunk(statement, int(parts[7]))
        raise Refused(404, "ENDPOINT_NOT_FOUND", f"No API found for '{method} /{'/'.join(parts)}'")

    def _submit(self, body: Mapping[str, Any]) -> Answer:
        warehouse, wait = str(body.get("warehouse_id", "")), float(str(body.get("wait_timeout", "10s")).removesuffix("s"))
        if wait and not 5 <= wait <= MOST_WAIT_SECONDS:
            raise Refused(400, "INVALID_PARAMETER_VALUE", "wait_timeout must be 0 or between 5 and 50 seconds.")
        if self.workspace.warehouses.get(warehouse, "DELETED") == "DELETED":
            raise Refused(404, "NOT_FOUND", f"SQL warehouse {warehouse} not found.")
        if not self.workspace.may_use:
            raise Refused(403, "PERMISSION_DENIED", f"You do not have permission to use the SQL Warehouse {warehouse}.")
        text = str(body.get("statement", ""))
        if len(text.encode()) > MOST_STATEMENT_BYTES:
            raise Refused(400, "INVALID_PARAMETER_VALUE", "The statement is too large.")
        statement = Statement(f"01f0{uuid.uuid4().hex[4:8]}-{str(uuid.uuid4())[9:]}", text, time.time())
        with self._lock:
            self.statements[statement.id] = statement
        met = self.faults.met(STATEMENT, text)
        threading.Thread(target=self._work, args=(statement, body, met), name="databricks", daemon=True).start()
        statement.done.wait(min(wait, self.most_wait_seconds))
        return 200, self._told(statement)

    def _work(self, statement: Statement, body: Mapping[str, Any], met: Mapping[str, Fault]) -> None:
        try:
            self._run(statement, body, met)
        except StatementFailed as failed:
            statement.error = failed
        except Exception as error:  # a thread that ends otherwise would leave the statement running for ever
            statement.error = StatementFailed("INTERNAL_ERROR", f"{type(error).__name__}: {error}", code="INTERNAL_ERROR")
        finally:
            statement.ended = time.time()
            statement.done.set()

    def _run(self, statement: Statement, body: Mapping[str, Any], met: Mapping[str, Fault]) -> None:
        read, name = script.read(statement.text), str(body.get("catalog", ""))
        catalog = self.workspace.catalogs.get(name)
        if catalog is None:
            raise StatementFailed("NO_SUCH_CATALOG_EXCEPTION", f"Catalog '{name}' was not found.", "42704")
        stops = met["stops_inside"].end() if "stops_inside" in met else None
        statement.session = session = Session(catalog, self._opens, stops)
        self.workspace.warehouses[str(body["warehouse_id"])] = "RUNNING"
        statement.started = time.time()
        if "slow" in met:
            session.stopped.wait(met["slow"].seconds)
        for kind in ("fail", "conflict"):
            if kind in met:
                raise met[kind].end()
        if session.stopped.is_set():
            raise StatementFailed("", "Statement was canceled.", code="CANCELLED")
        statement.outcome = session.run(read)
        if "lost_commit" in met:
            statement.outcome = None
            raise met["lost_commit"].end()

    def _opens(self, url: str) -> tuple[Any, str, str]:
        """https://docs.databricks.com/aws/en/connect/unity-catalog/cloud-storage/external-locations"""
        opens = next((opens for covers, opens in self.workspace.locations.items() if url.startswith(covers)), None)
        if opens is None:
            said = f"No external location covers {url}, or the principal has no READ FILES on it."
            raise StatementFailed("UNAUTHORIZED_ACCESS", said, "42501", "PERMISSION_DENIED")
        bucket, _, key = url.removeprefix("s3://").partition("/")
        return opens(), bucket, key

    def _cancel(self, statement: Statement) -> Answer:
        if not statement.done.is_set():
            statement.cancelled = True
            if statement.session is not None:
                statement.session.stop()
        return 200, {}

    def _told(self, statement: Statement) -> dict[str, Any]:
        if not statement.done.is_set():
            return {"statement_id": statement.id, "status": {"state": "RUNNING" if statement.started else "PENDING"}}
        error = statement.error
        if error is not None and (statement.cancelled or error.code == "CANCELLED"):
            return {"statement_id": statement.id, "status": {"state": "CANCELED"}}
        if error is not None:
            failed = {"error_code": error.code, "message": error.message}
            return {"statement_id": statement.id, "status": {"state": "FAILED", "error": failed}}
        outcome = statement.outcome
        assert outcome is not None
        chunks = range(0, max(len(outcome.rows), 1), ROWS_A_CHUNK)
        manifest = {
            **{"format": "JSON_ARRAY", "schema": results.schema(outcome.columns), "truncated": False},
            **{"total_chunk_count": len(chunks), "total_row_count": len(outcome.rows)},
        }
        return {"statement_id": statement.id, "status": {"state": "SUCCEEDED"}, "manifest": manifest, "result": _chunk(statement, 0)}

    def _history(self, query: Mapping[str, str]) -> Answer:
        """https://docs.databricks.com/api/workspace/queryhistory/list"""
        found = self.statements.get(query.get("filter_by.statement_ids", ""))
        if found is None or not found.done.is_set():
            return 200, {"has_next_page": False}
        taken = int(1000 * (found.ended - found.started))
        metrics = {
            **{"total_time_ms": int(1000 * (found.ended - found.begun)), "execution_time_ms": taken, "read_bytes": 4096},
            "write_remote_bytes": 2048 if found.text.startswith("BEGIN") else 0,
            **{
                "query_compilation_start_timestamp": int(1000 * found.started),
                "rows_produced_count": len(found.outcome.rows if found.outcome else ()),
            },
        }
        entry = {"query_id": found.id, "query_start_time_ms": int(1000 * found.begun), "metrics": metrics, "status": "FINISHED"}
        return 200, {"res": [entry], "has_next_page": False}


def _chunk(statement: Statement, number: int) -> dict[str, Any]:
    rows = statement.outcome.rows if statement.outcome is not None else ()
    begin = number * ROWS_A_CHUNK
    part = rows[begin : begin + ROWS_A_CHUNK]
    more = {"next_chunk_index": number + 1} if begin + ROWS_A_CHUNK < len(rows) else {}
    return {"chunk_index": number, "row_offset": begin, "row_count": len(part), "data_array": results.data(part), **more}
