"""Whether a source's new column holds what a vanished one held, as the last batch that had it knows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Protocol

from shared_metadata.column_values import ColumnValues, alike, of_files
from shared_metadata.contract.discovery import Catalog
from shared_metadata.contract.services import Services
from shared_metadata.contract.staging import read_json
from shared_metadata.contract.steps import Work
from shared_metadata.drift import source_name
from shared_metadata.errors import DefinitionError
from shared_metadata.records import SchemaColumn


class Sampled(Catalog, Protocol):
    """A catalog that also looks into its tables."""

    def sample(self, table: str, column: SchemaColumn) -> ColumnValues:
        """What some SAMPLE_ROWS rows hold in a column of `describe`. Raises DefinitionError where it may not be read."""
        ...


class ColumnLikeness:
    """Asked only when a column is gone and another one has come that may be it; then it reads a manifest and a few rows.

    Of what a masked column held at the source nothing is known, and nothing is asked.
    """

    def __init__(self, services: Services, work: Work, source: Sampled) -> None:
        self._services, self._work, self._source = services, work, source
        self._known: dict[str, ColumnValues | None] = {}

    def __call__(self, gone: SchemaColumn, come: SchemaColumn) -> bool | None:
        name = self._collected(gone)
        former = of_files(name, self._files) if name not in self._work.table.masks else None
        now = self._now(come) if former else None
        return alike(gone.type, former, now) if former and now else None

    @cached_property
    def _files(self) -> Sequence[dict[str, Any]]:
        """Of the last batch that had rows."""
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
