"""Names and errors that come from sources are shown as what they are: they steer no terminal and make no lines of their own."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st

from console import rejected
from console.discovery_report import Discovered, show
from console.printable import printable
from console.schema_changes import ColumnChange, TableChange
from shared_metadata.drift.changes import Change, DriftChange
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.source_schemas import FOLDER, ConnectionSchemas
from tests.conformance.fixtures import NOW
from tests.console.test_status import ORDERS, STAGED, activate, fail, program
from tests.metadata.drift_behaviour import activate as activate_known
from tests.metadata.drift_behaviour import settle, things

Atoll = Callable[..., Result]
HOSTILE = "a\x1b[2J\nno differences\r\u202eb\x9b31m[red]"
SHOWN = r"a\x1b[2J\nno differences\r\u202eb\x9b31m[red]"


def check(text: str) -> None:
    assert SHOWN in text and HOSTILE not in text
    assert all(c.isprintable() for c in text.replace("\n", "")), ascii(text)
    assert "\nno differences" not in text


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner)))
def test_whatever_is_made_printable_is_in_one_line_and_has_the_same_shape(value: Any) -> None:
    def texts(found: Any) -> list[str]:
        if isinstance(found, str):
            return [found]
        return [text for inner in (found.items() if isinstance(found, dict) else found) for text in texts(inner)]

    made = printable(value)
    assert type(made) is type(value) and all(c.isprintable() or c == "\t" for text in texts(made) for c in text)
    assert printable(made) == made


def test_a_drift_of_a_hostile_column(atoll: Atoll, account: Any) -> None:
    known = activate_known(account.writer(), things())
    settle(account.writer(), known, [DriftChange(Change.COLUMN_ADDED, "out.things", HOSTILE, "", "int")])
    check(atoll("drift").stdout)
    check(atoll("drift", "show", "1").stdout)
    assert json.loads(atoll("drift", "--json").stdout)[0]["change"]["column"] == HOSTILE


def test_a_status_with_a_hostile_error(atoll: Atoll, ready: Any) -> None:
    activate(ready, program())
    fail(ready, ORDERS, STAGED, HOSTILE)
    for command in (("status",), ("status", STAGED), ("why", STAGED)):
        check(atoll(*command).stdout)
    found = {row["dataset"]: row for row in json.loads(atoll("status", "--json").stdout)}
    assert found[STAGED]["error"] == HOSTILE


def test_a_discovered_column(capsys: pytest.CaptureFixture[str]) -> None:
    change = TableChange(HOSTILE, "changed", (ColumnChange(HOSTILE, "int", HOSTILE),), reordered=False)
    show(
        [Discovered("ops", "schemas/ops.json", 1, (change,), True, (), {HOSTILE: ""}, (), "")],
        SimpleNamespace(problems=()),
        False,
        False,
    )  # type: ignore[arg-type]
    told = capsys.readouterr()
    check(told.out)
    check(told.err)


def test_the_lineage_of_a_hostile_column(atoll: Atoll, folder: Path) -> None:
    column = SchemaColumn(HOSTILE, "long", False, HOSTILE, "bigint")
    (folder / FOLDER).mkdir()
    schemas = ConnectionSchemas("ops", "postgres", {"public.orders": Schema((column,))})
    (folder / FOLDER / "ops.json").write_text(schemas.to_json())
    (folder / "program.sql").write_text(
        "CREATE WAREHOUSE lake USING iceberg;\nCREATE CONNECTION ops TO postgres WITH (secret = 'ops');\n"
        "INSERT INTO lake.ops FROM ops.public TABLES (orders) EVERY '1 hour';\n"
    )
    check(atoll("lineage", "lake.ops.orders").stdout)
    check(atoll("explain", "lake.ops.orders").stdout)


def test_a_rejected_row(atoll: Atoll, ready: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    activate(ready, program())

    @dataclass(frozen=True)
    class Row:
        batch: datetime
        stage: str
        reason: str
        data: str

    class Driver:
        def rejected(self, dataset: str, limit: int) -> list[Row]:
            return [Row(NOW, "organize", HOSTILE, "{}")]

    monkeypatch.setattr(rejected, "_driver", lambda *_: Driver())
    check(atoll("rejected", ORDERS).stdout)
