"""Extracts one part of a table, from a Bulk job's result or from REST pages, until done or the deadline is near.

Resume tokens: {'job', 'locator', 'first_id', 'rows', 'files', 'tries'} of a Bulk job; {'after', 'files'} of REST: the last Id read.
Each call gets at least one step further, however little time it has.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shared_metadata.contract.collect import Extracted
from shared_metadata.contract.runtime.deadline import MARGIN_SECONDS, Deadline
from shared_metadata.errors import DefinitionError, RetryLater
from slices.collect.salesforce import deletions
from slices.collect.salesforce.bulk_download import LAST_PAGE, Chunk, Download, PageEnd
from slices.collect.salesforce.logic import QUERY
from slices.collect.salesforce.parquet_files import ParquetFiles
from systems.salesforce.refusals import Refused, told_of_job
from systems.salesforce.session import Session

POLL_SECONDS = 20.0  # of one call: waiting is paid for
FIRST_POLL_SECONDS = 0.2
MAX_JOBS = 3
PAGE_VALUES = 5_000_000  # rows by columns of a Bulk page: some 60 to 100 MB of CSV
REST_GROUP_PAGES = 50
MAX_REPEATS = 3
# Bulk API 2.0 answers these for an object that it cannot query, such as those of "Objects Not Supported by Bulk API".
NO_BULK_CODES = frozenset({"INVALIDENTITY", "API_ERROR", "INVALIDJOB", "FEATURENOTENABLED", "FUNCTIONALITY_NOT_ENABLED"})


def extract(
    session: Session, part: Mapping[str, Any], files: ParquetFiles, resume: Mapping[str, Any] | None, deadline: Deadline
) -> Extracted:
    """part: {'soql', 'where', 'fields', 'bulk', 'left'} of the plan, or one that `deletions` made."""
    if "deletions" in part:
        return deletions.extract(session, part, files, resume, deadline)
    if resume and "after" in resume:
        return _RestExtract(session, part, files, resume, deadline).run()
    if not resume and part["bulk"]:
        return Extracted((), _create_job(session, part, 1))
    if not resume:
        return _RestExtract(session, part, files, {"after": "", "files": 0}, deadline).run()
    job = _finished_job(session, resume["job"], deadline)
    if job is None:
        return Extracted((), resume)
    if job["state"] == "Failed":
        return Extracted((), _after_failure(session, part, resume, str(job.get("errorMessage", ""))))
    return _BulkExtract(session, part, files, resume, deadline, int(job["numberRecordsProcessed"])).run()


def _create_job(session: Session, part: Mapping[str, Any], tries: int) -> dict[str, Any]:
    """The token of a new job, to be saved at once; a crash before that leaves an unread job, which expires."""
    try:
        job = session.post("jobs/query", {"operation": QUERY, "query": part["soql"] + part["where"], "lineEnding": "LF"})
    except Refused as error:
        if error.code in NO_BULK_CODES:
            return {"after": "", "files": 0}
        raise
    return {"job": job["id"], "locator": "", "first_id": "", "rows": 0, "files": 0, "tries": tries}


def _finished_job(session: Session, job_id: str, deadline: Deadline) -> Mapping[str, Any] | None:
    """The job when it is complete or has failed; None when it is still at work after a while."""
    wait, until = FIRST_POLL_SECONDS, time.monotonic() + min(POLL_SECONDS, deadline.seconds_left - MARGIN_SECONDS)
    while True:
        try:
            job: Mapping[str, Any] = session.get(f"jobs/query/{job_id}")
        except Refused as error:
            raise DefinitionError(
                f"the Bulk job {job_id} is gone: {error.what}", remedy="nothing: the batch is tried again from its start"
            ) from None
        if job["state"] in ("JobComplete", "Failed"):
            return job
        if job["state"] == "Aborted":
            raise DefinitionError(f"the Bulk job {job_id} was aborted at Salesforce", remedy="run the batch again")
        if time.monotonic() + wait > until:
            return None
        time.sleep(wait)
        wait = min(wait * 2, 5.0)


def _after_failure(session: Session, part: Mapping[str, Any], resume: Mapping[str, Any], message: str) -> dict[str, Any]:
    tries = int(resume["tries"])
    if tries >= MAX_JOBS or message.startswith(("INVALID_", "MALFORMED_")):
        raise DefinitionError(
            f"the Bulk job {resume['job']} failed: {told_of_job(message)}",
            remedy="compare the program with the object, or set bulk_threshold_rows above the table's size",
        )
    return _create_job(session, part, tries + 1)


class _BulkExtract:
    """Reads the result of a complete job; the token moves on at the end of each page."""

    def __init__(
        self,
        session: Session,
        part: Mapping[str, Any],
        files: ParquetFiles,
        resume: Mapping[str, Any],
        deadline: Deadline,
        records: int,
    ) -> None:
        self._session, self._part, self._files, self._deadline, self._records = session, part, files, deadline, records
        self._token = dict(resume)
        self._number = int(resume["files"])
        self._chunks: list[Chunk] = []
        self._written: list[dict[str, Any]] = []  # rows of the current page
        self._done: list[dict[str, Any]] = []  # rows of whole pages

    def run(self) -> Extracted:
        fields = self._part["fields"]
        page_rows = max(1, PAGE_VALUES // len(fields))
        started = time.monotonic()
        try:
            with Download(
                self._session, self._token["job"], fields, page_rows, self._token["locator"], self._token["first_id"]
            ) as download:
                for item in download:
                    if isinstance(item, Chunk):
                        self._chunk(item)
                        continue
                    self._page_end(item)
                    longest, started = time.monotonic() - started, time.monotonic()
                    if item.locator != LAST_PAGE and self._deadline.seconds_left < MARGIN_SECONDS + 2 * longest:
                        return Extracted(tuple(self._done), self._token)
        except RetryLater:
            if not self._done:
                raise
            return Extracted(tuple(self._done), self._token)
        if self._token["rows"] != self._records:
            raise RetryLater(f"a Bulk result has {self._token['rows']} records, and the job says {self._records}")
        return Extracted(tuple(self._done))

    def _chunk(self, chunk: Chunk) -> None:
        self._chunks.append(chunk)
        if sum(one.size for one in self._chunks) >= self._files.group_bytes:
            self._flush()

    def _page_end(self, end: PageEnd) -> None:
        self._flush()
        self._done += self._written
        self._written = []
        rows = self._token["rows"] + end.records
        self._token |= {"locator": end.locator, "first_id": end.first_id, "rows": rows, "files": self._number}

    def _flush(self) -> None:
        if not self._chunks:
            return
        self._written.append(self._files.from_csv([chunk.path for chunk in self._chunks], self._number))
        self._number += 1
        for chunk in self._chunks:
            chunk.path.unlink()
        self._chunks = []


class _RestExtract:
    """Reads REST pages in the order of Id, so that any page can be asked for again by the last Id before it."""

    def __init__(
        self, session: Session, part: Mapping[str, Any], files: ParquetFiles, resume: Mapping[str, Any], deadline: Deadline
    ) -> None:
        self._session, self._part, self._files, self._deadline = session, part, files, deadline
        self._after, self._number = str(resume["after"]), int(resume["files"])
        self._saved = self._after
        self._first_id, self._repeats = "", 0
        self._pages: list[Path] = []
        self._done: list[dict[str, Any]] = []

    def run(self) -> Extracted:
        with tempfile.TemporaryDirectory(prefix="rest-") as folder:
            try:
                following = self._read(None, Path(folder))
                while following and not self._deadline.near:
                    following = self._read(following, Path(folder))
                self._flush()
            except RetryLater:
                if not self._done:
                    raise
                return Extracted(tuple(self._done), {"after": self._saved, "files": self._number})
        return Extracted(tuple(self._done), {"after": self._saved, "files": self._number} if following else None)

    def _read(self, url: str | None, folder: Path) -> str | None:
        """Takes one page; returns where the next one is."""
        body = self._body(url)
        page = json.loads(body)
        records, following = page["records"], page.get("nextRecordsUrl")
        if records and records[0]["Id"] == self._first_id:
            self._repeats += 1
            if self._repeats > MAX_REPEATS:
                raise RetryLater("Salesforce repeats the same page of a query")
            return str(following) if following else None
        if records:
            self._repeats, self._first_id, self._after = 0, records[0]["Id"], records[-1]["Id"]
            self._pages.append(folder / f"{len(self._pages):04d}.json")
            self._pages[-1].write_bytes(body)
        if len(self._pages) >= REST_GROUP_PAGES:
            self._flush()
        return str(following) if following else None

    def _body(self, url: str | None) -> bytes:
        if url:
            try:
                return self._session.get_bytes(url)
            except Refused as error:
                if error.code != "INVALID_QUERY_LOCATOR":
                    raise
        where = self._part["where"]
        if self._after:
            where += f"{' AND' if where else ' WHERE'} Id > '{self._after}'"
        return self._session.get_bytes(QUERY, {"q": f"{self._part['soql']}{where} ORDER BY Id"})

    def _flush(self) -> None:
        if not self._pages:
            return
        self._done.append(self._files.from_json(self._pages, self._number))
        self._number += 1
        self._saved, self._pages = self._after, []
