"""What a collect query takes of one table, where it is no more than that."""

from __future__ import annotations

from dataclasses import dataclass

from shared_metadata.program import Column


@dataclass(frozen=True)
class Projection:
    """Columns and rows of one table; `columns` is empty for all of them."""

    source: str
    columns: tuple[Column, ...]
    filter: str
