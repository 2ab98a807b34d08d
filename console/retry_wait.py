"""Waits until redriven batches have ended, or clearly do not end for now."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from console.again import again
from console.causes import Cause, why_of
from console.run import POLL_SECONDS
from console.wording import counted
from shared_metadata.program.intervals import to_text
from shared_metadata.state.records import FlowState, TableState
from shared_metadata.state.schedule import due_batches

if TYPE_CHECKING:
    from console.target import Target
    from shared_metadata.state.timeline import Programs

Redriven = Mapping[str, tuple[str, TableState]]  # dataset ▸ its flow, and its state before
Ended = dict[str, tuple[str, str]]  # dataset ▸ 'COMMITTED' | 'FAILED' | 'QUIESCED' | 'WAITING', and its error or cause of waiting
START_SECONDS = 180.0  # the clock calls the conductor each minute


class Waiting:
    """Waits for these batches; a due one that is not started is given up after START_SECONDS."""

    def __init__(self, target: Target, programs: Programs, redriven: Redriven) -> None:
        self._reader, self._programs, self._redriven = target.reader, programs, redriven
        self._ended: Ended = {}
        self._idle_since: dict[str, float] = {}

    def until_all_ended(self, say: Callable[[str], None]) -> Ended:
        while True:
            states = self._reader.flow_states(self._programs.flow_ids, self._programs)
            for dataset in self._redriven.keys() - self._ended.keys():
                if ended := self._one(dataset, states):
                    self._ended[dataset] = ended
            if len(self._ended) == len(self._redriven):
                return self._ended
            say(f"{len(self._ended)} of {counted(len(self._redriven), 'batch')} ended")
            time.sleep(POLL_SECONDS)

    def _one(self, dataset: str, states: Mapping[str, FlowState]) -> tuple[str, str] | None:
        """The outcome of a batch; None while it goes on."""
        flow, before = self._redriven[dataset]
        table = states[flow].tables[dataset]
        if states[flow].drifts(dataset):
            return "QUIESCED", table.error
        if table.watermark < before.watermark:
            return "WAITING", f"{dataset} is made again from {to_text(table.watermark)} on, by another program"
        if table.watermark > before.watermark:
            return "COMMITTED", ""
        if table.attempts > before.attempts:
            return "FAILED", table.error
        return self._standing(dataset, flow, table, states)

    def _standing(self, dataset: str, flow: str, table: TableState, states: Mapping[str, FlowState]) -> tuple[str, str] | None:
        """The outcome of a batch that has neither been made nor failed."""
        now, batch = datetime.now(UTC), self._reader.batch(flow, table.watermark, [dataset])
        if batch and batch.running(dataset, now):
            self._idle_since.pop(dataset, None)
            return None
        due = due_batches(self._programs, states, now, ignore_failures=True)
        if any(one.flow == flow and dataset in one.datasets for one in due):
            idle = time.monotonic() - self._idle_since.setdefault(dataset, time.monotonic())
            if idle < START_SECONDS:
                return None
            if (why := why_of(dataset, self._programs, states, self._reader.batches_at, now)).cause == Cause.PLACE:
                return "WAITING", why.sentence.rstrip(".")
            return "WAITING", f"{dataset} has its batch due, and the conductor has not started it: `{again('atoll logs conductor')}`"
        found = self._programs.with_flow(flow, table.watermark)
        assert found is not None  # the flow was in one of the programs when it was redriven
        return "WAITING", why_of(dataset, found[1], states, self._reader.batches_at, now).sentence.rstrip(".")
