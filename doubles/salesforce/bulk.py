"""Bulk API 2.0 query jobs: run once into a CSV file, then served from it, page by page.

Bulk API 2.0 and Bulk API Developer Guide, "Query with Bulk API 2.0"
(https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/queries.htm).
"""

import base64
import binascii
import csv
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

from doubles.salesforce import identifiers, soql_syntax
from doubles.salesforce.cursors import Cursors
from doubles.salesforce.errors import SalesforceError, not_found
from doubles.salesforce.results import DELIMITERS, LINE_ENDINGS, ResultPage, index_result, read_page, write_result
from doubles.salesforce.schema import COMPOUND_TYPES
from doubles.salesforce.soql_sql import CompiledQuery
from doubles.salesforce.store import Store
from doubles.salesforce.values import store_datetime

_FINISHED = ("JobComplete", "Failed", "Aborted")


class QueryJobs:
    """An org's query jobs. A job's result is a snapshot of the moment when it ran."""

    def __init__(self, store: Store, cursors: Cursors, now: Callable[[], datetime], user_id: str) -> None:
        self.delay_seconds = 0.0
        self.page_rows = 250_000
        self._store = store
        self._cursors = cursors
        self._now = now
        self._user_id = user_id
        self._directory = store.directory / "results"
        self._directory.mkdir(exist_ok=True)
        self._jobs = {job["id"]: job for job in store.jobs()}
        self._lock = threading.RLock()
        self._failures: list[str] = []
        self._prepared: dict[str, tuple[Path, int]] = {}
        self._pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="query-job")
        for job in self._jobs.values():
            if job["state"] not in _FINISHED:
                self._pool.submit(self._run, job["id"])

    def close(self) -> None:
        """Stop; jobs that are not finished run again when the org is opened again."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def fail_next(self, message: str) -> None:
        """Let the next job end in the state Failed with this message."""
        self._failures.append(message)

    def prepare_result(self, object_name: str, path: Path) -> int:
        """Serve this CSV file, as it stands, as the result of every later job on the object; its records.

        It must have a header line and the columns, in their order, that the jobs ask for. It saves a benchmark from
        inserting and querying its rows first.
        """
        records = index_result(path, self._directory / f"{object_name}.index")
        self._prepared[object_name] = (path.resolve(), records)
        return records

    def create(self, body: dict[str, Any], version: str) -> dict[str, Any]:
        """A new job from a request's body; it starts at once."""
        for name, allowed in _CHOICES.items():
            if name in body and body[name] not in allowed:
                message = f"{name} must be one of {', '.join(allowed)}, not {body[name]}"
                raise SalesforceError(400, "INVALIDJOB", message)
        if "operation" not in body or "query" not in body:
            raise SalesforceError(400, "INVALIDJOB", "operation and query are required")
        query = self._checked_query(body)
        stamp = store_datetime(self._now())[:-1] + "+0000"
        job = {
            "id": identifiers.make_id("750", self._store.reserve_numbers("750", 1)), "operation": body["operation"],
            "object": query.schema.name, "createdById": self._user_id, "createdDate": stamp, "systemModstamp": stamp,
            "state": "UploadComplete", "concurrencyMode": "Parallel", "contentType": "CSV",
            "apiVersion": float(version[1:]), "lineEnding": body.get("lineEnding", "LF"),
            "columnDelimiter": body.get("columnDelimiter", "COMMA"), "query": body["query"],
        }  # fmt: skip
        self._save(job)
        self._pool.submit(self._run, job["id"])
        return {key: value for key, value in job.items() if key != "query"}

    def _checked_query(self, body: dict[str, Any]) -> CompiledQuery:
        """What a Bulk query may not have: guide, "SOQL Considerations" (COUNT, OFFSET, compound fields)."""
        query = self._cursors.compile(body["query"], body["operation"] == "queryAll")
        if not query.schema.bulk:
            message = f"Entity '{query.schema.name}' is not supported by the Bulk API."
            raise SalesforceError(400, "INVALIDENTITY", message)
        if not query.fields:
            raise SalesforceError(400, "API_ERROR", "Aggregate queries not supported in Bulk Query")
        if any(one.type in COMPOUND_TYPES for one in query.fields):
            raise SalesforceError(400, "API_ERROR", "Selecting compound data not supported in Bulk Query")
        if soql_syntax.parse(body["query"]).offset:
            raise SalesforceError(400, "API_ERROR", "OFFSET not supported in Bulk Query")
        return query

    def _save(self, job: dict[str, Any]) -> None:
        with self._lock:
            self._jobs[job["id"]] = job
            self._store.save_job(job["id"], job)

    def _advance(self, job_id: str, **changes: Any) -> bool:
        """Change a job that is not finished; whether it was."""
        with self._lock:
            job = self._jobs.get(job_id)
            if job is None or job["state"] in _FINISHED:
                return False
            stamp = store_datetime(self._now())[:-1] + "+0000"
            self._save({**job, **changes, "systemModstamp": stamp})
            return True

    def _run(self, job_id: str) -> None:
        if self.delay_seconds:
            time.sleep(self.delay_seconds / 2)
        if not self._advance(job_id, state="InProgress"):
            return
        begun = time.monotonic()
        try:
            if self._failures:
                raise SalesforceError(400, "InternalServerError", self._failures.pop(0))
            if self.delay_seconds:
                time.sleep(self.delay_seconds / 2)
            records = self._spool(self._jobs[job_id])
        except SalesforceError as error:
            self._advance(job_id, state="Failed", errorMessage=f"{error.code}: {error.message}")
        except Exception as error:
            self._advance(job_id, state="Failed", errorMessage=f"InternalServerError: {error}")
        else:
            milliseconds = int((time.monotonic() - begun) * 1000)
            done = {"numberRecordsProcessed": records, "totalProcessingTime": milliseconds, "retries": 0}
            self._advance(job_id, state="JobComplete", **done)

    def _spool(self, job: dict[str, Any]) -> int:
        """Write a job's result file and its index of line ends; the number of records."""
        query = self._cursors.compile(job["query"], job["operation"] == "queryAll")
        path = self._directory / f"{job['id']}.csv"
        if query.schema.name in self._prepared:
            return self._link_prepared(query, path)
        rows = self._store.csv_rows(query)
        return write_result(path, [one.name for one in query.fields], rows, job["columnDelimiter"], job["lineEnding"])

    def _link_prepared(self, query: CompiledQuery, path: Path) -> int:
        """Let a job's result be the file that was prepared for its object."""
        prepared, records = self._prepared[query.schema.name]
        with prepared.open(newline="") as lines:
            columns = next(csv.reader(lines))
        if columns != [one.name for one in query.fields]:
            raise SalesforceError(400, "InvalidBatch", f"the prepared result {prepared} has other columns: {columns}")
        path.symlink_to(prepared)
        path.with_suffix(".index").symlink_to(self._directory / f"{query.schema.name}.index")
        return records

    def get(self, job_id: str) -> dict[str, Any]:
        """A job's status; SalesforceError NOT_FOUND if there is no such job."""
        with self._lock:
            job = self._jobs.get(identifiers.with_checksum(job_id))
        if job is None:
            raise not_found()
        extra: dict[str, Any] = {"jobType": "V2Query", "numberRecordsProcessed": 0, "retries": 0}
        shown = {key: value for key, value in job.items() if key != "query"}
        return {**extra, "totalProcessingTime": 0, "isPkChunkingSupported": True, **shown}

    def list(self) -> dict[str, Any]:
        """Every job, newest last, on one page."""
        return {"done": True, "records": [self.get(job_id) for job_id in list(self._jobs)], "nextRecordsUrl": None}

    def abort(self, job_id: str) -> dict[str, Any]:
        """Stop a job that is not finished."""
        job = self.get(job_id)
        if not self._advance(job["id"], state="Aborted"):
            message = f"Aborting already {job['state']} Job not allowed"
            raise SalesforceError(400, "INVALIDJOBSTATE", message)
        return self.get(job_id)

    def delete(self, job_id: str) -> None:
        """Forget a finished job and its result."""
        job = self.get(job_id)
        if job["state"] not in _FINISHED:
            message = "Only jobs in the state JobComplete, Aborted or Failed can be deleted"
            raise SalesforceError(400, "INVALIDJOBSTATE", message)
        with self._lock:
            del self._jobs[job["id"]]
            self._store.delete_job(job["id"])
        for suffix in (".csv", ".index"):
            (self._directory / job["id"]).with_suffix(suffix).unlink(missing_ok=True)

    def page(self, job_id: str, locator: str, max_records: int | None, repeat: bool = False) -> ResultPage | None:
        """A page of a finished job's result; None while there is none. `repeat` makes it its own successor."""
        job = self.get(job_id)
        if job["state"] != "JobComplete":
            return None
        total, first = job["numberRecordsProcessed"], _decode_locator(locator)
        if first > total:
            raise SalesforceError(400, "INVALID_QUERY_LOCATOR", f"invalid locator: {locator}")
        last = min(total, first + min(max_records or self.page_rows, self.page_rows))
        following = first if repeat else last
        encoded = _encode_locator(following) if last < total else "null"
        return read_page(self._directory / f"{job['id']}.csv", first, last, encoded)


_CHOICES: dict[str, Iterable[str]] = {
    "operation": ("query", "queryAll"), "contentType": ("CSV",), "lineEnding": tuple(LINE_ENDINGS),
    "columnDelimiter": tuple(DELIMITERS),
}  # fmt: skip


def _encode_locator(row: int) -> str:
    """The guide's own example, `MTAwMDA`, is `10000` in base64 without padding."""
    return base64.urlsafe_b64encode(str(row).encode()).decode().rstrip("=")


def _decode_locator(locator: str) -> int:
    if not locator:
        return 0
    try:
        row = int(base64.urlsafe_b64decode(locator + "=" * (-len(locator) % 4)))
    except (ValueError, binascii.Error):
        row = -1
    if row < 0 or _encode_locator(row) != locator:
        raise SalesforceError(400, "INVALID_QUERY_LOCATOR", f"invalid locator: {locator}")
    return row
