"""Maintains one table: small files become large ones, old snapshots are forgotten, and files that none needs are deleted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from pyiceberg.exceptions import CommitFailedException, ValidationException
from pyiceberg.io import FileIO
from pyiceberg.manifest import DataFile, ManifestFile
from pyiceberg.table import Table

from shared_metadata.contract.maintenance.request import MaintenanceRequest, MaintenanceResult
from shared_metadata.contract.maintenance.sweep import SAFE_AGE, delete, old_keys
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.runtime.services import Services
from shared_metadata.errors import RowError
from systems.iceberg import relations
from systems.iceberg.compaction import bins
from systems.iceberg.delete_files import delete_files, deleted_rows
from systems.iceberg.engine import Engine
from systems.iceberg.iceberg_schema import columns_of
from systems.iceberg.snapshots import MAINTENANCE, expirable, made
from systems.iceberg.tables import Tables
from systems.iceberg.versions import Change, Written

TRIES = 4
LEAST_SECONDS = 90.0  # to write a file of target size and to commit it
MANIFESTS = 16  # more of them, or empty ones, are merged
EXPIRE_AT_ONCE = 500
FILES, MANIFEST_LISTS = {MAINTENANCE: "files"}, {MAINTENANCE: "manifests"}


class TableMaintenance:
    """Every commit stands by itself and changes no row; the files of a commit that failed are garbage for a sweep."""

    def __init__(
        self,
        tables: Tables,
        services: Services,
        open_engine: Callable[[], Engine],
        upkeep: MaintenanceRequest,
        target_bytes: int,
        folder: str,
    ) -> None:
        self._tables, self._services, self._open_engine = tables, services, open_engine
        self._upkeep, self._target_bytes, self._folder = upkeep, target_bytes, folder
        self._done: Counter[str] = Counter()

    def run(self, deadline: Deadline) -> MaintenanceResult:
        """Maintains the table in an order in which each step finds what the one before it has left over."""
        finished = self._compact(deadline) and self._expire()
        if not finished or not self._upkeep.sweep:
            return MaintenanceResult(dict(self._done), finished=finished)
        table = self._find()
        if table is None:  # dropped, by mistake perhaps: what was staged may be all that is left of it
            return MaintenanceResult(dict(self._done), needed=None)
        files, others = _files_of(table)
        self._delete(table, frozenset(files | others))
        return MaintenanceResult(dict(self._done), frozenset(files))

    def _find(self) -> Table | None:
        return self._tables.find(self._upkeep.dataset)

    # -- small files

    def _compact(self, deadline: Deadline) -> bool:
        """Puts small files together. Returns False when the deadline came first; earlier commits stay."""
        current, deleted = self._current_files()
        for files in bins(current, self._target_bytes, deleted):
            if deadline.seconds_left < LEAST_SECONDS:
                return False
            with self._open_engine() as engine:
                self._put_together(engine, files)
        self._merge_manifests()
        return True

    def _current_files(self) -> tuple[list[DataFile], dict[str, int]]:
        """The table's files, and of each how many of its rows are deleted."""
        table = self._find()
        snapshot = table.current_snapshot() if table else None
        if table is None or snapshot is None:
            return [], {}
        return self._tables.files(table, snapshot.snapshot_id), _deleted_rows(table)

    def _put_together(self, engine: Engine, files: Sequence[DataFile]) -> None:
        table = self._find()
        if table is None:
            return
        columns, paths = columns_of(table.schema()), [file.file_path for file in files]
        partition_by = [table.schema().find_column_name(field.source_id) or "" for field in table.spec().fields]
        deletes = [file.file_path for file in delete_files(table, table.metadata.current_snapshot_id)]
        deleted = _deleted_rows(table, paths)
        written = engine.write(relations.all_of(paths, columns, deletes), self._folder, partition_by)
        rows, expected = sum(file["rows"] for file in written), sum(file.record_count for file in files) - sum(deleted.values())
        if rows != expected:
            raise RowError(f"{expected} rows became {rows} when files were put together", place=self._upkeep.dataset)
        if self._swap(set(paths), deleted, written):
            self._done.update(compacted_files=len(files), new_files=len(written), compacted_rows=rows)

    def _swap(self, paths: set[str], deleted: Mapping[str, int], written: Sequence[Written]) -> bool:
        """Replaces files; tries again while batches commit other things, gives up when one has replaced one of the files.

        deleted: rows of them that had been deleted when they were read; where more are by now, a batch was faster too.
        """
        for _ in range(TRIES):
            table = self._find()
            snapshot = table.current_snapshot() if table else None
            if table is None or snapshot is None:
                return False
            removed = [file for file in self._tables.files(table, snapshot.snapshot_id) if file.file_path in paths]
            if len(removed) < len(paths) or _deleted_rows(table, paths) != deleted:
                return False
            try:
                self._tables.swap(table, Change((), removed, written), FILES)
                return True
            except (CommitFailedException, ValidationException):
                continue
        return False

    def _merge_manifests(self) -> None:
        """Merges manifests, where no file was put together, but batches have left many, or such as name no file."""
        table = self._find()
        snapshot = table.current_snapshot() if table else None
        if table is None or snapshot is None:
            return
        manifests = snapshot.manifests(table.io)
        empty = [manifest for manifest in manifests if not manifest.has_added_files() and not manifest.has_existing_files()]
        if len(empty) > MANIFESTS // 2:
            try:
                self._tables.swap(table, Change(()), MANIFEST_LISTS)
                self._done.update(dropped_manifests=len(empty))
            except (CommitFailedException, ValidationException):
                pass  # the next run will

    # -- old snapshots

    def _expire(self) -> bool:
        """Expires snapshots, in the table's metadata only; their files go when a sweep finds that no other needs them."""
        upkeep = self._upkeep
        kept = {int(pointer["snapshot_id"]) for pointer in upkeep.kept}
        for _ in range(TRIES):
            table = self._find()
            if table is None:
                return True
            named = {reference.snapshot_id for reference in table.metadata.refs.values()}  # the current one, and what others tagged
            current = table.metadata.current_snapshot_id
            old = expirable(made(table), current, kept | named, upkeep.flow.id, upkeep.through, upkeep.now)[:EXPIRE_AT_ONCE]
            if not old:
                return True
            try:
                table.maintenance.expire_snapshots().by_ids(old).commit()
                self._done.update(expired_versions=len(old))
            except (CommitFailedException, ValueError):  # ValueError: another maintenance was faster
                continue
        return False

    # -- garbage

    def _delete(self, table: Table, needed: frozenset[str]) -> None:
        """Deletes files at the table's place that are old and that no snapshot needs: data, manifests, and metadata files."""
        bucket, _, prefix = table.location().removeprefix("s3://").partition("/")
        old = list(old_keys(self._services.s3, bucket, f"{prefix}/", self._upkeep.now - SAFE_AGE))
        garbage = [key for key in old if f"s3://{bucket}/{key}" not in needed]
        delete(self._services.s3, bucket, garbage)
        self._done.update(deleted_files=len(garbage))


