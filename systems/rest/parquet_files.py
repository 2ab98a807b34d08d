"""Turns pages into Parquet on S3: their bytes as they came, where records are collected as they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from shared_metadata.contract.collect import ExtractRequest
from shared_metadata.contract.own_columns import unlike
from shared_metadata.contract.parquet.duckdb_session import identifier, literal
from shared_metadata.contract.parquet.typed_files import TypedFiles, longest, paths
from systems.rest.window import Cut


class ParquetFiles(TypedFiles):
    """Writes the Parquet files of one part, each from a few local pages.

    part: {'fields', 'path', 'cut', 'deleted'} of the plan; path: where in a page the list of records is.  deleted: SQL.
    """

    def __init__(self, aws: Any, request: ExtractRequest, place: str) -> None:
        super().__init__(aws, request, request.part["fields"], place=place, deleted=request.part.get("deleted") or "false")
        self._path: Sequence[str] = request.part["path"]
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
            kind = "STRUCT(" + ", ".join(f"{identifier(name)} {kind}" for name, kind in types.items()) + ")[]"
            fields = ", ".join(f"r.{identifier(name)}" for name in types)
            outer, *inner = self._path
            for name in reversed(inner):
                kind = f"STRUCT({identifier(name)} {kind})"
            options = f"format='unstructured', auto_detect=false, maximum_object_size={longest(pages)}"
            columns = f"columns={{{literal(outer)}: {literal(kind)}}}"
            value = ".".join(map(identifier, self._path))
            return f"(SELECT {fields} FROM (SELECT unnest({value}) AS r FROM read_json({paths(pages)}, {options}, {columns})))"

        return self.write(source, number)


ROOT = "records"  # under which the records of a page stand that is a list itself, or whose records were shaped


def path_of(field_path: Sequence[str], *, plain: bool) -> list[str]:
    return [*field_path] if plain and field_path else [ROOT]


def page_text(body: bytes, records: Iterable[Any], field_path: Sequence[str], *, plain: bool, listed: bool) -> bytes:
    """What is written of a page for `from_pages`: its own bytes where these are records in a list at their path.

    listed: whether what lies at the path is a list.
    """
    if plain and listed:
        return body if field_path else b'{"' + ROOT.encode() + b'": ' + body + b"}"
    found: Any = list(records)
    for name in reversed(path_of(field_path, plain=plain)):
        found = {name: found}
    return json.dumps(found).encode()
