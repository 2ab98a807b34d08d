"""Notices executions that ended without recording an outcome, when Step Functions reports their end.

Its event comes at least once as a rule, and now and then not at all. A lost execution without an event is found when its lease has
ended: its batch is started again under the same name, which is taken (executions.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from conductor.executions import Report, how_it_ended, is_refused
from shared_metadata.program.intervals import Interval, from_text
from shared_metadata.state.parts import asked_for
from shared_metadata.state.records import Batch, TableState
from shared_metadata.state.schedule import attempts_named
from shared_metadata.store.writer import MetadataWriter

# https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
TOLD_AS = "Step Functions Execution Status Change"
LOST = ("FAILED", "TIMED_OUT", "ABORTED")


class Losses:
    """Records lost executions; `report` takes a message and its figures, for the log."""

    def __init__(self, writer: MetadataWriter, report: Report) -> None:
        self._writer, self._report = writer, report

    def ended(self, detail: Mapping[str, Any], now: datetime) -> int:
        """Returns how many tables of the execution's batch have not moved; each is counted as a failed attempt.

        detail: that of Step Functions' event.

        Most executions that fail have recorded their error, so that nothing is left to do. Nor is there for one that was started by
        hand for all due batches, whose event does not name them: its leases lapse.
        """
        owner, asked, start = str(detail["executionArn"]), *_input(detail)
        flow = str(asked.get("flow", ""))
        if detail["status"] not in LOST or start is None:
            return 0
        reader, names = self._writer.reader, self._asked_for(flow, start, asked)
        state, batch = reader.states_of({flow: names}).get(flow), reader.batch(flow, start, names)
        attempt = attempts_named(owner) - 1
        stood = {name: table for name, table in state.tables.items() if table.watermark == start} if state else {}
        lost = [name for name, table in stood.items() if _is_lost(table, batch, name, owner, attempt, now)]
        if lost:
            why, end = how_it_ended(detail), batch.interval.end if batch else from_text(str(asked["end"]))
            self._report("an execution ended without recording an outcome", {"execution": owner, "why": why})
            counted, refused = attempt if attempt >= 0 else None, is_refused(why)
            self._writer.record_lost(flow, Interval(start, end), lost, why, attempt=counted, owner=owner, later=refused)
        return len(lost)

    def _asked_for(self, flow: str, start: datetime, asked: Mapping[str, Any]) -> tuple[str, ...]:
        """The tables that the execution was started for; none where no program has such a flow or part."""
        found = self._writer.reader.programs().with_flow(flow, start)
        try:
            return asked_for(found[1].flows[flow], asked) if found else ()
        except (IndexError, TypeError):
            return ()


def _input(detail: Mapping[str, Any]) -> tuple[Mapping[str, Any], datetime | None]:
    """The execution's input, and the start of its batch; None for anything but one batch."""
    try:
        asked = json.loads(detail.get("input") or "{}")
        return asked, from_text(asked["start"])
    except (ValueError, TypeError, KeyError):
        return {}, None


def _is_lost(table: TableState, batch: Batch | None, name: str, owner: str, attempt: int, now: datetime) -> bool:
    """Whether a table has no other worker, and this execution has recorded no outcome.

    attempt: how many attempts had failed when the conductor named the execution; -1 of one that it did not start, whose claim alone
    names its tables.
    """
    worker = batch.running(name, now) if batch else None
    return worker.owner == owner if worker else table.attempts == attempt
