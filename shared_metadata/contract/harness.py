"""The steps of a harness slice: plan ▸ diff ▸ publish* ▸ commit, over what its client knows of the target."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from shared_metadata.contract.declaration import Slice
from shared_metadata.contract.runtime.deadline import Context, Deadline
from shared_metadata.contract.runtime.services import Services
from shared_metadata.contract.runtime.staging import Staging, read_json
from shared_metadata.contract.steps import Steps
from shared_metadata.contract.work import Work
from shared_metadata.errors import DefinitionError, RowError
from shared_metadata.program import BadRows, Connection, Flow
from shared_metadata.program.intervals import Interval, to_text
from shared_metadata.state.records import TableCommit
from shared_metadata.store.reader import MetadataReader

REASONS_SHOWN = 5


@dataclass(frozen=True)
class Allowance:
    """How many of a batch's rows may be set aside. rows: all of the result; before: those that its expectations took out of it."""

    tolerance: BadRows
    rows: int
    before: int

    def allows(self, refused: int) -> bool:
        return self.tolerance.allow(self.before + refused, self.before + self.rows)

    def exceeded(self, reasons: Mapping[str, int], place: str, *, at_least: bool = False) -> RowError:
        """The error; reasons: why ▸ of how many rows.  at_least: not all rows were looked at."""
        refused = sum(reasons.values())
        listed = "; ".join(f"{reason}: {count}" for reason, count in sorted(reasons.items(), key=lambda one: -one[1])[:REASONS_SHOWN])
        found = f"{'at least ' * at_least}{refused} of {self.rows} rows cannot be written ({listed})"
        before = f", {self.before} more fail an expectation" if self.before else ""
        return RowError(
            f"{found}{before}, and TOLERATE {self.tolerance} allows fewer",
            place=place,
            remedy="mend the rows in the query or at their source, or tolerate more; the batch is tried again",
        )


@dataclass(frozen=True)
class Published:
    """What a call of publish did. resume: where to go on, None when the batch is published.

    rejected: {'key', 'rows'} of each Parquet file, below `Staging.rejected`, of rows that the target refuses (rejected_rows.COLUMNS).
    """

    resume: Mapping[str, Any] | None = None
    rejected: tuple[Mapping[str, Any], ...] = ()
    statements: tuple[Mapping[str, Any], ...] = ()  # that ran elsewhere for it (waiting.statements.Ran)
    unsure: bool = False  # rows of a former batch may have arrived since: the next one publishes again, though its result is the same


class Target(Protocol):
    """What a harness slice's client.py implements; made as Target(connection, secret, services) and closed after each step.

    result: manifest {'files': [{'key', 'rows', 'bytes'}], 'schema': …} of the query's result as of this batch. Whole results
    (work.flow.whole) say what the target holds; others only add. What was published before the target's own receipts say.
    Either step may raise NotYet; `work.turn` has then what it has handed on, and for publish `resume` too.
    """

    def diff(
        self,
        work: Work,
        result: Mapping[str, Any],
        staging: Staging,
        deadline: Deadline,
    ) -> dict[str, Any]:
        """Writes what changed below `staging`; returns a document with at least {'upserts': int, 'deletes': int}.

        Rows that an earlier batch set aside were not written: they are changed as long as the result has them. While there are such
        rows, the result is published again in each batch, though it did not change.
        """
        ...

    def publish(
        self,
        work: Work,
        changes: Mapping[str, Any],
        staging: Staging,
        resume: Mapping[str, Any] | None,
        deadline: Deadline,
    ) -> Published:
        """Applies the changes with the batch's receipt in one transaction of the target, or looks the receipt up; returns a resume
        token while more is to be brought there first. Readers never see half a batch. Raises StaleToken for an older batch.

        Where `Capabilities.rejects_rows`, and the program tolerates bad rows, those that the target refuses are set aside, and the
        receipt names them. More than `allowance(work, changes)` allows raise RowError, as one does where none is tolerated.
        """
        ...

    def close(self) -> None: ...


def allowance(work: Work, changes: Mapping[str, Any]) -> Allowance:
    """The allowance of a batch, from the document that `diff` returned, as the step completed it."""
    return Allowance(work.flow.bad_rows or BadRows(), changes["result_rows"], changes["result_rejected"])


def run_again(flow: str, interval: Interval) -> str:
    """The command that runs a batch again."""
    return f"atoll run {flow} --from {to_text(interval.start)} --to {to_text(interval.end)}"


def rows_wait(reader: MetadataReader, flow: Flow, start: datetime) -> bool:
    """Whether rows of the result that the target holds at a batch's start are set aside, or may be older: they are sent though it did
    not change."""
    held = reader.version_at(flow.id, start) if flow.supersedes else None
    return bool(held and (held.pointer.get("rejected") or held.pointer.get("unsure")))


