"""Sends a batch's rows in groups, each until it is answered, and goes on where an earlier call or attempt has stopped.

A group that is refused as a whole is halved, until the rows are found that are. Rows are settled in their order, so that one number
says how far a batch came; and the halves are the same in every attempt, and with them the keys of what is sent. Where an application
says of each row whether it has taken it, those that it has are settled though more are refused than the program tolerates, or some
wait: they alone are sent again, also by the next attempt, and first.
"""

from __future__ import annotations

import json
import time
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, count, islice
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
PAUSES_SECONDS = (1, 2, 4, 8)  # before rows that wait are sent again
REASONS_SHOWN = 5
REPEATS, LONGEST_PAUSE_SECONDS = 5, 60.0  # of one group within a call, where the application says when it wants it again

Numbered = tuple[Group, Sequence[int]]


class Sending:
    """One call's share of a batch.  sent: how far it has come, also when an error has ended it."""

    def __init__(
        self, work: Work, sent: Sent, application: Application, results: Results, deadline: Deadline, keep: Callable[[Sent], None]
    ) -> None:
        """keep: writes down how far it came, before more is done."""
        self.sent, self._keep = sent, keep
        self._work, self._application, self._results = work, application, results
        self._deadline, self._before, self._asked = deadline, sent, 0
        self._allowed = allowance(work, sent.changes)

    @property
    def advanced(self) -> bool:
        """Whether anything was settled in this call; that rows still wait is nothing, whatever for."""
        now, before = (replace(sent, waiting=dict.fromkeys(sent.waiting, "")) for sent in (self.sent, self._before))
        return now != before

    def groups(self) -> Iterator[Sent]:
        """Sends what is left; after each group how far it came.

        Raises Unfinished when the call's time is up and something was settled, RetryLater as the application has it or where rows
        still wait, RowError where more rows are refused than the program tolerates.
        """
        yield from self._rest(0, *PAUSES_SECONDS)
        again = {} if self._allowed.allows(len(self.sent.refused)) else self.sent.refused
        for group, rows in self._again(again):
            for sent in self._settle(group, rows, again=True):
                yield sent
                yield from self._rest(*PAUSES_SECONDS)
        self._hold_to_allowance()
        for group, rows in self._left():
            for sent in self._settle(group, rows):
                yield sent
                yield from self._rest(*PAUSES_SECONDS)
                self._hold_to_allowance()

    def end(self) -> Sent:
        """Has what the application has noted come to its end, where these rows are not sent any more; how far they came."""
        for group, rows in chain(self._again(self.sent.waiting), self._again(self.sent.refused), self._left()):
            if note := self.sent.noted.get(group.key):
                self._note(rows, self._application.settle(replace(group, note=note), self._deadline))
                break
        return replace(self.sent, noted={})

    def _rest(self, *pauses: float) -> Iterator[Sent]:
        """Sends the rows that wait, after each pause. Raises RetryLater where some still do."""
        for seconds in pauses:
            if not self.sent.waiting or (seconds and self._deadline.seconds_left < self._needed + seconds):
                break
            time.sleep(seconds)
            for group, rows in self._again(self.sent.waiting):
                yield from self._settle(group, rows, again=True)
        if self.sent.waiting:
            why = ", ".join(sorted({*self.sent.waiting.values()})[:REASONS_SHOWN])
            raise RetryLater(f"the application takes {len(self.sent.waiting)} rows later: {why}", place=self._work.place)

    def _again(self, rows: Collection[int]) -> Iterator[Numbered]:
        """Rows that were sent, as groups of their own, with their numbers."""
        size, first = self.sent.rows_a_group, 0
        for file in self.sent.changes["files"]:
            own = sorted(row - first for row in rows if first <= row < first + file["rows"])
            for at in sorted({row // size * size for row in own}):
                self._asked += 1
                some = list(islice(self._results.documents(file["key"], at), size))
                chosen = [row for row in own if at <= row < at + size]
                group = self._group(file, at, some).only([row - at for row in chosen])
                yield group, [first + row for row in chosen]
            first += file["rows"]

    def _left(self) -> Iterator[Numbered]:
        """The groups that are not settled, with the numbers of their rows."""
        size, first = self.sent.rows_a_group, 0
        for file in self.sent.changes["files"]:
            at = max(self.sent.settled - first, 0) // size * size
            rows: Iterator[str] | None = None
            while max(at, self.sent.settled - first) < file["rows"]:
                rows = rows or self._results.documents(file["key"], at)
                some = list(islice(rows, size))
                if not some:
                    what = "a file of the result has fewer rows than it had"
                    raise DefinitionError(what, place=self._work.place, remedy="run the result's batch again")
                asked = self._asked
                yield self._group(file, at, some), range(first + at, first + at + len(some))
                at += len(some)
                if self._asked != asked:  # what is read of results ends when anything else is
                    rows = None
            first += file["rows"]

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

    def _settle(self, group: Group, rows: Sequence[int], again: bool = False) -> Iterator[Sent]:
        """Sends a group by parts, and what these are halved to; after each part how far it came.

        rows: the numbers of its rows.  again: they were answered before, and not taken.
        """
        size = max(1, self._application.rows_at_once(group))
        for first in range(0, len(group), size):
            before, end = self.sent, min(first + size, len(group))
            for row, why in refused(first, end, lambda start, end: self._attempt(group, rows, start, end, again)):
                _hold_deletes(group, why, self._work.place)
                if not again:
                    self._hold_to_allowance({rows[row]: why})
                self._note(rows[row : row + 1], Answer({0: why}))
            if self.sent != before:
                yield self.sent

    def _attempt(self, group: Group, rows: Sequence[int], start: int, end: int, again: bool) -> str:
        """Why these rows of a group are refused as a whole, or ''. What was settled before is not sent; what it is a part of was
        refused."""
        if not again and rows[end - 1] < self.sent.settled:
            return ""
        if not again and rows[start] < self.sent.settled:
            return HALVED
        self._hold_to_time()
        answer = self._send(group.part(start, end))
        if not answer.whole:
            for why in answer.refused.values():
                _hold_deletes(group, why, self._work.place)
            self._note(rows[start:end], answer)
            if not again:
                self._hold_to_allowance()
        return answer.whole

    def _note(self, rows: Sequence[int], answer: Answer) -> None:
        """Keeps what was answered of the rows of these numbers."""
        former, now, told = self.sent, {*rows}, (answer.refused, answer.waiting)
        kept = ({row: why for row, why in them.items() if row not in now} for them in (former.refused, former.waiting))
        refused, waiting = (known | {rows[n]: why for n, why in new.items()} for known, new in zip(kept, told, strict=True))
        settled = max(former.settled, rows[-1] + 1)
        self.sent = replace(former, settled=settled, refused=refused, waiting=waiting, noted={})

    @property
    def _needed(self) -> float:
        """Seconds of a call that a group may take."""
        return max(MARGIN_SECONDS, self._application.seconds_a_group)

    def _hold_to_time(self) -> None:
        if self.advanced and self._deadline.seconds_left < self._needed:
            raise Unfinished("a call's time is over", place=self._work.place)

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
