"""Databricks on this machine: its double over HTTPS, with one workspace for all tests of a process."""

from __future__ import annotations

import atexit
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from doubles.databricks.service import DatabricksApi, Workspace
from doubles.databricks.session import Catalog
from doubles.https import served
from infra.embedded.tls import ensure_certificate

PRINCIPAL, WAREHOUSE, CATALOG = "0a1b2c3d-principal", "a1b234c567d8e9fa", "analytics"
OPTIONS = {
    **{"host": "dbc-a1b2345c-d6e7.cloud.databricks.com", "warehouse_id": WAREHOUSE, "catalog": CATALOG, "secret": "databricks"},
    **{
        "storage_principal_arn": "arn:aws:iam::414351767826:role/unity-catalog-prod-UCMasterRole-14S5ZJVKOTYTL",
        "storage_external_id": "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0",
    },
}


def known_by_name(value: Any) -> Any:
    """A row with the names that a program has for its columns, and for the fields of what they hold."""
    if isinstance(value, dict):
        return {unquote(name): known_by_name(part) for name, part in value.items()}
    return type(value)(map(known_by_name, value)) if isinstance(value, list | tuple) else value


@dataclass(frozen=True)
class Served:
    api: DatabricksApi
    secret: dict[str, Any]

    def empty(self, s3: Any, bucket: str) -> None:
        """An empty catalog, and an external location over a bucket."""
        workspace = self.api.workspace
        workspace.catalogs[CATALOG] = Catalog()
        workspace.locations = {f"s3://{bucket}/": lambda: s3}
        workspace.warehouses = {WAREHOUSE: "STOPPED"}
        self.api.forget()

    def without_case(self) -> None:
        """Has the catalog compare texts without case, as one does whose administrator has said so."""
        self.api.workspace.catalogs[CATALOG].connection.execute("SET GLOBAL default_collation = 'nocase'")

    def asked(self, query: str) -> list[dict[str, Any]]:
        """What another session reads, whose query is DuckDB's but for its names."""
        return self.arrow(query).to_pylist()

    def arrow(self, query: str) -> Any:
        """The same as an Arrow table."""
        cursor = self.api.workspace.catalogs[CATALOG].connection.cursor()
        cursor.execute("SET TimeZone = 'UTC'")
        return cursor.execute(query.replace("`", '"')).to_arrow_table()


@cache
def databricks() -> Served:
    """The one of this process."""
    running = ExitStack()
    atexit.register(running.close)
    folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="atoll-databricks-")))
    tls = ensure_certificate(folder)
    api = DatabricksApi(Workspace({PRINCIPAL: "a-very-secret-secret"}))
    host = running.enter_context(served(api, tls.certificate, tls.key))
    secret = {"client_id": PRINCIPAL, "client_secret": "a-very-secret-secret", "host": host}
    return Served(api, {**secret, "ca_certificate": tls.certificate.read_text()})
