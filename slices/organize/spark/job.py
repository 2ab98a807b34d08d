"""The program of a job in EMR Serverless: runs the statements of a document that lies in S3, and leaves its answer beside it.

It stands alone, in the stack's assets, and imports nothing but Spark:
https://docs.aws.amazon.com/emr/latest/EMR-Serverless-UserGuide/jobs-spark.html
Its arguments are the document's place and a table of the catalog, by whose files both are read and written.

An answer: {"asks": {name: [number, …]}, "rows": n}, or {"error": {"kind": …, "words": …}}, in which no value of a row stands: words
are those of errors before any row is read, and of refusals by AWS.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from pyspark.sql import SparkSession

MOST_CHARACTERS = 500
ANALYSIS = (".AnalysisException", ".ParseException", ".ExtendedAnalysisException")  # before any row is read, as Iceberg's are


def load(spark: SparkSession, name: str) -> Any:
    """A table as the catalog has it now."""
    return spark._jvm.org.apache.iceberg.spark.Spark3Util.loadIcebergTable(spark._jsparkSession, name)


def read(files: Any, place: str) -> dict[str, Any]:
    stream = files.newInputFile(place).newStream()
    try:
        return dict(json.loads(bytes(stream.readAllBytes())))
    finally:
        stream.close()


def write(files: Any, place: str, value: dict[str, Any]) -> None:
    stream = files.newOutputFile(place).createOrOverwrite()
    stream.write(bytearray(json.dumps(value).encode()))
    stream.close()


def run(spark: SparkSession, document: dict[str, Any]) -> dict[str, Any]:
    """What an earlier attempt has written stands: each writes the result of the same query over the same versions."""
    for one in document["writes"]:
        if not snapshots(spark, one["table"]):
            spark.sql(one["sql"])
    first = document["writes"][0]["table"]
    written = snapshots(spark, first)
    if not written:
        return {"asks": {}, "rows": 0}
    spark.read.option("snapshot-id", written[0].snapshotId()).table(first).createOrReplaceTempView(document["rows"])
    answers = {name: [int(value) for value in spark.sql(sql).first() or ()] for name, sql in document["asks"].items()}
    return {"asks": answers, "rows": int(written[0].summary().get("added-records") or 0)}


def snapshots(spark: SparkSession, name: str) -> list[Any]:
    """Those of a table, the first one first."""
    return sorted(load(spark, name).snapshots(), key=lambda snapshot: snapshot.sequenceNumber())


def told(error: BaseException) -> dict[str, str]:
    """The kind of an error, and its words where no row can be quoted by them."""
    causes = list(_causes(getattr(error, "_origin", None) or getattr(error, "java_exception", None)))
    names = [str(cause.getClass().getName()) for cause in causes]
    for cause in causes:
        service = str(cause.getClass().getName()).startswith("software.amazon.awssdk.") and "statusCode" in dir(cause)
        if service and cause.statusCode() in (401, 403):
            return {"kind": "ACCESS_DENIED", "words": _short(cause.getMessage())}
    if any(name.endswith("OutOfMemoryError") for name in names):
        return {"kind": "OUT_OF_MEMORY", "words": ""}
    before = any(name.endswith(ANALYSIS) or name.startswith("org.apache.iceberg.exceptions.") for name in names)
    for cause in reversed(causes):  # the innermost is what happened
        kind = cause.getErrorClass() if "getErrorClass" in dir(cause) else None
        if kind:
            return {"kind": str(kind), "words": _short(cause.getMessage()) if before else ""}
    innermost = causes[-1].getMessage() if causes else error
    return {"kind": names[-1] if names else type(error).__name__, "words": _short(innermost) if before else ""}


def _causes(error: Any) -> Any:
    seen = 0
    while error is not None and seen < 20:
        yield error
        error, seen = error.getCause(), seen + 1


def _short(words: object) -> str:
    return str(words or "").strip().partition("\n")[0][:MOST_CHARACTERS]


def main(place: str, table: str) -> int:
    spark = SparkSession.builder.getOrCreate()
    files = load(spark, table).io()
    answer = place.replace(".json", ".answer.json")
    try:
        write(files, answer, run(spark, read(files, place)))
    except Exception as error:
        write(files, answer, {"error": told(error)})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
