"""A version of a table under other names of columns, for an engine that keeps some of their names for itself.

It is a table of its own in the catalog, of the same files: readers find columns in these by their field ids, or by the name mapping,
which stays as it was.
"""

from __future__ import annotations

from collections.abc import Mapping

from pyiceberg.schema import Schema as IcebergSchema
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.refs import MAIN_BRANCH, SnapshotRef, SnapshotRefType


def renamed(metadata: TableMetadata, snapshot_id: int, names: Mapping[str, str]) -> TableMetadata:
    """The table as of one snapshot alone.  names: of columns ▸ what they are called instead."""
    (snapshot,) = (one for one in metadata.snapshots if one.snapshot_id == snapshot_id)
    return metadata.model_copy(
        update={
            "schemas": [_renamed(schema, names) for schema in metadata.schemas],
            "snapshots": [snapshot],
            "current_snapshot_id": snapshot_id,
            "refs": {MAIN_BRANCH: SnapshotRef.model_validate({"snapshot-id": snapshot_id, "type": SnapshotRefType.BRANCH})},
            "snapshot_log": [],
            "metadata_log": [],
            "statistics": [],
            "partition_statistics": [],
        }
    )


def _renamed(schema: IcebergSchema, names: Mapping[str, str]) -> IcebergSchema:
    fields = (field.model_copy(update={"name": names.get(field.name, field.name)}) for field in schema.fields)
    return IcebergSchema(*fields, schema_id=schema.schema_id, identifier_field_ids=schema.identifier_field_ids)
