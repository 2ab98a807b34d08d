"""The tables of rejected rows: one beside a table, of one shape whatever the table's, so that a row of any shape can be kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from shared_metadata.contract.duckdb_session import identifier, literal
from shared_metadata.contract.steps import Work
from shared_metadata.naming import rejected_table
from shared_metadata.program import Kind, Mode, Table
from shared_metadata.records import SchemaColumn

COLUMNS = (
    SchemaColumn("_batch", "timestamptz"),
    SchemaColumn("stage", "string"),
    SchemaColumn("reason", "string"),
    SchemaColumn("data", "string"),
)


def row(batch: str, stage: str, reason: str, columns: Sequence[SchemaColumn]) -> str:
    """SELECT of rejected rows; batch: a moment; reason: an expression; columns: those of the row, which become a JSON object."""
    values = ", ".join(f"{literal(c.name)}: {identifier(c.name)}" for c in columns)
    data = f"to_json({{{values}}})::VARCHAR"
    return f"SELECT TIMESTAMPTZ {literal(batch)} AS _batch, {literal(stage)} AS stage, {reason} AS reason, {data} AS data"


def latest(rows: str, limit: int) -> str:
    return f"SELECT epoch(_batch), stage, reason, data FROM {rows} ORDER BY _batch DESC, reason, data LIMIT {limit}"


def beside(work: Work) -> Work:
    """The same batch at the table of its rejected rows, whose rows of this batch it replaces; all of them where it does that."""
    mode = Mode.REPLACE if work.flow.mode == Mode.REPLACE else Mode.APPEND
    flow = replace(work.flow, kind=Kind.LOAD, mode=mode, key=(), partition_by=())
    return replace(
        work,
        flow=flow,
        table=Table(rejected_table(work.table.dataset, work.flow.warehouse)),
        claim=replace(work.claim, rerun=True),
    )


def may_be_there(work: Work) -> bool:
    """Whether rows may have been rejected before that this batch has to take away."""
    return work.flow.mode == Mode.REPLACE or work.claim.again or work.claim.token > 1
