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
from shared_metadata.intervals import to_text
from shared_metadata.program import Connection
from shared_metadata.records import TableCommit


class Target(Protocol):
    """What a harness slice's client.py implements; made as Target(connection, secret, services) and closed after each step.

    result, former: manifests {'files': [{'key', 'rows', 'bytes'}], 'schema': …} of the query's result as of this batch and as of
    the last one that was published (None at first). Whole results (work.flow.whole) say what the target holds; others only add.
    """

    def diff(
        self,
        work: Work,
        result: Mapping[str, Any],
        former: Mapping[str, Any] | None,
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
        former = reader.version_at(work.table.dataset, work.claim.interval.start)
        return {
            "result": result.pointer["manifest"],
            "former": former.pointer["manifest"] if former else "",
            "reads": {work.table.inputs[0]: to_text(end)},
            "planned_at": time.time(),
        }

    def diff(self, event: Mapping[str, Any], context: Context) -> dict[str, Any]:
        work = self.work(event)
        staging, target = self.staging(work), self.open(work)
        try:
            former = self._manifest(event["former"]) if event["former"] else None
            changes = target.diff(work, self._manifest(event["result"]), former, staging, Deadline.of(context))
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

    def _manifest(self, key: str) -> dict[str, Any]:
        manifest = read_json(self.services.s3, self.services.environment.atoll_data_bucket, key)
        if manifest is None:
            raise DefinitionError(f"the result {key} is gone", remedy="run the batch of the result again")
        return manifest
