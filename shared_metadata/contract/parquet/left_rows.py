"""Rows that a source has no more: what collect stages of them, and the warehouse marks."""

from __future__ import annotations

from collections.abc import Sequence

from shared_metadata.program import Flow
from shared_metadata.program.schema import SchemaColumn


def left_columns(flow: Flow, columns: Sequence[SchemaColumn]) -> tuple[SchemaColumn, ...]:
    """What of a row's columns is staged when it left: its key, its cursor and `_batch`; the others may be what the WHERE hides."""
    wanted = {*flow.key, flow.cursor, "_batch"}
    return tuple(column for column in columns if column.name in wanted)
