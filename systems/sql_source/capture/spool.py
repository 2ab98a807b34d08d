"""Keeps what the log tells of rows in files until each key's last state is known, in the memory of a few rows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from shared_metadata.contract.parquet.duckdb_session import function_memory_mb, literal, open_duckdb
from systems.sql_source.capture.changes import Change, Values
from systems.sql_source.memory import Memory

FILE_BYTES = 2**26  # of text, before it is packed
ROWS_AT_ONCE = 100  # large ones too are held in memory
_READ = "columns = {n: 'BIGINT', gone: 'BOOLEAN', asked: 'BOOLEAN', k: 'VARCHAR[]', v: 'VARCHAR[]'}, format = 'newline_delimited'"


class Unkeyed(Exception):
    """The log does not tell the key of a row that went. column: the one that is missing."""

    def __init__(self, column: str) -> None:
        super().__init__(column)
        self.column = column


class Spool:
    """The changes of one table. columns, key: names of the source.  folder: an empty one."""

    def __init__(self, folder: Path, columns: Sequence[str], key: Sequence[str]) -> None:
        self._folder, self._columns, self._key = folder, columns, key
        self._number, self._files, self._longest = 0, 0, 0
        self._text, self._written = (folder / "changes.json").open("w", encoding="utf-8"), 0
        self._duckdb = open_duckdb(memory_mb=Memory.of_function(function_memory_mb()).mb, threads=1)
        self.truncated = False

    def close(self) -> None:
        self._text.close()
        self._duckdb.close()

    def add(self, change: Change) -> None:
        """Raises Unkeyed."""
        before, after = change.before, change.after
        if before is None and after is None:
            self._forget()
            return
        key = self._key_of(after) if after is not None else None
        if before is not None and (former := self._key_of(before)) != key:
            self._put(former, dict(zip(self._key, former, strict=True)), gone=True)
        if after is not None and key is not None:
            self._put(key, after, gone=False)

    def last(self) -> Iterator[tuple[bool, bool, list[str | None]]]:
        """The last state of each key that changed: whether it is gone, whether the source has to be asked for its row, and its texts.

        The log does not tell all of a row that has to be asked for. Of such, and of one that is gone, the key's texts count only.
        """
        self._pack()
        if not self._files:
            return
        files = f"read_parquet({literal(str(self._folder / '*.parquet'))})"
        self._duckdb.execute(f"CREATE TABLE newest AS SELECT max(n) AS n FROM {files} GROUP BY k")
        found = self._duckdb.execute(f"SELECT gone, asked, v FROM {files} SEMI JOIN newest USING (n)")
        while rows := found.fetchmany(ROWS_AT_ONCE):
            yield from rows

    def _key_of(self, values: Values) -> list[str | None]:
        missing = next((name for name in self._key if name not in values), None)
        if missing is not None:
            raise Unkeyed(missing)
        return [values[name] for name in self._key]

    def _put(self, key: list[str | None], values: Values, *, gone: bool) -> None:
        self._number += 1
        asked = not gone and any(name not in values for name in self._columns)
        told: dict[str, Any] = {"n": self._number, "gone": gone, "asked": asked, "k": key}
        line = json.dumps({**told, "v": [values.get(name) for name in self._columns]}, ensure_ascii=False)
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
        self._text.seek(0)
        self._text.truncate()
        self._written = self._longest = 0

    def _forget(self) -> None:
        """All rows went: what was told of them before says nothing any more."""
        self._text.seek(0)
        self._text.truncate()
        self._written = self._longest = 0
        for file in self._folder.glob("*.parquet"):
            file.unlink()
        self._files, self.truncated = 0, True
