"""The actions of EMR Serverless's API that this double answers.

https://docs.aws.amazon.com/emr-serverless/latest/APIReference/API_Operations.html
"""

from __future__ import annotations

import re
import shlex
import time
import uuid
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

from doubles.emr_serverless.errors import Refused, conflict, invalid, not_found
from doubles.emr_serverless.faults import CALL, JOB, Faults
from doubles.emr_serverless.runs import ENDED, Job, Run, Runner, Runs

Body = Mapping[str, Any]
TOKEN = re.compile(r"[A-Za-z0-9._-]{1,64}")
DEFAULT_MINUTES, MOST_CAPACITY = 720, 10**6
_ROUTES = (
    ("GET", re.compile(r"/applications/(\w+)"), "GetApplication"),
    ("POST", re.compile(r"/applications/(\w+)/start"), "StartApplication"),
    ("POST", re.compile(r"/applications/(\w+)/stop"), "StopApplication"),
    ("POST", re.compile(r"/applications/(\w+)/jobruns"), "StartJobRun"),
    ("GET", re.compile(r"/applications/(\w+)/jobruns/(\w+)"), "GetJobRun"),
    ("DELETE", re.compile(r"/applications/(\w+)/jobruns/(\w+)"), "CancelJobRun"),
    ("POST", re.compile(r"/double"), "Double"),
)


def route(method: str, path: str) -> tuple[str, tuple[str, ...]]:
    """A call's action and what its path names. Raises Refused for one that is not known here."""
    for of, pattern, action in _ROUTES:
        if of == method and (found := pattern.fullmatch(path.rstrip("/"))):
            return action, found.groups()
    raise Refused("UnknownOperationException", f"{method} {path} is not known to this double of EMR Serverless", 404)


class Caller:
    """Whoever calls.  arn: who."""

    arn = "arn:aws:iam::000000000000:root"

    def pass_role(self, role: str) -> Mapping[str, str]:
        """The keys of a role that the caller may hand to EMR Serverless, and that trusts it. Raises Refused."""
        raise NotImplementedError


