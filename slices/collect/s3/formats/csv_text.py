"""CSV: every value is a text; types are what a sample of the values allows, and what the program says."""

from __future__ import annotations

import csv
import secrets
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from shared_metadata.contract.own_columns import unlike
from shared_metadata.contract.parquet.duckdb_session import literal
from shared_metadata.contract.parquet.guessed_types import guessed
from slices.collect.s3.config import Config
from slices.collect.s3.formats.shape import LINES, ROW, Shape, compression, lines_of, no_rows, texts

if TYPE_CHECKING:
    import duckdb

MOST_BYTES_OF_HEAD = 1 << 20  # unpacked
HEADER_LINES = 20  # a name may hold line breaks
BYTE_ORDER_MARK = "\ufeff"


class Csv:
    name = "CSV"
    exact = False
    extensions: tuple[str, ...] = ()

    def __init__(self, config: Config) -> None:
        self._config = config

    def shape(self, connection: duckdb.DuckDBPyConnection, url: str, head: bytes, wanted: Sequence[str] = ()) -> Shape:
        import duckdb

        packed = compression(head)
        names = self._names(connection, url, packed)
        if not names:
            return no_rows()
        config, mark, row = self._config, secrets.token_hex(4), unlike(names, ROW)
        options = {
            "auto_detect": "false", "header": str(config.header).lower(), "delim": literal(config.delimiter),
            "quote": literal(config.quote), "escape": literal(config.escape or config.quote), "nullstr": literal(config.null_text),
            "allow_quoted_nulls": "false", "encoding": literal(config.encoding), "compression": literal(packed),
            "columns": texts(names),
        }  # fmt: skip
        if end := line_end(head, packed, config):
            options["new_line"] = literal(end)
        form = ", ".join(f"{name}={value}" for name, value in options.items()) + f", {LINES}"
        relation = f"read_csv({literal(url)}, {form})"
        aside = f"store_rejects=true, rejects_table='rejects_{mark}', rejects_scan='scans_{mark}', rejects_limit=0"
        skipping = f"(SELECT *, row_number() OVER () AS {row} FROM read_csv({literal(url)}, {form}, {aside}, parallel=false))"
        table = f"rejects_{mark}"
        skipped = (
            f"(SELECT 'line ' || line AS place, lower(any_value(error_type::VARCHAR)) AS why, any_value(csv_line) AS raw "
            f"FROM {table} GROUP BY line)"
        )
        numbered = f"(SELECT *, row_number() OVER () AS {row} FROM {relation})"
        columns, ends = dict.fromkeys(names, duckdb.sqltype("VARCHAR")), self._ends(url, packed)
        return Shape(relation, columns, numbered, skipping, skipped, table, ends, row=row)

    def typed(self, connection: duckdb.DuckDBPyConnection, shape: Shape) -> dict[str, str]:
        return guessed(connection, shape.skipping, list(shape.columns)) if shape.columns else {}

    def _ends(self, url: str, packed: str) -> str:
        """DuckDB drops a last row whose quotes do not end, without a word among what it has skipped."""
        if not self._config.quote:
            return ""
        quote = literal(self._config.quote)
        quotes = f"coalesce(sum(length(line) - length(replace(line, {quote}, ''))), 0)"
        return f"SELECT {quotes} % 2 = 0 FROM {lines_of(url, packed, self._config.encoding)}"

    def _names(self, connection: duckdb.DuckDBPyConnection, url: str, packed: str) -> list[str]:
        """The columns' names: of the header, or as DuckDB names those of a file without one."""
        config = self._config
        sql = f"SELECT line FROM {lines_of(url, packed, config.encoding)} LIMIT {HEADER_LINES}"
        lines = [f"{line or ''}\n" for (line,) in connection.execute(sql).fetchall()]
        if not lines:
            return []
        lines[0] = lines[0].removeprefix(BYTE_ORDER_MARK)
        same = (config.escape or config.quote) == config.quote
        reader = csv.reader(
            lines, delimiter=config.delimiter, quotechar=config.quote or None, doublequote=same,
            escapechar=None if same else config.escape, quoting=csv.QUOTE_MINIMAL if config.quote else csv.QUOTE_NONE,
        )  # fmt: skip
        first = [name.removesuffix("\n") for name in next(reader)]
        return unique(first) if config.header else [f"column{at}" for at in range(len(first))]


def line_end(head: bytes, packed: str, config: Config) -> str:
    """What ends the first row, escaped as DuckDB has it; '' where that is not seen.

    DuckDB goes by the first line break, which may stand within quotes: it then finds no row's end.
    """
    if packed == "zstd":
        return ""
    try:
        plain = zlib.decompressobj(wbits=31).decompress(head, MOST_BYTES_OF_HEAD) if packed == "gzip" else head
    except zlib.error:  # of a damaged one, which is refused when it is read
        return ""
    text = plain.decode(config.encoding, "ignore")
    within, skip, escape = False, False, config.escape or config.quote
    for at, character in enumerate(text):
        if skip:
            skip = False
        elif within and character == escape != config.quote:
            skip = True
        elif character == config.quote:
            within = not within
        elif character in "\r\n" and not within:
            return "\\r\\n" if text[at : at + 2] == "\r\n" else "\\r" if character == "\r" else "\\n"
    return ""


def unique(names: Sequence[str]) -> list[str]:
    """The names as columns of one table: an empty one is named by its place, one that is there already by a number."""
    found: list[str] = []
    for at, name in enumerate(names):
        wanted, number = name.strip() or f"column{at}", 1
        while wanted.lower() in {one.lower() for one in found}:
            wanted, number = f"{name.strip() or f'column{at}'}_{number}", number + 1
        found.append(wanted)
    return found
