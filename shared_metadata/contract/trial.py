"""What a slice that organizes does where its views are tried: computes a flow's query over given rows, on the machine at hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from shared_metadata.program import Flow
from shared_metadata.program.intervals import Interval
from shared_metadata.program.schema import SchemaColumn


class Input(NamedTuple):
    """A table as it is given: its columns, and the Parquet file of its rows, '' for none."""

    columns: Sequence[SchemaColumn]
    file: str = ""


class Tried(NamedTuple):
    """What came out.  files: Parquet files of the rows that the table would have.  failing: expectation ▸ rows that fail it."""

    columns: tuple[SchemaColumn, ...]
    files: Sequence[str]
    failing: Mapping[str, int]


Tries = Callable[[Flow, Mapping[str, Input], Interval, Path], Tried]
"""Raises DefinitionError.  Of the flow, its inputs by dataset, the batch, and a folder to write into."""
