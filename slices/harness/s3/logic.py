"""The names of files and manifests, and the SQL by which files are written; no I/O."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from shared_metadata.contract.parquet import rejected_rows
from shared_metadata.contract.parquet.duckdb_session import identifier, literal
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Flow, Mode
from shared_metadata.program.lineage import published_table
from shared_metadata.program.schema import Schema
from slices.harness.s3.config import Config

PART_BYTES = 64 << 20  # of a result, which one file of ours holds: it is written in one go, in the function's /tmp
ENDS = {"parquet": "parquet", "csv": "csv", "json": "jsonl"}
PACKED = {"none": "", "gzip": ".gz", "zstd": ".zst"}
MANIFEST = "manifest.json"
_NESTED = ("STRUCT", "MAP")


@dataclass(frozen=True)
class Part:
    """Rows of a file of a result, which become a file of ours.  source: its key.  number: counted through all of a publication."""

    source: str
    first: int
    rows: int
    number: int


def check_flow(flow: Flow, known: Mapping[str, Schema]) -> None:
    """Checks that a publication's table can be a folder. Raises DefinitionError."""
    table = published_table(flow)
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", table):
        remedy = "publish to a name of letters, digits, _, - and ."
        raise DefinitionError(f"{table!r} cannot be the name of a folder", place=str(flow.position), remedy=remedy)


def folder_of(config: Config, flow: Flow) -> str:
    """Where a publication's files are, up to a /."""
    check_flow(flow, {})
    return f"{config.prefix}{published_table(flow)}/"


def batch_name(start: datetime) -> str:
    """'20261130T020000Z': batches sort as they follow each other."""
    return start.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def is_batch(folder: str) -> bool:
    """Whether a folder of a table, named up to a /, is a batch's; others may be those of a prefix that lies in the table's."""
    return re.fullmatch(r"\d{8}T\d{6}Z/", folder) is not None


def manifest_key(folder: str, flow: Flow, start: datetime) -> str:
    """One of each batch where batches add up, else one of the table."""
    return f"{folder}{batch_name(start)}/{MANIFEST}" if flow.mode == Mode.APPEND else f"{folder}{MANIFEST}"


def named(result: str, config: Config) -> str:
    """A name of what a publication's files hold: of their result, and of all options that decide over their bytes."""
    told = [result, config.format, config.compressed, config.delimiter, config.header]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


def file_key(folder: str, start: datetime, content: str, part: Part, config: Config) -> str:
    """The same for the same rows in the same form, and no others': so no manifest names a file that is written over by another."""
    packed = "" if config.format == "parquet" else PACKED[config.compressed]
    return f"{folder}{batch_name(start)}/{content}/part-{part.number:05d}.{ENDS[config.format]}{packed}"


def parts_of(files: Sequence[Mapping[str, Any]]) -> Iterator[Part]:
    """The parts of a result, which is these files: each of some PART_BYTES at most."""
    number = 0
    for file in files:
        if not file["rows"]:
            continue
        size = -(-file["rows"] // max(1, -(-file["bytes"] // PART_BYTES)))
        for first in range(0, file["rows"], size):
            yield Part(file["key"], first, min(size, file["rows"] - first), number)
            number += 1


def query(relation: str, types: Mapping[str, str], part: Part, form: str) -> str:
    """The rows of a part as their format has them.  types: column ▸ DuckDB's type."""
    rows = f"{relation} r LIMIT {part.rows} OFFSET {part.first}"
    values = {name: f"r.{identifier(name)}" for name in types}
    if form == "json":
        return f"SELECT {rejected_rows.as_json({name: (value, types[name]) for name, value in values.items()})} FROM {rows}"
    if form == "csv":
        values = {name: _text(value, types[name]) for name, value in values.items()}
    return f"SELECT {', '.join(f'{value} AS {identifier(name)}' for name, value in values.items())} FROM {rows}"


def form_of(config: Config, columns: int) -> dict[str, Any]:
    """What a reader of CSV has to know beside its columns.

    null: how it is written, without quotes; a value that is the same text has some. A line of nothing, as a null alone would be, is
    none to many readers: a single column has what PostgreSQL writes, and quotes around all else.
    """
    if config.format != "csv":
        return {}
    return {"delimiter": config.delimiter, "header": config.header, "null": "" if columns > 1 else "\\N"}


def copy_options(config: Config, columns: int) -> str:
    """The options of the COPY that writes a file of so many columns."""
    packed = config.compressed
    if config.format == "parquet":
        return f"FORMAT parquet, COMPRESSION {'uncompressed' if packed == 'none' else packed}"
    if config.format == "csv":
        form = form_of(config, columns)
        marks = f"DELIMITER {literal(form['delimiter'])}, NULLSTR {literal(form['null'])}"
        quoted = ", FORCE_QUOTE *" if columns == 1 else ""
        return f"FORMAT csv, HEADER {'true' if form['header'] else 'false'}, {marks}{quoted}, COMPRESSION {packed}"
    # A line of JSON holds no control character: with these as marks it is written as it is.
    marks = "DELIMITER '\x01', QUOTE '\x02', ESCAPE '\x02'"
    return f"FORMAT csv, HEADER false, {marks}, COMPRESSION {packed}"


def _text(value: str, kind: str) -> str:
    """A value of CSV: what is nested is JSON, bytes are \\x and their hex digits."""
    import duckdb

    if kind == "BLOB":
        return f"'\\x' || lower(hex({value}))"
    if kind.endswith("]") or kind.startswith(_NESTED):
        return f"to_json({rejected_rows.json_value(value, duckdb.sqltype(kind))})::VARCHAR"
    return value
