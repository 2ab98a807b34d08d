"""Writes a table's rows as Parquet: those that records tell, and those that stand in files of refused rows."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared_metadata.contract.collect import ExtractRequest
from shared_metadata.contract.own_columns import unlike
from shared_metadata.contract.parquet.duckdb_session import identifier, literal
from shared_metadata.contract.parquet.typed_files import TypedFiles, longest, paths
from shared_metadata.contract.projection import place_of
from slices.collect.atoll.tables import TABLES

MOST_ROWS, MOST_FILES = 100_000, 50  # of one file that is written


class RecordFiles(TypedFiles):
    """The files of one call, in the order in which they are written."""

    def __init__(self, aws: Any, request: ExtractRequest) -> None:
        fields = {column.source: column.type for column in TABLES[request.table.source].columns}
        super().__init__(aws, request, fields, place=place_of(request.flow, request.table))
        self._filter, self.written = request.flow.filter, list[Mapping[str, Any]]()

    def taken(self, read: Callable[[str], str]) -> str:
        """The program's WHERE, over the typed values of all columns."""
        if not self._filter:
            return ""
        values, names = ", ".join(map(read, self._types)), ", ".join(map(identifier, self._types))
        return f"(SELECT ({self._filter}\n) FROM (VALUES ({values})) AS {unlike(self._types, 'atoll_row')}({names}))"

    def add(self, source: Callable[[Mapping[str, str]], str]) -> None:
        self.written.append(self.write(source, len(self.written)))


class Rows:
    """Rows gathered in a file of the function's own, so that memory does not grow with them. A context manager."""

    def __init__(self) -> None:
        self._file = tempfile.NamedTemporaryFile(suffix=".jsonl")  # noqa: SIM115 - it ends with the rows
        self._count = 0

    def add(self, row: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(row).encode() + b"\n")
        self._count += 1

    def write(self, files: RecordFiles, *, least: int = 1) -> None:
        """Writes what is gathered, where that is so much."""
        if self._count < least:
            return
        self._file.flush()
        files.add(self._relation)
        self._file.seek(0)
        self._file.truncate()
        self._count = 0

    def close(self) -> None:
        self._file.close()

    def _relation(self, types: Mapping[str, str]) -> str:
        columns = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in types.items())
        file = [Path(self._file.name)]
        options = f"format='newline_delimited', auto_detect=false, maximum_object_size={longest(file)}"
        return f"read_json({paths(file)}, {options}, columns={{{columns}}})"


@dataclass
class RefusedFiles:
    """Files of refused rows that are gathered to be read.  Each has what is the same of all of its rows."""

    _found: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    _rows: int = 0

    def add(self, url: str, rows: int, shared: Mapping[str, Any]) -> None:
        self._found.append((url, shared))
        self._rows += rows

    @property
    def are_many(self) -> bool:
        return self._rows >= MOST_ROWS or len(self._found) >= MOST_FILES

    def write(self, files: RecordFiles) -> None:
        if self._found:
            found = tuple(self._found)
            files.add(lambda types: _read(found, types))
        self._found, self._rows = [], 0


def _read(found: Sequence[tuple[str, Mapping[str, Any]]], types: Mapping[str, str]) -> str:
    """The relation of several files' rows."""
    return f"({' UNION ALL '.join(_of_file(url, shared, types) for url, shared in found)})"


def _of_file(url: str, shared: Mapping[str, Any], types: Mapping[str, str]) -> str:
    values = {name: "NULL" if value is None else literal(str(value)) for name, value in shared.items()}
    values |= {name: identifier(name) for name in ("reason", "data")}
    selected = ", ".join(f"CAST({values[name]} AS {kind}) AS {identifier(name)}" for name, kind in types.items())
    return f"SELECT {selected} FROM read_parquet({literal(url)})"
