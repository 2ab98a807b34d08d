"""Two limits of Step Functions that ministack does not know: the size of what a state hands on, and the events of an execution; and
events of the executions that it ends because it did not run.

https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html. No Catch of a state machine catches the error of such a
limit.
"""

import json
import threading
from typing import Any

from ministack import app  # type: ignore[import-untyped]
from ministack.core.responses import now_iso, request_scope  # type: ignore[import-untyped]
from ministack.services import stepfunctions  # type: ignore[import-untyped]

MOST_BYTES, TOO_LARGE = 262_144, "States.DataLimitExceeded"
MOST_EVENTS, TOO_LONG = 25_000, "States.Runtime"
INTERRUPTED = "States.ServiceRestart"
_LAST_EVENTS = ("ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut")


def keep_limits() -> None:
    """Enforces the limits; to be called once, before the first execution."""
    invoke, add_event, matches = stepfunctions._invoke_resource, stepfunctions._add_event, stepfunctions._error_matches

    def invoke_sized(resource: str, given: Any) -> Any:
        _fits(given, f"The state's input for '{resource}'")
        answer = invoke(resource, given)
        _fits(answer, f"The state/task '{resource}' returned a result")
        return answer

    def add_counted(execution: dict[str, Any], kind: str, details: Any = None) -> Any:
        if len(execution["events"]) >= MOST_EVENTS - 1 and kind not in _LAST_EVENTS:
            cause = f"The execution reached the maximum number of history events ({MOST_EVENTS})."
            raise stepfunctions._ExecutionError(TOO_LONG, cause)
        return add_event(execution, kind, details)

    def matches_named(names: list[str], error: str) -> bool:
        return error in names if error in (TOO_LARGE, TOO_LONG) else bool(matches(names, error))

    stepfunctions._invoke_resource, stepfunctions._add_event = invoke_sized, add_counted
    stepfunctions._error_matches = matches_named


def tell_of_interrupted() -> None:
    """Emits events of interrupted executions; to be called once, before the state is loaded.

    Loading the state fails the executions that ran when it was saved, and emits no event.

    https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
    """
    load = app._load_persisted_state

    def load_and_tell() -> None:
        began = now_iso()
        load()
        found = [
            one for one in stepfunctions._executions.all_values() if one.get("error") == INTERRUPTED and one["stopDate"] >= began
        ]
        threading.Thread(target=_tell, args=(found,), name="interrupted", daemon=True).start()

    app._load_persisted_state = load_and_tell


def _tell(executions: list[dict[str, Any]]) -> None:
    for execution in executions:
        _, _, _, region, account, *_ = execution["executionArn"].split(":")
        with request_scope(account, region):
            stepfunctions._emit_execution_status_event(execution)


def _fits(value: Any, what: str) -> None:
    payload = value.get("Payload", value) if isinstance(value, dict) else value
    if len(json.dumps(payload).encode()) > MOST_BYTES:
        raise stepfunctions._ExecutionError(TOO_LARGE, f"{what} with a size exceeding the maximum number of bytes service limit.")
