"""The actions of the Redshift Data API: https://docs.aws.amazon.com/redshift-data/latest/APIReference/API_Operations.html"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from doubles.redshift_data import results
from doubles.redshift_data.database import Databases
from doubles.redshift_data.errors import Refused, StatementFailed, invalid
from doubles.redshift_data.faults import CALL, STATEMENT, Faults
from doubles.redshift_data.history import with_history
from doubles.redshift_data.limits import (
    HISTORY_SECONDS,
    MOST_STATEMENTS,
    MOST_TEXT_BYTES,
    MOST_WAIT_SECONDS,
    TOKEN_CHARACTERS,
)
from doubles.redshift_data.statements import ENDED, Run, Statement, Statements

Body = Mapping[str, Any]
# What has to be the same for a token to be that of the same statement.
_PARAMETERS = ("Sql", "Sqls", "WorkgroupName", "ClusterIdentifier", "Database", "DbUser", "SecretArn", "Parameters")


class Caller:
    """Whoever calls.  id: whose statements are told from others'."""

    id = "root"

    def s3(self, warehouse: str, role: str) -> Any:
        """A client of S3 by the rights of a role that the warehouse may take. Raises StatementFailed."""
        raise NotImplementedError

    def sign_in(self, body: Body) -> None:
        """Raises Refused where the caller may not sign in to the database as it wants to."""


