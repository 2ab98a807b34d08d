"""EMR Serverless in memory: its double, whose jobs DuckDB runs over the catalog and the objects in memory.

It proves what the slice does with jobs, and nothing of Spark's SQL, of which sqlglot makes DuckDB's: that a real Spark is asked.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

import boto3
import duckdb
import pyarrow as pa
import sqlglot
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.table import Table
from sqlglot import exp

from doubles.emr_serverless.errors import Refused
from doubles.emr_serverless.runs import Job
from doubles.emr_serverless.service import Caller, EmrServerless
from tests.memory.dynamodb import refused

ROLE = "arn:aws:iam::000000000000:role/job"


class _Anybody(Caller):
    """Whoever asks in memory, where nobody's rights are asked."""

    def pass_role(self, role: str) -> Mapping[str, str]:
        return {}


class DuckDBJobs:
    """Runs a job's document as the job's own program does."""

    def __init__(self, opens: Callable[[], boto3.Session]) -> None:
        self._opens = opens

    def run(self, job: Job, began: threading.Event) -> int:
        began.set()
        s3, place = self._opens().client("s3"), job.arguments[0].removeprefix("s3://")
        bucket, _, key = place.partition("/")
        document = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        try:
            answer, code = self._answer(document), 0
        except Exception as error:
            answer, code = {"error": {"kind": type(error).__name__, "words": ""}}, 1
        s3.put_object(Bucket=bucket, Key=key.replace(".json", ".answer.json"), Body=json.dumps(answer).encode())
        return code

    def _answer(self, document: Mapping[str, Any]) -> dict[str, Any]:
        for one in document["writes"]:
            table = self._table(one["table"])
            if table.current_snapshot() is None:
                tree = sqlglot.parse_one(one["sql"], read="spark")
                wanted = schema_to_pyarrow(table.schema(), include_field_ids=False)
                rows = self._fetched(tree.expression, {}).rename_columns([name.name for name in tree.this.expressions])
                table.append(rows.select(wanted.names).cast(wanted))
        first = self._table(document["writes"][0]["table"])
        rows = first.scan(snapshot_id=first.snapshots()[0].snapshot_id).to_arrow()
        asked = {name: sqlglot.parse_one(sql, read="spark") for name, sql in document["asks"].items()}
        counted = {name: self._fetched(tree, {document["rows"]: rows}) for name, tree in asked.items()}
        asks = {name: [int(value or 0) for value in found.to_pylist()[0].values()] for name, found in counted.items()}
        return {"asks": asks, "rows": len(rows)}

    def _fetched(self, tree: exp.Expr, known: Mapping[str, pa.Table]) -> pa.Table:
        tree = tree.transform(_as_ansi)
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            for name, rows in known.items():
                connection.register(name, rows)
            for number, table in enumerate([found for found in tree.find_all(exp.Table) if found.catalog]):
                version = table.args.get("version")
                of = self._table(".".join(part.name for part in table.parts))
                snapshot = int(version.expression.name) if version is not None else None
                connection.register(f"read{number}", of.scan(snapshot_id=snapshot).to_arrow())
                table.replace(exp.to_table(f"read{number}", alias=table.alias or None))
            return connection.execute(tree.sql("duckdb")).to_arrow_table()

    def _table(self, name: str) -> Table:
        glue = self._opens().client("glue")
        catalog = GlueCatalog("memory", client=glue, **{"py-io-impl": "pyiceberg.io.fsspec.FsspecFileIO"})
        return catalog.load_table(tuple(name.split(".")[1:]))


def _as_ansi(node: exp.Expr) -> exp.Expr:
    """A CAST fails where a value does not fit, which sqlglot takes Spark's not to."""
    return exp.Cast(**node.args) if isinstance(node, exp.TryCast) else node


class MemoryEmrServerless:
    """An account's applications and job runs, as a client of botocore shows them."""

    def __init__(self, opens: Callable[[], boto3.Session], region: str) -> None:
        """opens: the session over what is in memory."""
        self.lock = threading.RLock()
        self.double = EmrServerless({}, {}, DuckDBJobs(opens), region)

    def make_application(self) -> str:
        return str(self.double.create({"name": "memory", "type": "Spark"})["applicationId"])

    def start_job_run(self, applicationId: str, **asked: Any) -> dict[str, Any]:
        return self._answer("StartJobRun", (applicationId,), asked)

    def get_job_run(self, applicationId: str, jobRunId: str) -> dict[str, Any]:
        return self._answer("GetJobRun", (applicationId, jobRunId), {})

    def cancel_job_run(self, applicationId: str, jobRunId: str) -> dict[str, Any]:
        return self._answer("CancelJobRun", (applicationId, jobRunId), {})

    def _answer(self, name: str, named: tuple[str, ...], asked: Mapping[str, Any], tries: int = 3) -> dict[str, Any]:
        """What a client of botocore is answered, which asks again where the service was to blame."""
        try:
            return self.double.answer(name, named, asked, _Anybody())
        except Refused as error:
            if error.status >= 500 and tries > 1:
                return self._answer(name, named, asked, tries - 1)
            raise refused(error.code, name, error.message) from None
