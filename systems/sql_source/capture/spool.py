"""Keeps what the log tells of rows in files until each key's last state is known, in the memory of a few rows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from shared_metadata.contract.parquet.duckdb_session import function_memory_mb, literal, open_duckdb
from systems.sql_source.capture.changes import Change, Entry, entries
from systems.sql_source.capture.last_changes import DIGEST
from systems.sql_source.memory import Memory

FILE_BYTES = 2**26  # of text, before it is packed
MOST_PACKED_BYTES = 2**27  # of a disk of 512 MB, on which DuckDB sorts as well
ROWS_AT_ONCE = 100  # large ones too are held in memory
_READ = "columns = {n: 'BIGINT', gone: 'BOOLEAN', asked: 'BOOLEAN', k: 'VARCHAR[]', v: 'VARCHAR[]'}, format = 'newline_delimited'"


class Spool:
    """The changes of one table.

    folder: an empty one.  columns, key: names of the source; of the columns the values are kept.  number: of the entries that were
    read before.  aws: as for `open_duckdb`.  truncated: all rows went, and what is kept came after it.
    """

    def __init__(self, folder: Path, columns: Sequence[str], key: Sequence[str], number: int = 0, aws: Any = None) -> None:
        self._folder, self._columns, self._key, self.number = folder, columns, key, number
        self._files, self._longest, self._packed_bytes = 0, 0, 0
        self._text, self._written = (folder / "changes.json").open("w", encoding="utf-8"), 0
        self._duckdb = open_duckdb(aws, memory_mb=Memory.of_function(function_memory_mb()).mb, threads=1)
        self.truncated = False

    def close(self) -> None:
        self._text.close()
        self._duckdb.close()

    @property
    def full(self) -> bool:
        """Whether the function's disk may not hold much more."""
        return self._packed_bytes > MOST_PACKED_BYTES

    def add(self, change: Change) -> None:
        """Raises Unkeyed."""
        if change.before is None and change.after is None:
            self._forget()
        for entry in entries(change, self._key):
            self._put(entry)

    def last(self) -> Iterator[tuple[bool, bool, list[str | None]]]:
        """The last state of each key that changed: whether it is gone, whether the source has to be asked for its row, and its texts.

        The log does not tell all of a row that has to be asked for. Of such, and of one that is gone, the key's texts count only.
        """
        self._pack()
        if not self._files:
            return
        self._duckdb.execute(f"CREATE OR REPLACE TABLE newest AS SELECT max(n) AS n FROM {self._rows} GROUP BY k")
        found = self._duckdb.execute(f"SELECT gone, asked, v FROM {self._rows} SEMI JOIN newest USING (n)")
        while rows := found.fetchmany(ROWS_AT_ONCE):
            yield from rows

    def seen(self, url: str, salt: str) -> bool:
        """Writes the number of each key's last entry, for another call, with the key's digest, which tells no value; whether there
        was any."""
        self._pack()
        if self._files:
            last = f"SELECT {DIGEST} AS h, max(n) AS n FROM (SELECT k, n, {literal(salt)} AS salt FROM {self._rows}) GROUP BY h"
            self._duckdb.execute(f"COPY ({last}) TO {literal(url)} (FORMAT parquet, COMPRESSION zstd)")
        return bool(self._files)

    @property
    def _rows(self) -> str:
        return f"read_parquet({literal(str(self._folder / '*.parquet'))})"

    def _put(self, entry: Entry) -> None:
        self.number += 1
        asked = not entry.gone and any(name not in entry.values for name in self._columns)
        told: dict[str, Any] = {"n": self.number, "gone": entry.gone, "asked": asked, "k": entry.key}
        line = json.dumps({**told, "v": [entry.values.get(name) for name in self._columns]}, ensure_ascii=False)
        self._text.write(line + "\n")
        self._written += len(line)
        self._longest = max(self._longest, len(line))
        if self._written > FILE_BYTES:
            self._pack()

    def _pack(self) -> None:
        """Writes the text anew as Parquet, which takes a fraction of its room: a function has little."""
        if not self._written:
            return
        self._text.flush()
        self._files += 1
        most = max(4 * self._longest + 2, 2**24)  # bytes, and a character has four at most
        rows = f"read_json({literal(self._text.name)}, {_READ}, maximum_object_size = {most})"
        target = self._folder / f"{self._files:06d}.parquet"
        self._duckdb.execute(
            f"COPY (SELECT * FROM {rows}) TO {literal(str(target))} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 20480)"
        )
        self._packed_bytes += target.stat().st_size
        self._text.seek(0)
        self._text.truncate()
        self._written = self._longest = 0

    def _forget(self) -> None:
        """All rows went: what was told of them before says nothing any more."""
        self._text.seek(0)
        self._text.truncate()
        self._written = self._longest = self._packed_bytes = 0
        for file in self._folder.glob("*.parquet"):
            file.unlink()
        self._files, self.truncated = 0, True
