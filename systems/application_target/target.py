"""Publishes to an application: sends what changed in groups, each until it is answered, and remembers in a journal how far it came.

A group whose answer is lost is sent again, under the same key: at least once, and once where the application knows such keys. What
was begun is gone on with as it was, by whatever attempt. Where a batch has another result than the one that was broken off, that is
compared with what arrived (`arrived.py`). One group of the one before may be on its way then, and be heard last: its keys are sent
again by the batches that begin before the call that has sent it must be over, and by the one after these.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from shared_metadata.contract.harness import Published
from shared_metadata.contract.results.changes import begin_anew, compare, keep_refused, key_of, otherwise_keyed, published_before
from shared_metadata.contract.results.receipt import Receipt, identity
from shared_metadata.contract.results.results import FileGone, Results
from shared_metadata.contract.runtime.deadline import LEASE_SECONDS, Deadline
from shared_metadata.contract.runtime.services import Services
from shared_metadata.contract.runtime.staging import Staging
from shared_metadata.contract.work import Work
from shared_metadata.errors import AtollError, DefinitionError, RetryLater, StaleToken
from shared_metadata.program import Mode
from systems.application_target.application import Application, OpenApplication
from systems.application_target.arrived import attempted, on_its_way, settled, unsure
from systems.application_target.journal import Journal, Late, Sent, Standing, journal_of
from systems.application_target.sending import Sending, begun, is_of

# What names the place to which a flow's rows are sent; another one has nothing of what was sent before, and gets all of it.
Where = Callable[[Work], str]


class ApplicationTarget:
    """The Target of contract/harness.py."""

    def __init__(
        self, open_application: OpenApplication, services: Services, *, takes_back: bool = True, where: Where = lambda work: ""
    ) -> None:
        """takes_back: whether the application has rows that were added taken back (`Capabilities.takes_back`)."""
        self._open_application, self._services, self._takes_back, self._where = open_application, services, takes_back, where
        self._open: list[Any] = []

    def close(self) -> None:
        for opened in self._open:
            opened.close()

    def diff(self, work: Work, result: Mapping[str, Any], staging: Staging, deadline: Deadline) -> dict[str, Any]:
        """What is to be sent; asks the journal, and nothing of the application."""
        journal, start, supersedes = self._journal(work), work.claim.interval.start, work.flow.supersedes
        later = journal.later(start) if _windowed(work) else ""
        standing = journal.standing(None if supersedes else start)
        if (sent := standing.sent) and _goes_on(sent, work, result, later):
            return dict(sent.changes)
        base = standing.last
        receipts = [*standing.receipts, *(journal.published_later(start) if later else ())]
        url = staging.url(work.table.dataset, f"changes-{uuid.uuid4().hex[:8]}")  # which no other call writes over
        results = self._results(work, deadline)
        broken, late = sent if sent and not _windowed(work) else None, [key for one in standing.late for key in one.files]
        overtaken, tried = list[str](), list[str]()
        try:
            if broken:
                if supersedes and not _same_key(broken, work):
                    raise otherwise_keyed(work, broken.key, journal.forgetting(start))
                nothing = base or Receipt(start, 0, "", (), 0, 0)
                tried = attempted(broken, key_of(work), results, url) if supersedes else []
                receipts = [unsure(tried, nothing, late) if supersedes else settled(broken, nothing, results, url)]
                overtaken = on_its_way(broken, key_of(work), results, url) if supersedes else []
            elif base and late:
                receipts = [replace(base, unsure=tuple(late))]
            changes = compare(work, result, receipts, results, url, journal.forgetting(start))
        except FileGone:
            if not (broken or late):
                raise
            raise _forgotten(work, journal) from None
        if changes["deletes"] and work.flow.mode == Mode.APPEND and not self._takes_back:
            raise _added(work, journal)
        changes |= {"seen": standing.tag, "later": later, "columns": result["schema"]["columns"], "overtaken": overtaken}
        if broken:
            changes["base"] = base.mark if base else None
        return {**changes, "unsure": [*tried, *late]}

    def publish(
        self, work: Work, changes: Mapping[str, Any], staging: Staging, resume: Mapping[str, Any] | None, deadline: Deadline
    ) -> Published:
        """Sends group after group. It goes on from the journal; the token only says that there is more to send."""
        journal, claim, start = self._journal(work), work.claim, work.claim.interval.start
        standing = journal.standing(None if work.flow.supersedes else start)
        if changes["nothing"]:
            return Published(rejected=tuple(changes["rejected"]), unsure=bool(standing.late))
        if standing.sent and standing.sent.start == start and standing.sent.token > claim.token:
            raise StaleToken("another worker sends this batch", place=work.place)
        if not (standing.sent and is_of(standing.sent, work, changes)):
            if receipt := published_before(standing.receipts, claim, changes, work.place):
                return Published(rejected=receipt.rejected, unsure=bool(standing.late))
            if standing.tag != changes["seen"]:
                raise RetryLater("another worker has sent since the changes were worked out", place=work.place)
            self._end(work, journal, standing, deadline)
            standing = replace(standing, late=self._late(standing, changes))
        _hold_to_later(work, journal, changes)
        results, application = self._results(work, deadline), self._opened(work, changes)
        sent = begun(work, changes, standing.sent, application.rows_a_group)
        keep = _Keep(work, journal, changes, journal.put(replace(standing, sent=sent)))
        sending = Sending(work, sent, application, results, deadline, keep)
        try:
            for sent in sending.groups():
                keep(sent)
        except FileGone:
            raise _forgotten(work, journal) from None
        except AtollError as error:
            if sending.advanced and not isinstance(error, StaleToken):
                journal.put(replace(keep.standing, sent=sending.sent))
                if isinstance(error, RetryLater):
                    return Published({"settled": sending.sent.settled})
            raise
        if sending.advanced and deadline.near:  # what is left takes as long as there are refused rows
            return Published({"settled": sending.sent.settled})
        kept = keep_refused(work, results, changes, staging, sent.refused)
        counts = (changes["upserts"] - len(sent.refused), changes["deletes"])
        files, key = tuple(changes["result_files"]), key_of(work) or None
        receipt = Receipt(start, claim.token, changes["result"], files, *counts, kept, key=key)
        journal.finish(keep.standing, receipt, claim.interval.end)
        return Published(rejected=kept, unsure=bool(standing.late))

    def _end(self, work: Work, journal: Journal, standing: Standing, deadline: Deadline) -> None:
        """Has what a batch that is broken off has begun in the application come to its end, and writes down what was taken.

        Raises RetryLater where it had: with that the changes are worked out again.
        """
        sent = standing.sent
        if not (sent and sent.noted):
            return
        application, results = self._opened(work, sent.changes), self._results(work, deadline)
        try:
            ended = Sending(work, sent, application, results, deadline, _unkept).end()
        except FileGone:
            raise _forgotten(work, journal) from None
        journal.put(replace(standing, sent=ended))
        raise RetryLater("what another result of the batch had begun has ended since the changes were worked out", place=work.place)

    def _late(self, standing: Standing, changes: Mapping[str, Any]) -> tuple[Late, ...]:
        """What may be heard after all that is sent from now on."""
        now, found = self._services.clock(), changes.get("overtaken")
        new = (Late(tuple(found), now + timedelta(seconds=LEASE_SECONDS)),) if found else ()
        return (*(one for one in standing.late if one.until > now), *new)

    def _opened(self, work: Work, changes: Mapping[str, Any]) -> Application:
        application = self._open_application(work, changes)
        self._open.append(application)
        return application

    def _results(self, work: Work, deadline: Deadline) -> Results:
        results = Results(self._services, work.place, deadline)
        self._open.append(results)
        return results

    def _journal(self, work: Work) -> Journal:
        return journal_of(self._services, work.flow.id, work.place, self._where(work))


class _Keep:
    """Writes down how far a batch came.  standing: as it was written last."""

    def __init__(self, work: Work, journal: Journal, changes: Mapping[str, Any], standing: Standing) -> None:
        self._work, self._journal, self._changes, self.standing = work, journal, changes, standing

    def __call__(self, sent: Sent) -> None:
        """Raises as `Journal.put`, and RetryLater where a later batch has sent rows since."""
        self.standing = self._journal.put(replace(self.standing, sent=sent))
        _hold_to_later(self._work, self._journal, self._changes)


def _unkept(sent: Sent) -> None:
    raise AssertionError("nothing is begun where something comes to its end")


def _windowed(work: Work) -> bool:
    """Whether batches write rows by key, each those of its window: a later batch's stand."""
    return work.flow.mode == Mode.MERGE and not work.flow.supersedes


