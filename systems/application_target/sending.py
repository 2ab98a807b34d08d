"""Sends a batch's rows in groups, each until it is answered, and goes on where an earlier call or attempt has stopped.

A group that is refused as a whole is halved, until the rows are found that are. Rows are settled in their order, so that one number
says how far a batch came; and the halves are the same in every attempt, and with them the keys of what is sent. Where an application
says of each row whether it has taken it, those that it has are settled though more are refused than the program tolerates: the next
attempt sends the others again, and first.
"""

from __future__ import annotations

import json
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import count, islice
from typing import Any

from shared_metadata.contract.harness import allowance
from shared_metadata.contract.results.halving import refused
from shared_metadata.contract.results.results import File, Results
from shared_metadata.contract.runtime.deadline import MARGIN_SECONDS, Deadline
from shared_metadata.contract.work import Work
from shared_metadata.errors import DefinitionError, RetryLater, RowError, Unfinished
from shared_metadata.program import Mode
from shared_metadata.program.intervals import to_text
from systems.application_target.application import Answer, Application, Group
from systems.application_target.journal import Sent

KEYS = uuid.UUID("5c0f2a2e-8a53-4d0e-9f0e-2d0a7f6f2b11")  # of groups; any would do that never changes
HALVED = "some of its rows are refused"
NOTHING: Mapping[int, str] = {}
REPEATS, LONGEST_PAUSE_SECONDS = 5, 60.0  # of one group within a call, where the application says when it wants it again


