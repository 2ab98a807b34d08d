"""The steps of a harness slice: plan ▸ diff ▸ publish* ▸ commit, over what its client knows of the target."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from shared_metadata.contract.declaration import Slice
from shared_metadata.contract.services import Services
from shared_metadata.contract.staging import Staging, read_json
from shared_metadata.contract.steps import Context, Deadline, Steps, Work
from shared_metadata.errors import DefinitionError
from shared_metadata.intervals import Interval, to_text
from shared_metadata.program import Connection
from shared_metadata.records import TableCommit


class Target(Protocol):
    """What a harness slice's client.py implements; made as Target(connection, secret, services) and closed after each step.

    result: manifest {'files': [{'key', 'rows', 'bytes'}], 'schema': …} of the query's result as of this batch. Whole results
    (work.flow.whole) say what the target holds; others only add. What was published before the target's own receipts say.
    """

    def diff(
        self,
        work: Work,
        result: Mapping[str, Any],
        staging: Staging,
        deadline: Deadline,
    ) -> dict[str, Any]:
        """Writes what changed below `staging`; returns a document with at least {'upserts': int, 'deletes': int}."""
        ...

    def publish(
        self,
        work: Work,
        changes: Mapping[str, Any],
        staging: Staging,
        resume: Mapping[str, Any] | None,
        deadline: Deadline,
    ) -> Mapping[str, Any] | None:
        """Applies the changes with the batch's receipt in one transaction of the target, or looks the receipt up; returns a resume
        token while more is to be brought there first. Readers never see half a batch. Raises StaleToken for an older batch."""
        ...

    def close(self) -> None: ...


def run_again(flow: str, interval: Interval) -> str:
    """The command that runs a batch again."""
    return f"atoll run {flow} --from {to_text(interval.start)} --to {to_text(interval.end)}"


OpenTarget = Callable[[Connection, Mapping[str, Any], Services], Target]


class HarnessSteps(Steps):
    """The handlers of a harness slice."""

    def __init__(self, declaration: Slice, services: Services, open_target: OpenTarget) -> None:
        super().__init__(declaration, services)
        self._open = open_target

    def plan_table(self, work: Work) -> dict[str, Any] | None:
        reader, end = self.services.reader, work.claim.interval.end
        result = reader.version_of(work.table.inputs[0], end)
        if result is None:
            return None
        return {
            "result": result.pointer["manifest"],
            "reads": {work.table.inputs[0]: to_text(end)},
            "planned_at": time.time(),
        }

    def diff(self, event: Mapping[str, Any], context: Context) -> dict[str, Any]:
        work = self.work(event)
        staging, target = self.staging(work), self.open(work)
        try:
            changes = target.diff(work, self._result(work, event["result"]), staging, Deadline.of(context))
        finally:
            target.close()
        staging.write(changes, work.table.dataset, "changes.json")
        return {**event, "upserts": changes["upserts"], "deletes": changes["deletes"], "used": self.used(event, transitions=1)}

    def publish(self, event: Mapping[str, Any], context: Context) -> dict[str, Any]:
        """Works until published or the deadline is near; {…, 'done': bool}."""
        work = self.work(event)
        staging, target = self.staging(work), self.open(work)
        changes = staging.read(work.table.dataset, "changes.json")
        if changes is None:
            raise DefinitionError(f"the changes of {work.table.dataset} are gone", place=work.flow.id)
        progress = staging.read(work.table.dataset, "publish.json") or {"resume": None}
        try:
            resume = target.publish(work, changes, staging, progress["resume"], Deadline.of(context))
        finally:
            target.close()
        if resume is not None:
            staging.write({"resume": dict(resume)}, work.table.dataset, "publish.json")
        return {**event, "done": resume is None, "used": self.used(event, transitions=2)}  # Publish and Published

    def commit_table(self, work: Work, state: Mapping[str, Any]) -> TableCommit:
        return TableCommit(
            work.table.dataset,
            rows=state["upserts"] + state["deletes"],
            seconds=time.time() - state["planned_at"],
            pointer={"manifest": state["result"], "upserts": state["upserts"], "deletes": state["deletes"]},
            reads=state["reads"],
        )

    def open(self, work: Work) -> Target:
        connection = work.program.connections[work.flow.connection]
        place = f"connection {connection.name} ({connection.position})"
        secret = connection.options.get("secret")
        values = self.services.secret(str(secret), place=place) if secret else {}
        return self._open(connection, values, self.services)

    def _result(self, work: Work, key: str) -> dict[str, Any]:
        manifest = read_json(self.services.s3, self.services.environment.atoll_data_bucket, key)
        if manifest is None:
            raise DefinitionError(
                f"the result {key} is gone: results are kept as long as the option keep of the warehouse says",
                place=f"{work.flow.position}: {work.table.dataset}",
                remedy=f"make it again: {run_again(work.table.inputs[0], work.claim.interval)}; then publish it",
            )
        return manifest