def read_result(services: Services, work: Work, key: str) -> dict[str, Any]:
    """The manifest of a result. Raises DefinitionError where it is gone."""
    manifest = read_json(services.s3, services.environment.atoll_data_bucket, key)
    if manifest is None:
        raise DefinitionError(
            f"the result {key} is gone: results are kept as long as the option keep of the warehouse says",
            place=work.place,
            remedy=f"make it again: {run_again(work.table.inputs[0], work.claim.interval)}; then publish it",
        )
    return manifest


OpenTarget = Callable[[Connection, Mapping[str, Any], Services], Target]


class HarnessSteps(Steps):
    """The handlers of a harness slice."""

    def __init__(self, declaration: Slice, services: Services, open_target: OpenTarget) -> None:
        super().__init__(declaration, services)
        self._open = open_target

    def plan_table(self, work: Work) -> dict[str, Any] | None:
        reader, name, end = self.services.reader, work.table.inputs[0], work.claim.interval.end
        result = reader.last_version_within(name, work.claim.interval)
        if result is None and rows_wait(reader, work.flow, work.claim.interval.start):
            result = reader.version_at(name, end)
        if result is None:
            return None
        return {
            "result": result.pointer["manifest"],
            "reads": {name: to_text(result.interval.end)},
            "planned_at": time.time(),
        }

    def diff(self, event: Mapping[str, Any], context: Context) -> dict[str, Any]:
        return self.take_turn("diff", event, context, self._diff)

    def _diff(self, work: Work, event: Mapping[str, Any], deadline: Deadline) -> dict[str, Any]:
        staging, target = self.staging(work), self.open(work)
        try:
            result = read_result(self.services, work, event["result"])
            changes = target.diff(work, result, staging, deadline)
        finally:
            target.close()
        counts = {"result_rows": sum(file["rows"] for file in result["files"]), "result_rejected": result.get("rejected_rows", 0)}
        staging.write({**changes, **counts}, work.table.dataset, "changes.json")
        done = {"upserts": changes["upserts"], "deletes": changes["deletes"]}
        done["used"] = self.used(event, transitions=1 + ("diff" in self.declaration.waits))
        return {**event, **done, **({"stated": counts["result_rows"]} if work.flow.supersedes else {})}

    def publish(self, event: Mapping[str, Any], context: Context) -> dict[str, Any]:
        """Works until published, the deadline is near or it has to wait; {…, 'done': bool}."""
        return self.take_turn("publish", event, context, self._publish)

    def _publish(self, work: Work, event: Mapping[str, Any], deadline: Deadline) -> dict[str, Any]:
        staging, target = self.staging(work), self.open(work)
        changes = staging.read(work.table.dataset, "changes.json")
        if changes is None:
            raise DefinitionError(f"the changes of {work.table.dataset} are gone", place=work.flow.id)
        resume = work.turn.resume or (staging.read(work.table.dataset, "publish.json") or {}).get("resume")
        try:
            published = target.publish(work, changes, staging, resume, deadline)
        finally:
            target.close()
        if published.resume is not None:
            staging.write({"resume": dict(published.resume)}, work.table.dataset, "publish.json")
        rejected = [dict(file) for file in published.rejected]
        statements = [*event.get("statements", ()), *map(dict, published.statements)]
        used = self.used(event, transitions=2)  # Publish and AfterPublish
        done = {"done": published.resume is None, "rejected": rejected, "used": used} | ({"unsure": True} if published.unsure else {})
        return {**event, **done, **({"statements": statements} if statements else {})}

    def commit_table(self, work: Work, state: Mapping[str, Any]) -> TableCommit:
        files = state.get("rejected", [])
        rejected = sum(file["rows"] for file in files)
        upserts, deletes = state["upserts"] - rejected, state["deletes"]
        pointer = {"manifest": state["result"], "upserts": upserts, "deletes": deletes}
        pointer |= {"total_rows": state["stated"] - rejected} if "stated" in state else {}
        pointer |= {"unsure": True} if state.get("unsure") else {}
        return TableCommit(
            work.table.dataset,
            rows=upserts + deletes,
            seconds=time.time() - state["planned_at"],
            pointer={**pointer, "rejected": files} if files else pointer,
            reads=state["reads"],
            rejected=rejected,
            statements=tuple(state.get("statements", ())),
        )

    def open(self, work: Work) -> Target:
        connection = work.program.connections[work.flow.connection]
        place = f"connection {connection.name} ({connection.position})"
        secret = connection.options.get("secret")
        values = self.services.secret(str(secret), place=place) if secret else {}
        return self._open(connection, values, self.services)
