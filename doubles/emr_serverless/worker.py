"""The process in which jobs run one after another, each in a session of its own, for a Spark takes long to begin.

Run as a script by `process.py`. Each line that it is given is a job, {script, arguments, settings, keys, endpoint, region}; each line
that it answers on the descriptor of its first argument is the job's exit code. What a job prints goes where the process prints.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import traceback
from typing import Any

from pyspark.sql import SparkSession


def opened(jars: str, java_options: str) -> SparkSession:
    """Spark in this process alone.  jars: the class path beside its own."""
    settings = {
        "spark.driver.extraClassPath": jars,
        "spark.driver.extraJavaOptions": java_options,
        "spark.driver.memory": "1g",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.warehouse.dir": f"{os.environ['TMPDIR']}/warehouse",
    }
    builder = SparkSession.builder.master("local[2]").appName("emr-serverless")
    for name, value in settings.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def here(settings: dict[str, str], endpoint: str, region: str) -> dict[str, str]:
    """A job's settings, with the place of the embedded AWS for each of its catalogs; the image's own archives are here already."""
    found = {name: value for name, value in settings.items() if name != "spark.jars"}
    for name, value in settings.items():
        if value == "org.apache.iceberg.spark.SparkCatalog":
            found |= {f"{name}.glue.endpoint": endpoint, f"{name}.s3.endpoint": endpoint, f"{name}.s3.path-style-access": "true"}
            found |= {f"{name}.http-client.type": "urlconnection", f"{name}.client.region": region}
    return found


def run(spark: SparkSession, job: dict[str, Any]) -> int:
    system = spark._jvm.java.lang.System
    for name, value in job["keys"].items():
        system.setProperty(name, value)
    session = spark.newSession()
    for name, value in here(job["settings"], job["endpoint"], job["region"]).items():
        session.conf.set(name, value)
    session._jvm.SparkSession.setActiveSession(session._jsparkSession)
    SparkSession._instantiatedSession = SparkSession._activeSession = session
    former, sys.argv = sys.argv, [job["script"], *job["arguments"]]
    try:
        runpy.run_path(job["script"], run_name="__main__")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.argv = former
        session.catalog.clearCache()
    return 0


def main(descriptor: int, jars: str, java_options: str) -> None:
    spark = opened(jars, java_options)
    with os.fdopen(descriptor, "w", buffering=1) as answers:
        print("ready", file=answers)
        for line in sys.stdin:
            print(run(spark, json.loads(line)), file=answers)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
