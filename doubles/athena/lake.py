"""The lake's Iceberg tables as a query finds them: in the Glue Data Catalog and in S3, by the rights of whoever runs it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa
from botocore.exceptions import ClientError
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.exceptions import CommitFailedException, NoSuchTableError
from pyiceberg.io.pyarrow import _determine_partitions, schema_to_pyarrow
from pyiceberg.schema import Schema
from pyiceberg.table import FileScanTask, Table
from pyiceberg.types import IcebergType, ListType, MapType, NestedField, StructType

from doubles.athena.errors import QueryFailed, unknown
from doubles.athena.files import Caller
from doubles.athena.limits import MOST_PARTITIONS

CATALOG = "awsdatacatalog"
_DENIED = ("AccessDenied", "AccessDeniedException", "403")


@dataclass(frozen=True)
class Version:
    """A table as of one snapshot; None of a table that has none."""

    table: Table
    snapshot_id: int | None

    @cached_property
    def schema(self) -> Schema:
        return self.table.scan(snapshot_id=self.snapshot_id).projection() if self.snapshot_id else self.table.schema()

    @cached_property
    def tasks(self) -> Sequence[FileScanTask]:
        if self.snapshot_id is None:
            return []
        with permitted():
            return list(self.table.scan(snapshot_id=self.snapshot_id).plan_files())

    @cached_property
    def rows(self) -> int:
        """As a reader counts them that goes by the files' metadata, where nothing is deleted beside them."""
        if any(task.delete_files for task in self.tasks):
            with permitted():
                return self.table.scan(snapshot_id=self.snapshot_id).count()
        return sum(task.file.record_count for task in self.tasks)

    def bytes_of(self, names: Sequence[str]) -> int:
        """What reading these columns takes of the files, as Parquet's chunks of a column are read alone."""
        ids = {number for name in names for number in _ids(self.schema.find_field(name))}
        sizes = [task.file.column_sizes for task in self.tasks]
        return sum(sum(size for number, size in (one or {}).items() if number in ids) for one in sizes)

    def read(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        with permitted():
            yield from self.table.scan(snapshot_id=self.snapshot_id, selected_fields=tuple(names)).to_arrow_batch_reader()


class Lake:
    """database: that of a table which is named without one."""

    def __init__(self, caller: Caller, database: str) -> None:
        self._caller, self._database = caller, database

    @cached_property
    def _glue(self) -> Any:
        return self._caller.client("glue")

    @cached_property
    def _catalog(self) -> GlueCatalog:
        return GlueCatalog("athena", client=self._glue, **self._caller.properties())

    def table(self, parts: Sequence[str]) -> Table:
        """parts: of its name, as written; a catalog may come first."""
        names = [part.lower() for part in parts]
        if len(names) == 3 and names[0] != CATALOG:
            raise QueryFailed("CATALOG_NOT_FOUND", f"line 1:1: Catalog '{names[0]}' does not exist")
        database, name = names[-2] if len(names) > 1 else self._database, names[-1]
        if "$" in name:
            raise unknown(f"the table {name} of metadata")
        with permitted():
            try:
                self._glue.get_database(Name=database)
            except self._glue.exceptions.EntityNotFoundException:
                raise QueryFailed("SCHEMA_NOT_FOUND", f"line 1:1: Schema '{database}' does not exist") from None
            try:
                return self._catalog.load_table((database, name))
            except NoSuchTableError:
                said = f"line 1:1: Table '{CATALOG}.{database}.{name}' does not exist"
                raise QueryFailed("TABLE_NOT_FOUND", said) from None

    def append(self, table: Table, rows: pa.Table) -> tuple[int, list[str]]:
        """Commits the rows as a snapshot of the table: the bytes of its files, and their places."""
        wanted = schema_to_pyarrow(table.schema(), include_field_ids=False)
        rows = rows.rename_columns(wanted.names).cast(wanted)
        if not table.spec().is_unpartitioned():
            partitions = {str(one.partition_key.partition) for one in _determine_partitions(table.spec(), table.schema(), rows)}
            if len(partitions) > MOST_PARTITIONS:
                said = f"Exceeded limit of {MOST_PARTITIONS} open writers for partitions"
                raise QueryFailed("ICEBERG_TOO_MANY_OPEN_PARTITIONS", said)
        if not len(rows):
            return 0, []
        with permitted():
            try:
                table.append(rows)
            except CommitFailedException:
                raise commit_error(table) from None
        snapshot = table.current_snapshot()
        if snapshot is None:
            raise QueryFailed("ICEBERG_COMMIT_ERROR", "the table has no snapshot after a commit")
        added = [m for m in snapshot.manifests(table.io) if m.added_snapshot_id == snapshot.snapshot_id]
        files = [entry.data_file for manifest in added for entry in manifest.fetch_manifest_entry(table.io)]
        return sum(file.file_size_in_bytes for file in files), [file.file_path for file in files]


def commit_error(table: Table) -> QueryFailed:
    return QueryFailed("ICEBERG_COMMIT_ERROR", f"Failed to commit Iceberg update to table: {'.'.join(table.name())}")


def _ids(field: NestedField) -> Iterator[int]:
    """Of a column and all that is within it: a file's sizes are those of the innermost."""
    yield field.field_id
    for inner in _within(field.field_type):
        yield from _ids(inner)


def _within(kind: IcebergType) -> Sequence[NestedField]:
    if isinstance(kind, ListType):
        return [kind.element_field]
    if isinstance(kind, MapType):
        return [kind.key_field, kind.value_field]
    return kind.fields if isinstance(kind, StructType) else []


@contextmanager
def permitted() -> Iterator[None]:
    """Says of what the caller's rights do not allow that it does not, as a failure of the query."""
    try:
        yield
    except PermissionError as error:  # of the file system's
        raise QueryFailed("PERMISSION_DENIED", f"Access Denied (Service: Amazon S3; Status Code: 403): {error}") from None
    except ClientError as error:
        if error.response["Error"]["Code"] not in _DENIED:
            raise
        raise QueryFailed(
            "PERMISSION_DENIED", f"Insufficient permissions to execute the query. {error.response['Error']['Message']}"
        ) from None
