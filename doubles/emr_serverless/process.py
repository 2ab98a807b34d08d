"""Runs jobs in a process of a real Spark, which is started when the first job comes and stays, as workers do that are kept warm."""

from __future__ import annotations

import atexit
import json
import os
import select
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import boto3
from cryptography import x509
from cryptography.hazmat.primitives.serialization import PrivateFormat, pkcs12

from doubles.emr_serverless.parts import NoSpark, found
from doubles.emr_serverless.runs import Job

START_SECONDS, LOOK_SECONDS = 300.0, 0.1
PASSWORD = "changeit"  # of a file that holds a public certificate
NO_SPARK, STOPPED, DIED = 127, 143, 134
KEYS = {
    "aws.accessKeyId": "AWS_ACCESS_KEY_ID",
    "aws.secretAccessKey": "AWS_SECRET_ACCESS_KEY",
    "aws.sessionToken": "AWS_SESSION_TOKEN",
}


@dataclass
class _Worker:
    process: subprocess.Popen[bytes]
    answers: IO[str]

    def wait(self, stopped: threading.Event, seconds: float | None = None) -> str:
        """Its next line; '' where it ends, or is stopped before it says one."""
        waited = 0.0
        while not stopped.is_set() and (seconds is None or waited < seconds):
            if select.select([self.answers], [], [], LOOK_SECONDS)[0]:
                return self.answers.readline().strip()
            waited += LOOK_SECONDS
        return ""


class SparkProcess:
    """One process, for one job at a time.  endpoint: of the embedded AWS.  certificate: its own.  log: where the process prints."""

    def __init__(self, endpoint: str, region: str, certificate: Path, log: Path) -> None:
        self._endpoint, self._region, self._certificate, self._log = endpoint, region, certificate, log
        self._folder = Path(tempfile.mkdtemp(prefix="atoll-spark-"))
        self._worker: _Worker | None = None
        atexit.register(self.end)

    def run(self, job: Job, began: threading.Event) -> int:
        try:
            worker = self._started(job.stopped)
        except NoSpark as none:
            self._say(str(none))
            return NO_SPARK
        if worker is None:
            return STOPPED if job.stopped.is_set() else DIED
        began.set()
        given = {
            **{"script": self._script(job), "arguments": job.arguments, "settings": dict(job.settings)},
            **{"keys": {name: job.keys[of] for name, of in KEYS.items()}, "endpoint": self._endpoint, "region": self._region},
        }
        assert worker.process.stdin is not None
        worker.process.stdin.write(json.dumps(given).encode() + b"\n")
        worker.process.stdin.flush()
        answer = worker.wait(job.stopped)
        if not answer:
            self.end()
            return STOPPED if job.stopped.is_set() else DIED
        return int(answer)

    def end(self) -> None:
        """Kills the process, and with it what it does."""
        if self._worker is not None:
            self._worker.process.kill()
            self._worker.process.wait()
            self._worker = None

    def _started(self, stopped: threading.Event) -> _Worker | None:
        if self._worker is None or self._worker.process.poll() is not None:
            self._worker = self._start()
            if self._worker.wait(stopped, START_SECONDS) != "ready":
                self.end()
        return self._worker

    def _start(self) -> _Worker:
        parts = found()
        if parts is None:
            raise NoSpark("there is no Spark here: the tests that need it fetch it, by doubles.emr_serverless.parts.fetched()")
        reading, writing = os.pipe()
        store = self._folder / "trusted.p12"
        store.write_bytes(_trusted(self._certificate))
        java = f"-Djavax.net.ssl.trustStore={store} -Djavax.net.ssl.trustStorePassword={PASSWORD} -Daws.region={self._region}"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        environment = {
            **inherited,
            **parts.environment(),
            **{"AWS_REGION": self._region, "AWS_EC2_METADATA_DISABLED": "true", "SPARK_LOCAL_IP": "127.0.0.1"},
            **{"PYSPARK_PYTHON": sys.executable, "TMPDIR": str(self._folder), "SPARK_LOCAL_DIRS": str(self._folder)},
        }
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("worker.py")), str(writing), parts.jars, java],
                cwd=self._folder,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=(writing,),
            )
        os.close(writing)
        return _Worker(process, os.fdopen(reading))

    def _script(self, job: Job) -> str:
        """The job's program, fetched by its own rights."""
        bucket, _, key = job.script.removeprefix("s3://").partition("/")
        keys = (job.keys["AWS_ACCESS_KEY_ID"], job.keys["AWS_SECRET_ACCESS_KEY"], job.keys["AWS_SESSION_TOKEN"])
        s3: Any = boto3.Session(*keys, region_name=self._region).client("s3", endpoint_url=self._endpoint)
        target = self._folder / f"{job.run}.py"
        target.write_bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        return str(target)

    def _say(self, line: str) -> None:
        with self._log.open("a") as log:
            log.write(line + "\n")


def _trusted(certificate: Path) -> bytes:
    """What a Java takes for the authorities that it trusts."""
    known = pkcs12.PKCS12Certificate(x509.load_pem_x509_certificate(certificate.read_bytes()), b"embedded-aws")
    encryption = PrivateFormat.PKCS12.encryption_builder().build(PASSWORD.encode())
    return pkcs12.serialize_java_truststore([known], encryption)
