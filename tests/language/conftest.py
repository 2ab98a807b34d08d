"""The slices that the language's tests compile against: small declarations, as a `slice.py` would give them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from shared_metadata.contract.declaration import Capabilities, Slice
from shared_metadata.program import Mode

_ALL_MODES = (Mode.REPLACE, Mode.APPEND, Mode.MERGE)
_CAPABILITIES = {
    "collect.salesforce": Capabilities(
        dialect="soql",
        modes=(Mode.REPLACE, Mode.MERGE),
        default_mode=Mode.MERGE,
        default_key=("id",),
        default_cursor="systemmodstamp",
        queries="projection",
        reports_deletes=True,
        reports_left=True,
        rejects_rows=True,
    ),
    "collect.postgres": Capabilities(
        dialect="postgres", modes=_ALL_MODES, rejects_rows=True, reports_left=True, rising_types=("text",), captures=True
    ),
    "collect.events": Capabilities(dialect="duckdb", modes=(Mode.APPEND,), default_mode=Mode.APPEND, queries="none"),
    "organize.iceberg": Capabilities(dialect="duckdb", modes=_ALL_MODES, longest_name=255),
    "organize.archive": Capabilities(dialect="duckdb", modes=(Mode.REPLACE, Mode.APPEND)),
    "organize.presto": Capabilities(dialect="trino", modes=_ALL_MODES, longest_name=255, never_written=("uuid",)),
    "organize.scripts": Capabilities(dialect="duckdb", modes=_ALL_MODES, longest_name=255),
    "organize.remote": Capabilities(dialect="trino", modes=_ALL_MODES),
    "harness.postgres": Capabilities(dialect="postgres", modes=_ALL_MODES, rejects_rows=True, longest_name=63),
    "harness.salesforce": Capabilities(dialect="soql", modes=(Mode.MERGE,), default_mode=Mode.MERGE),
}

_ENGINES = {  # of whose warehouses, and the word for it
    "organize.iceberg": ("", "duckdb"),
    "organize.presto": ("iceberg", "presto"),
    "organize.scripts": ("iceberg", ""),
}
_FUNCTIONS = {"organize.scripts": ("python",)}


@pytest.fixture(scope="session")
def slices() -> Mapping[str, Slice]:
    """Every slice that the cases use, by id."""
    declared = {}
    for slice_id, capabilities in _CAPABILITIES.items():
        stage, system = slice_id.split(".")
        config = f"slices.{stage}.{system}.config:Config"
        warehouse, engine = _ENGINES.get(slice_id, ("", ""))
        more: Any = {"engine": engine, "warehouse": warehouse, "functions": _FUNCTIONS.get(slice_id, ())}
        declared[slice_id] = Slice(stage, system, system.capitalize(), capabilities, config, ("commit", "discover"), **more)
    return declared
