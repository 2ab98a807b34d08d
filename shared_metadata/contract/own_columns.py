"""The columns that a warehouse's tables have of Atoll's own."""

from __future__ import annotations

from collections.abc import Iterable

from shared_metadata.program import Flow, Kind
from shared_metadata.program.schema import SchemaColumn

BATCH = "_batch"  # which batch collected a row
VIEW_BATCH = "_view_batch"  # which batch made a view's row; never in the view's own schema
DELETED = SchemaColumn("_deleted", "boolean")


def batch_column(flow: Flow) -> str:
    """The column that says which batch made a row."""
    return BATCH if flow.kind == Kind.LOAD else VIEW_BATCH


def unlike(names: Iterable[str], word: str) -> str:
    """A name of ours beside these, in SQL over them: the word, and as many _ as it takes."""
    taken = {name.lower() for name in names}
    while word in taken:
        word += "_"
    return word
