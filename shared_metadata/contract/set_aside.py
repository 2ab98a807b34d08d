"""The tables of rejected rows: one beside a table."""

from __future__ import annotations

from dataclasses import replace

from shared_metadata.contract.work import Work
from shared_metadata.naming import rejected_table
from shared_metadata.program import Kind, Mode, Table


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
    """Whether there may be rejected rows that this batch has to delete."""
    return work.flow.mode == Mode.REPLACE or work.claim.again or work.claim.token > 1
