"""The Glue Data Catalog in memory, as far as pyiceberg uses it; passes the same suite as moto and the embedded AWS."""

from __future__ import annotations

import copy
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tests.memory.dynamodb import refused

Fields = Mapping[str, Any]


class MemoryGlue:
    """An account's databases and tables: each operation by the name and with the parameters that boto3's client gives it."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._databases: dict[str, dict[str, Any]] = {}
        self._tables: dict[str, dict[str, dict[str, Any]]] = {}

    def create_database(self, *, DatabaseInput: Fields) -> None:
        name = DatabaseInput["Name"]
        if name in self._databases:
            raise refused("AlreadyExistsException", "CreateDatabase")
        self._databases[name], self._tables[name] = dict(DatabaseInput), {}

    def get_database(self, *, Name: str) -> dict[str, Any]:
        self._of(Name, "GetDatabase")
        return {"Database": copy.deepcopy(self._databases[Name])}

    def get_databases(self) -> dict[str, Any]:
        return {"DatabaseList": copy.deepcopy(list(self._databases.values()))}

    def update_database(self, *, Name: str, DatabaseInput: Fields) -> None:
        self._of(Name, "UpdateDatabase")
        self._databases[Name] = dict(DatabaseInput)

    def delete_database(self, *, Name: str) -> None:
        """With its tables, which AWS deletes a little later."""
        self._of(Name, "DeleteDatabase")
        del self._databases[Name], self._tables[Name]

    def create_table(self, *, DatabaseName: str, TableInput: Fields) -> None:
        tables, name = self._of(DatabaseName, "CreateTable"), TableInput["Name"]
        if name in tables:
            raise refused("AlreadyExistsException", "CreateTable")
        tables[name] = _table(DatabaseName, TableInput, 0)

    def get_table(self, *, DatabaseName: str, Name: str) -> dict[str, Any]:
        return {"Table": copy.deepcopy(self._table(DatabaseName, Name, "GetTable"))}

    def get_tables(self, *, DatabaseName: str) -> dict[str, Any]:
        return {"TableList": copy.deepcopy(list(self._of(DatabaseName, "GetTables").values()))}

    def update_table(self, *, DatabaseName: str, TableInput: Fields, VersionId: str = "", SkipArchive: bool = False) -> None:
        former = self._table(DatabaseName, TableInput["Name"], "UpdateTable")
        if VersionId and VersionId != former["VersionId"]:
            raise refused("ConcurrentModificationException", "UpdateTable")
        self._tables[DatabaseName][TableInput["Name"]] = _table(DatabaseName, TableInput, int(former["VersionId"]) + 1)

    def delete_table(self, *, DatabaseName: str, Name: str) -> None:
        self._table(DatabaseName, Name, "DeleteTable")
        del self._tables[DatabaseName][Name]

    def _of(self, database: str, operation: str) -> dict[str, dict[str, Any]]:
        if database not in self._databases:
            raise refused("EntityNotFoundException", operation)
        return self._tables[database]

    def _table(self, database: str, name: str, operation: str) -> dict[str, Any]:
        tables = self._of(database, operation)
        if name not in tables:
            raise refused("EntityNotFoundException", operation)
        return tables[name]


def _table(database: str, given: Fields, version: int) -> dict[str, Any]:
    made = {"DatabaseName": database, "VersionId": str(version), "CreateTime": datetime.now(UTC)}
    return {**copy.deepcopy(dict(given)), **made}