class EmrServerless:
    """applications, runs: of the account and region that a call is made in, by id."""

    def __init__(self, applications: MutableMapping[str, Any], runs: MutableMapping[str, Run], runner: Runner, region: str) -> None:
        self.applications, self.runs, self._region = applications, runs, region
        self.at_work, self.faults = Runs(runs, runner), Faults()

    def answer(self, action: str, named: tuple[str, ...], body: Body, caller: Caller) -> dict[str, Any]:
        """Raises Refused."""
        if action == "Double":
            return self._double(body)
        met = self.faults.met(CALL, action)
        for kind, fault in met.items():
            if kind != "lose_answer":
                raise fault.refusal()
        actions: dict[str, Callable[[], dict[str, Any]]] = {
            "GetApplication": lambda: {"application": self._application(named[0])},
            "StartApplication": lambda: self._started(named[0]),
            "StopApplication": lambda: self._stopped(named[0]),
            "StartJobRun": lambda: self.start(named[0], body, caller),
            "GetJobRun": lambda: {"jobRun": _shown(self._run(*named[:2]))},
            "CancelJobRun": lambda: self.cancel(*named[:2]),
        }
        found = actions[action]()
        if "lose_answer" in met:
            raise met["lose_answer"].refusal()
        return found

    # -- applications

    def create(self, properties: Body) -> dict[str, Any]:
        """An application of a stack's or a test's properties, named as the API names them."""
        id, now = f"00{uuid.uuid4().hex[:14]}", time.time()
        arn = f"arn:aws:emr-serverless:{self._region}:000000000000:/applications/{id}"
        base = {"autoStartConfiguration": {"enabled": True}, "autoStopConfiguration": {"enabled": True, "idleTimeoutMinutes": 15}}
        own = {"applicationId": id, "arn": arn, "state": "CREATED", "createdAt": now, "updatedAt": now}
        made = self.applications[id] = {**base, **properties, **own}
        return made

    def _application(self, id: str) -> dict[str, Any]:
        found: dict[str, Any] | None = self.applications.get(id)
        if found is None:
            raise not_found(f"Application {id} does not exist")
        return found

    def _started(self, id: str) -> dict[str, Any]:
        self._application(id)["state"] = "STARTED"
        return {}

    def _stopped(self, id: str) -> dict[str, Any]:
        application = self._application(id)
        if any(run["applicationId"] == id and run["state"] not in ENDED for run in self.runs.values()):
            raise invalid(f"Application {id} has job runs that have not ended")
        application["state"] = "STOPPED"
        return {}

    # -- job runs

    def start(self, id: str, body: Body, caller: Caller) -> dict[str, Any]:
        application, token = self._application(id), str(body.get("clientToken", ""))
        driver, minutes = (body.get("jobDriver") or {}).get("sparkSubmit"), int(body.get("executionTimeoutMinutes", DEFAULT_MINUTES))
        if not TOKEN.fullmatch(token) or not driver or not driver.get("entryPoint") or not body.get("executionRoleArn"):
            raise invalid("clientToken, executionRoleArn and jobDriver.sparkSubmit are required")
        former = next((run for run in self.runs.values() if run["_token"] == token and run["applicationId"] == id), None)
        if former is not None:
            if former["_parameters"] != dict(body):
                raise conflict("Idempotent parameters do not match")
            return _ids(former)
        if application["state"] not in ("STARTED", "CREATED", "STOPPED"):
            raise invalid(f"Application {id} is in state {application['state']}")
        if application["state"] != "STARTED":
            if not application["autoStartConfiguration"].get("enabled"):
                raise invalid(f"Application {id} is not started")
            application["state"] = "STARTED"
        keys, now = caller.pass_role(body["executionRoleArn"]), time.time()
        run: Run = {
            **{"applicationId": id, "jobRunId": f"00{uuid.uuid4().hex[:14]}", "state": "SUBMITTED", "stateDetails": ""},
            **{"createdAt": now, "updatedAt": now, "createdBy": caller.arn, "attempt": 1, "mode": "BATCH"},
            **{"executionRole": body["executionRoleArn"], "jobDriver": body["jobDriver"], "name": body.get("name", "")},
            **{"releaseLabel": application.get("releaseLabel", ""), "executionTimeoutMinutes": minutes, "_token": token},
            **{"tags": {}, "_parameters": dict(body)},
        }
        run["arn"] = f"{application['arn']}/jobruns/{run['jobRunId']}"
        self.runs[run["jobRunId"]] = run
        words = " ".join([driver["entryPoint"], *driver.get("entryPointArguments", ()), run["name"]])
        settings = _settings(driver.get("sparkSubmitParameters", ""))
        job = Job(run["jobRunId"], driver["entryPoint"], list(driver.get("entryPointArguments", ())), settings, keys)
        self.at_work.start(run, job, _vcpus(application), self.faults.met(JOB, words))
        return _ids(run)

    def cancel(self, application: str, id: str) -> dict[str, Any]:
        run = self._run(application, id)
        if run["state"] in ENDED:
            raise invalid(f"Job run {id} is in a terminal state: {run['state']}")
        self.at_work.cancel(run)
        return {"applicationId": application, "jobRunId": id}

    def _run(self, application: str, id: str) -> Run:
        run = self.runs.get(id)
        if run is None or run["applicationId"] != application:
            raise not_found(f"Job run {id} does not exist")
        if run["state"] not in ENDED and not self.at_work.knows(id) and run["state"] not in ENDED:  # it may just have ended
            run.update(state="FAILED", stateDetails="Internal error: the service was restarted")
        return run

    def _double(self, body: Body) -> dict[str, Any]:
        """The tests' own door.  fault: what the next calls or jobs shall meet.  disarm: none any more."""
        if "fault" in body:
            self.faults.arm(**body["fault"])
        if body.get("disarm"):
            self.faults.disarm()
        return {"runs": [{"id": id, "state": run["state"], "name": run["name"]} for id, run in self.runs.items()]}


def _ids(run: Run) -> dict[str, Any]:
    return {"applicationId": run["applicationId"], "jobRunId": run["jobRunId"], "arn": run["arn"]}


def _shown(run: Run) -> dict[str, Any]:
    return {name: value for name, value in run.items() if not name.startswith("_")}


def _settings(parameters: str) -> dict[str, str]:
    """'--conf a=b --conf c=d'; other parameters of spark-submit are not known here."""
    words = shlex.split(parameters)
    if words[0::2] != ["--conf"] * (len(words) // 2) or len(words) % 2:
        raise invalid("this double of EMR Serverless knows --conf name=value alone")
    return {name: value for name, _, value in (word.partition("=") for word in words[1::2])}


def _vcpus(application: Body) -> int:
    said = (application.get("maximumCapacity") or {}).get("cpu", "")
    return int(str(said).split()[0]) if said else MOST_CAPACITY
