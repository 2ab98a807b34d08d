"""Bulk API 2.0 ingest jobs: a CSV is uploaded, the job closed, and each of its rows written; what became of them is CSV too.

Bulk API 2.0 and Bulk API Developer Guide, "Bulk API 2.0 Ingest"
(https://developer.salesforce.com/docs/platform/api-asynch/guide/bulk-api-2-0-ingest.html).
"""

import csv
import io
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from doubles.salesforce import identifiers
from doubles.salesforce.errors import SalesforceError, not_found
from doubles.salesforce.records import Records
from doubles.salesforce.schema import ObjectSchema
from doubles.salesforce.store import Store
from doubles.salesforce.values import store_datetime
from doubles.salesforce.writing import delete, insert, update, upsert

FINISHED = ("JobComplete", "Failed", "Aborted")
OPERATIONS = ("insert", "update", "upsert", "delete")
NULL = "#N/A"  # guide, "Prepare CSV Files"; an empty value leaves the field as it is


@dataclass
class _Job:
    told: dict[str, Any]
    content: str = ""
    columns: list[str] = field(default_factory=list)
    taken: list[list[str]] = field(default_factory=list)
    failed: list[list[str]] = field(default_factory=list)
    left: list[list[str]] = field(default_factory=list)


class IngestJobs:
    """An org's ingest jobs; they are gone at its end.

    delay_seconds: how long a job takes.  stops_after: the rows after which the next job fails; the others stay unprocessed.
    """

    def __init__(self, store: Store, records: Records, now: Callable[[], datetime], user_id: str) -> None:
        self.delay_seconds = 0.0
        self.stops_after: int | None = None
        self._store, self._records, self._now, self._user_id = store, records, now, user_id
        self._jobs: dict[str, _Job] = {}
        self._lock = threading.RLock()
        self._pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="ingest-job")

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def create(self, body: dict[str, Any], version: str) -> dict[str, Any]:
        """A new job, open for its content."""
        operation, schema = body.get("operation"), self._records.schema(str(body.get("object")))
        if operation not in OPERATIONS or body.get("contentType", "CSV") != "CSV":
            raise SalesforceError(400, "INVALIDJOB", f"operation must be one of {', '.join(OPERATIONS)}, contentType CSV")
        if (operation == "upsert") != ("externalIdFieldName" in body):
            raise SalesforceError(400, "INVALIDJOB", "externalIdFieldName is for upsert, which requires it")
        if not schema.bulk:
            raise SalesforceError(400, "INVALIDENTITY", f"Entity '{schema.name}' is not supported by the Bulk API.")
        stamp = store_datetime(self._now())[:-1] + "+0000"
        job_id = identifiers.make_id("750", self._store.reserve_numbers("750", 1))
        told = {
            "id": job_id, "operation": operation, "object": schema.name, "createdById": self._user_id, "createdDate": stamp,
            "systemModstamp": stamp, "state": "Open", "concurrencyMode": "Parallel", "contentType": "CSV",
            "apiVersion": float(version[1:]), "lineEnding": body.get("lineEnding", "LF"), "columnDelimiter": "COMMA",
            "contentUrl": f"services/data/{version}/jobs/ingest/{job_id}/batches", "jobType": "V2Ingest",
            "numberRecordsProcessed": 0, "numberRecordsFailed": 0, "retries": 0, "totalProcessingTime": 0,
            **({"externalIdFieldName": body["externalIdFieldName"]} if operation == "upsert" else {}),
        }  # fmt: skip
        with self._lock:
            self._jobs[job_id] = _Job(told)
        return dict(told)

    def upload(self, job_id: str, content: bytes) -> None:
        """The job's content, which is put once."""
        with self._lock:
            job = self._open(job_id)
            if job.content:
                raise SalesforceError(400, "INVALIDJOB", f"Found multiple contents for job: <{job_id}>, please 'Close' / 'Abort' it")
            job.content = content.decode()

    def change(self, job_id: str, state: str) -> dict[str, Any]:
        """The job closed, or given up."""
        with self._lock:
            job = self._find(job_id)
            if state == "Aborted" and job.told["state"] in ("Open", "UploadComplete", "InProgress"):
                job.told["state"] = state
            elif state == "UploadComplete":
                self._open(job_id).told["state"] = state
                self._pool.submit(self._run, job)
            else:
                raise SalesforceError(400, "INVALIDJOBSTATE", f"a job that is {job.told['state']} does not become {state}")
            return dict(job.told)

    def get(self, job_id: str) -> dict[str, Any]:
        with self._lock:
            return dict(self._find(job_id).told)

    def results(self, job_id: str, which: str) -> str:
        """CSV: 'successfulResults' | 'failedResults' | 'unprocessedrecords'."""
        with self._lock:
            job = self._find(job_id)
            if job.told["state"] not in FINISHED:
                raise SalesforceError(400, "INVALIDJOBSTATE", "the job is not finished")
            header, rows = {
                "successfulResults": (["sf__Id", "sf__Created", *job.columns], job.taken),
                "failedResults": (["sf__Id", "sf__Error", *job.columns], job.failed),
                "unprocessedrecords": (job.columns, job.left),
            }[which]
        text = io.StringIO()
        csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([header, *rows])
        return text.getvalue()

    def _find(self, job_id: str) -> _Job:
        job = self._jobs.get(identifiers.with_checksum(job_id))
        if job is None:
            raise not_found()
        return job

    def _open(self, job_id: str) -> _Job:
        job = self._find(job_id)
        if job.told["state"] != "Open":
            raise SalesforceError(400, "INVALIDJOBSTATE", f"the job is {job.told['state']}")
        return job

    def _run(self, job: _Job) -> None:
        job.told["state"] = "InProgress"
        time.sleep(self.delay_seconds)
        lines = list(csv.reader(io.StringIO(job.content, newline="")))
        stops, self.stops_after = self.stops_after, None
        with self._lock:
            job.columns = lines[0] if lines else []
            rows, end = lines[1:], len(lines) if stops is None else stops
            schema = self._records.schema(job.told["object"])
            if unknown := [name for name in job.columns if not _known(schema, name)]:
                job.left, rows = rows, []
                job.told |= {"state": "Failed", "errorMessage": f"InvalidBatch : Field name not found : {unknown[0]}"}
            else:
                for row in rows[:end]:
                    self._write(job, schema, row)
                job.left = rows[end:]
                failed = {"state": "Failed", "errorMessage": "InternalServerError : the job ended early"}
                job.told |= failed if job.left else {"state": "JobComplete"}
            done = {"numberRecordsProcessed": len(job.taken) + len(job.failed), "numberRecordsFailed": len(job.failed)}
            job.told |= done

    def _write(self, job: _Job, schema: ObjectSchema, row: Sequence[str]) -> None:
        values = {name: None if value == NULL else value for name, value in zip(job.columns, row, strict=True) if value != ""}
        try:
            record, made = self._written(job.told, schema, _nested(values))
        except SalesforceError as error:
            code, message = error.code, error.message
            if code == "JSON_PARSER_ERROR":
                code, message = "INVALID_TYPE_ON_FIELD_IN_RECORD", "value not of required type"
            job.failed.append(["", f"{code}:{message}:{', '.join(error.fields or [])} --", *row])
        else:
            job.taken.append([record, str(made).lower(), *row])

    def _written(self, told: dict[str, Any], schema: ObjectSchema, values: dict[str, Any]) -> tuple[str, bool]:
        if told["operation"] == "insert":
            return insert(self._records, schema.name, values), True
        if told["operation"] == "update":
            return update(self._records, schema.name, values), False
        if told["operation"] == "delete":
            return delete(self._records, [schema], str(values["Id"])), False
        return upsert(self._records, schema.name, told["externalIdFieldName"], values)


def _known(schema: ObjectSchema, name: str) -> bool:
    relation, _, key = name.rpartition(".")
    return bool(key) and (schema.find_relationship(relation) if relation else schema.find(name)) is not None


def _nested(values: dict[str, Any]) -> dict[str, Any]:
    """Columns such as `Account.Number__c` as JSON has them. Guide, "Relationship Fields in a Header Row"."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        relation, _, key = name.rpartition(".")
        found[relation or key] = {key: value} if relation else value
    return found