@dataclass
class RedshiftData:
    """statements, warehouses: of the account and region that a call is made in, by id and name.

    A warehouse is {'kind': 'workgroup' or 'cluster', 'databases': names, 'roles': ARNs, 'state': 'AVAILABLE'}.
    """

    statements: MutableMapping[str, Statement]
    warehouses: MutableMapping[str, dict[str, Any]]
    databases: Databases
    running: Statements = field(default_factory=Statements)
    faults: Faults = field(default_factory=Faults)

    def answer(self, name: str, body: Body, caller: Caller) -> dict[str, Any]:
        """Raises Refused."""
        actions: dict[str, Callable[[Body, Caller], dict[str, Any]]] = {
            "ExecuteStatement": self.execute,
            "BatchExecuteStatement": self.execute,
            "DescribeStatement": self.describe,
            "GetStatementResult": self.result,
            "CancelStatement": self.cancel,
            "ListStatements": self.list,
            "Double": self.door,
        }
        if name not in actions:
            raise invalid(f"{name} is not known to this double of the Redshift Data API")
        met = self.faults.met(CALL, name) if name != "Double" else {}
        for kind, fault in met.items():
            if kind != "lose_answer":
                raise fault.refusal()
        found = actions[name](body, caller)
        if "lose_answer" in met:
            raise met["lose_answer"].refusal()
        return found

    # -- statements

    def execute(self, body: Body, caller: Caller) -> dict[str, Any]:
        texts, token = list(body.get("Sqls") or [body.get("Sql", "")]), body.get("ClientToken")
        if token is not None and len(str(token)) not in TOKEN_CHARACTERS:
            raise invalid("clientToken must have 1 to 64 characters")
        if not 0 < len(texts) <= MOST_STATEMENTS:
            raise invalid(f"Sqls must have 1 to {MOST_STATEMENTS} statements")
        for text in texts:
            if not 0 < len(text.encode()) <= MOST_TEXT_BYTES:
                raise invalid("SQL text exceeds the maximum length of 100 KB")
        parameters = {name: body[name] for name in _PARAMETERS if name in body}
        if token and (former := self._under(str(token))):
            if former["_parameters"] != parameters:
                raise invalid("Idempotent parameters do not match")
            return self._submitted(former, body)
        name, warehouse = self._warehouse(body)
        if "DbUser" in body and ("SecretArn" in body or warehouse["kind"] != "cluster"):
            raise invalid("DbUser is of a cluster, and of a request without SecretArn")
        caller.sign_in(body)
        if self.running.active() >= self.running.most_active:
            raise Refused("ActiveStatementsExceededException", "Active statements exceeded the allowed quota.")
        self._forget_old()
        database = str(body.get("Database", ""))
        known = database in warehouse["databases"]
        statement = _new(body, texts, caller, {"_token": token, "_parameters": parameters})
        self.statements[statement["Id"]] = statement

        def opened() -> tuple[Any, str]:
            if not known:
                raise StatementFailed(f'FATAL: database "{database}" does not exist')
            return self.databases.open(name, database), self.databases.name(name, database)

        given = {str(one["name"]): str(one["value"]) for one in body.get("Parameters", ())}
        met = self.faults.met(STATEMENT, "\n".join(texts))
        said = [with_history(text, [*self.statements.values()]) for text in texts]
        self.running.start(statement, Run(said, given, opened, self.databases.close, lambda role: caller.s3(name, role), met))
        return self._submitted(statement, body)

    def _submitted(self, statement: Statement, body: Body) -> dict[str, Any]:
        self._wait(statement["Id"], body)
        shown = ("Id", "CreatedAt", "ClusterIdentifier", "WorkgroupName", "Database", "DbUser", "SecretArn")
        return {name: statement[name] for name in shown if name in statement}

    def describe(self, body: Body, caller: Caller) -> dict[str, Any]:
        self._wait(str(body.get("Id", "")).partition(":")[0], body)
        found = self._statement(body, caller)
        shown = {name: value for name, value in found.items() if not name.startswith("_")}
        if "SubStatements" in shown:
            shown["SubStatements"] = [
                {name: value for name, value in part.items() if not name.startswith("_")} for part in shown["SubStatements"]
            ]
        return shown

    def result(self, body: Body, caller: Caller) -> dict[str, Any]:
        found = self._statement(body, caller)
        status = found["Status"]
        if status not in ENDED or status != "FINISHED":
            raise Refused("ResourceNotFoundException", f"Query does not have result. Current status: {status}")
        return results.page(found, str(body.get("NextToken") or ""))

    def cancel(self, body: Body, caller: Caller) -> dict[str, Any]:
        found = self._statement(body, caller)
        if not self.running.stop(found["Id"].partition(":")[0]):
            raise invalid(f"Could not cancel a query that is already in {found['Status']} state with ID: {found['Id']}")
        return {"Status": True}

    def list(self, body: Body, caller: Caller) -> dict[str, Any]:
        """The statements of whoever asks, the newest first."""
        wanted, named = body.get("Status", "ALL"), str(body.get("StatementName", ""))
        mine = [
            one
            for one in reversed([*self.statements.values()])
            if one["_owner"] == caller.id and wanted in ("ALL", one["Status"]) and one.get("StatementName", "").startswith(named)
        ]
        begin, most = int(body.get("NextToken") or 0), int(body.get("MaxResults") or 100)
        more = {"NextToken": str(begin + most)} if begin + most < len(mine) else {}
        shown = ("Id", "Status", "StatementName", "CreatedAt", "UpdatedAt", "QueryString", "SecretArn")
        return {"Statements": [{name: one[name] for name in shown if name in one} for one in mine[begin : begin + most]], **more}

    def _wait(self, id: str, body: Body) -> None:
        seconds = int(body.get("WaitTimeSeconds") or 0)
        if not 0 <= seconds <= MOST_WAIT_SECONDS:
            raise invalid(f"WaitTimeSeconds must be 1 to {MOST_WAIT_SECONDS}")
        if seconds:
            self.running.wait(id, seconds)

    def _statement(self, body: Body, caller: Caller) -> Statement:
        id, _, number = str(body.get("Id", "")).partition(":")
        found = self.statements.get(id)
        if found is None or found["_owner"] != caller.id:
            raise Refused("ResourceNotFoundException", "Query does not exist.")
        if found["Status"] not in ENDED and not self.running.knows(id) and found["Status"] not in ENDED:  # it may just have ended
            found.update(Status="FAILED", Error="ERROR: the service was restarted", UpdatedAt=time.time())
        if not number:
            return found
        parts = found.get("SubStatements", ())
        if not number.isdecimal() or not 0 < int(number) <= len(parts):
            raise Refused("ResourceNotFoundException", "Query does not exist.")
        part: Statement = parts[int(number) - 1]
        return part

    def _under(self, token: str) -> Statement | None:
        return next((one for one in self.statements.values() if one.get("_token") == token), None)

    def _warehouse(self, body: Body) -> tuple[str, dict[str, Any]]:
        kind = "workgroup" if "WorkgroupName" in body else "cluster"
        name = str(body.get("WorkgroupName") or body.get("ClusterIdentifier") or "")
        found = self.warehouses.get(name)
        if found is None or found["kind"] != kind:
            said = (
                "Redshift endpoint doesn't exist in this region."
                if kind == "cluster"
                else f"Redshift Serverless workgroup {name} not found"
            )
            raise invalid(said)
        if found.get("state", "AVAILABLE") != "AVAILABLE":
            raise invalid(f"Redshift {kind} {name} is not available: {found['state'].lower()}")
        return name, found

    def _forget_old(self) -> None:
        oldest = time.time() - HISTORY_SECONDS
        for id, one in [*self.statements.items()]:
            if one["CreatedAt"] < oldest:
                del self.statements[id]

    # -- the tests' own door

    def door(self, body: Body, caller: Caller) -> dict[str, Any]:
        """fault: what the next calls or statements shall meet.  warehouse: makes one.  most_active: a limit.  cancel: a statement."""
        if "fault" in body:
            self.faults.arm(**body["fault"])
        if body.get("disarm"):
            self.faults.disarm()
        if "warehouse" in body:
            self.warehouses[body["warehouse"]["name"]] = {"state": "AVAILABLE", "roles": [], **body["warehouse"]}
        if "most_active" in body:
            self.running.most_active = int(body["most_active"])
        if "cancel" in body:
            self.running.stop(body["cancel"])
        shown = ({"id": id, "text": one["QueryString"], "status": one["Status"]} for id, one in self.statements.items())
        return {"statements": [*shown]}


def _new(body: Body, texts: list[str], caller: Caller, own: Mapping[str, Any]) -> Statement:
    id, now = str(uuid.uuid4()), time.time()
    given = ("WorkgroupName", "ClusterIdentifier", "Database", "DbUser", "SecretArn", "StatementName")
    base = {"Status": "SUBMITTED", "CreatedAt": now, "UpdatedAt": now, "Duration": -1, "HasResultSet": False, "ResultRows": -1}
    made: Statement = {"Id": id, **base, "QueryString": "; ".join(texts), "_owner": caller.id, **own}
    made |= {name: body[name] for name in given if name in body}
    if "Sqls" in body:
        made["SubStatements"] = [{"Id": f"{id}:{n}", **base, "QueryString": text} for n, text in enumerate(texts, 1)]
    return made
