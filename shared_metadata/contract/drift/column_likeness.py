"""Whether a source's new column holds what a vanished one held, as the last batch that had it knows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Protocol

from shared_metadata.contract.discovery import Catalog
from shared_metadata.contract.runtime.services import Services
from shared_metadata.contract.runtime.staging import read_json
from shared_metadata.contract.work import Work
from shared_metadata.drift.changes import Change, DriftChange, source_name
from shared_metadata.drift.column_values import ColumnValues, alike, of_files
from shared_metadata.drift.renames import VALUES
from shared_metadata.errors import DefinitionError
from shared_metadata.program.schema import SchemaColumn


class Sampled(Catalog, Protocol):
    """A catalog that also looks into its tables."""

    def sample(self, table: str, column: SchemaColumn) -> ColumnValues:
        """What some SAMPLE_ROWS rows hold in a column of `describe`. Raises DefinitionError where it may not be read."""
        ...


class ColumnLikeness:
    """Asked only when a column is gone and another one has come that may be it; then it reads a manifest and a few rows.

    The batches after the first that lacks the column do not know what it held; what that one told is on record.
    Of what a masked column held at the source nothing is known, and nothing is asked.
    """

    def __init__(self, services: Services, work: Work, source: Sampled) -> None:
        self._services, self._work, self._source = services, work, source
        self._known: dict[str, ColumnValues | None] = {}

    def __call__(self, gone: SchemaColumn, come: SchemaColumn) -> bool | None:
        name = self._collected(gone)
        if name in self._work.table.masks:
            return None
        former = of_files(name, self._files)
        if former is None:
            return self._told(source_name(gone), source_name(come))
        now = self._now(come)
        return alike(gone.type, former, now) if now else None

    def _told(self, gone: str, come: str) -> bool | None:
        """What an earlier batch told, as it is recorded: of a new column that was there and is not named, that it is not the same."""
        dropped = next((c for c in self._recorded if (c.kind, c.column) == (Change.COLUMN_DROPPED, gone)), None)
        if dropped is None:
            return None
        if dropped.probable_rename:
            return True if dropped.probable_rename == come and VALUES in dropped.evidence.split(", ") else None
        return False if any((c.kind, c.column) == (Change.COLUMN_ADDED, come) for c in self._recorded) else None

    @cached_property
    def _recorded(self) -> Sequence[DriftChange]:
        """What is open of the source's table."""
        name = f"{self._work.flow.connection}.{self._work.table.source}"
        return [drift.change for drift in self._services.drifts.open_drifts() if drift.change.table == name]

    @cached_property
    def _files(self) -> Sequence[dict[str, Any]]:
        """The files of the last batch that had rows."""
        version = self._services.reader.latest_version(self._work.table.dataset)
        key = version.pointer.get("manifest") if version else None
        manifest = read_json(self._services.s3, self._services.environment.atoll_data_bucket, key) if key else None
        return manifest["files"] if manifest else ()

    def _collected(self, column: SchemaColumn) -> str:
        """The name under which a column of the source stands in the files."""
        name = source_name(column)
        named = {c.source.strip('"').lower(): c.name for c in self._work.flow.columns}
        return named.get(name.lower(), name if self._work.flow.columns else column.name)

    def _now(self, column: SchemaColumn) -> ColumnValues | None:
        name = source_name(column)
        if name not in self._known:
            try:
                self._known[name] = self._source.sample(self._work.table.source, column)
            except DefinitionError:  # then its values tell nothing
                self._known[name] = None
        return self._known[name]
