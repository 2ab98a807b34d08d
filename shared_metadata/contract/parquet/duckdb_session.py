"""Opens DuckDB in a Lambda: bounded memory, no downloads, extensions from their PyPI packages, S3 with the function's own role."""

from __future__ import annotations

import contextlib
import math
import os
import re
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

if TYPE_CHECKING:
    import duckdb

DUCKDB_SUFFIX = "amazonaws.com"  # what DuckDB takes for the end of every name of S3's
_proved: set[str] = set()  # files of extensions whose signatures this process has checked, which takes longer than all else here


def open_duckdb(
    session: Any = None, *, extensions: tuple[str, ...] = (), memory_mb: int = 0, threads: int = 0
) -> duckdb.DuckDBPyConnection:
    """A connection that reads and writes `s3://` with the credentials of the boto3 `session` (None: no S3).

    extensions: 'postgres_scanner' …, each from the package duckdb-extension-<name>.  memory_mb: 0 takes 70 % of the function's
    memory.  threads: 0 takes one for each core. Times are in UTC. An extension's signature is checked when the process
    loads it first: a function's code does not change. What is loaded later is checked.
    """
    import duckdb

    limit = memory_mb or int(function_memory_mb() * 0.7)
    paths = [extension_path(name) for name in (*(("httpfs",) if session else ()), *extensions)]
    connection = duckdb.connect(
        config={
            "memory_limit": f"{limit}MB",
            "temp_directory": "/tmp/duckdb",  # noqa: S108 - the only folder that a function may write to
            "allow_unsigned_extensions": "true" if paths and _proved.issuperset(paths) else "false",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            **({"threads": threads} if threads else {}),
        }
    )
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    for path in paths:
        connection.execute(f"LOAD '{path}'")
    _proved.update(paths)
    connection.execute("SET GLOBAL allow_unsigned_extensions = false")  # which nothing can take back
    if session:
        use_s3(connection, session)
    return connection


def function_memory_mb() -> int:
    """What the function was given; elsewhere what most functions that work with rows have."""
    return int(os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "2048"))


@contextlib.contextmanager
def interrupted_at(connection: duckdb.DuckDBPyConnection, seconds_left: float) -> Iterator[None]:
    """What runs on the connection within it is interrupted when the time is up.

    Again and again: DuckDB forgets an interrupt that comes between two statements, or just before one begins. None comes after it,
    when it would hit another statement, or a connection that is being closed.
    """
    if math.isinf(seconds_left):
        yield
        return
    done = threading.Event()
    ending = threading.Thread(target=_interrupt, args=(connection, seconds_left, done), daemon=True)
    ending.start()
    try:
        yield
    finally:
        done.set()
        ending.join()


def _interrupt(connection: duckdb.DuckDBPyConnection, seconds_left: float, done: threading.Event) -> None:
    wait_seconds = max(seconds_left, 0.0)
    while not done.wait(wait_seconds):
        connection.interrupt()
        wait_seconds = 0.2


@cache
def extension_path(name: str) -> str:
    """The file of a DuckDB extension that its PyPI package brought."""
    import importlib

    package = importlib.import_module(f"duckdb_extension_{name}")
    found = sorted(Path(next(iter(package.__path__))).rglob(f"{name}.duckdb_extension"))
    if not found:
        raise FileNotFoundError(f"the package duckdb-extension-{name.replace('_', '-')} holds no {name}.duckdb_extension")
    return str(found[0])


def use_s3(connection: duckdb.DuckDBPyConnection, session: Any) -> None:
    """(Re)defines the S3 secret from the session's present credentials; a role's credentials expire, so call it for each batch."""
    credentials = session.get_credentials().get_frozen_credentials()
    options = {"KEY_ID": credentials.access_key, "SECRET": credentials.secret_key, "REGION": session.region_name}
    if credentials.token:
        options["SESSION_TOKEN"] = credentials.token
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    rest = ""
    if endpoint:
        parsed = urlparse(endpoint)
        options["ENDPOINT"] = parsed.netloc
        rest = f", URL_STYLE 'path', USE_SSL {'true' if parsed.scheme == 'https' else 'false'}"
    elif (suffix := dns_suffix(session.region_name)) != DUCKDB_SUFFIX:
        options["ENDPOINT"] = f"s3.{session.region_name}.{suffix}"
    if bundle := os.environ.get("AWS_CA_BUNDLE"):
        connection.execute(f"SET GLOBAL ca_cert_file = {literal(bundle)}")
    pairs = ", ".join(f"{name} {literal(str(value))}" for name, value in options.items())
    connection.execute(f"CREATE OR REPLACE SECRET atoll (TYPE s3, {pairs}{rest})")


@cache
def dns_suffix(region: str) -> str:
    """What the names of AWS's endpoints end in there: in China and in some other partitions not in amazonaws.com."""
    from botocore.loaders import create_loader

    for partition in create_loader().load_data("partitions")["partitions"]:
        if region in partition["regions"] or re.fullmatch(partition["regionRegex"], region):
            return str(partition["outputs"]["dnsSuffix"])
    return DUCKDB_SUFFIX


def literal(text: str) -> str:
    """A SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
