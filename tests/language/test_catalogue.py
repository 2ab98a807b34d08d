"""What is kept of DuckDB's catalogue is what the version tells that is installed, and another version is asked."""

from __future__ import annotations

import json

import duckdb
import pytest

from language.dialects.duckdb.catalogue import FILE
from language.dialects.duckdb.engine import Engine


def test_what_is_kept_is_what_duckdb_tells() -> None:
    """`python -m language.dialects.duckdb` writes it anew."""
    kept = json.loads(FILE.read_text(encoding="utf-8"))
    assert kept == {"version": duckdb.__version__, "functions": Engine().catalogue.functions()}
    assert {"random", "now"} <= {*kept["functions"]["impure"]} and "upper" not in kept["functions"]["impure"]


def test_another_version_is_asked_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duckdb, "__version__", "9.9.9")
    asked = Engine().catalogue
    monkeypatch.setattr(asked, "functions", lambda: {"impure": ["dice"], "table": ["rows"], "aggregate": ["most"]})
    assert (asked.impure_functions, asked.table_functions, asked.aggregates) == ({"dice"}, {"rows"}, {"most"})
