"""Sends groups of rows to an object of Salesforce, and says which of them it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.work import Work
from shared_metadata.errors import DefinitionError, RetryLater
from shared_metadata.program import Flow
from shared_metadata.spelling import did_you_mean
from slices.harness.salesforce.bulk import Bulk
from slices.harness.salesforce.config import Config
from slices.harness.salesforce.deleting import Deleting
from slices.harness.salesforce.keys import Keys, OpenResults
from slices.harness.salesforce.logic import Writing, writing_of
from slices.harness.salesforce.reasons import FOR_THE_MOMENT, code_of, reason_of
from slices.harness.salesforce.values import Unwritable
from systems.application_target.application import TAKEN, Answer, Application, Group
from systems.application_target.budget import Budget
from systems.salesforce.catalog import Catalog
from systems.salesforce.refusals import Refused
from systems.salesforce.session import Session
from systems.salesforce.written import WrittenObject, read_written

COLLECTIONS = "composite/sobjects"
UNREADABLE = ("JSON_PARSER_ERROR", "INVALID_INPUT")  # of a whole request, of which nothing is written
SPARE_SECONDS = 10  # of a call, to write down what was answered
Record = Mapping[str, Any]


class Salesforce(Application):
    """The Application of systems/application_target."""

    def __init__(
        self, session: Session, budget: Budget, config: Config, work: Work, changes: Mapping[str, Any], open_results: OpenResults
    ) -> None:
        budget.hold(0)
        self._budget = budget
        self._session, self._catalog, self._place = session, Catalog(session), work.place
        many = changes["upserts"] >= config.bulk_from_rows
        self._most, self.seconds_a_group = config.rows_a_request, 120.0
        self.rows_a_group = config.rows_a_job if many else self._most
        with self._at():
            self._writing = self._read(work.flow, changes["columns"], work.table.dataset.partition(".")[2])
        self._keys = Keys(self._writing, changes["result_files"], open_results, self._place)
        self._deleting, self._bulk = Deleting(session, self._writing), Bulk(session, self._writing, self._place)

    def rows_at_once(self, group: Group) -> int:
        """A job's rows, or those of a request."""
        return len(group) if self._bulk.can(group.upserts) and not group.deletes else self._most

    def begin(self, group: Group, noted: str) -> str:
        """The Bulk job of many rows; few are sent by collections, of which nothing is known before they are answered."""
        if not noted and (group.deletes or len(group) <= self._most or not self._bulk.can(group.upserts)):
            return ""
        with self._at():
            self._budget.hold(self._session.requests)
            return self._bulk.begin(noted)

    def send(self, group: Group, deadline: Deadline) -> Answer:
        """Sends rows once; those wait that Salesforce refuses for the moment, or that a lost answer has kept from being sent."""
        with self._at():
            self._budget.hold(self._session.requests)
            self._keys.check(deadline)
            if group.deletes:
                held = partial(self._keys.held, deadline=deadline)
                return TAKEN if self._writing.updates_only else self._deleting.delete(group.deletes, held)
            if deadline.seconds_left < SPARE_SECONDS:
                raise RetryLater("a call's time is over", place=self._place)
            records, refused = self._records(group)
            if group.note:
                return _answer(refused, self._bulk.send(group.note, records, deadline))
            return _answer(refused, self._written(records))

    def settle(self, group: Group, deadline: Deadline) -> Answer:
        """Gives a job up that has no rows yet, and waits for any other: what it took when it was stopped would not be sure."""
        with self._at():
            records, refused = self._records(group)
            return _answer(refused, self._bulk.settle(group.note, records, deadline))

    def close(self) -> None:
        self._budget.spend(self._session.requests)
        self._session.close()

    def _read(self, flow: Flow, columns: Sequence[Mapping[str, Any]], name: str) -> Writing:
        return writing_of(flow, columns, self._describe(name), self._describe)

    def _describe(self, name: str) -> WrittenObject:
        answer = self._catalog.answer(name)
        if answer is None:
            remedy = did_you_mean(name, self._catalog.names()) + "change the program, or grant the permission"
            raise DefinitionError(f"Salesforce has no object {name}, or the user may not see it", remedy=remedy)
        return read_written(answer)

    def _records(self, group: Group) -> tuple[dict[int, Record], dict[int, str]]:
        """Number ▸ record; and those of which a value cannot be written, with why."""
        records: dict[int, Record] = {}
        refused: dict[int, str] = {}
        for number, row in enumerate(group.upserts):
            try:
                records[number] = self._writing.record(json.loads(row))
            except Unwritable as error:
                refused[number] = f"a value that the field cannot hold as it is ({error})"
        return records, refused

    def _written(self, records: Mapping[int, Record]) -> Iterator[tuple[int, str, bool]]:
        """Sends the records; of those that are refused their numbers, why, and whether only for the moment."""
        told = set[int]()
        try:
            for number, why, again in self._collection(records):
                told.add(number)
                if why:
                    yield number, why, again
        except RetryLater as error:
            if not told:
                raise
            yield from ((number, error.what, True) for number in records if number not in told)

    def _collection(self, records: Mapping[int, Record]) -> Iterator[tuple[int, str, bool]]:
        """Sends records in a request, and tells of each, '' where it is taken. One that cannot be read is none at all, and is halved
        until the values are found."""
        numbers = list(records)
        if not numbers:
            return
        try:
            results = self._session.ask(
                *self._request, {"allOrNone": False, "records": [*map(self._writing.in_json, records.values())]}
            )
        except Refused as error:
            if error.code not in UNREADABLE:
                raise
            if len(numbers) == 1:
                yield numbers[0], error.code, False
                return
            for half in (numbers[: len(numbers) // 2], numbers[len(numbers) // 2 :]):
                yield from self._collection({number: records[number] for number in half})
            return
        for number, result in zip(numbers, results, strict=True):
            why = "" if result["success"] else reason_of(result["errors"])
            yield number, why, bool(why) and code_of(result["errors"]) in FOR_THE_MOMENT

    @property
    def _request(self) -> tuple[str, str]:
        writing = self._writing
        if writing.key is None:
            return "POST", COLLECTIONS
        return "PATCH", COLLECTIONS if writing.updates_only else f"{COLLECTIONS}/{writing.object.name}/{writing.key.field.name}"

    @contextmanager
    def _at(self) -> Iterator[None]:
        """Gives what is refused its place in the program, and an error that Step Functions knows."""
        try:
            yield
        except DefinitionError as error:
            if error.place and not isinstance(error, Refused):
                raise
            raise DefinitionError(error.what, place=self._place, remedy=error.remedy) from None


def _answer(refused: Mapping[int, str], told: Iterable[tuple[int, str, bool]]) -> Answer:
    """refused: rows that were not sent.  told: of records that are not written, why, and whether only for the moment."""
    found = list(told)
    return Answer(
        {**refused, **{number: why for number, why, again in found if not again}}, {n: why for n, why, again in found if again}
    )