class Sending:
    """One call's share of a batch.  sent: how far it has come, also when an error has ended it."""

    def __init__(
        self, work: Work, sent: Sent, application: Application, results: Results, deadline: Deadline, keep: Callable[[Sent], None]
    ) -> None:
        """keep: writes down how far it came, before more is done."""
        self.sent, self._keep = sent, keep
        self._work, self._application, self._results = work, application, results
        self._deadline, self._before = deadline, sent
        self._allowed = allowance(work, sent.changes)

    @property
    def advanced(self) -> bool:
        """Whether anything was settled in this call."""
        return self.sent != self._before

    def groups(self) -> Iterator[Sent]:
        """Sends what is left; after each group how far it came.

        Raises Unfinished when the call's time is up and something was settled, RetryLater as the application has it, RowError where
        more rows are refused than the program tolerates.
        """
        again = () if self._allowed.allows(len(self.sent.refused)) else self.sent.refused
        first = 0
        for file in self.sent.changes["files"] if again else ():
            yield from self._again(file, first, [row - first for row in again if first <= row < first + file["rows"]])
            first += file["rows"]
        self._hold_to_allowance()
        first = 0
        for file in self.sent.changes["files"]:
            yield from self._of_file(file, first)
            first += file["rows"]

    def _again(self, file: File, first: int, refused: list[int]) -> Iterator[Sent]:
        """Sends rows of a file that were refused.  first: the number of its first row."""
        size = self.sent.rows_a_group
        for at in sorted({row // size * size for row in refused}):
            rows = [row - at for row in refused if at <= row < at + size]
            some = list(islice(self._results.documents(file["key"], at), size))
            still = self._refused_of(self._group(file, at, some).only(rows))
            kept = {row: why for row, why in self.sent.refused.items() if row - first - at not in rows}
            self.sent = replace(self.sent, refused={**kept, **{first + at + rows[number]: why for number, why in still.items()}})
            yield self.sent

    def _refused_of(self, group: Group) -> dict[int, str]:
        """Sends a group, and what it is halved to; which of its rows are refused."""
        found: dict[int, str] = {}

        def attempt(start: int, end: int) -> str:
            self._hold_to_time()
            answer = self._send(group.part(start, end))
            found.update({start + row: why for row, why in answer.refused.items()})
            return answer.whole

        halved = dict(refused(0, len(group), attempt))
        return {**found, **halved}

    def _of_file(self, file: File, first: int) -> Iterator[Sent]:
        """Sends what is left of a file.  first: the number of its first row."""
        size, done = self.sent.rows_a_group, self.sent.settled - first
        if done >= file["rows"]:
            return
        at = max(done, 0) // size * size
        rows = self._results.documents(file["key"], at)
        while at < file["rows"]:
            some = list(islice(rows, size))
            if not some:
                what = "a file of the result has fewer rows than it had"
                raise DefinitionError(what, place=self._work.place, remedy="run the result's batch again")
            self._settle(self._group(file, at, some), first + at)
            at += len(some)
            yield self.sent

    def _group(self, file: File, first: int, rows: list[str]) -> Group:
        """Its key is made of all that says which rows these are: another result, file or size makes another one, and a run on purpose
        makes its own. In MERGE each beginning does: what was sent between may have the same keys."""
        sent, batch = self.sent, to_text(self.sent.start)
        own = sent.rerun or self._work.flow.mode == Mode.MERGE
        named = [self._work.flow.id, batch, sent.changes["result"], file["key"], first, sent.rows_a_group, sent.begun * own]
        key = str(uuid.uuid5(KEYS, json.dumps(named)))
        upserts, deletes = (rows, []) if file["into"] == "upserts" else ([], rows)
        types = {column["name"]: column["type"] for column in sent.changes["columns"]}
        return Group(key, self._work.table.dataset, batch, upserts, deletes, sent.token, types)

    def _settle(self, group: Group, at: int) -> None:
        """Sends a group, and what it is halved to.  at: the number of its first row."""
        for row, why in refused(0, len(group), lambda start, end: self._attempt(group, at, start, end)):
            _hold_deletes(group, why, self._work.place)
            self._hold_to_allowance({at + row: why})
            self._note(at + row + 1, {at + row: why})

    def _attempt(self, group: Group, at: int, start: int, end: int) -> str:
        """Why these rows of a group are refused as a whole, or ''. What was settled before is not sent; what it is a part of was
        refused."""
        settled = self.sent.settled - at
        if end <= settled:
            return ""
        if start < settled:
            return HALVED
        self._hold_to_time()
        answer = self._send(group.part(start, end))
        if not answer.whole:
            for why in answer.refused.values():
                _hold_deletes(group, why, self._work.place)
            self._note(at + end, {at + start + row: why for row, why in answer.refused.items()})
            self._hold_to_allowance()
        return answer.whole

    def _hold_to_time(self) -> None:
        needed = max(MARGIN_SECONDS, self._application.seconds_a_group)
        if self.advanced and self._deadline.seconds_left < needed:
            raise Unfinished("a call's time is over", place=self._work.place)

    def _note(self, settled: int, refused: Mapping[int, str]) -> None:
        self.sent = replace(self.sent, settled=settled, refused={**self.sent.refused, **refused}, noted={})

    def _hold_to_allowance(self, more: Mapping[int, str] = NOTHING) -> None:
        """Raises RowError where more rows are refused than the program tolerates."""
        found = {**self.sent.refused, **more}
        if not self._allowed.allows(len(found)):
            raise self._allowed.exceeded(Counter(found.values()), self._work.place, at_least=True)

    def _send(self, group: Group) -> Answer:
        """Waits as long as the application asks, where the call has time for it."""
        for attempt in count(1):
            try:
                return self._application.send(self._begun(group), self._deadline)
            except RetryLater as error:
                seconds = error.after_seconds
                longest = min(LONGEST_PAUSE_SECONDS, self._deadline.seconds_left - MARGIN_SECONDS - self._application.seconds_a_group)
                if seconds is None or seconds > longest or attempt > REPEATS:
                    raise
            time.sleep(seconds)
        raise AssertionError

    def _begun(self, group: Group) -> Group:
        """The group with what the application says of it before it is sent, which is kept."""
        noted = self.sent.noted.get(group.key, "")
        note = self._application.begin(group, noted)
        if note != noted:
            self.sent = replace(self.sent, noted={group.key: note})
            self._keep(self.sent)
        return replace(group, note=note)


def _hold_deletes(group: Group, why: str, place: str) -> None:
    """Raises RowError where what is refused is to go: nothing would send it again."""
    if group.deletes:
        remedy = "have it take keys that are to go also where it has none such; the batch is tried again"
        raise RowError(f"the application refuses to delete a row: {why}", place=place, remedy=remedy)


def begun(work: Work, changes: Mapping[str, Any], sent: Sent | None, rows_a_group: int) -> Sent:
    """What is to be sent: what was begun, under this claim's token, or the batch's changes from their first row."""
    claim = work.claim
    if sent and is_of(sent, work, changes):
        return replace(sent, token=claim.token)
    return Sent(claim.interval.start, claim.token, claim.token, claim.rerun, changes, rows_a_group)


def is_of(sent: Sent, work: Work, changes: Mapping[str, Any]) -> bool:
    return sent.start == work.claim.interval.start and sent.changes == changes
