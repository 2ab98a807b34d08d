"""A real Spark that computes queries over rows: a script of its own, which is told by a file what to compute."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from doubles.emr_serverless.parts import SparkParts

SECONDS = 1500
MOST = 40  # queries for one case
Case = tuple[str, str, Sequence[tuple[str, str]], Sequence[tuple[Any, ...]]]  # SQL, table, its columns (name, Spark's type), rows


def computed(parts: SparkParts, cases: Sequence[Case]) -> list[Any]:
    """Of each case's query of two columns the second by the first, of those rows on which Spark does not fail."""
    with tempfile.TemporaryDirectory(prefix="atoll-spark-") as folder:
        Path(folder, "cases").write_bytes(pickle.dumps([*cases]))
        environment = {**os.environ, **parts.environment(), "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
        environment["PYTHONPATH"] += os.pathsep + str(Path(__file__).parents[2])
        command = [sys.executable, str(Path(__file__)), folder]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False)
        assert done.returncode == 0, done.stderr[-6000:]
        found: list[Any] = pickle.loads(Path(folder, "answers").read_bytes())
        return found


def main(folder: str) -> None:
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").config("spark.log.level", "OFF")
    builder = builder.config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.host", "127.0.0.1")
    builder = builder.config("spark.sql.ansi.enabled", "true").config("spark.sql.session.timeZone", "UTC")
    builder = builder.config("spark.sql.shuffle.partitions", "1").config("spark.sql.timestampType", "TIMESTAMP_LTZ")
    # What Spark keeps of each query for pages that no one looks at is more than its memory, after some thousand.
    for kept in ("spark.ui.retainedJobs", "spark.ui.retainedStages", "spark.ui.retainedTasks", "spark.sql.ui.retainedExecutions"):
        builder = builder.config(kept, "1")
    builder = builder.config("spark.driver.memory", "2g").config("spark.ui.showConsoleProgress", "false")
    spark = builder.config("spark.sql.warehouse.dir", folder).getOrCreate()
    found: list[Any] = []
    there = dict[str, tuple[str, Any]]()  # table ▸ its columns and rows: most cases ask the same ones
    for sql, table, columns, rows in pickle.loads(Path(folder, "cases").read_bytes()):
        ddl = ", ".join(f"{name} {kind}" for name, kind in columns)
        by_row, left, asked = "GROUP BY" not in sql and "OVER" not in sql and sql.count("FROM") == 1, [[*rows]], 0
        answers: dict[Any, Any] = {}
        while left and asked < MOST:
            some, asked = left.pop(), asked + 1
            if there.get(table) != (ddl, some):
                spark.createDataFrame(some, ddl).createOrReplaceTempView(table)
                there[table] = (ddl, some)
            try:
                answers.update((row[0], row[1]) for row in spark.sql(sql).collect())
            except Exception:
                if by_row and len(some) > 1:  # some of them fail
                    left += [some[: len(some) // 2], some[len(some) // 2 :]]
        found.append(answers)
    Path(folder, "answers").write_bytes(pickle.dumps(found))


if __name__ == "__main__":
    os.environ["TZ"] = "UTC"
    main(sys.argv[1])
