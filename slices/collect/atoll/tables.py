"""The tables that Atoll's own records are: their names, and the columns that each of them has in every installation."""

from __future__ import annotations

from shared_metadata.program.schema import Schema, SchemaColumn

RECEIPTS, REFUSED, BATCHES = "receipts", "refused_rows", "batches"
COMPLETED = "completed_at"
KEPT, REPLACED, AGED = "kept", "replaced", "aged"  # what `record` says


def _column(name: str, kind: str, *, always: bool = False, word: str = "") -> SchemaColumn:
    return SchemaColumn(name, kind, not always, name, word or kind)


# Of every batch, whatever was recorded of it.
_BATCH = (
    _column("dataset", "string", always=True),
    _column("flow", "string", always=True),
    _column("batch_start", "timestamptz", always=True),
    _column("batch_end", "timestamptz", always=True),
    _column(COMPLETED, "timestamptz", always=True, word="completion"),
    _column("token", "long", always=True),
)
_DONE = (
    _column("seconds", "double"),
    _column("dollars", "double"),
    _column("program_version", "string"),
    _column("record", "string", always=True),
)
_RECEIPT = (
    *(_column("connection", "string"), _column("slice", "string")),
    *(_column(name, "long") for name in ("sent", "upserts", "deletes", "refused", "holds")),
    _column("unsure", "boolean"),
)
_REFUSED = (_column("connection", "string"), _column("reason", "string"), _column("data", "string"))
_MADE = (
    *(_column("stage", "string"), _column("slice", "string"), _column("changed", "boolean")),
    *(_column(name, "long") for name in ("rows", "bytes", "rejected")),
)
TABLES = {
    BATCHES: Schema((*_BATCH, *_MADE, *_DONE)),
    RECEIPTS: Schema((*_BATCH, *_RECEIPT, *_DONE)),
    REFUSED: Schema((*_BATCH, *_REFUSED)),
}
