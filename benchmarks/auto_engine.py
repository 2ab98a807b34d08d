"""What DuckDB takes for a query of the lake's files, a byte of them: where `engine = 'auto'` leaves a function for a larger engine.

    python -m benchmarks.auto_engine --rows 4

Files are those that the lake writes (Parquet, ZSTD). Of each query the memory and temporary files that DuckDB takes at most, and the
CPU of one thread, beside the bytes of the files that it reads.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import threading
import time
from pathlib import Path
from typing import Self

import duckdb

QUERIES = {
    "some groups": "SELECT carrier, avg(delay) AS mean, count(*) AS n FROM t GROUP BY carrier",
    "a group a row": "SELECT id, name, max(delay) AS most FROM t GROUP BY id, name",
    "a join with itself": "SELECT a.*, b.delay AS other FROM t a JOIN t b ON a.id = b.id",
    "a window over all": "SELECT *, row_number() OVER (PARTITION BY carrier ORDER BY delay) AS n FROM t",
    "a MERGE's files anew": "SELECT t.* FROM t ANTI JOIN (SELECT id FROM t WHERE id % 100 = 0) n ON t.id = n.id",
}
ROWS = """SELECT (hash(i) % 9223372036854775807)::BIGINT AS id, 'carrier ' || (hash(i + 1) % 20) AS carrier, md5(i::VARCHAR) AS name,
 random() * 100 AS delay, (hash(i + 2) % 100000) / 100::DECIMAL(12,2) AS price, TIMESTAMPTZ '2024-01-01' + INTERVAL (i) SECOND AS seen
 FROM range({rows}) r(i)"""


class Peak:
    """The most that DuckDB holds in memory and in temporary files, looked at every few milliseconds."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection, self.bytes, self._stop = connection.cursor(), 0, threading.Event()

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(0.02):
            found = self._connection.execute(
                "SELECT sum(memory_usage_bytes) + sum(temporary_storage_bytes) FROM duckdb_memory()"
            ).fetchone()
            self.bytes = max(self.bytes, int((found or (0,))[0] or 0))


def measured(folder: Path, rows: int, memory_mb: int) -> None:
    source, result = folder / "rows.parquet", folder / "result.parquet"
    with duckdb.connect(config={"threads": 1, "memory_limit": f"{memory_mb}MB", "temp_directory": str(folder / "tmp")}) as connection:
        connection.execute("SET preserve_insertion_order = false; SET enable_progress_bar = false")
        connection.execute(f"COPY ({ROWS.format(rows=rows)}) TO '{source}' (FORMAT parquet, COMPRESSION zstd)")
        connection.execute(f"CREATE VIEW t AS FROM read_parquet('{source}')")
        size = source.stat().st_size
        print(f"{rows:,} rows, {size / 2**20:,.0f} MB of files, {memory_mb} MB of memory")
        for name, query in QUERIES.items():
            before = resource.getrusage(resource.RUSAGE_SELF)
            began = time.monotonic()
            with Peak(connection) as peak:
                connection.execute(f"COPY ({query}) TO '{result}' (FORMAT parquet, COMPRESSION zstd)")
            after = resource.getrusage(resource.RUSAGE_SELF)
            cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
            print(
                f"  {name:<22}{peak.bytes / 2**20:>8,.0f} MB  {peak.bytes / size:>5.1f} times the files  "
                f"{cpu / rows * 1e6:>6.2f} s of CPU a million rows  ({time.monotonic() - began:.1f} s)"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=float, default=4, help="millions")
    parser.add_argument("--memory", type=int, default=1400, help="MB for DuckDB: 70 % of a function of 2,048")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="atoll-auto-") as folder:
        measured(Path(folder), int(given.rows * 1_000_000), given.memory)


if __name__ == "__main__":
    main()
