"""A commit that removes files of a table, adds others, and does the same with its delete files.

pyiceberg 0.12 reads delete files and writes none: `pyiceberg/manifest.py` has no writer of manifests whose content are deletes, and
`_SnapshotProducer._manifests` puts all that is added into manifests of data (https://github.com/apache/iceberg-python/issues/3618).
So both are added to what it has. A test tells when this module can go.
"""

from __future__ import annotations

from collections import defaultdict

from pyiceberg.manifest import DataFile, ManifestContent, ManifestEntry, ManifestEntryStatus, ManifestFile, ManifestWriterV2
from pyiceberg.table import Transaction
from pyiceberg.table.snapshots import Operation, Summary
from pyiceberg.table.update.snapshot import _OverwriteFiles
from pyiceberg.typedef import EMPTY_DICT

from systems.iceberg.delete_files import Folded


class Overwriting(_OverwriteFiles):
    """deletes: the delete files that it adds and removes; all others stay."""

    def __init__(self, transaction: Transaction, properties: dict[str, str], branch: str | None, deletes: Folded) -> None:
        operation = Operation.OVERWRITE if transaction.table_metadata.current_snapshot() else Operation.APPEND
        io = transaction._table.io
        super().__init__(operation, transaction, io, snapshot_properties=properties, branch=branch)
        self._deletes = deletes

    def _process_manifests(self, manifests: list[ManifestFile]) -> list[ManifestFile]:
        if not self._deletes.added and not self._deletes.removed:
            return manifests
        data = [manifest for manifest in manifests if manifest.content == ManifestContent.DATA]
        by_spec: dict[int, list[ManifestEntry]] = defaultdict(list)
        for entry in self._delete_entries([manifest for manifest in manifests if manifest.content == ManifestContent.DELETES]):
            by_spec[entry.data_file.spec_id].append(entry)
        return data + [self._delete_manifest(spec_id, entries) for spec_id, entries in by_spec.items()]

    def _delete_entries(self, manifests: list[ManifestFile]) -> list[ManifestEntry]:
        """All delete files of the new snapshot, and those that it has removed."""
        removed = {file.file_path for file in self._deletes.removed}
        found = [
            self._entry(
                ManifestEntryStatus.DELETED if entry.data_file.file_path in removed else ManifestEntryStatus.EXISTING,
                entry.data_file,
                entry,
            )
            for manifest in manifests
            for entry in self.fetch_manifest_entry(manifest)
        ]
        return found + [self._entry(ManifestEntryStatus.ADDED, file) for file in self._deletes.added]

    def _entry(self, status: ManifestEntryStatus, file: DataFile, former: ManifestEntry | None = None) -> ManifestEntry:
        stays = former is not None and status == ManifestEntryStatus.EXISTING
        return ManifestEntry.from_args(
            status=status,
            snapshot_id=former.snapshot_id if former is not None and stays else self._snapshot_id,
            sequence_number=former.sequence_number if former else None,
            file_sequence_number=former.file_sequence_number if former else None,
            data_file=file,
        )

    def _delete_manifest(self, spec_id: int, entries: list[ManifestEntry]) -> ManifestFile:
        output = self.new_manifest_output()
        with _DeletesWriter(self.spec(spec_id), self.schema(), output, self._snapshot_id, self._compression) as writer:
            for entry in entries:
                writer.add_entry(entry)
        return writer.to_manifest_file()

    def _summary(self, snapshot_properties: dict[str, str] = EMPTY_DICT) -> Summary:
        """That of the data files and of the delete files."""
        added, removed = self._added_data_files, self._deleted_data_files
        self._added_data_files, self._deleted_data_files = [*added, *self._deletes.added], {*removed, *self._deletes.removed}
        try:
            return super()._summary(snapshot_properties)
        finally:
            self._added_data_files, self._deleted_data_files = added, removed


class _DeletesWriter(ManifestWriterV2):
    """Writes a manifest of delete files."""

    def content(self) -> ManifestContent:
        return ManifestContent.DELETES

    @property
    def _meta(self) -> dict[str, str]:
        return {**super()._meta, "content": "deletes"}
