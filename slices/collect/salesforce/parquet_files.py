"""Turns files of CSV or JSON from Salesforce into Parquet on S3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from shared_metadata.contract.collect import ExtractRequest
from shared_metadata.contract.parquet.duckdb_session import identifier, literal
from shared_metadata.contract.parquet.typed_files import TypedFiles, longest, paths
from slices.collect.salesforce.columns import place
from slices.collect.salesforce.slice import SLICE

DELETED = "IsDeleted"


class ParquetFiles(TypedFiles):
    """Writes the Parquet files of one part, each from a few local files that hold part['fields'], in order.

    group_bytes: of source text in one file.
    """

    def __init__(self, aws: Any, request: ExtractRequest, part_mb: int = SLICE.capabilities.part_mb) -> None:
        self.group_bytes = part_mb << 20
        fields = {name: "boolean" if name == DELETED else "string" for name in request.part["fields"]}
        deleted = DELETED if DELETED in fields else "false"
        super().__init__(aws, request, fields, place=place(request.flow, request.table), deleted=deleted)

    def from_csv(self, files: Sequence[Path], number: int) -> dict[str, Any]:
        """Writes a Parquet file as `write`, of whole-record CSV files without header lines.

        Salesforce has no empty texts: an empty value is null.
        """

        def source(types: Mapping[str, str]) -> str:
            columns = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in types.items())
            form = "auto_detect=false, header=false, delim=',', quote='\"', escape='\"', new_line='\\n', nullstr=''"
            most = longest(files)
            return f"read_csv({paths(files)}, {form}, columns={{{columns}}}, buffer_size={most}, max_line_size={most})"

        return self.write(source, number)

    def from_json(self, files: Sequence[Path], number: int) -> dict[str, Any]:
        """Writes a Parquet file as `write`, of REST answers, each a JSON object with a list of `records`."""

        def source(types: Mapping[str, str]) -> str:
            struct = ", ".join(f"{identifier(name)} {kind}" for name, kind in types.items())
            columns = "{records: " + literal(f"STRUCT({struct})[]") + "}"
            options = f"format='unstructured', auto_detect=false, maximum_object_size={longest(files)}, columns={columns}"
            record = f"(SELECT unnest(records) AS r FROM read_json({paths(files)}, {options}))"
            return f"(SELECT {', '.join(f'r.{identifier(name)}' for name in types)} FROM {record})"

        return self.write(source, number, files)
