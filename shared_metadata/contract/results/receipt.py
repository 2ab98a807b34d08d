"""What a target says of the batches that it holds: a receipt each, written with the batch's rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Former:
    """What results a target holds. files: their Parquet files' keys; rejected: those of rows of them that were set aside.

    unsure: those of rows, and of keys of deleted ones, of which nothing is known but that they were sent, or were about to be.
    """

    files: tuple[str, ...]
    rejected: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()


@dataclass(frozen=True)
class Receipt:
    """One published batch. result: the identity of the result; files: its Parquet files' keys; rejected: {'key', 'rows'} of those of
    rows that were set aside; unsure: as of `Former`, of what was sent since; key: by which its rows were matched, None where that
    is not known, or there was none."""

    start: datetime
    token: int
    result: str
    files: tuple[str, ...]
    upserts: int
    deletes: int
    rejected: tuple[Mapping[str, Any], ...] = ()
    unsure: tuple[str, ...] = ()
    key: tuple[str, ...] | None = None

    @property
    def former(self) -> Former:
        return Former(self.files, tuple(file["key"] for file in self.rejected), self.unsure)

    @property
    def mark(self) -> list[Any]:
        """What tells it from every other receipt of its flow; JSON."""
        return [self.start.isoformat(), self.token, self.result]


def identity(manifest: Mapping[str, Any]) -> str:
    """Names a result by its manifest's content; file keys hold flow, interval and token."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()[:32]
