"""Turns pages into Parquet on S3: their text as it came, where records are collected as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from shared_metadata.contract.collect import ExtractRequest
from shared_metadata.contract.own_columns import unlike
from shared_metadata.contract.parquet.duckdb_session import identifier, literal
from shared_metadata.contract.parquet.typed_files import TypedFiles, longest, paths
from systems.rest.window import Cut


class ParquetFiles(TypedFiles):
    """Writes the Parquet files of one part, each from a few local pages, lists of records in JSON.

    part: {'fields', 'cut', 'deleted'} of the plan.  deleted: SQL.
    """

    def __init__(self, aws: Any, request: ExtractRequest, place: str) -> None:
        super().__init__(aws, request, request.part["fields"], place=place, deleted=request.part.get("deleted") or "false")
        self._cut, self._filter = Cut(**request.part["cut"]), request.flow.filter

    def taken(self, read: Callable[[str], str]) -> str:
        conditions = [self._cut.condition(read), self._filtered(read)]
        return " AND ".join(condition for condition in conditions if condition)

    def _filtered(self, read: Callable[[str], str]) -> str:
        """The program's WHERE, over the typed values of all fields."""
        if not self._filter:
            return ""
        values, names = ", ".join(map(read, self._types)), ", ".join(map(identifier, self._types))
        return f"(SELECT ({self._filter}\n) FROM (VALUES ({values})) AS {unlike(self._types, 'atoll_row')}({names}))"

    def from_pages(self, pages: Sequence[Path], number: int) -> dict[str, Any]:
        """Writes a Parquet file as `write`."""

        def source(types: Mapping[str, str]) -> str:
            columns = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in types.items())
            options = f"format='array', auto_detect=false, maximum_object_size={longest(pages)}"
            return f"read_json({paths(pages)}, {options}, columns={{{columns}}})"

        return self.write(source, number, pages)
