"""The Iceberg tables of a warehouse in the Glue Data Catalog: reads their versions, and commits a new one in one atomic step."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from typing import Any

from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.exceptions import CommitFailedException, NoSuchTableError, TableAlreadyExistsError, ValidationException
from pyiceberg.expressions import AlwaysTrue, And, BooleanExpression, GreaterThanOrEqual, LessThanOrEqual
from pyiceberg.manifest import DataFile
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema as IcebergSchema
from pyiceberg.table import Table, Transaction
from pyiceberg.table.update.snapshot import _SnapshotProducer
from pyiceberg.transforms import IdentityTransform
from pyiceberg.typedef import Record

from shared_metadata import naming
from shared_metadata.contract.batch_identity import Identity, Standing, standing
from shared_metadata.contract.evolution import evolution
from shared_metadata.contract.own_columns import VIEW_BATCH
from shared_metadata.contract.runtime.services import Services
from shared_metadata.errors import DefinitionError, RetryLater
from shared_metadata.program.schema import SchemaColumn
from systems.iceberg import exact_doubles
from systems.iceberg.data_files import data_file
from systems.iceberg.delete_files import delete_files, folded, is_ours
from systems.iceberg.iceberg_schema import check_names, columns_of, evolve, iceberg_schema
from systems.iceberg.overwriting import Overwriting
from systems.iceberg.ownership import check_table, own_database
from systems.iceberg.snapshots import LOOKED, bytes_of_snapshot, history
from systems.iceberg.staging_table import StagingTables
from systems.iceberg.versions import Change, Read, Written

exact_doubles.install()

COMMIT_TRIES = 6
COMMIT_SECONDS = 10.0  # to write manifests and to move the catalog on
NAME_MAPPING = "schema.name-mapping.default"
PROPERTIES = {
    "format-version": "2",
    "write.parquet.compression-codec": "zstd",
    "commit.manifest-merge.enabled": "true",
    "commit.manifest.min-count-to-merge": "20",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
}


class Tables:
    """The tables of one warehouse, under `s3://<data bucket>/warehouse/<warehouse>/`."""

    def __init__(self, warehouse: str, services: Services, place: str) -> None:
        self._warehouse, self._services, self._place = warehouse, services, place
        self._location = f"s3://{services.environment.atoll_data_bucket}/warehouse/{warehouse}"

    @cached_property
    def _catalog(self) -> GlueCatalog:
        session = self._services.session
        credentials = session.get_credentials().get_frozen_credentials()
        properties = {
            "py-io-impl": "pyiceberg.io.fsspec.FsspecFileIO",
            "warehouse": self._location,
            "s3.region": session.region_name,
            "s3.access-key-id": credentials.access_key,
            "s3.secret-access-key": credentials.secret_key,
        }
        if credentials.token:
            properties["s3.session-token"] = credentials.token
        return GlueCatalog(self._warehouse, client=self._services.client("glue"), **properties)

    def location(self, dataset: str) -> str:
        """Where the table of 'lake.ops.flights' lives."""
        _, schema, table = dataset.split(".")
        return f"{self._location}/{schema}/{table}"

    def identifier(self, dataset: str) -> tuple[str, str]:
        """Its Glue database and table."""
        warehouse, schema, table = dataset.split(".")
        return naming.database(warehouse, schema), table

    def find(self, dataset: str) -> Table | None:
        """Raises DefinitionError when something else than an Iceberg table of Atoll's has the name."""
        try:
            table = self._catalog.load_table(self.identifier(dataset))
        except NoSuchTableError as error:
            if "expected" in str(error):  # a Glue table of another kind
                raise DefinitionError(
                    str(error), place=self._place, remedy="drop that table from the Glue Data Catalog or name this one otherwise"
                ) from None
            return None
        check_table(table, self.location(dataset), self._place)
        return table

    def read(self, dataset: str, snapshot_id: int) -> Read:
        """The files and columns of one version of a table, without the hidden batch column."""
        table, columns = self._version(dataset, snapshot_id)
        files, deletes = self.files(table, snapshot_id), delete_files(table, snapshot_id)
        return Read([file.file_path for file in files], [file.file_path for file in deletes], columns)

    def bytes(self, dataset: str, snapshot_id: int) -> int:
        """Those of a version's files."""
        return bytes_of_snapshot(self._version(dataset, snapshot_id)[0], snapshot_id)

    def columns(self, dataset: str, snapshot_id: int) -> tuple[SchemaColumn, ...]:
        """The columns of one version of a table, without the hidden batch column."""
        return self._version(dataset, snapshot_id)[1]

    def _version(self, dataset: str, snapshot_id: int) -> tuple[Table, tuple[SchemaColumn, ...]]:
        table = self.find(dataset)
        snapshot = table.snapshot_by_id(snapshot_id) if table else None
        if table is None or snapshot is None:
            raise DefinitionError(
                f"snapshot {snapshot_id} of {dataset} is gone",
                place=self._place,
                remedy=f"run a batch of {dataset} again, then this one; the option keep of the warehouse says how long versions stay",
            )
        schema = table.schemas()[snapshot.schema_id] if snapshot.schema_id is not None else table.schema()
        return table, tuple(c for c in columns_of(schema) if c.name != VIEW_BATCH)

    def fits(self, dataset: str, columns: Sequence[SchemaColumn]) -> None:
        """Raises DefinitionError when the table, as it is or as it would be made, cannot take these columns."""
        table = self.find(dataset)
        known = columns_of(table.schema()) if table else ()
        evolution(known, columns, dataset, place=self._place)
        named = {column.name: column for column in (*known, *columns)}
        check_names(list(named.values()), dataset, place=self._place)

    def schema_for(self, dataset: str, columns: Sequence[SchemaColumn]) -> IcebergSchema:
        """The schema that the table will have when it has taken these columns, with its field ids; nothing is committed."""
        table = self.find(dataset)
        if table is None:
            return iceberg_schema(columns)
        transaction = _AsPrepared(table)
        self._evolve(transaction, dataset, columns)
        return transaction.table_metadata.schema()

    def staging(self) -> StagingTables:
        """The tables to which engines elsewhere write rows for these."""
        return StagingTables(self._catalog, self._warehouse, self._place)

    def files(self, table: Table, snapshot_id: int | None, row_filter: BooleanExpression | None = None) -> list[DataFile]:
        """The data files of a version that may hold rows of `row_filter`; none for None."""
        if snapshot_id is None:
            return []
        tasks = list(table.scan(row_filter=row_filter or AlwaysTrue(), snapshot_id=snapshot_id).plan_files())
        if any(not is_ours(table, file) for task in tasks for file in task.delete_files):
            raise DefinitionError(
                f"another engine has written delete files into {'.'.join(table.name())}",
                place=self._place,
                remedy="compact it there, e.g. with OPTIMIZE … REWRITE DATA in Athena, and write to it by Atoll only",
            )
        return [task.file for task in tasks]

    def commit(
        self,
        dataset: str,
        columns: Sequence[SchemaColumn],
        partition_by: Sequence[str],
        identity: Identity,
        rerun: bool,
        change: Callable[[Table | None, Standing], Change],
    ) -> tuple[Table, int]:
        """Commits what `change` makes of the table as it stands; (table, snapshot id). What has landed before is looked up.

        `change` is asked again when another writer was faster. Raises StaleToken, RetryLater.
        """
        for attempt in range(COMMIT_TRIES):
            table = self.find(dataset)
            stands = standing(identity, history(table), rerun=rerun)
            if table and stands.landed is not None:
                return table, stands.landed
            try:
                return self._commit_once(dataset, table, columns, partition_by, identity, change(table, stands))
            except (CommitFailedException, ValidationException, TableAlreadyExistsError):
                time.sleep(random.uniform(0, 0.1 * 2**attempt))
        raise RetryLater(f"{dataset} is being written by others", place=self._place, remedy="wait; the batch is tried again")

    def _commit_once(
        self,
        dataset: str,
        table: Table | None,
        columns: Sequence[SchemaColumn],
        partition_by: Sequence[str],
        identity: Identity,
        change: Change,
    ) -> tuple[Table, int]:
        transaction = _AsPrepared(table) if table else self._creation(dataset, columns, partition_by)
        if table:
            self._evolve(transaction, dataset, columns)
            _repartition(transaction, partition_by)
        _map_names(transaction)
        removed = self._current(table) if change.replace else change.removed
        told = {LOOKED: str(change.looked)} if change.looked else {}
        snapshot_id = self._write(transaction, {**identity.properties(), **told}, replace(change, removed=removed))
        return transaction.commit_transaction(), snapshot_id

    def swap(self, table: Table, change: Change, properties: dict[str, str]) -> None:
        """Puts files with the same rows in the place of others, upon the table as it was loaded or not at all.

        Manifests that name no file any more go, and many small ones become one. Raises CommitFailedException or ValidationException
        when another writer was faster.
        """
        transaction = _AsPrepared(table)
        if change.removed:
            self._write(transaction, properties, change)
        with transaction.update_snapshot(properties).merge_append():
            pass  # an overwrite neither merges manifests nor drops empty ones; an append does
        transaction.commit_transaction()

    def _write(self, transaction: Transaction, properties: dict[str, str], change: Change) -> int:
        """The change as a snapshot of the transaction; its id."""
        branch = None if change.aside else "main"
        producer: _SnapshotProducer[Any] = transaction.update_snapshot(properties, branch=branch).merge_append()
        if change.replace or change.removed or change.deleted:
            deletes = folded(transaction._table, change.removed, change.deleted, change.within, whole=change.replace)
            producer = Overwriting(transaction, properties, branch, deletes)
        if change.removed:
            producer.delete_by_predicate(AlwaysTrue())  # every manifest is looked through for the removed files
        with producer:
            for file in change.removed:
                producer.delete_data_file(file)
            for file in (
                *self._data_files(transaction, change.added),
                *self._data_files(transaction, change.rewritten, rewritten=True),
            ):
                producer.append_data_file(file)
        return producer.snapshot_id

    def _current(self, table: Table | None) -> list[DataFile]:
        snapshot = table.current_snapshot() if table else None
        return self.files(table, snapshot.snapshot_id) if table and snapshot else []

    def _data_files(self, transaction: Transaction, files: Sequence[Written], *, rewritten: bool = False) -> list[DataFile]:
        io, metadata = transaction._table.io, transaction.table_metadata

        def described(file: Written) -> DataFile:
            self._in_time()
            return data_file(io, metadata, file, place=self._place, rewritten=rewritten)

        with ThreadPoolExecutor(8) as pool:
            try:
                return list(pool.map(described, files))
            except FileNotFoundError as error:
                raise DefinitionError(
                    f"the staged file {error} is gone", place=self._place, remedy="run the collect batch again with from and to"
                ) from None

    def _in_time(self) -> None:
        """Raises DefinitionError where the function would end before the commit does: nothing is visible then."""
        if self._services.deadline_monotonic - time.monotonic() < COMMIT_SECONDS:
            raise DefinitionError(
                "the files of the batch could not all be looked at before the function's time limit",
                place=self._place,
                remedy="make the batches smaller, or their files larger (target_file_mb of the warehouse)",
            )

    def _creation(self, dataset: str, columns: Sequence[SchemaColumn], partition_by: Sequence[str]) -> Transaction:
        """The table and its first rows appear together."""
        database, name = self.identifier(dataset)
        own_database(self._catalog, database, dataset.rpartition(".")[0], self._place)
        schema = iceberg_schema(columns)
        spec = PartitionSpec(
            *(
                PartitionField(schema.find_field(column).field_id, 1000 + number, IdentityTransform(), column)
                for number, column in enumerate(partition_by)
            )
        )
        return self._catalog.create_table_transaction(
            (database, name), schema, location=self.location(dataset), partition_spec=spec, properties=PROPERTIES
        )

    def _evolve(self, transaction: Transaction, dataset: str, columns: Sequence[SchemaColumn]) -> None:
        """New columns are added and types widened; columns that are missing stay, with nulls."""
        known = columns_of(transaction.table_metadata.schema())
        changes = evolution(known, columns, dataset, place=self._place)
        if not changes:
            return
        with transaction.update_schema() as update:
            evolve(update, known, list(changes.items()))


