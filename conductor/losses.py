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
from shared_metadata.intervals import Interval, from_text
from shared_metadata.records import Batch, FlowState, TableState
from shared_metadata.schedule import attempts_named
from shared_metadata.writer import MetadataWriter

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
        state, batch = self._writer.reader.flow_states([flow]).get(flow), self._writer.reader.batch(flow, start)
        attempt = attempts_named(owner) - 1
        stood = _stood(state, start, asked) if state else {}
        names = [name for name, table in stood.items() if _is_lost(table, batch, name, owner, attempt, now)]
        if names:
            why, end = how_it_ended(told), batch.interval.end if batch else from_text(str(asked["end"]))
            self._report("an execution ended without recording an outcome", {"execution": owner, "why": why})
            counted, refused = attempt if attempt >= 0 else None, is_refused(why)
            self._writer.record_lost(flow, Interval(start, end), names, why, attempt=counted, owner=owner, later=refused)
        return len(names)


def _input(told: Mapping[str, Any]) -> tuple[Mapping[str, Any], datetime | None]:
    """What the execution was started with, and the start of the batch that this means; None for anything but one batch."""
    try:
        asked = json.loads(told.get("input") or "{}")
        return asked, from_text(asked["start"])
    except (ValueError, TypeError, KeyError):
        return {}, None


def _stood(state: FlowState, start: datetime, asked: Mapping[str, Any]) -> dict[str, TableState]:
    """The tables of the execution whose next batch still is this one."""
    named = asked.get("datasets") or state.tables
    return {name: table for name, table in state.tables.items() if name in named and table.watermark == start}


def _is_lost(table: TableState, batch: Batch | None, name: str, owner: str, attempt: int, now: datetime) -> bool:
    """Whether nobody else is at work on a table, nor has this execution recorded how it ended.

    attempt: how many attempts had failed when the conductor named the execution; -1 of one that it did not start, whose claim
    alone says what it was at work on.
    """
    worker = batch.running(name, now) if batch else None
    return worker.owner == owner if worker else table.attempts == attempt
