"""What the steps of every stage share: resolve the input, claim the batch, carry it from step to step, record a failure."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from shared_metadata.aws import later
from shared_metadata.contract.batch_input import BatchRequest, resolve
from shared_metadata.contract.declaration import Slice
from shared_metadata.contract.runtime.deadline import LEASE_SECONDS, Context, Deadline
from shared_metadata.contract.runtime.services import Services
from shared_metadata.contract.runtime.staging import Staging
from shared_metadata.contract.taking_turns import TakingTurns
from shared_metadata.contract.tasks import turns
from shared_metadata.contract.tasks.choice import chosen
from shared_metadata.contract.tasks.run import AUTO, run_of
from shared_metadata.contract.waiting import waits
from shared_metadata.contract.work import Work
from shared_metadata.costs import A_BATCH, A_COMMIT, share, together
from shared_metadata.errors import AlreadyCommitted, AtollError, RetryLater
from shared_metadata.program import Program
from shared_metadata.program.intervals import Interval
from shared_metadata.state.records import Claim, FlowState, TableCommit, TableState
from shared_metadata.state.timeline import Programs


class Steps(TakingTurns):
    """The part of plan and commit that is the same in every stage."""

    def __init__(self, declaration: Slice, services: Services) -> None:
        super().__init__(declaration, services)
        self._state_of: Claim | None = None
        self._state: FlowState | None = None

    # -- plan

    def plan(self, event: Mapping[str, Any], context: Context) -> dict[str, Any]:
        """First state: {'work': […], 'failed': […], 'committed': [datasets]} of one batch, or {'batches': [inputs]} of several.

        event: {'input': what the state machine was started with, 'owner': the execution's id, which owns the batch's lease};
        or the input alone, when the function is called by hand.
        """
        self.services.meter.restart()
        self.services.deadline_monotonic = Deadline.of(context).at_monotonic
        reader, now = self.services.reader, self.services.clock()
        programs = reader.programs()
        wanted = resolve(event.get("input", event), programs, reader, self.declaration.id, now)
        if len(wanted) > 1:
            return {"batches": [w.to_input() for w in wanted], "work": [], "failed": [], "committed": []}
        if not wanted:
            return _planned()
        return self._plan_one(wanted[0], programs, str(event.get("owner") or context.aws_request_id))

    def _plan_one(self, wanted: BatchRequest, programs: Programs, owner: str) -> dict[str, Any]:
        program = wanted.program
        if wanted.moved and not wanted.rerun:
            self.services.writer.settle(programs, wanted.flow.id)
        try:
            claim = self.services.writer.claim(
                wanted.flow.id,
                wanted.interval if wanted.rerun else self.fitted(wanted),
                wanted.datasets,
                program_version=programs.version(program),
                owner=owner,
                lease_seconds=LEASE_SECONDS,
                rerun=wanted.rerun,
                entry=wanted.entry,
                again_until=wanted.again_until,
                interval_seconds=wanted.flow.interval_seconds,
                until=programs.after(program, wanted.flow.id),
                restated=wanted.restated,
            )
        except AlreadyCommitted:
            return _planned()
        if self.services.reader.programs() is not programs:
            raise RetryLater("another program was applied just now", place=wanted.flow.id)
        tables = {table.dataset: table for table in wanted.flow.tables}
        works = [Work(wanted.flow.of(dataset), tables[dataset], claim, program) for dataset in claim.datasets]
        states, empty, failed = self.plan_tables(works)
        if empty:
            self.services.writer.commit(claim, empty, completes=completed_when_empty(program))
        for dataset, error in failed.items():
            self.services.writer.fail(claim, dataset, error)
        used = share(together(self.services.meter.used(), A_BATCH), len(works))
        states = [{**state, "used": used} for state in states]
        if self.declaration.waits:
            states = waits.with_room(states, [self.pieces(state) for state in states])
        return _planned(states, [{"dataset": d, "error": e} for d, e in failed.items()], [c.dataset for c in empty])

    def fitted(self, wanted: BatchRequest) -> Interval:
        """How far the batch goes, where the stage knows better than who asked for it; never further."""
        return wanted.interval

    def plan_tables(self, works: list[Work]) -> tuple[list[dict[str, Any]], list[TableCommit], dict[str, str]]:
        """The states to work on, the tables that have nothing to do, and the errors of those that cannot."""
        states: list[dict[str, Any]] = []
        empty: list[TableCommit] = []
        failed: dict[str, str] = {}
        for work in works:
            try:
                planned = self.plan_table(work)
            except RetryLater:
                raise
            except AtollError as error:
                failed[work.table.dataset] = f"{type(error).__name__}: {error}"
                continue
            if planned is None:
                empty.append(TableCommit(work.table.dataset, cursor=self.cursor(work)))
            else:
                states.append(work.to_state(**planned, **self._chosen(work)))
        return states, empty, failed

    def _chosen(self, work: Work) -> dict[str, Any]:
        """Where the table's steps are to run, where that is a choice."""
        if not self.declaration.tasks:
            return {}
        options = self.options(work)
        return chosen(options, self.state(work) if run_of(options) == AUTO else None)

    def pieces(self, state: Mapping[str, Any]) -> int:
        """How much of a table's batch is worked on by itself, and may wait by itself."""
        return 1

    def plan_table(self, work: Work) -> dict[str, Any] | None:
        """What this table's state carries on, or None when the batch changes nothing."""
        raise NotImplementedError

    # -- every later step

    def commit(self, event: Mapping[str, Any], context: Context) -> dict[str, Any]:
        """Last state: commits the table's batch; with 'error' in the state it records the failure instead."""
        if "error" in event:
            return self._fail(self.work(event, context), event["error"])
        return self.take_turn("commit", event, context, self._commit)

    def _fail(self, work: Work, found: Mapping[str, Any]) -> dict[str, Any]:
        error = error_text(found)
        self.services.writer.fail(work.claim, work.table.dataset, error, later=found.get("Error") in later.NAMES)
        return {"dataset": work.table.dataset, "status": "FAILED", "error": error}

    def _commit(self, work: Work, event: Mapping[str, Any], _: Deadline) -> dict[str, Any]:
        commit = self.commit_table(work, event)
        elsewhere = together(*(statement.get("used", {}) for statement in commit.statements))
        chooses = "commit" in self.declaration.waits or turns.BY in event
        mine = self.used(event, transitions=1 + 2 * chooses)  # the choice after it, and the end
        used = together(commit.used, elsewhere, mine, A_COMMIT)
        commit = replace(commit, signature=work.table.signature, used=used)
        if not commit.engine:
            commit = replace(commit, **turns.told(event))
        self.services.writer.commit(work.claim, [commit], completes=completed_when_empty(work.program))
        return {"dataset": work.table.dataset, "status": "COMMITTED", "rows": commit.rows}

    def used(self, state: Mapping[str, Any], *, transitions: int) -> dict[str, float]:
        """What the table's batch has used of AWS: by the steps before, as the state says, and by this call with its transitions."""
        mine = self.services.meter.used()
        return together(state.get("used", {}), waits.used(state), turns.used(state), mine, {"state_transition": transitions})

    def commit_table(self, work: Work, state: Mapping[str, Any]) -> TableCommit:
        """What is to be recorded of the table."""
        raise NotImplementedError

    def staging(self, work: Work) -> Staging:
        services = self.services
        return Staging(services.s3, services.environment.atoll_data_bucket, self.declaration.id, work.claim)

    def cursor(self, work: Work) -> str:
        """The cursor that the table's last commit left; '' at first."""
        table = self.state(work)
        return table.cursor if table else ""

    def state(self, work: Work) -> TableState | None:
        """Where the table stands. All tables of a claim are looked up in one read.

        Another claim of the same batch may have the same token, for other tables.
        """
        if self._state_of != work.claim:
            self._state = self.services.reader.states_of({work.flow.id: work.claim.datasets}).get(work.flow.id)
            self._state_of = work.claim
        return self._state.tables.get(work.table.dataset) if self._state else None


def completed_when_empty(program: Program) -> dict[str, str]:
    """Dataset ▸ the load flow that makes it; an empty collect batch completes those too."""
    return {t.dataset: f.id for f in program.flows.values() if f.kind == "load" for t in f.tables}


def error_text(error: Mapping[str, Any]) -> str:
    """Step Functions' {'Error', 'Cause'} as one line; Lambda's cause is JSON with an errorMessage."""
    cause = str(error.get("Cause", ""))
    with contextlib.suppress(ValueError, AttributeError):
        cause = str(json.loads(cause).get("errorMessage", cause))
    return f"{error.get('Error', 'Error')}: {cause}"


def _planned(
    work: list[dict[str, Any]] | None = None,
    failed: list[dict[str, str]] | None = None,
    committed: list[str] | None = None,
) -> dict[str, Any]:
    return {"batches": [], "work": work or [], "failed": failed or [], "committed": committed or []}
