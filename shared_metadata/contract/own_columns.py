"""The columns that a warehouse's tables have of Atoll's own."""

from __future__ import annotations

from shared_metadata.program import Flow, Kind
from shared_metadata.program.schema import SchemaColumn

BATCH = "_batch"  # which batch collected a row
VIEW_BATCH = "_view_batch"  # which batch made a view's row; never in the view's own schema
DELETED = SchemaColumn("_deleted", "boolean")


def batch_column(flow: Flow) -> str:
    """The column that says which batch made a row."""
    return BATCH if flow.kind == Kind.LOAD else VIEW_BATCH
