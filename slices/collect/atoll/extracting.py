"""Writes a part's rows as Parquet, until done or the deadline is near; its token is the last record whose rows are written."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from shared_metadata.contract.collect import Extracted, ExtractRequest
from shared_metadata.contract.projection import place_of
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.runtime.services import Services
from shared_metadata.errors import DefinitionError
from shared_metadata.program.intervals import to_text
from shared_metadata.state.records import Event
from shared_metadata.store.event_reader import EventKey
from slices.collect.atoll.config import Config
from slices.collect.atoll.files import MOST_ROWS, RecordFiles, RefusedFiles, Rows
from slices.collect.atoll.logic import Span
from slices.collect.atoll.records import Made, Records
from slices.collect.atoll.rows import batch_row, of_batch, receipt_row
from slices.collect.atoll.tables import BATCHES, REFUSED

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

RECORDS_AT_ONCE = 50  # of events, whose batches and statistics are read beside one another
GONE = ("404", "NoSuchKey")
log = logging.getLogger(__name__)


class Extraction:
    """One call."""

    def __init__(self, request: ExtractRequest, records: Records, config: Config, services: Services) -> None:
        self._request, self._records, self._config, self._services = request, records, config, services
        self._place = place_of(request.flow, request.table)

    def run(self, resume: Mapping[str, Any] | None, deadline: Deadline) -> Extracted:
        """Each call takes some records at least. Raises DefinitionError for refused rows that are gone."""
        write = self._refused if self._request.table.source == REFUSED else self._told
        with closing(RecordFiles(self._services.session, self._request)) as files:
            last = write(files, tuple(resume["after"]) if resume else None, deadline)
            return Extracted(tuple(files.written), {"after": list(last)} if last else None)

    def _told(self, files: RecordFiles, after: EventKey | None, deadline: Deadline) -> EventKey | None:
        """Writes rows that records tell; returns the last record that is done, where others are left."""
        row_of = batch_row if self._request.table.source == BATCHES else receipt_row
        with closing(Rows()) as rows:
            for last, made in self._chunks(after):
                for one in made:
                    if row := row_of(one):
                        rows.add(row)
                rows.write(files, least=MOST_ROWS)
                if deadline.near:
                    rows.write(files)
                    return last
            rows.write(files)
        return None

    def _refused(self, files: RecordFiles, after: EventKey | None, deadline: Deadline) -> EventKey | None:
        """Writes rows out of files of refused rows; returns as `_told`."""
        gathered = RefusedFiles()
        for last, made in self._chunks(after):
            for one in made:
                for file in self._files(one):
                    shared = {**of_batch(one), "connection": one.flow.connection if one.flow else None}
                    gathered.add(f"s3://{self._bucket}/{file['key']}", int(file["rows"]), shared)
                    if gathered.are_many:
                        gathered.write(files)
            if deadline.near:
                gathered.write(files)
                return last
        gathered.write(files)
        return None

    def _chunks(self, after: EventKey | None) -> Iterator[tuple[EventKey, Iterator[Made]]]:
        """Some records at a time: the last one's key, and what is known of each."""
        span = Span.of(self._request.part)
        events: Iterator[tuple[EventKey, Event]] = self._services.reader.completed(span.since, span.until, after)
        while chunk := list(itertools.islice(events, RECORDS_AT_ONCE)):
            yield chunk[-1][0], self._records.of([event for _, event in chunk])

    def _files(self, made: Made) -> Sequence[Mapping[str, Any]]:
        """The files of what a publication's target refused, in the batch that is meant."""
        found = (made.pointer or {}).get("rejected", ()) if made.is_publication else ()
        return [file for file in found if self._is_there(file, made)]

    def _is_there(self, file: Mapping[str, Any], made: Made) -> bool:
        from botocore.exceptions import ClientError

        s3: S3Client = self._services.s3
        try:
            s3.head_object(Bucket=self._bucket, Key=file["key"])
        except ClientError as error:
            if error.response["Error"]["Code"] not in GONE:
                raise
        else:
            return True
        what = f"{file['rows']} refused rows of {made.dataset}, of its batch of {to_text(made.start)}, are not kept any more"
        if self._config.gap == "refuse":
            remedy = "go on without them: set the connection's gap = 'skip'"
            raise DefinitionError(what, place=self._place, remedy=remedy)
        log.warning(what)
        return False

    @property
    def _bucket(self) -> str:
        return self._services.environment.atoll_data_bucket