def _goes_on(sent: Sent, work: Work, result: Mapping[str, Any], later: str) -> bool:
    """Whether what was begun is what this attempt is to send."""
    same = sent.start == work.claim.interval.start and sent.changes["result"] == identity(result) and _same_key(sent, work)
    return same and sent.rerun >= work.claim.rerun and sent.changes["later"] == later


def _same_key(sent: Sent, work: Work) -> bool:
    """Whether its rows are matched as those of now are, as far as that is known."""
    return sent.key is None or {*sent.key} == {*key_of(work)}


def _hold_to_later(work: Work, journal: Journal, changes: Mapping[str, Any]) -> None:
    """Raises RetryLater where a later batch has sent rows since: they would be overwritten by older ones."""
    if _windowed(work) and (changes["later"] or work.claim.rerun) and journal.later(work.claim.interval.start) != changes["later"]:
        raise RetryLater("a later batch has sent since the changes were worked out", place=work.place)


def _forgotten(work: Work, journal: Journal) -> DefinitionError:
    """The error of a batch that was broken off longer ago than what it was to send is kept."""
    what = "what was sent in part is not known any more, since its files are gone from S3"
    return DefinitionError(what, place=work.place, remedy=begin_anew(work, journal.forgetting(work.claim.interval.start)))


def _added(work: Work, journal: Journal) -> DefinitionError:
    """The error of a batch whose rows were added, and are others now, where nothing that was added is taken back."""
    what = "rows that the batch has added are not in its result any more, and what was added there is not taken back"
    return DefinitionError(what, place=work.place, remedy=begin_anew(work, journal.forgetting(work.claim.interval.start)))
