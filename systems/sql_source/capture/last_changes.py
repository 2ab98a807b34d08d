"""Which entry of each key is the last of a share that takes several calls: found by a first reading, for a second to take these only.

Values never outlive a call, since what is masked is not staged in the clear: from one call to the next go numbers of entries, and of
their keys a digest with a salt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shared_metadata.contract.parquet.duckdb_session import function_memory_mb, literal, open_duckdb
from systems.sql_source.memory import Memory

if TYPE_CHECKING:
    import duckdb

# Of `k`, a list of texts and nulls, and `salt`: as `digest` has it.
DIGEST = "md5(salt || array_to_string(list_transform(k, lambda x: coalesce(CAST(strlen(x) AS VARCHAR) || ':' || x, '-')), ','))"
NUMBERS_AT_ONCE = 2048


def digest(key: Sequence[str | None], salt: str) -> str:
    texts = (f"{len(value.encode())}:{value}" if value is not None else "-" for value in key)
    return hashlib.md5((salt + ",".join(texts)).encode(), usedforsecurity=False).hexdigest()


def settle(seen: Sequence[str], url: str, aws: Any) -> None:
    """Writes the last of all that several calls have seen. seen: URLs of `Spool.seen`, one at least."""
    connection = open_duckdb(aws, memory_mb=Memory.of_function(function_memory_mb()).mb, threads=1)
    try:
        files = ", ".join(map(literal, seen))
        last = f"SELECT h, max(n) AS n FROM read_parquet([{files}]) GROUP BY h ORDER BY n"
        connection.execute(f"COPY ({last}) TO {literal(url)} (FORMAT parquet, COMPRESSION zstd)")
    finally:
        connection.close()


class LastChanges:
    """The numbers of entries to take, in their order, behind one of them; `close` it. url: of `settle`; '' for none."""

    def __init__(self, url: str, behind: int, aws: Any) -> None:
        self._duckdb = open_duckdb(aws, memory_mb=Memory.of_function(function_memory_mb()).mb, threads=1)
        self._few: list[tuple[int, str]] = []
        self._answer: duckdb.DuckDBPyConnection | None = None
        self.number: int | None = None
        self._digest = ""
        if url:
            wanted = f"SELECT n, h FROM read_parquet({literal(url)}) WHERE n > {behind} ORDER BY n"
            self._answer = self._duckdb.execute(wanted)
        self._next()

    def close(self) -> None:
        self._duckdb.close()

    @property
    def done(self) -> bool:
        return self.number is None

    def takes(self, number: int) -> str | None:
        """The digest of the entry's key, if it is one of them; numbers are asked for in their order."""
        if number != self.number:
            return None
        found = self._digest
        self._next()
        return found

    def _next(self) -> None:
        if not self._few and self._answer is not None:
            self._few = self._answer.fetchmany(NUMBERS_AT_ONCE)[::-1]
        self.number, self._digest = self._few.pop() if self._few else (None, "")
