"""Puts the double into the embedded AWS: the emulator keeps clusters, definitions and tasks, and the tasks run here as processes."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

from doubles.ecs.credentials import Denied, allowed, keys_of
from doubles.ecs.faults import Faults
from doubles.ecs.processes import Ended, Processes

DISPATCH, PRINCIPAL = "arn:aws:states:::ecs:runTask", "ecs-tasks.amazonaws.com"
LOOK_SECONDS = 0.1
_execution: ContextVar[Mapping[str, Any] | None] = ContextVar("execution", default=None)
_faults = Faults()
_processes = Processes()


def install() -> None:
    """To be called once, before the first call is answered."""
    from ministack.services import ecs, stepfunctions  # type: ignore[import-untyped]

    ecs._get_docker = lambda: None  # there is none, and whatever asks for it must not look for it again and again
    run, stop = ecs._run_task, ecs._stop_task

    def run_task(data: dict[str, Any]) -> Any:
        return _run(ecs, run, data)

    def stop_task(data: dict[str, Any]) -> Any:
        return _stop(ecs, stop, data)

    ecs._run_task, ecs._stop_task = run_task, stop_task
    ecs._ACTION_MAP |= {"RunTask": run_task, "StopTask": stop_task, "Double": _door}
    _take_flow_logs()
    _follow_executions(stepfunctions)
    stepfunctions._SERVICE_DISPATCH[DISPATCH] = lambda resource, given: _of_machine(ecs, stepfunctions, resource, given)


def _take_flow_logs() -> None:
    """Has CloudFormation take the flow log of the tasks' network: the emulator knows networks, and no logs of them."""
    from ministack.services.cloudformation import provisioners  # type: ignore[import-untyped]

    provisioners._RESOURCE_HANDLERS["AWS::EC2::FlowLog"] = {
        "create": lambda logical_id, properties, stack: (f"fl-{uuid.uuid4().hex[:17]}", {}),
        "delete": lambda id, properties: None,
    }


def _run(ecs: Any, run: Callable[[dict[str, Any]], Any], data: dict[str, Any]) -> Any:
    """RunTask: the emulator's record of it, and a process for it."""
    from ministack.core.responses import get_account_id, get_region  # type: ignore[import-untyped]

    if fault := _faults.met("run"):
        return _refused(fault)
    answer = run(data)
    status, _, body = answer
    definition = ecs._task_defs.get(ecs._resolve_td_key(data.get("taskDefinition", ""))) if status == 200 else None
    for told in json.loads(body).get("tasks", []) if definition else []:
        task = ecs._tasks[told["taskArn"]]
        overrides = data.get("overrides") or {}
        task.update({name: str(overrides[name]) for name in ("cpu", "memory") if overrides.get(name)})
        where = get_account_id(), get_region()
        work = threading.Thread(target=_work, args=(ecs, task, definition, overrides, where), name="ecs-task", daemon=True)
        work.start()
    return answer


def _work(
    ecs: Any, task: dict[str, Any], definition: Mapping[str, Any], overrides: Mapping[str, Any], where: tuple[str, str]
) -> None:
    """A task's life, in a thread of its own, which nobody waits for."""
    from ministack.core.responses import request_scope

    with request_scope(*where):
        try:
            ended = _lived(ecs, task, definition, overrides)
        except Denied as denied:
            ended = Ended(None, "TaskFailedToStart", f"ResourceInitializationError: {denied}")
        except Exception as error:  # a thread that ends otherwise would leave the task running for ever
            ended = Ended(None, "TaskFailedToStart", f"ResourceInitializationError: {type(error).__name__}: {error}")
        if ended.code is not None and task["containers"]:
            task["containers"][0] |= {"exitCode": ended.code, "reason": ended.container_reason}
        ecs._mark_task_stopped(task["taskArn"], task, ended.reason, ended.stop_code, exit_code=ended.code)


def _lived(ecs: Any, task: dict[str, Any], definition: Mapping[str, Any], overrides: Mapping[str, Any]) -> Ended:
    if fault := _faults.met("start"):
        return Ended(None, "TaskFailedToStart", fault.reason)
    (container,) = definition["containerDefinitions"]
    own: Mapping[str, Any] = next((o for o in overrides.get("containerOverrides", []) if o.get("name") == container["name"]), {})
    variables = {one["name"]: one["value"] for one in (*container.get("environment", []), *own.get("environment", []))}
    command = [*container.get("entryPoint", []), *own.get("command", container.get("command", []))]
    keys = keys_of(definition["taskRoleArn"], PRINCIPAL, task["taskArn"])
    log = ecs._awslogs_config(container, task["taskArn"].rsplit("/", 1)[-1], "")
    logged = _logged(ecs, log, definition.get("executionRoleArn", ""), task["taskArn"]) if log else (lambda line: None)
    process = _processes.start(task["taskArn"], command, variables, keys, int(task["memory"]))
    return process.ended(logged, _faults.met("process"))


