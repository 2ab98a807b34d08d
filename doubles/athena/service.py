"""The actions of Athena's API that this double answers itself; a gateway answers all others.

https://docs.aws.amazon.com/athena/latest/APIReference/API_Operations.html
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from doubles.athena import results
from doubles.athena.engine import Run
from doubles.athena.errors import SYSTEM, QueryFailed, invalid
from doubles.athena.executions import ENDED, Execution, Executions
from doubles.athena.faults import CALL, QUERY, TOO_MANY, Faults
from doubles.athena.files import Caller
from doubles.athena.limits import HISTORY_SECONDS, LEAST_CUTOFF_BYTES, MOST_QUERY_BYTES, MOST_ROWS_A_PAGE, TOKEN_CHARACTERS
from doubles.athena.places import location_of, stored, verify
from doubles.athena.statement import parsed

Body = Mapping[str, Any]
_VERSION = {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": "Athena engine version 3"}
# What has to be the same for a token to be that of the same query.
_PARAMETERS = ("QueryString", "QueryExecutionContext", "ResultConfiguration", "WorkGroup", "ExecutionParameters")


@dataclass
class Athena:
    """of_account: queries and workgroups of the account and region that a call is made in, by id and name."""

    executions_of_account: MutableMapping[str, Execution]
    workgroups_of_account: MutableMapping[str, dict[str, Any]]
    executions: Executions = field(default_factory=Executions)
    faults: Faults = field(default_factory=Faults)

    def action(self, name: str) -> Callable[[Body, Caller], dict[str, Any]] | None:
        """None for one that it leaves to others."""
        return {
            "StartQueryExecution": self.start,
            "GetQueryExecution": self.get,
            "GetQueryResults": self.results,
            "GetQueryRuntimeStatistics": self.statistics,
            "StopQueryExecution": self.stop,
            "DeleteWorkGroup": self.delete_workgroup,
            "Double": self.door,
        }.get(name)

    def answer(self, name: str, body: Body, caller: Caller) -> dict[str, Any]:
        """Raises Refused."""
        action = self.action(name)
        if action is None:
            raise invalid(f"{name} is not known to this double of Athena")
        met = self.faults.met(CALL, name) if name != "Double" else {}
        for kind, fault in met.items():
            if kind != "lose_answer":
                raise fault.refusal()
        found = action(body, caller)
        if "lose_answer" in met:
            raise met["lose_answer"].refusal()
        return found

    # -- queries

    def start(self, body: Body, caller: Caller) -> dict[str, Any]:
        text, token = str(body.get("QueryString", "")), body.get("ClientRequestToken")
        if not 0 < len(text.encode()) <= MOST_QUERY_BYTES:
            raise invalid(f"queryString must have 1 to {MOST_QUERY_BYTES} bytes")
        if not isinstance(token, str) or len(token) not in TOKEN_CHARACTERS:
            raise invalid("clientRequestToken must have 32 to 128 characters")
        parameters = {name: body[name] for name in _PARAMETERS if name in body}
        if former := self._under(token):
            if former["_parameters"] != parameters:
                raise invalid("Idempotent parameters do not match")
            return {"QueryExecutionId": former["QueryExecutionId"]}
        name, configuration = self._workgroup(body)
        tree = _checked(text)
        if self.executions.active() >= self.executions.settings.most_active:
            raise TOO_MANY.refusal()
        execution = _new(body, name, tree, location_of(body, name, configuration), {"_token": token, "_parameters": parameters})
        verify(execution["ResultConfiguration"]["OutputLocation"], caller)
        self._forget_old()
        self.executions_of_account[execution["QueryExecutionId"]] = execution
        met = self.faults.met(QUERY, text)
        cutoff = int(configuration.get("BytesScannedCutoffPerQuery") or 0)
        run = Run(text, execution["QueryExecutionContext"]["Database"], caller, max(cutoff, LEAST_CUTOFF_BYTES) if cutoff else 0)
        self.executions.start(execution, run, met)
        return {"QueryExecutionId": execution["QueryExecutionId"]}

    def get(self, body: Body, caller: Caller) -> dict[str, Any]:
        execution = self._execution(body)
        shown = {name: value for name, value in execution.items() if not name.startswith("_")}
        status = {name: value for name, value in execution["Status"].items() if value not in (None, "")}
        return {"QueryExecution": {**shown, "Status": status}}

    def stop(self, body: Body, caller: Caller) -> dict[str, Any]:
        self.executions.stop(self._execution(body)["QueryExecutionId"])
        return {}

    def statistics(self, body: Body, caller: Caller) -> dict[str, Any]:
        execution = self._execution(body)
        if execution["Status"]["State"] not in ENDED:
            return {"QueryRuntimeStatistics": {}}
        times = {name: value for name, value in execution["Statistics"].items() if name.endswith("Millis")}
        return {"QueryRuntimeStatistics": {"Timeline": times, "Rows": execution["_rows"]}}

    def results(self, body: Body, caller: Caller) -> dict[str, Any]:
        execution = self._execution(body)
        state = execution["Status"]["State"]
        if state in ("QUEUED", "RUNNING"):
            raise invalid(f"Query has not yet finished. Current state: {state}")
        if state != "SUCCEEDED":
            raise invalid(f"Query did not finish successfully. Final query state: {state}")
        if execution["SubstatementType"] == "INSERT":
            rows = execution["_rows"]["OutputRows"]
            return {"UpdateCount": rows, "ResultSet": {"Rows": [], "ResultSetMetadata": {"ColumnInfo": execution["_columns"]}}}
        most = int(body.get("MaxResults") or MOST_ROWS_A_PAGE)
        if not 1 <= most <= MOST_ROWS_A_PAGE:
            raise invalid(f"MaxResults is more than maximum allowed length {MOST_ROWS_A_PAGE}.")
        return results.page(stored(execution, caller), execution["_columns"], body.get("NextToken") or "", most)

    def _execution(self, body: Body) -> Execution:
        id = str(body.get("QueryExecutionId", ""))
        execution = self.executions_of_account.get(id)
        if execution is None:
            raise invalid(f"QueryExecution {id} was not found")
        if execution["Status"]["State"] not in ENDED and not self.executions.knows(id):
            lost = QueryFailed("", "Internal error: the service was restarted", category=SYSTEM, retryable=True)
            now = time.time()
            execution["Status"].update(State="FAILED", StateChangeReason=str(lost), CompletionDateTime=now, AthenaError=lost.error)
        return execution

    def _under(self, token: str) -> Execution | None:
        return next((one for one in self.executions_of_account.values() if one.get("_token") == token), None)

    def _forget_old(self) -> None:
        oldest = time.time() - HISTORY_SECONDS
        for id, one in [*self.executions_of_account.items()]:
            if one["Status"]["SubmissionDateTime"] < oldest:
                del self.executions_of_account[id]

    # -- workgroups

    def _workgroup(self, body: Body) -> tuple[str, Mapping[str, Any]]:
        name = body.get("WorkGroup") or "primary"
        found = self.workgroups_of_account.get(name)
        if found is None:
            raise invalid(f"WorkGroup {name} is not found.")
        if found.get("State") == "DISABLED":
            raise invalid(f"WorkGroup {name} is disabled.")
        return name, found.get("Configuration") or {}

    def delete_workgroup(self, body: Body, caller: Caller) -> dict[str, Any]:
        name = str(body.get("WorkGroup", ""))
        if name == "primary":
            raise invalid("Cannot delete primary workgroup")
        if name not in self.workgroups_of_account:
            raise invalid(f"WorkGroup {name} is not found.")
        held = [id for id, one in self.executions_of_account.items() if one["WorkGroup"] == name]
        if held and not body.get("RecursiveDeleteOption"):
            raise invalid(f"WorkGroup {name} is not empty")
        for id in held:
            self.executions.stop(id)
            del self.executions_of_account[id]
        del self.workgroups_of_account[name]
        return {}

    # -- the tests' own door

    def door(self, body: Body, caller: Caller) -> dict[str, Any]:
        """fault: what the next calls or queries shall meet.  settings: limits.  cancel: a query, as an administrator does."""
        if "fault" in body:
            self.faults.arm(**body["fault"])
        if body.get("disarm"):
            self.faults.disarm()
        for name, value in body.get("settings", {}).items():
            setattr(self.executions.settings, name, value)
        if "cancel" in body:
            self.executions.stop(body["cancel"])
        shown = ({"id": id, "query": one["Query"], "state": one["Status"]["State"]} for id, one in self.executions_of_account.items())
        return {"queries": [*shown]}


def _checked(text: str) -> exp.Expr | None:
    """Raises Refused for what is no statement. What is none that is known here fails later, as a query."""
    try:
        return parsed(text)
    except QueryFailed:
        return None


def _new(body: Body, workgroup: str, tree: exp.Expr | None, location: str, own: Mapping[str, Any]) -> Execution:
    id, inserts = str(uuid.uuid4()), isinstance(tree, exp.Insert)
    context = body.get("QueryExecutionContext") or {}
    kinds = ("EngineExecution", "TotalExecution", "QueryQueue", "QueryPlanning", "ServiceProcessing", "ServicePreProcessing")
    return {
        "QueryExecutionId": id,
        "Query": body["QueryString"],
        "StatementType": "UTILITY" if tree is None else "DML",
        "SubstatementType": "INSERT" if inserts else "SELECT",
        "ResultConfiguration": {"OutputLocation": f"{location.rstrip('/')}/{id}{'' if inserts else '.csv'}"},
        "QueryExecutionContext": {
            "Database": context.get("Database", "default"),
            "Catalog": context.get("Catalog", "AwsDataCatalog"),
        },
        "Status": {
            **{"State": "QUEUED", "SubmissionDateTime": time.time(), "CompletionDateTime": None},
            **{"StateChangeReason": "", "AthenaError": None},
        },
        "Statistics": {**{f"{kind}TimeInMillis": 0 for kind in kinds}, "DataScannedInBytes": 0},
        "WorkGroup": workgroup,
        "EngineVersion": dict(_VERSION),
        "_columns": [],
        "_rows": {},
        **own,
    }
