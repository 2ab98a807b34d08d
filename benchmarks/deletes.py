"""What it takes DuckDB to look for a batch's keys in a table's files, and to read these with deletes beside them.

    python -m benchmarks.deletes [--rows 4000000] [--keys 1000]

Files are those that the lake writes (Parquet, ZSTD, 500,000 rows), on the machine's own disk; CPU of one thread, a million rows of
the table; least of three. `1 in 100 deleted`: the lake's own relation of files and delete files (systems/iceberg/relations.py).
"""

from __future__ import annotations

import argparse
import resource
import tempfile
from collections.abc import Sequence
from pathlib import Path

import duckdb

from shared_metadata.program.schema import SchemaColumn
from systems.iceberg.relations import rows_of

COLUMNS = [
    SchemaColumn(name, kind)
    for name, kind in (("id", "string"), ("n", "long"), ("carrier", "string"), ("amount", "decimal(9,2)"), ("note", "string"))
]
ROWS = """SELECT md5(i::VARCHAR) AS id, i AS n, 'carrier ' || i % 16 AS carrier, (i % 100000 / 100)::DECIMAL(9,2) AS amount,
 md5((i + 7)::VARCHAR) AS note FROM range({0}, {0} + 500000) r(i)"""
NONE, FEW, SOME, MANY = "", "1 in 1,000 deleted", "1 in 100 deleted", "1 in 10 deleted"
PARTS = {FEW: 1000, SOME: 100, MANY: 10}


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def queries(files: Sequence[str], deletes: Sequence[str]) -> dict[str, str]:
    found = "SELECT t.atoll_row AS pos, t.atoll_file AS file_path FROM {} t JOIN incoming n ON t.{} IS NOT DISTINCT FROM n.{}"
    gone = f"ANTI JOIN read_parquet({[*deletes]}) USING (file_path, pos)" if deletes else ""
    look = f"SELECT count(*) FROM ({found}) {gone}"
    return {
        "texts of 32 looked for": look.format(rows_of(files, COLUMNS, file=True), "id", "k"),
        "numbers looked for": look.format(rows_of(files, COLUMNS, file=True), "n", "m"),
        "two columns read": f"SELECT sum(t.amount), max(t.note) FROM {rows_of(files, COLUMNS, deletes)} t",
    }


def measured(folder: Path, rows: int, keys: int) -> None:
    with duckdb.connect(config={"threads": 1, "memory_limit": "1434MB", "temp_directory": str(folder / "tmp")}) as connection:
        connection.execute("SET preserve_insertion_order = false; SET enable_progress_bar = false")
        files = [str(folder / f"{at}.parquet") for at in range(0, rows, 500_000)]
        for at, file in zip(range(0, rows, 500_000), files, strict=True):
            connection.execute(f"COPY ({ROWS.format(at)}) TO '{file}' (FORMAT parquet, COMPRESSION zstd)")
        picked = f"SELECT DISTINCT (hash(range) % {rows})::BIGINT AS m FROM range({keys})"
        connection.execute(f"CREATE TABLE incoming AS SELECT m, md5(m::VARCHAR) AS k FROM ({picked})")
        size = sum(Path(file).stat().st_size for file in files)
        print(f"{rows:,} rows in {len(files)} files of {size / 2**20:,.0f} MB, {keys:,} keys; s of CPU a million rows")
        for name in (NONE, FEW, SOME, MANY):
            deletes, said = [], "nothing deleted"
            if name:
                deletes = [str(folder / f"deletes-{PARTS[name]}.parquet")]
                where = f"FROM read_parquet({files}) WHERE hash(n) % {PARTS[name]} = 0"
                gone = f"SELECT filename AS file_path, file_row_number AS pos {where} ORDER BY ALL"
                connection.execute(f"COPY ({gone}) TO '{deletes[0]}' (FORMAT parquet, COMPRESSION zstd)")
                said = f"{name}, {Path(deletes[0]).stat().st_size / 2**10:,.0f} KB"
            for what, query in queries(files, deletes).items():
                taken = []
                for _ in range(3):
                    before = cpu()
                    connection.execute(query).fetchall()
                    taken.append(cpu() - before)
                print(f"  {said:<30}{what:<26}{min(taken) / rows * 1e6:>8.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=4_000_000)
    parser.add_argument("--keys", type=int, default=1000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measured(Path(folder), arguments.rows, arguments.keys)


if __name__ == "__main__":
    main()
