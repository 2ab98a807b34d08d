"""A real Spark asked what it makes of queries, none of which runs: a script of its own, which is told by JSON what to analyse."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from doubles.emr_serverless.parts import SparkParts

START_SECONDS = 280
_WORDS = {
    **{"boolean": "boolean", "integer": "int", "long": "long", "float": "float", "double": "double", "string": "string"},
    **{"date": "date", "timestamp": "timestamptz", "timestamp_ntz": "timestamp", "binary": "binary", "byte": "int", "short": "int"},
}


def asked(parts: SparkParts, tables: Mapping[str, str], queries: Sequence[str]) -> list[str]:
    """The type of each query's first column as a schema has it, or '!' and Spark's kind of error.  tables: name ▸ columns as DDL."""
    with tempfile.TemporaryDirectory(prefix="atoll-oracle-") as folder:
        given = json.dumps({"tables": dict(tables), "queries": list(queries), "folder": folder})
        environment = {**os.environ, **parts.environment(), "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
        command = [sys.executable, str(Path(__file__)), f"{folder}/answers"]
        environment["PYTHONPATH"] += os.pathsep + str(Path(__file__).parents[2])
        done = subprocess.run(
            command, input=given, env=environment, capture_output=True, text=True, timeout=START_SECONDS, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return list(json.loads(Path(folder, "answers").read_text()))


def _type(kind: Any) -> str:
    """Spark's type, of its JSON, as a schema has it."""
    if isinstance(kind, str):
        return kind.replace(" ", "") if kind.startswith("decimal") else _WORDS.get(kind, f"!{kind}")
    if kind["type"] == "array":
        return f"list<{_type(kind['elementType'])}>"
    if kind["type"] == "map":
        return f"map<{_type(kind['keyType'])}, {_type(kind['valueType'])}>"
    fields = [f"{field['name']}: {_type(field['type'])}" for field in kind["fields"]]
    return f"struct<{', '.join(fields)}>"


def main(answers: str) -> None:
    from pyspark.sql import SparkSession

    given = json.load(sys.stdin)
    builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").config("spark.log.level", "OFF")
    builder = builder.config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.host", "127.0.0.1")
    builder = builder.config("spark.sql.ansi.enabled", "true").config("spark.sql.session.timeZone", "UTC")
    spark = builder.config("spark.sql.warehouse.dir", given["folder"]).getOrCreate()
    for name, ddl in given["tables"].items():
        spark.createDataFrame([], ddl).createOrReplaceTempView(name)
    found = []
    for query in given["queries"]:
        try:
            found.append(_type(json.loads(spark.sql(query).schema.json())["fields"][0]["type"]))
        except Exception as error:
            kind = error.getErrorClass() if hasattr(error, "getErrorClass") else None
            found.append(f"!{kind or type(error).__name__}")
    Path(answers).write_text(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
