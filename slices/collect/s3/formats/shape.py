"""What a format tells of one file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from shared_metadata.contract.parquet.duckdb_session import literal

if TYPE_CHECKING:
    import duckdb
    from duckdb.sqltypes import DuckDBPyType

LONGEST_LINE_BYTES = 8 << 20
LINES = f"max_line_size={LONGEST_LINE_BYTES}, buffer_size={LONGEST_LINE_BYTES}"  # by itself DuckDB takes 16 lines' memory
ROW = "atoll_row"  # of a line, or of a row whose columns have other names
GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


class Unreadable(ValueError):
    """What a file holds cannot be read as it is: why, in words that may be told."""


@dataclass(frozen=True)
class Shape:
    """How a file is read.

    relation: what stands in FROM; it fails at the first row that is none.  columns: name ▸ its type there.
    row: the column of `numbered` and `skipping` with a row's number, which no column of the file is called by.
    numbered: the same, numbered from 1 on.
    skipping: what passes rows over that are none, numbered too; '' where there can be none.
    skipped: these, as (place, why, raw), where `skipping` was read to its end on the same connection before.
    table: of which `skipped` is made, and which is not there where nothing was skipped; '' where it is made of none.
    ends: whether the file's last row ends, a query of one boolean; '' where that is told among what was skipped.
    lines: the relation of a file of JSON, `line` and `ROW`, whose objects may spell keys otherwise; '' for any other.
    """

    relation: str
    columns: dict[str, DuckDBPyType]
    numbered: str
    skipping: str = ""
    skipped: str = ""
    table: str = ""
    ends: str = ""
    lines: str = ""
    row: str = ROW


class Format(Protocol):
    """exact: files say their columns' types themselves.  extensions: those of DuckDB that it takes."""

    name: str
    exact: bool
    extensions: tuple[str, ...]

    def shape(self, connection: duckdb.DuckDBPyConnection, url: str, head: bytes, wanted: Sequence[str] = ()) -> Shape:
        """Looks into a file. head: its first bytes.  wanted: the columns that are asked for; () for all there are.

        Raises duckdb.Error or Unreadable for one that cannot be read at all.
        """
        ...

    def typed(self, connection: duckdb.DuckDBPyConnection, shape: Shape) -> dict[str, str]:
        """Column ▸ its type in a warehouse, as far as the file tells."""
        ...


def compression(head: bytes) -> str:
    """How a file of text is packed, by its first bytes and not by its name."""
    return "gzip" if head.startswith(GZIP) else "zstd" if head.startswith(ZSTD) else "none"


def texts(names: Sequence[str]) -> str:
    """The option `columns` that has DuckDB read these as texts."""
    return "{" + ", ".join(f"{literal(name)}: 'VARCHAR'" for name in names) + "}"


def no_rows() -> Shape:
    """The shape of a file that holds nothing at all."""
    nothing = "(SELECT NULL WHERE false)"
    return Shape(nothing, {}, f"(SELECT *, 0 AS {ROW} FROM {nothing})")


def lines_of(url: str, packed: str, encoding: str) -> str:
    """The relation of a file's lines as they stand, `line`."""
    form = f"auto_detect=false, header=false, delim={literal(chr(1))}, quote='', escape='', strict_mode=false, parallel=false"
    text = f"encoding={literal(encoding)}, compression={literal(packed)}, {LINES}"
    return f"read_csv({literal(url)}, {form}, {text}, columns={{'line': 'VARCHAR'}})"
