"""What of a tap is collected, as far as its folder tells: its tables, its options, and what it is run by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shared_metadata.contract.apart.requirements import REQUIREMENTS
from shared_metadata.program import Mode
from systems.singer.catalog import streams_of
from systems.singer.tap_file import CATALOG, read


@dataclass(frozen=True)
class TapTable:
    """key, cursor, mode: by which it is collected where a program says none."""

    name: str
    columns: int
    key: tuple[str, ...]
    cursor: str
    mode: str


@dataclass(frozen=True)
class TapCoverage:
    """tables: of `catalog.json`; None where the tap is asked.  left_out: table ▸ why.  packages: its requirements; None for none.

    built: those of the packages that are built of their source.  options, secret: what a connection says, and its secret has to hold.
    """

    run: str
    tables: tuple[TapTable, ...] | None
    left_out: Mapping[str, str]
    options: tuple[str, ...]
    secret: tuple[str, ...]
    packages: Path | None
    built: tuple[str, ...]


def tap_coverage(folder: Path) -> TapCoverage:
    """Looks through a folder with a `tap.yaml`. Raises DefinitionError for what cannot be read."""
    document = read(folder)
    streams = {} if document["catalog"] is None else streams_of(document["catalog"], document["tables"], str(folder / CATALOG))
    left_out = {name: why for name, stream in streams.items() if (why := stream.why_no_table())}
    told = {name: stream.defaults() for name, stream in streams.items() if name not in left_out}
    tables = tuple(
        TapTable(name, len(streams[name].columns), one.key, one.cursor, one.mode or Mode.REPLACE) for name, one in told.items()
    )
    file = folder / REQUIREMENTS
    return TapCoverage(
        document["run"],
        None if document["catalog"] is None else tables,
        left_out,
        tuple(document["options"]),
        tuple(document["secret"]),
        file if file.is_file() else None,
        tuple(document["source"]),
    )