def _logged(ecs: Any, log: Mapping[str, Any], role: str, task: str) -> Callable[[str], None]:
    """Writes a line to the task's stream, as the role may by which ECS starts it. Raises Denied."""
    allowed(keys_of(role, PRINCIPAL, task), "logs:CreateLogStream", "logs", f"{log['group']}:log-stream:{log['stream']}")
    if not ecs._ensure_awslogs_stream(log):
        raise Denied(f"the log group {log['group']} does not exist")
    return lambda line: ecs._emit_awslogs_event(log, line)


def _stop(ecs: Any, stop: Callable[[dict[str, Any]], Any], data: dict[str, Any]) -> Any:
    task = ecs._resolve_task(data.get("task", ""), ecs._resolve_cluster_name(data.get("cluster", "default")))
    if task is None or not _processes.stop(task["taskArn"], str(data.get("reason") or "Task stopped by user")):
        return stop(data)
    until = time.monotonic() + 30
    while task["lastStatus"] != "STOPPED" and time.monotonic() < until:
        time.sleep(LOOK_SECONDS)
    return ecs.json_response({"task": ecs._sanitize(task)})


def _refused(fault: Any) -> Any:
    from ministack.core.responses import error_response_json

    return error_response_json("ClientException", fault.reason, 400)


# -- as a state machine asks


def _follow_executions(stepfunctions: Any) -> None:
    """Notes for whom a state's resource is called: its role says what may be done, and when it ends what it waits for is stopped."""
    execute = stepfunctions._execute_task

    def execute_for(state: Any, given: Any, execution: Any, ctx: Any) -> Any:
        before = _execution.set(execution)
        try:
            return execute(state, given, execution, ctx)
        finally:
            _execution.reset(before)

    stepfunctions._execute_task = execute_for


def _of_machine(ecs: Any, stepfunctions: Any, resource: str, given: Any) -> Any:
    """ecs:runTask.sync: the task's description where its container ended with 0, else States.TaskFailed, with it for a cause.

    The emulator succeeds whatever the exit code, gives all of DescribeTasks, and looks at no role.
    https://docs.aws.amazon.com/step-functions/latest/dg/connect-ecs.html
    """
    data, execution = stepfunctions._pascal_to_camel(given), _execution.get()
    if execution is not None:
        _may(ecs, stepfunctions, execution, data)
    status, _, body = ecs._run_task(data)
    answer = json.loads(body)
    if status >= 400:
        name = str(answer.get("__type", "ECSException")).rsplit("#", 1)[-1]
        raise stepfunctions._ExecutionError(
            f"ECS.{'AmazonECSException' if name == 'ClientException' else name}", answer.get("message", "")
        )
    (told,) = answer["tasks"]
    task = ecs._tasks[told["taskArn"]]
    while task["lastStatus"] != "STOPPED":
        time.sleep(LOOK_SECONDS)
        if execution is not None and execution.get("status") not in (None, "RUNNING"):
            _processes.stop(task["taskArn"], "Stopped by Step Functions")
    described = _pascal(ecs._sanitize(task))
    if fault := _faults.met("answer"):
        raise stepfunctions._ExecutionError("ECS.ServerException", fault.reason)
    if any(container.get("exitCode") != 0 for container in task["containers"]):
        raise stepfunctions._ExecutionError("States.TaskFailed", json.dumps(described))
    return described


def _may(ecs: Any, stepfunctions: Any, execution: Mapping[str, Any], data: Mapping[str, Any]) -> None:
    """Whether the role of the state machine may run the task, and hand it its roles."""
    machine = stepfunctions._state_machines.get(execution["stateMachineArn"])
    definition = ecs._task_defs.get(ecs._resolve_td_key(data.get("taskDefinition", "")))
    if machine is None or definition is None:
        return
    try:
        keys = keys_of(machine["roleArn"], "states.amazonaws.com", execution["executionArn"])
        cluster = data.get("cluster", "")
        allowed(keys, "ecs:RunTask", "ecs", definition["taskDefinitionArn"], {"ecs:cluster": cluster})
        for role in filter(None, (definition["taskRoleArn"], definition["executionRoleArn"])):
            allowed(keys, "iam:PassRole", "iam", role, {"iam:PassedToService": PRINCIPAL})
    except Denied as denied:
        raise stepfunctions._ExecutionError("ECS.AccessDeniedException", str(denied)) from None


def _pascal(value: Any) -> Any:
    if isinstance(value, dict):
        return {name[:1].upper() + name[1:]: _pascal(one) for name, one in value.items()}
    return [_pascal(one) for one in value] if isinstance(value, list) else value


def _door(data: Mapping[str, Any]) -> Any:
    """The tests' own door.  fault: what the next tasks shall meet.  disarm: none any more."""
    from ministack.core.responses import json_response
    from ministack.services import ecs

    if "fault" in data:
        _faults.arm(**data["fault"])
    if data.get("disarm"):
        _faults.disarm()
    return json_response({"tasks": [{"arn": one["taskArn"], "status": one["lastStatus"]} for one in ecs._tasks.all_values()]})
