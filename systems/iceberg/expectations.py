"""The SQL of EXPECT clauses: how many rows fail each, and which rows are quarantined."""

from __future__ import annotations

from collections.abc import Sequence

from shared_metadata.contract.organize import CheckResult
from shared_metadata.contract.parquet import rejected_rows
from shared_metadata.contract.parquet.duckdb_session import identifier
from shared_metadata.contract.parquet.duckdb_types import duckdb_type
from shared_metadata.program import Expectation
from shared_metadata.program.schema import SchemaColumn
from systems.iceberg import relations
from systems.iceberg.engine import Engine


def evaluate(engine: Engine, expectations: Sequence[Expectation], source: str) -> list[CheckResult]:
    """One pass over the rows; a predicate that is NULL is not met."""
    counts = ", ".join(f"count(*) FILTER (WHERE {_fails(e)})" for e in expectations)
    row = engine.fetch(f"SELECT count(*), {counts} FROM {source} AS checked")[0]
    return [CheckResult(e.name, e.action, failing, row[0]) for e, failing in zip(expectations, row[1:], strict=True)]


def quarantined(expectations: Sequence[Expectation], columns: Sequence[SchemaColumn], source: str, batch: str) -> str:
    """The rows that fail any QUARANTINE expectation, as rejected rows: each with the names of those."""
    ours = _quarantine(expectations)
    reasons = ", ".join(rejected_rows.reason(_fails(e), e.name) for e in ours)
    reason = f"concat_ws(', ', {reasons})"
    data = rejected_rows.as_json({c.name: (identifier(c.name), duckdb_type(c.type)) for c in columns})
    return f"{rejected_rows.select(batch, 'organize', reason, data)} FROM {source} AS checked WHERE {_any_fails(ours)}"


def kept(expectations: Sequence[Expectation], columns: Sequence[SchemaColumn], source: str) -> str:
    """The other rows."""
    return f"SELECT {relations.names(columns)} FROM {source} AS checked WHERE NOT ({_any_fails(_quarantine(expectations))})"


def _quarantine(expectations: Sequence[Expectation]) -> list[Expectation]:
    return [e for e in expectations if e.action == "QUARANTINE"]


def _any_fails(expectations: Sequence[Expectation]) -> str:
    return " OR ".join(_fails(e) for e in expectations)


def _fails(expectation: Expectation) -> str:
    return f"(({expectation.predicate}\n) IS NOT TRUE)"
