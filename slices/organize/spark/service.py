"""EMR Serverless as an engine that runs statements elsewhere, a job for those of a step.

https://docs.aws.amazon.com/emr-serverless/latest/APIReference/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared_metadata.contract.runtime.staging import read_json
from shared_metadata.contract.waiting.statements import Look, Status, submitted_otherwise
from shared_metadata.errors import DefinitionError
from slices.organize.spark.application import Application
from slices.organize.spark.logic import CATALOG

if TYPE_CHECKING:
    from mypy_boto3_emr_serverless import EMRServerlessClient
    from mypy_boto3_s3 import S3Client

# https://docs.aws.amazon.com/emr/latest/EMR-Serverless-UserGuide/job-states.html
_STATUS = {
    **dict.fromkeys(("SUBMITTED", "QUEUED", "PENDING", "SCHEDULED"), Status.WAITS),
    **dict.fromkeys(("RUNNING", "CANCELLING"), Status.RUNS),
    **{"SUCCESS": Status.DONE, "FAILED": Status.FAILED, "CANCELLED": Status.CANCELLED},
}
# https://docs.aws.amazon.com/emr/latest/EMR-Serverless-UserGuide/using-iceberg.html
ICEBERG = "/usr/share/aws/iceberg/lib/iceberg-spark3-runtime.jar"
_EXIT = re.compile(r"ExitCode: (\d+)")
_SAID = {
    "OUT_OF_MEMORY": "a worker had too little memory for it",
    "ACCESS_DENIED": "the job's role is refused",
}


def parameters(warehouse: str, bucket: str) -> str:
    """The settings of every job: the lake's catalog, and that what does not fit fails instead of becoming NULL."""
    catalog = f"spark.sql.catalog.{CATALOG}"
    settings = {
        "spark.jars": ICEBERG,
        catalog: "org.apache.iceberg.spark.SparkCatalog",
        f"{catalog}.catalog-impl": "org.apache.iceberg.aws.glue.GlueCatalog",
        f"{catalog}.io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
        f"{catalog}.warehouse": f"s3://{bucket}/warehouse/{warehouse}",
        f"{catalog}.cache-enabled": "false",
        "spark.sql.ansi.enabled": "true",
        "spark.sql.caseSensitive": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.storeAssignmentPolicy": "ANSI",
    }
    return " ".join(f"--conf {name}={value}" for name, value in settings.items())


class EmrServerless:
    """The jobs of one warehouse's application.

    prefix: below which in the bucket the documents of jobs lie, and their answers.  table: one of the catalog, by whose files a job
    reads both.  minutes: how long a job may take.
    """

    kind = "EMR Serverless job run"

    def __init__(
        self,
        client: EMRServerlessClient,
        s3: S3Client,
        application: Application,
        *,
        warehouse: str,
        bucket: str,
        prefix: str,
        table: str,
        minutes: int,
        place: str,
    ) -> None:
        self._client, self._s3, self._application, self._place = client, s3, application, place
        self._warehouse, self._bucket, self._prefix, self._table, self._minutes = warehouse, bucket, prefix, table, minutes

    def submit(self, text: str, token: str) -> str:
        """text: a job's document.  Its id is 'application/job run'."""
        key = f"{self._prefix}{token}.json"
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=text.encode(), ContentType="application/json")
        try:
            started = self._client.start_job_run(
                applicationId=self._application.id,
                clientToken=token,
                executionRoleArn=self._application.role,
                name=f"atoll-{self._warehouse}-{token[:8]}",
                executionTimeoutMinutes=self._minutes,
                jobDriver={
                    "sparkSubmit": {
                        "entryPoint": self._application.script,
                        "entryPointArguments": [f"s3://{self._bucket}/{key}", self._table],
                        "sparkSubmitParameters": parameters(self._warehouse, self._bucket),
                    }
                },
            )
        except ClientError as error:
            if otherwise := submitted_otherwise(self.kind, error.response["Error"].get("Message", ""), self._place):
                raise otherwise from None
            if error.response["Error"]["Code"] not in ("ResourceNotFoundException", "ValidationException"):
                raise
            raise DefinitionError(
                f"EMR Serverless takes no job for its application {self._application.id}: it is not there, or is being stopped",
                place=self._place,
                remedy="deploy OrganizeSparkSlice again, or start the application",
            ) from None
        return f"{started['applicationId']}/{started['jobRunId']}"

    def look(self, id: str) -> Look:
        application, run = id.split("/")
        found = self._client.get_job_run(applicationId=application, jobRunId=run)["jobRun"]
        status, billed = _STATUS[found["state"]], found.get("billedResourceUtilization") or {}
        answer = self._answer(found) if status in (Status.DONE, Status.FAILED) else None
        reason = ""
        if status == Status.CANCELLED and found.get("totalExecutionDurationSeconds", 0) >= self._minutes * 60:
            status, reason = Status.FAILED, f"it took longer than {self._minutes} minutes (spark_timeout_minutes of the warehouse)"
        elif status == Status.FAILED:
            reason = _reason(answer, found.get("stateDetails", ""))
        elif status == Status.DONE and answer is None:
            status, reason = Status.FAILED, "it has left no answer"
        return Look(
            status,
            reason=reason,
            transient=status == Status.FAILED and answer is None and "startedAt" not in found,
            queue_seconds=found.get("queuedDurationMilliseconds", 0) / 1000,
            run_seconds=float(found.get("totalExecutionDurationSeconds", 0)),
            rows=(answer or {}).get("rows"),
            used={"emr_vcpu_hours": billed.get("vCPUHour", 0), "emr_gb_hours": billed.get("memoryGBHour", 0)} if billed else {},
            result=(answer or {}).get("asks", {}),
        )

    def cancel(self, id: str) -> None:
        application, run = id.split("/")
        try:
            self._client.cancel_job_run(applicationId=application, jobRunId=run)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("ValidationException", "ConflictException"):  # of one that has ended
                raise

    def _answer(self, found: Mapping[str, Any]) -> dict[str, Any] | None:
        """None where a job ended before it could leave one."""
        place = found["jobDriver"]["sparkSubmit"]["entryPointArguments"][0]
        return read_json(self._s3, self._bucket, place.removeprefix(f"s3://{self._bucket}/").replace(".json", ".answer.json"))


def _reason(answer: Mapping[str, Any] | None, details: str) -> str:
    """Why a job failed, without any value that a row may hold: EMR's own details may quote one."""
    error = (answer or {}).get("error")
    if error is None:
        code = _EXIT.search(details)
        said = f" (exit code {code[1]})" if code else ""
        why = "it had too little memory, or its role may not read the catalog or the bucket"
        return f"its driver ended before it could answer{said}: {why}"
    kind, words = error["kind"], error["words"]
    if kind in _SAID:
        return f"{_SAID[kind]}: {words}" if words else _SAID[kind]
    return f"{kind}: {words}" if words else f"{kind}, in words that may quote a row"