def between(column: str, low: int | str, high: int | str) -> BooleanExpression:
    """Both bounds are in it; moments and dates as ISO text."""
    return And(GreaterThanOrEqual(column, low), LessThanOrEqual(column, high))  # type: ignore[arg-type,call-arg]


class _AsPrepared(Transaction):
    """Commits upon the parent it was prepared for or not at all; pyiceberg's retry would append to whatever stands by then.

    A first attempt whose answer was lost is still recognised: pyiceberg looks for its snapshot before it gets here.
    """

    def _rebuild_snapshot_updates(self) -> None:
        raise ValidationException("another writer has committed")

    def _build_partition_predicate(self, partition_records: set[Record], partition_fields: list[str]) -> BooleanExpression:
        """Every manifest is looked through for the removed files; a predicate of their partitions could not hold a NaN."""
        return AlwaysTrue()


def _map_names(transaction: Transaction) -> None:
    """Files that others wrote hold no field ids: columns are found by name."""
    if NAME_MAPPING not in transaction.table_metadata.properties:
        transaction.set_properties({NAME_MAPPING: transaction.table_metadata.schema().name_mapping.model_dump_json()})


def _repartition(transaction: Transaction, partition_by: Sequence[str]) -> None:
    metadata = transaction.table_metadata
    former = [metadata.schema().find_column_name(field.source_id) for field in metadata.spec().fields]
    if former == list(partition_by):
        return
    with transaction.update_spec() as update:
        for field in metadata.spec().fields:
            update.remove_field(field.name)
        for column in partition_by:
            update.add_identity(column)
