"""Athena in memory: its double, over the catalog and the objects in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import boto3

from doubles.athena.errors import Refused
from doubles.athena.files import Caller
from doubles.athena.service import Athena
from tests.memory.dynamodb import refused


class _InMemory(Caller):
    """Whoever asks in memory, where nobody's rights are asked."""

    opens: Callable[[], boto3.Session]

    def client(self, service: str) -> Any:
        return type(self).opens().client(service)  # type: ignore[call-overload]

    def properties(self) -> dict[str, str]:
        return {**super().properties(), "py-io-impl": "pyiceberg.io.fsspec.FsspecFileIO"}


class MemoryAthena:
    """An account's statements and workgroups."""

    def __init__(self, opens: Callable[[], boto3.Session], region: str) -> None:
        """opens: the session over what is in memory."""
        self.lock, self.workgroups = threading.RLock(), dict[str, dict[str, Any]]()
        self.double = Athena({}, self.workgroups)
        caller = type("InMemory", (_InMemory,), {"opens": staticmethod(opens)})
        self._caller: Caller = caller("testing", "testing", None, region)

    def make_workgroup(self, name: str, results: str) -> None:
        place = {"OutputLocation": results}
        self.workgroups[name] = {
            "Name": name,
            "State": "ENABLED",
            "Configuration": {"EnforceWorkGroupConfiguration": True, "ResultConfiguration": place},
        }

    def start_query_execution(self, **asked: Any) -> dict[str, Any]:
        return self._answer("StartQueryExecution", asked)

    def get_query_execution(self, **asked: Any) -> dict[str, Any]:
        return self._answer("GetQueryExecution", asked)

    def get_query_results(self, **asked: Any) -> dict[str, Any]:
        return self._answer("GetQueryResults", asked)

    def stop_query_execution(self, **asked: Any) -> dict[str, Any]:
        return self._answer("StopQueryExecution", asked)

    def _answer(self, name: str, asked: dict[str, Any], tries: int = 3) -> dict[str, Any]:
        """What a client of botocore is answered, which asks again where the service was to blame."""
        try:
            return self.double.answer(name, asked, self._caller)
        except Refused as error:
            if error.status >= 500 and tries > 1:
                return self._answer(name, asked, tries - 1)
            raise refused(error.code, name, error.message) from None