def _deleted_rows(table: Table, paths: Collection[str] | None = None) -> dict[str, int]:
    """Path of a file ▸ how many of its rows are deleted, of these or of all."""
    found = deleted_rows(table.io, delete_files(table, table.metadata.current_snapshot_id))
    return {path: count for path, count in found.items() if paths is None or path in paths}


def _paths(manifest: ManifestFile, io: FileIO) -> list[str]:
    return [entry.data_file.file_path for entry in manifest.fetch_manifest_entry(io, discard_deleted=True)]


def _files_of(table: Table) -> tuple[set[str], set[str]]:
    """The URLs of the data files of all snapshots; and those of manifests, lists of them, and metadata files."""
    metadata, io = table.metadata, table.io
    others = {table.metadata_location, *(entry.metadata_file for entry in metadata.metadata_log)}
    others |= {file.statistics_path for file in (*metadata.statistics, *metadata.partition_statistics)}
    others |= {snapshot.manifest_list for snapshot in metadata.snapshots if snapshot.manifest_list}
    manifests: dict[str, ManifestFile] = {}
    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(lambda snapshot: snapshot.manifests(io), metadata.snapshots):
            manifests.update((manifest.manifest_path, manifest) for manifest in found)
        files = {path for paths in pool.map(lambda manifest: _paths(manifest, io), manifests.values()) for path in paths}
    return set(map(_listed, files)), set(map(_listed, others | set(manifests)))


def _listed(url: str) -> str:
    """A file's URL as S3's own listing gives it; other engines have other names for the scheme."""
    return re.sub(r"^s3[an]://", "s3://", url)
