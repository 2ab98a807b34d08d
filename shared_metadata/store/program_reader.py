"""Reads programs: the timeline, its versions, their lineage, and the slices that run them."""

from __future__ import annotations

import zlib
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from shared_metadata.errors import DefinitionError
from shared_metadata.program import Program
from shared_metadata.program.lineage import Lineage
from shared_metadata.program.schema import Schema
from shared_metadata.state.entries import Timeline
from shared_metadata.state.timeline import Programs
from shared_metadata.store import formats, items, keys
from shared_metadata.store.stored_lineage import Reads, stored_lineage
from shared_metadata.store.table_reader import Clock, TableReader, utc_now

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

COLUMNS = "COLUMNS#"


class ProgramReader(TableReader):
    """Keeps what it has read: a stored version never changes."""

    def __init__(self, client: DynamoDBClient, table: str, clock: Clock = utc_now) -> None:
        super().__init__(client, table, clock)
        self._programs: dict[str, Program] = {}
        self._last: tuple[Timeline, Programs] | None = None
        self._lineages: dict[str, Lineage | None] = {}

    def timeline(self) -> Timeline:
        """The program versions by boundary; empty when no program was ever applied.

        Raises DefinitionError where the records have another format than this code's.
        """
        values = self._get(keys.timeline())
        if values is None:
            return Timeline()
        formats.check(formats.format_of(values))
        return items.timeline(values)

    def programs(self) -> Programs:
        """The timeline with its programs. Raises DefinitionError when no program was ever applied."""
        timeline = self.timeline()
        if not timeline.entries:
            raise DefinitionError("no program is active", remedy="run `atoll apply`")
        if self._last is None or self._last[0] != timeline:
            self._last = timeline, Programs([(entry, self.program(entry.version)) for entry in timeline.entries])
        return self._last[1]

    def active_version(self) -> str:
        """The version of the active program; '' when there is none."""
        active = self.timeline().active(self._clock())
        return active.version if active else ""

    def active_program(self) -> Program:
        """The active program. Raises DefinitionError when no program was ever applied."""
        version = self.active_version()
        if not version:
            raise DefinitionError("no program is active", remedy="run `atoll apply`")
        return self.program(version)

    def program(self, version: str) -> Program:
        """A stored program version; versions never change, so each is read once."""
        if version not in self._programs:
            self._programs[version] = Program.from_json(self._text(version))  # which nothing else holds meanwhile
        return self._programs[version]

    def _text(self, version: str) -> str:
        parts = [bytes(item["body"]) for item in self._query(keys.program_part(version, 0)["pk"], "PART#")]
        if not parts:
            raise DefinitionError(f"program version {version} is not stored", remedy="run `atoll apply`")
        whole, text = zlib.decompressobj(), getincrementaldecoder("utf-8")()
        return "".join(text.decode(whole.decompress(part)) for part in parts)

    def lineage(self, version: str) -> Lineage | None:
        """The lineage of a stored program version; None for one that was compiled without schemas.

        A dataset's lineage is read on demand.
        """
        if version not in self._lineages:
            known = next(self._query(keys.dataset_lineage(version, "")["pk"], COLUMNS, limit=1), None)
            self._lineages[version] = self._stored_lineage(version) if known else None
        return self._lineages[version]

    def known_source(self, connection: str, table: str) -> Schema | None:
        """The columns of a source's table as the active program was compiled against them; None where nothing is known of it."""
        version = self.active_version()
        lineage = self.lineage(version) if version else None
        return lineage.sources.get(f"{connection}.{table}") if lineage else None

    def _stored_lineage(self, version: str) -> Lineage:
        def reads(key: Callable[[str, str], keys.Key]) -> Reads:
            everything = key(version, "")
            return Reads(
                lambda names: _bodies(self._items(key(version, name) for name in names)),
                lambda: _bodies(self._query(everything["pk"], everything["sk"])),
            )

        return stored_lineage(reads(keys.dataset_lineage), reads(keys.source_lineage))

    def installed_slices(self) -> dict[str, Mapping[str, Any]]:
        """Slice id ▸ the deployment that `atoll apply` found."""
        return {item["sk"]: item for item in self._query("SLICES", "")}


def _bodies(found: Iterable[dict[str, Any]]) -> Iterator[tuple[str, bytes]]:
    return ((values["name"], bytes(values["body"])) for values in found)
