"""An application as the harness suite's target: a table is what the application was told."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from doubles.webhook.application import Application, Rows
from shared_metadata.program.schema import SchemaColumn
from slices.harness.webhook.handlers import open_target
from tests.conformance.harness import CARRIERS

KEY = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()
WRONG = "whsec_" + base64.b64encode(b"a key that nobody is to see").decode()
# What stands in JSON ▸ what it was.
READ: Mapping[str, Callable[[Any], Any]] = {
    **{"long": int, "double": float, "decimal": Decimal, "date": date.fromisoformat, "time": time.fromisoformat},
    **{"timestamp": datetime.fromisoformat, "timestamptz": datetime.fromisoformat, "binary": lambda told: bytes.fromhex(told[2:])},
}


class Target:
    """It refuses what its columns' types do not hold.  url: of the application, up to the path."""

    slice_id, connection, table = "harness.webhook", "hook", "carriers"
    open_target = staticmethod(open_target)
    open_catalog: Any = None  # it has nothing to discover

    def __init__(self, application: Application, url: str) -> None:
        self.application, self.shape = application, tuple(CARRIERS)
        self.secret = {"url": f"{url}/hook/{{table}}", "key": KEY}
        self.refused = {"url": f"{url}/locked/", "key": WRONG}
        self.down = {"url": "http://127.0.0.1:1/hook", "key": KEY}
        self.options: Mapping[str, Any] = {"rows_a_request": 2}

    def create(self, columns: Sequence[SchemaColumn], key: Sequence[str]) -> None:
        narrow = [column.name for column in columns if column.type == "int"]
        self.application.refuses = lambda row: any(_too_wide(row.get(name)) for name in narrow)

    def insert(self, rows: Rows) -> None:
        self.application.keep(rows)

    def rows(self) -> Rows:
        types = {column.name: column.type.partition("(")[0] for column in self.shape}
        return [{name: _read(types[name], told) for name, told in row.items()} for row in self.application.rows]

    def widen(self, column: str, type: str) -> None:
        self.application.refuses = lambda row: False

    def read_while(self, during: Any) -> list[int]:
        raise NotImplementedError


def _too_wide(told: Any) -> bool:
    try:
        return abs(int(told or 0)) >= 2**31
    except ValueError:
        return True


def _read(kind: str, told: Any) -> Any:
    return None if told is None else READ.get(kind, lambda same: same)(told)
