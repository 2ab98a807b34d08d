"""The SQL of relations over Parquet files, without running it."""

from __future__ import annotations

from collections.abc import Sequence

from shared_metadata.contract.own_columns import VIEW_BATCH, unlike
from shared_metadata.contract.parquet.duckdb_session import identifier, literal
from shared_metadata.contract.parquet.duckdb_types import duckdb_type
from shared_metadata.program.schema import SchemaColumn


def numbered(files: Sequence[str], columns: Sequence[SchemaColumn], deletes: Sequence[str] = ()) -> str:
    """A relation of exactly these Parquet files with exactly these columns; a column that a file lacks is null there.

    They are called c0, c1, …, so that no name of theirs meets one of ours or of DuckDB's. Beside them stand `atoll_file`,
    `atoll_index` and `atoll_row`: in which file a row is, and where.
    deletes: files that name rows of these which are deleted (delete_files.py).
    """
    if not files:
        empty = ", ".join(f"NULL::{duckdb_type(c.type)} AS c{number}" for number, c in enumerate(columns))
        return f"(SELECT {empty}, NULL::VARCHAR AS atoll_file, NULL::BIGINT AS atoll_index, NULL::BIGINT AS atoll_row WHERE false)"
    entries = ", ".join(
        f"{literal(c.name)}: {{name: 'c{number}', type: {literal(duckdb_type(c.type))}, default_value: NULL}}"
        for number, c in enumerate(columns)
    )
    read = f"read_parquet([{', '.join(map(literal, files))}], schema = MAP{{{entries}}}, hive_partitioning = false)"
    rows = f"SELECT *, filename AS atoll_file, file_index AS atoll_index, file_row_number AS atoll_row FROM {read}"
    if not deletes:
        return f"({rows})"
    gone = f"SELECT file_path, pos FROM read_parquet([{', '.join(map(literal, deletes))}])"
    return f"(SELECT s.* FROM ({rows}) s ANTI JOIN ({gone}) d ON s.atoll_file = d.file_path AND s.atoll_row = d.pos)"


def named(columns: Sequence[SchemaColumn], relation: str) -> str:
    """What to SELECT of `numbered`, so that columns have their names again."""
    return ", ".join(f"{relation}.c{number} AS {identifier(c.name)}" for number, c in enumerate(columns))


def rows_of(files: Sequence[str], columns: Sequence[SchemaColumn], deletes: Sequence[str] = (), *, file: bool = False) -> str:
    """A relation of exactly these files with these columns and no others, by their names; deletes: as `numbered` has it.

    file: with the columns `file_column` and `row_column`, the file that a row is in, and where.
    """
    where = f", r.atoll_file AS {file_column(columns)}, r.atoll_row AS {row_column(columns)}" if file else ""
    return f"(SELECT {named(columns, 'r')}{where} FROM {numbered(files, columns, deletes)} r)"


def file_column(columns: Sequence[SchemaColumn]) -> str:
    return unlike((c.name for c in columns), "atoll_file")


def row_column(columns: Sequence[SchemaColumn]) -> str:
    return unlike((c.name for c in columns), "atoll_row")


def all_of(files: Sequence[str], columns: Sequence[SchemaColumn], deletes: Sequence[str] = ()) -> str:
    """The query of all rows of these files; deletes: as `numbered` has it."""
    return f"SELECT {named(columns, 'r')} FROM {numbered(files, columns, deletes)} r"


def result_query(query: str, columns: Sequence[SchemaColumn], batch: str = "") -> str:
    """The query's rows as the columns' types; `batch` is the moment that the hidden batch column holds, '' for none."""
    casts = [f"CAST({identifier(c.name)} AS {duckdb_type(c.type)}) AS {identifier(c.name)}" for c in columns]
    if batch:
        casts.append(f"TIMESTAMPTZ {literal(batch)} AS {identifier(VIEW_BATCH)}")
    return f"SELECT {', '.join(casts)} FROM ({query}\n) AS result"


def names(columns: Sequence[SchemaColumn], alias: str = "") -> str:
    prefix = f"{alias}." if alias else ""
    return ", ".join(prefix + identifier(c.name) for c in columns)


def has_duplicates(files: Sequence[str], columns: Sequence[SchemaColumn], key: Sequence[str]) -> str:
    """One row when a key occurs twice in the files."""
    keys = ", ".join(numbers(columns, key, "r"))
    return f"SELECT 1 FROM {numbered(files, columns)} r GROUP BY {keys} HAVING count(*) > 1 LIMIT 1"


def latest_rows(files: Sequence[str], columns: Sequence[SchemaColumn], key: Sequence[str], cursor: str) -> str:
    """One row for each key: that of the highest cursor, and among equals the last in the order of files and rows."""
    newest = [f"{number} DESC NULLS LAST" for number in numbers(columns, [cursor] if cursor else [], "r")]
    order = ", ".join([*newest, "r.atoll_index DESC", "r.atoll_row DESC"])
    keys = ", ".join(numbers(columns, key, "r"))
    return (
        f"SELECT {named(columns, 'r')} FROM {numbered(files, columns)} r "
        f"QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY {order}) = 1"
    )


def numbers(columns: Sequence[SchemaColumn], names: Sequence[str], relation: str) -> list[str]:
    """The columns with these names in a relation that is made by `numbered`. Raises ValueError for one that is not there."""
    known = [c.name for c in columns]
    return [f"{relation}.c{known.index(name)}" for name in names]


def within(column: str, start: str, end: str) -> str:
    """Whether a row was made by the batch [start, end), which the expression `column` says; never null."""
    return f"coalesce({column} >= TIMESTAMPTZ {literal(start)} AND {column} < TIMESTAMPTZ {literal(end)}, false)"
