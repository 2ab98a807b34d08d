"""The demo's comparison finds what differs, and its exit code says so."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from examples.airline import demo, reconcile
from examples.airline.reconcile import Difference


@pytest.fixture
def production() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("ATTACH ':memory:' AS production; CREATE SCHEMA production.published")
        connection.execute("CREATE TABLE production.published.t (carrier VARCHAR, mean DOUBLE)")
        connection.execute("INSERT INTO production.published.t VALUES ('AA', 3), ('DL', NULL)")
        yield connection


@pytest.mark.parametrize(
    ("rows", "missing", "unexpected"),
    [
        ("('AA', 3.00), ('DL', NULL)", 0, 0),
        ("('AA', 3.01), ('DL', NULL)", 1, 1),
        ("('AA', 3), ('DL', 0)", 1, 1),
        ("('AA', 3), ('DL', NULL), ('DL', NULL)", 1, 0),
        ("('AA', 3)", 0, 1),
    ],
)
def test_each_row_that_differs_is_found(production: duckdb.DuckDBPyConnection, rows: str, missing: int, unexpected: int) -> None:
    found = reconcile._compare(production, "t", f"SELECT * FROM (VALUES {rows}) AS t (carrier, mean)")
    assert (found.missing, found.unexpected, found.same) == (missing, unexpected, not missing and not unexpected)


@pytest.mark.parametrize(("missing", "code"), [(0, 0), (1, 1)])
def test_the_demo_fails_when_what_was_published_differs(monkeypatch: pytest.MonkeyPatch, missing: int, code: int) -> None:
    class Found:
        def __init__(self, *_: Any) -> None: ...

        def run(self) -> list[Difference]:
            return [Difference("a", 5, 0, 0, ()), Difference("b", 5, missing, 0, ())]

        def session(self) -> None: ...

    monkeypatch.setattr(demo, "Demo", Found)
    monkeypatch.setattr(demo.embedded, "up", Found)
    monkeypatch.setattr(sys, "argv", ["demo"])
    if code:
        with pytest.raises(SystemExit) as ended:
            demo.main()
        assert ended.value.code == code
    else:
        demo.main()
