"""The changes from the active program to another one: whom they reach, what they break and what they cost; all pure."""

from shared_metadata.update_set.column_changes import probable_renames
from shared_metadata.update_set.compare import compare
from shared_metadata.update_set.recompute import estimated
from shared_metadata.update_set.records import (
    Breaking,
    ColumnChange,
    ColumnKind,
    PartChange,
    QueryShape,
    Reach,
    ReaderEffect,
    Reason,
    Recompute,
    StatementChange,
    UpdateSet,
)
from shared_metadata.update_set.statements import statement_id

__all__ = [
    "Breaking",
    "ColumnChange",
    "ColumnKind",
    "PartChange",
    "QueryShape",
    "Reach",
    "ReaderEffect",
    "Reason",
    "Recompute",
    "StatementChange",
    "UpdateSet",
    "compare",
    "estimated",
    "probable_renames",
    "statement_id",
]
