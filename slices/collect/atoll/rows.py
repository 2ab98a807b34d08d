"""Turns what is known of completed batches into the rows of the tables."""

from __future__ import annotations

from typing import Any

from shared_metadata.program.intervals import to_text
from slices.collect.atoll.records import Made
from slices.collect.atoll.tables import COMPLETED, KEPT

Row = dict[str, Any]


def batch_row(made: Made) -> Row:
    outcome, flow = made.outcome, made.flow
    known = {"rows": outcome.rows, "bytes": outcome.bytes, "rejected": outcome.rejected} if outcome else {"rows": made.rows}
    changed = outcome.pointer is not None if outcome else None
    return {**of_batch(made), **known, "changed": changed, "stage": flow.stage if flow else None, **_done(made)}


def receipt_row(made: Made) -> Row | None:
    """None for a batch that is no publication's, or that sent nothing as nothing was new."""
    if not made.is_publication or (made.record == KEPT and made.pointer is None):
        return None
    pointer, outcome = made.pointer, made.outcome
    told: Row = {"connection": made.flow.connection if made.flow else None, **of_batch(made), **_done(made)}
    if pointer is None or outcome is None:
        return told
    upserts, deletes, refused = int(pointer["upserts"]), int(pointer["deletes"]), outcome.rejected
    counts = {"sent": upserts + deletes + refused, "upserts": upserts, "deletes": deletes, "refused": refused}
    return {**told, **counts, "holds": pointer.get("total_rows"), "unsure": bool(pointer.get("unsure"))}


def of_batch(made: Made) -> Row:
    moments = {"batch_start": made.start, "batch_end": made.end, COMPLETED: made.at}
    texts = {name: to_text(moment) for name, moment in moments.items()}
    return {"dataset": made.dataset, "flow": made.flow_id, **texts, "token": made.token}


def _done(made: Made) -> Row:
    return {
        "slice": made.flow.slice_id if made.flow else None,
        "seconds": made.outcome.seconds if made.outcome else None,
        "dollars": made.dollars,
        "program_version": made.program_version,
        "record": made.record,
    }
