"""Sends many rows by a Bulk API 2.0 ingest job, and finds out what became of one that was sent before.

A job's id is known before its rows are sent, so that an attempt whose answer was lost is looked up and not repeated. One that is
still open has no rows, or has perhaps a part of them: it is given up.
"""

from __future__ import annotations

import csv
import io
import time
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.errors import DefinitionError, Unfinished
from slices.harness.salesforce.logic import Writing
from slices.harness.salesforce.reasons import FOR_THE_MOMENT, code_of, read_error, reason_of
from slices.harness.salesforce.values import NULL, in_csv
from systems.salesforce.refusals import Refused, told_of_job
from systems.salesforce.session import Session

JOBS = "jobs/ingest"
GIVEN_UP = ("Failed", "Aborted")
FINISHED = ("JobComplete", *GIVEN_UP)
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 20.0
SPARE_SECONDS = 20  # of a call, to ask for the results and write them down
Record = Mapping[str, Any]


class Bulk:
    """Jobs for the rows of one flow."""

    def __init__(self, session: Session, writing: Writing, place: str) -> None:
        self._session, self._writing, self._place = session, writing, place

    @staticmethod
    def can(rows: Sequence[str]) -> bool:
        """Whether a CSV tells all of the rows' values: a text that is its word for null is none of it."""
        return not any(f'"{NULL}"' in row for row in rows)

    def begin(self, noted: str) -> str:
        """The id of a job for rows that are to be sent, or of the one that has them already."""
        told = self._told(noted) if noted else None
        if told and told["state"] == "Open":
            told = self._session.ask("PATCH", f"{JOBS}/{noted}", {"state": "Aborted"})
        if told and not (told["state"] in GIVEN_UP and not told["numberRecordsProcessed"]):
            return noted
        return str(self._session.post(JOBS, self._asked())["id"])

    def send(self, job: str, records: Mapping[int, Record], deadline: Deadline) -> Iterator[tuple[int, str, bool]]:
        """Numbers of records that are not written, why, and whether only for the moment.

        Raises Unfinished while the job works, which goes on without anybody who waits.
        """
        told = self._session.get(f"{JOBS}/{job}")
        if told["state"] == "Open":
            with self._session.open("PUT", f"{JOBS}/{job}/batches", body=self._csv(records), headers={"Content-Type": "text/csv"}):
                pass
            self._session.ask("PATCH", f"{JOBS}/{job}", {"state": "UploadComplete"})
        told = self._finished(job, deadline)
        if told["state"] in GIVEN_UP and not told["numberRecordsProcessed"]:
            why = told_of_job(str(told.get("errorMessage", "")).replace(" : ", ": ", 1))
            raise DefinitionError(f"the Bulk job {job} has ended as {told['state']}: {why}", place=self._place, remedy=REMEDY)
        yield from self._results(job, told, records)

    def settle(self, job: str, records: Mapping[int, Record], deadline: Deadline) -> Iterator[tuple[int, str, bool]]:
        """The same of a job whose rows are not to be sent any more, once it has ended; one without rows is given up."""
        told = self._told(job)
        if told and told["state"] == "Open":
            told = self._session.ask("PATCH", f"{JOBS}/{job}", {"state": "Aborted"})
        if told and told["state"] not in FINISHED:
            told = self._finished(job, deadline)
        if told is None or (told["state"] in GIVEN_UP and not told["numberRecordsProcessed"]):
            yield from ((number, "the Bulk job was given up", True) for number in records)
        else:
            yield from self._results(job, told, records)

    def _asked(self) -> dict[str, Any]:
        writing, key = self._writing, self._writing.key
        plain = {"object": writing.object.name, "contentType": "CSV", "lineEnding": "LF"}
        if key is None:
            return {**plain, "operation": "insert"}
        if writing.updates_only:
            return {**plain, "operation": "update"}
        return {**plain, "operation": "upsert", "externalIdFieldName": key.field.name}

    def _told(self, job: str) -> Mapping[str, Any] | None:
        """What is said of a job; None where Salesforce does not know it any more, as after seven days."""
        try:
            return dict(self._session.get(f"{JOBS}/{job}"))
        except Refused as error:
            if error.code != "NOT_FOUND":
                raise
            return None

    def _finished(self, job: str, deadline: Deadline) -> Mapping[str, Any]:
        pause = FIRST_PAUSE_SECONDS
        while (told := self._session.get(f"{JOBS}/{job}"))["state"] not in FINISHED:
            if deadline.seconds_left < pause + SPARE_SECONDS:
                raise Unfinished("the Bulk job is at work", place=self._place)
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        return dict(told)

    def _results(self, job: str, told: Mapping[str, Any], records: Mapping[int, Record]) -> Iterator[tuple[int, str, bool]]:
        numbers = self._numbers(records)
        if told["numberRecordsFailed"]:
            for row in self._rows(job, "failedResults"):
                errors = [read_error(row["sf__Error"], self._writing.object.fields)]
                yield self._number(numbers, row), reason_of(errors), code_of(errors) in FOR_THE_MOMENT
        if told["state"] in GIVEN_UP:
            for row in self._rows(job, "unprocessedrecords"):
                yield self._number(numbers, row), "the Bulk job has ended early", True

    def _rows(self, job: str, which: str) -> list[dict[str, str]]:
        with self._session.open("GET", f"{JOBS}/{job}/{which}") as response:
            return list(csv.DictReader(io.StringIO(response.read(decode_content=True).decode(), newline="")))

    def _csv(self, records: Mapping[int, Record]) -> bytes:
        text = io.StringIO()
        writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow([column.header for column in self._writing.columns])
        writer.writerows([in_csv(record[column.header]) for column in self._writing.columns] for record in records.values())
        return text.getvalue().encode("utf-8", "surrogatepass")

    def _numbers(self, records: Mapping[int, Record]) -> dict[tuple[str, ...], deque[int]]:
        """What tells a row from others ▸ the numbers of such: its key, or, where rows are added, all of it."""
        found: defaultdict[tuple[str, ...], deque[int]] = defaultdict(deque)
        for number, record in records.items():
            found[tuple(in_csv(record[name]) for name in self._telling)].append(number)
        return found

    def _number(self, numbers: Mapping[tuple[str, ...], deque[int]], row: Mapping[str, str]) -> int:
        """The number of a row of a result; of rows that are alike, each once."""
        alike = numbers.get(tuple(row.get(name, "") for name in self._telling))
        if not alike:
            raise DefinitionError("Salesforce tells of a row that was not sent", place=self._place, remedy=REMEDY)
        return alike.popleft()

    @property
    def _telling(self) -> list[str]:
        key = self._writing.key
        return [key.header] if key else [column.header for column in self._writing.columns]


REMEDY = "look at the job in Setup ▸ Bulk Data Load Jobs, or raise bulk_from_rows, so that rows are sent without jobs"
