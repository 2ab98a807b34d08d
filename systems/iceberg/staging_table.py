"""Tables that engines elsewhere write a batch's rows to: files with the field ids of the table that they are for.

Such an engine writes what its catalog calls a table, and nothing else. So a batch's rows become a table of their own in the schema
`atoll_staging`, below the place of what they are for; the commit takes its files over, as it takes those of any engine, and then the
table is forgotten in the catalog. Readers find columns of a file by its field ids, so they have to be the other table's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.exceptions import NoSuchTableError, TableAlreadyExistsError
from pyiceberg.manifest import DataFile
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema as IcebergSchema
from pyiceberg.serializers import ToOutputFile
from pyiceberg.table import Table
from pyiceberg.table.metadata import TableMetadata, TableMetadataV2
from pyiceberg.table.sorting import UNSORTED_SORT_ORDER
from pyiceberg.transforms import IdentityTransform

from shared_metadata import naming
from systems.iceberg import partitions
from systems.iceberg.iceberg_schema import columns_of
from systems.iceberg.ownership import own_database
from systems.iceberg.renamed import renamed

SCHEMA = "atoll_staging"
FORGOTTEN_AFTER = timedelta(days=2)  # by when no statement can be writing to one, nor a batch be about to take it over
FIRST_PARTITION_FIELD = 1000


@dataclass(frozen=True)
class StagingTable:
    """One of them, by its name in the catalog.  snapshot_id: that with its rows, once they are there."""

    database: str
    name: str
    snapshot_id: int | None = None

    def to_plain(self) -> list[Any]:
        return [self.database, self.name, self.snapshot_id]

    @property
    def identifier(self) -> tuple[str, str]:
        return self.database, self.name


@dataclass(frozen=True)
class StagedRows:
    """files: as Engine.write gives them."""

    table: StagingTable
    files: list[dict[str, Any]]


class StagingTables:
    """Those of one warehouse."""

    def __init__(self, catalog: GlueCatalog, warehouse: str, place: str) -> None:
        self._catalog, self._warehouse, self._place = catalog, warehouse, place
        self._database = naming.database(warehouse, SCHEMA)

    def make(self, token: str, schema: IcebergSchema, partition_by: Sequence[str], location: str) -> StagingTable:
        """The table of this token, with exactly this schema's field ids; made where it is not there yet."""
        return self._registered(token, lambda: _metadata(token, schema, partition_by, location), location)

    def named(self, token: str) -> StagingTable:
        """The table of this token, which may not be there."""
        return StagingTable(self._database, f"t{token.replace('-', '')}")

    def renamed(self, token: str, table: Table, snapshot_id: int, names: Mapping[str, str], location: str) -> StagingTable:
        """A version of a table under other names of columns; made where it is not there yet.  location: for its metadata alone."""
        return self._registered(token, lambda: renamed(table.metadata, snapshot_id, names), location)

    def _registered(self, token: str, metadata: Callable[[], TableMetadata], location: str) -> StagingTable:
        made = self.named(token)
        if self._find(made) is not None:
            return made
        own_database(self._catalog, self._database, f"{self._warehouse}.{SCHEMA}", self._place)
        file = f"{location}/metadata/00000-{token}.metadata.json"
        output = self._catalog._load_file_io(location=file).new_output(file)
        if not output.exists():  # by another call, of this very text
            ToOutputFile.table_metadata(metadata(), output, overwrite=True)
        with contextlib.suppress(TableAlreadyExistsError):  # by a call that was given up, and came to its end
            self._catalog.register_table(made.identifier, file)
        return made

    def rows(self, staged: StagingTable) -> StagedRows | None:
        """What was written to it; None where that was no row.

        A statement that failed, as the service says, may have written its rows before another one did: those of the first stand
        for all, for each writes the result of the same query over the same versions.
        """
        table = self._catalog.load_table(staged.identifier)
        if not table.metadata.snapshots:
            return None
        first = min(table.metadata.snapshots, key=lambda snapshot: snapshot.sequence_number or 0).snapshot_id
        files = [_written(task.file, table) for task in table.scan(snapshot_id=first).plan_files() if task.file.record_count]
        return StagedRows(replace(staged, snapshot_id=first), files)

    def forget(self, staged: StagingTable) -> None:
        """Takes it from the catalog; its files stay, for they may be another table's now."""
        with contextlib.suppress(NoSuchTableError):
            self._catalog.drop_table(staged.identifier)

    def forget_old(self, glue: Any) -> int:
        """Forgets those that batches have left which did not end; the number of them."""
        before, found = datetime.now(UTC) - FORGOTTEN_AFTER, []
        try:
            for page in glue.get_paginator("get_tables").paginate(DatabaseName=self._database):
                found += [table["Name"] for table in page["TableList"] if table["CreateTime"] < before]
        except glue.exceptions.EntityNotFoundException:  # no batch has made one yet
            return 0
        for name in found:
            self.forget(StagingTable(self._database, name))
        return len(found)

    def _find(self, staged: StagingTable) -> Table | None:
        try:
            return self._catalog.load_table(staged.identifier)
        except NoSuchTableError:
            return None


def _metadata(token: str, schema: IcebergSchema, partition_by: Sequence[str], location: str) -> TableMetadataV2:
    spec = PartitionSpec(
        *(
            PartitionField(schema.find_field(column).field_id, FIRST_PARTITION_FIELD + number, IdentityTransform(), column)
            for number, column in enumerate(partition_by)
        )
    )
    return TableMetadataV2.model_validate(
        {
            "table-uuid": token,
            "location": location,
            "last-updated-ms": 0,  # the same whoever makes it
            "last-column-id": schema.highest_field_id,
            "schemas": [IcebergSchema(*schema.fields, schema_id=0)],
            "current-schema-id": 0,
            "partition-specs": [spec],
            "default-spec-id": spec.spec_id,
            "last-partition-id": FIRST_PARTITION_FIELD + len(partition_by) - 1,
            "sort-orders": [UNSORTED_SORT_ORDER],
            "default-sort-order-id": UNSORTED_SORT_ORDER.order_id,
            "properties": {"write.parquet.compression-codec": "zstd"},
        }
    )


def _written(file: DataFile, table: Table) -> dict[str, Any]:
    written = {"url": file.file_path, "rows": file.record_count, "bytes": file.file_size_in_bytes}
    fields = table.spec().fields
    if not fields:
        return written
    types = {column.name: column.type for column in columns_of(table.schema())}
    values = {field.name: file.partition[number] for number, field in enumerate(fields)}
    return {**written, "partition": {name: partitions.kept(types[name], value) for name, value in values.items()}}
