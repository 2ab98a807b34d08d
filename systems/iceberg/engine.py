"""DuckDB over the lake's files: writes Parquet to S3, and runs a program's SQL where it can reach nothing but its inputs."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from shared_metadata.contract.own_columns import DELETED, unlike
from shared_metadata.contract.parquet.duckdb_errors import told, unreached
from shared_metadata.contract.parquet.duckdb_session import identifier, interrupted_at, literal, open_duckdb
from shared_metadata.contract.tasks.outgrown import Outgrown
from shared_metadata.errors import DefinitionError
from systems.iceberg import partitions, relations
from systems.iceberg.column_types import result_columns

if TYPE_CHECKING:
    import duckdb

    from systems.iceberg.versions import Read

RESERVED = ("system", "temp")
DEFAULT_DATABASE = "memory"
TOO_LONG = "make the batches smaller, or where a MERGE rewrites all of a large table, PARTITION BY what a batch has little of"
MORE_MEMORY = "give the slice more memory and /tmp when it is deployed: -c memoryOf={0}=…, -c tmpOf={0}=…"
CUT_SECONDS = 20.0  # before the function's end, so that the error says what happened


class Engine:
    """One DuckDB of one step; `place` is where in the program errors point to.

    session: None where nothing is in S3.
    ends_monotonic: when the function is stopped; what still runs shortly before is interrupted.  cut: whether something was.
    """

    def __init__(self, session: Any, slice_id: str, place: str, target_file_mb: int, ends_monotonic: float) -> None:
        self._connection: duckdb.DuckDBPyConnection = open_duckdb(session)
        self._slice_id, self._place, self._target_file_mb = slice_id, place, target_file_mb
        self._cut_monotonic, self.cut = ends_monotonic - CUT_SECONDS, False
        # A result's order means nothing in a table, and keeping it costs memory; 50 GB a file bounds the parts of an upload.
        self._connection.execute("SET enable_progress_bar = false; SET preserve_insertion_order = false")
        if session is not None:
            self._connection.execute("SET s3_uploader_max_filesize = '50GB'")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    @contextlib.contextmanager
    def errors(self, sql: str = "") -> Iterator[None]:
        """Turns DuckDB's errors into ours; none of them holds data. sql: what runs, '' where no row is read."""
        import duckdb

        try:
            yield
        except (duckdb.HTTPException, duckdb.IOException) as error:
            raise unreached(error, f"S3 was not reached: {type(error).__name__}", place=self._place) from None
        except duckdb.OutOfMemoryException:
            raise Outgrown(
                "the query needs more memory than the function has",
                place=self._place,
                remedy=f"{MORE_MEMORY.format(self._slice_id)}, or make the batches smaller",
            ) from None
        except duckdb.InterruptException:
            self.cut = True
            raise Outgrown("the query did not end before the function's time limit", place=self._place, remedy=TOO_LONG) from None
        except duckdb.PermissionException:
            raise DefinitionError(
                "the query reaches outside of its inputs",
                place=self._place,
                remedy="read tables of the warehouse only",
            ) from None
        except (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException) as error:
            why = self._misread(sql) if sql else str(error)
            raise DefinitionError(f"the query is wrong: {why}", place=self._place, remedy="correct it and apply") from None
        except duckdb.Error as error:
            raise DefinitionError(
                f"the query failed: {told(error)}",
                place=self._place,
                remedy="correct the query, e.g. with TRY_CAST, or the data at its source",
            ) from None

    def _misread(self, sql: str) -> str:
        """What is wrong with a statement before any row is read, whose text can quote nothing but the statement."""
        import duckdb

        try:
            if len(duckdb.extract_statements(sql)) == 1:  # what follows EXPLAIN's first statement would run
                self._connection.execute(f"EXPLAIN {sql}")
        except duckdb.Error as error:
            return str(error)
        return "a row is refused, in words that may quote it"

    def fetch(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """values: those of its question marks."""
        with self.errors(sql), interrupted_at(self._connection, self._cut_monotonic - time.monotonic()):
            return self._connection.execute(sql, values or None).fetchall()

    def describe(self, query: str) -> list[tuple[str, str]]:
        """(name, DuckDB's type) of each column of a query's result."""
        return [(str(row[0]), str(row[1])) for row in self.fetch(f"DESCRIBE {query}")]

    def attach(self, tables: Mapping[str, Read], sees_deleted: Sequence[str] = ()) -> None:
        """Makes `warehouse.schema.table` resolve to exactly these versions, and to the rows that are not marked as deleted.

        sees_deleted: the tables of which those are seen too.
        """
        for dataset, version in tables.items():
            database, schema, table = dataset.split(".")
            if database in RESERVED:
                raise DefinitionError(f"a warehouse cannot be named {database}", place=self._place, remedy="rename it")
            if database != DEFAULT_DATABASE:
                self.fetch(f"ATTACH IF NOT EXISTS ':memory:' AS {identifier(database)}")
            qualified = f"{identifier(database)}.{identifier(schema)}"
            self.fetch(f"CREATE SCHEMA IF NOT EXISTS {qualified}")
            columns = version.columns
            rows = f"SELECT {relations.names(columns)} FROM {relations.rows_of(version.files, columns, version.deletes)}"
            if DELETED in columns and dataset not in sees_deleted:
                rows += f" WHERE {identifier(DELETED.name)} IS NOT TRUE"
            self.fetch(f"CREATE VIEW {qualified}.{identifier(table)} AS {rows}")

    def bound(self, start: str, end: str) -> None:
        """Defines batch_start() and batch_end()."""
        for name, moment in (("batch_start", start), ("batch_end", end)):
            self.fetch(f"CREATE MACRO {name}() AS TIMESTAMPTZ {literal(moment)}")

    def confine(self, files: Sequence[str], folders: Sequence[str]) -> None:
        """Confines the engine: from here on it reads only these files, writes only below these folders, and keeps its settings."""
        paths = ", ".join(map(literal, files))
        self.fetch(f"SET allowed_paths = [{paths}]; SET allowed_directories = [{', '.join(map(literal, folders))}]")
        self.fetch("SET enable_external_access = false; SET lock_configuration = true")

    def only_select(self, query: str) -> None:
        """Raises DefinitionError unless `query` is one SELECT."""
        import duckdb

        with self.errors():
            statements = duckdb.extract_statements(query)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise DefinitionError("the query is not one SELECT", place=self._place, remedy="write one SELECT after AS")

    def write(self, query: str, folder: str, partition_by: Sequence[str] = ()) -> list[dict[str, Any]]:
        """The query's rows as Parquet below `folder` (s3://…/): {'url', 'rows', 'bytes'} of each file that has rows.

        With `partition_by` each file has rows of one partition only, and beside these 'partition', of partitions.encoded.
        """
        layout = f"FILE_SIZE_BYTES '{self._target_file_mb}MB'"
        described = self.describe(query) if partition_by else []
        if partition_by:
            column, rows = (unlike((name for name, _ in described), word) for word in ("atoll_partition", "atoll_rows"))
            query = f"SELECT {rows}.*, {partitions.digest(partition_by, rows)} AS {column} FROM ({query}\n) AS {rows}"
            layout = f"PARTITION_BY ({column}), WRITE_PARTITION_COLUMNS false, HIVE_FILE_PATTERN false"
        options = "FORMAT parquet, COMPRESSION zstd, FILENAME_PATTERN '{uuid}', OVERWRITE_OR_IGNORE true, RETURN_STATS true"
        written = self.fetch(f"COPY ({query}\n) TO {literal(folder.rstrip('/'))} ({options}, {layout})")
        files = [{"url": row[0], "rows": row[1], "bytes": row[2]} for row in written if row[1]]
        if not partition_by or not files:
            return files
        columns = [c for c in result_columns(described, place=self._place) if c.name in partition_by]
        found = self.fetch(partitions.values([file["url"] for file in files], columns))
        of = partitions.encoded(found, columns, place=self._place)
        return [{**file, "partition": of[file["url"]]} for file in files]
