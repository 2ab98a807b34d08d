"""Notices executions that ended without recording an outcome, when Step Functions tells of their end.

It tells by an event, at least once as a rule and not at all now and then. One that was never told of is found when its lease has
ended: then its batch is started again under the same name, which is taken (executions.py).
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
    """`report` takes a message and its figures, for the log."""

    def __init__(self, writer: MetadataWriter, report: Report) -> None:
        self._writer, self._report = writer, report

    def ended(self, told: Mapping[str, Any], now: datetime) -> int:
        """told: the detail of Step Functions' event. How many tables of the execution's batch it has left as they were, each of which
        is counted as a failed attempt.

        Most executions that fail have recorded what failed, so that nothing is left to do. Nor is there of one that was started by
        hand for whatever was due, whose event does not say what that was: its leases lapse.
        """
        owner, asked, start = str(told["executionArn"]), *_input(told)
        flow = str(asked.get("flow", ""))
        if told["status"] not in LOST or start is None:
            return 0
        reader, names = self._writer.reader, self._asked_for(flow, start, asked)
        state, batch = reader.states_of({flow: names}).get(flow), reader.batch(flow, start, names)
        attempt = attempts_named(owner) - 1
        stood = {name: table for name, table in state.tables.items() if table.watermark == start} if state else {}
        lost = [name for name, table in stood.items() if _is_lost(table, batch, name, owner, attempt, now)]
        if lost:
            why, end = how_it_ended(told), batch.interval.end if batch else from_text(str(asked["end"]))
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


def _input(told: Mapping[str, Any]) -> tuple[Mapping[str, Any], datetime | None]:
    """What the execution was started with, and the start of the batch that this means; None for anything but one batch."""
    try:
        asked = json.loads(told.get("input") or "{}")
        return asked, from_text(asked["start"])
    except (ValueError, TypeError, KeyError):
        return {}, None


def _is_lost(table: TableState, batch: Batch | None, name: str, owner: str, attempt: int, now: datetime) -> bool:
    """Whether nobody else is at work on a table, nor has this execution recorded how it ended.

    attempt: how many attempts had failed when the conductor named the execution; -1 of one that it did not start, whose claim
    alone says what it was at work on.
    """
    worker = batch.running(name, now) if batch else None
    return worker.owner == owner if worker else table.attempts == attempt
