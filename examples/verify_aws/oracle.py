"""`make verify SLICE=collect/oracle`: what the slice promises, over an Oracle of yours, where its double has to be believed.

All its tests run there, one after the other, in the one schema that ATOLL_ORACLE names. Nothing is deployed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from shared_metadata.errors import AtollError, InputError
from shared_metadata.program import Connection, Position
from slices.collect.oracle.address import Address, read_address
from slices.collect.oracle.catalog import rows
from slices.collect.oracle.sessions import connect

VARIABLE, SLICE = "ATOLL_ORACLE", "collect.oracle"
ROOT = Path(__file__).resolve().parents[2]
TESTS = "slices/collect/oracle/tests"
HOW = (
    f'{VARIABLE}=\'{{"host": …, "port": …, "dbname": …, "username": …, "password": …, "sslmode": …}}\' of a 23ai or later, '
    "in whose schema there is nothing yet"
)
_TABLES = "SELECT count(*) FROM all_tables WHERE owner = :owner"


def verify(arguments: Sequence[str] = ()) -> int:
    """0 when every test has passed.  arguments: for pytest, beside the tests. Raises InputError, SecretError, RetryLater."""
    address = _address()
    with connect(address, reference=VARIABLE, place=VARIABLE) as session:
        ((tables,),) = rows(session, _TABLES, {"owner": address.username.upper()})
    if tables:
        what = f"the schema of {address.username} has {tables} tables, and the tests drop all that there are"
        raise InputError(what, place=VARIABLE, remedy="name a user in whose schema there is nothing")
    command = [sys.executable, "-m", "pytest", "-n", "0", TESTS, *arguments]  # in one process: there is one schema
    return subprocess.run(command, cwd=ROOT, env={**os.environ, "ATOLL_SUITE": "all"}, check=False).returncode


def main(arguments: Sequence[str] = ()) -> int:
    """0 when every test has passed; what keeps them from running is printed with its remedy."""
    try:
        return verify(arguments)
    except AtollError as error:
        print(f"failed: {error}")
        return 1


def _address() -> Address:
    text = os.environ.get(VARIABLE, "")
    if not text:
        raise InputError(f"{VARIABLE} names no database", remedy=HOW)
    try:
        secret = json.loads(text)
    except ValueError:
        raise InputError(f"{VARIABLE} is no JSON", remedy=HOW) from None
    if not isinstance(secret, dict):
        raise InputError(f"{VARIABLE} is no JSON object", remedy=HOW)
    return read_address(Connection(VARIABLE, "oracle", {"secret": VARIABLE}, Position(VARIABLE, 1, 1)), secret)
