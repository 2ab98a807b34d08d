"""Redshift's Data API in memory: its double, over the tests' PostgreSQL and the objects in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3
import psycopg
from psycopg.rows import dict_row

from doubles.redshift_data.database import Databases
from doubles.redshift_data.errors import Refused, StatementFailed
from doubles.redshift_data.service import Caller, RedshiftData
from tests.background import postgres_server
from tests.memory.dynamodb import refused


@cache
def databases() -> Databases:
    """Of this process, which keeps them from test to test."""
    with postgres_server() as (host, port):
        return Databases(
            lambda name: psycopg.connect(host=host, port=port, user="postgres", dbname=name or "postgres", autocommit=True)
        )


def _with_moments(answer: Any) -> Any:
    """As botocore reads it."""
    if isinstance(answer, list):
        return [_with_moments(one) for one in answer]
    if not isinstance(answer, dict):
        return answer
    return {
        name: datetime.fromtimestamp(value, UTC) if name in ("CreatedAt", "UpdatedAt") else _with_moments(value)
        for name, value in answer.items()
    }


class _InMemory(Caller):
    """Whoever asks in memory, where a role is asked for nothing but to be one of the warehouse's."""

    def __init__(self, opens: Callable[[], boto3.Session], double: RedshiftData) -> None:
        self._opens, self._double = opens, double

    def s3(self, warehouse: str, role: str) -> Any:
        if role not in self._double.warehouses[warehouse]["roles"]:
            raise StatementFailed(f"User arn:aws:redshift:{warehouse} is not authorized to assume IAM Role {role}")
        return self._opens().client("s3")


class MemoryRedshift:
    """An account's statements and warehouses."""

    def __init__(self, opens: Callable[[], boto3.Session]) -> None:
        """opens: the session over what is in memory."""
        self.lock = threading.RLock()
        self.double = RedshiftData({}, {}, databases())
        self._caller = _InMemory(opens, self.double)

    def make(self, name: str, database: str, role: str, kind: str = "workgroup") -> None:
        self.double.warehouses[name] = {"kind": kind, "databases": [database], "roles": [role], "state": "AVAILABLE"}
        databases().clear(name, database)

    def asked(self, name: str, database: str, query: str) -> list[dict[str, Any]]:
        """What another session reads, in UTC."""
        connection = databases().open(name, database)
        try:
            with connection.cursor(row_factory=dict_row) as cursor:
                cursor.execute("SET timezone = 'UTC'")
                return cursor.execute(query.encode()).fetchall()
        finally:
            databases().close(connection)

    def execute_statement(self, **asked: Any) -> dict[str, Any]:
        return self._answer("ExecuteStatement", asked)

    def batch_execute_statement(self, **asked: Any) -> dict[str, Any]:
        return self._answer("BatchExecuteStatement", asked)

    def describe_statement(self, **asked: Any) -> dict[str, Any]:
        return self._answer("DescribeStatement", asked)

    def get_statement_result(self, **asked: Any) -> dict[str, Any]:
        return self._answer("GetStatementResult", asked)

    def cancel_statement(self, **asked: Any) -> dict[str, Any]:
        return self._answer("CancelStatement", asked)

    def list_statements(self, **asked: Any) -> dict[str, Any]:
        return self._answer("ListStatements", asked)

    def _answer(self, name: str, asked: dict[str, Any], tries: int = 3) -> dict[str, Any]:
        """What a client of botocore is answered, which asks again where the service was to blame."""
        try:
            return _with_moments(self.double.answer(name, asked, self._caller))
        except Refused as error:
            if error.status >= 500 and tries > 1:
                return self._answer(name, asked, tries - 1)
            raise refused(error.code, name, error.message) from None
