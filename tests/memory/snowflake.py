"""Snowflake on this machine: its double over HTTPS, with one account for all tests of a process."""

from __future__ import annotations

import atexit
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from doubles.https import served
from doubles.snowflake.service import Account, SnowflakeApi
from doubles.snowflake.session import Database
from infra.embedded.tls import ensure_certificate

ACCOUNT, USER, DATABASE, ROLE, WAREHOUSE, STAGE = (
    "MYORG-MYACCOUNT",
    "ATOLL",
    "ANALYTICS",
    "ATOLL",
    "ATOLL_WH",
    "ANALYTICS.PUBLIC.ATOLL",
)
OPTIONS = {
    **{"account": "myorg-myaccount", "database": "analytics", "role": "atoll", "warehouse": "atoll_wh"},
    **{"stage": STAGE, "secret": "snowflake"},
    **{
        "storage_user_arn": "arn:aws:iam::123456789012:user/abc1-b-self1234",
        "storage_external_id": "MYACCOUNT_SFCRole=2_a123456/s0aBCD",
    },
}


@dataclass(frozen=True)
class Served:
    api: SnowflakeApi
    secret: dict[str, Any]

    def empty(self, s3: Any, bucket: str) -> None:
        """An empty database, and a stage over a bucket."""
        self.api.account.databases[DATABASE] = Database()
        self.api.account.stages[STAGE] = lambda: (s3, bucket, "")
        self.api.account.warehouses[WAREHOUSE] = "STARTED"
        self.api.forget()

    def without_case(self) -> None:
        """Has the database compare texts without case, as one does whose administrator has said so."""
        self.api.account.databases[DATABASE].connection.execute("SET GLOBAL default_collation = 'nocase'")

    def asked(self, query: str) -> list[dict[str, Any]]:
        """What another session reads, whose query is DuckDB's."""
        return self.arrow(query).to_pylist()

    def arrow(self, query: str) -> Any:
        """The same as an Arrow table."""
        cursor = self.api.account.databases[DATABASE].connection.cursor()
        cursor.execute("SET TimeZone = 'UTC'")
        return cursor.execute(query).to_arrow_table()


@cache
def snowflake() -> Served:
    """The one of this process."""
    running = ExitStack()
    atexit.register(running.close)
    folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="atoll-snowflake-")))
    tls = ensure_certificate(folder)
    key = rsa.generate_private_key(65537, 2048)
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    api = SnowflakeApi(Account(ACCOUNT, {USER: public}, {ROLE}))
    host = running.enter_context(served(api, tls.certificate, tls.key))
    secret = {"user": "atoll", "private_key": private, "host": host, "ca_certificate": tls.certificate.read_text()}
    return Served(api, secret)
