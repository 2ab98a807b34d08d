"""Reads objects of a bucket for a batch: lists them to plan it, and has DuckDB read them to extract it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shared_metadata.contract.collect import Extracted, ExtractRequest, Source, TablePlan, Window
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.sizes import Size
from shared_metadata.drift.changes import source_name
from shared_metadata.drift.column_values import SAMPLE_ROWS, ColumnValues, sampled
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Connection, Flow, Mode, Table
from shared_metadata.program.schema import Schema, SchemaColumn
from slices.collect.s3.config import read_config
from slices.collect.s3.logic import collected
from slices.collect.s3.manifests import Known, Manifest, Manifests
from slices.collect.s3.objects import Bucket, Found, Listing
from slices.collect.s3.sampling import Sampling

MOST_PARTS = 40
PART_BYTES, PART_OBJECTS = 256 << 20, 2000


class S3Source(Source):
    """One connection, while one step works. aws: the boto3 session.  taken: the lists of what batches have taken."""

    def __init__(self, connection: Connection, aws: Any, taken: Manifests) -> None:
        self._config, self._aws, self._taken = read_config(connection), aws, taken
        self.place = f"connection {connection.name} ({connection.position})"
        self.bucket = Bucket(aws.client("s3"), self._config.bucket, self.place)
        self._listings: dict[str, Listing] = {}
        self._sampling = Sampling(self.bucket, self._config, self.place)

    # -- what `atoll discover` and drift ask

    def tables(self) -> list[str]:
        return self.bucket.folders(self._config.prefix)

    def describe(self, tables: Sequence[str]) -> dict[str, Schema | None]:
        return {name: self._described(name) for name in tables}

    def sample(self, table: str, column: SchemaColumn) -> ColumnValues:
        listing = self._listing(table)
        return sampled(column.type, self._sampling.values(listing, self._prefix(table), source_name(column), SAMPLE_ROWS))

    def sizes(self, tables: Sequence[str]) -> dict[str, Size]:
        """Bytes as they lie there, packed perhaps; how many rows that is nobody knows before they are read."""
        listings = {name: self._listing(name) for name in tables}
        return {name: Size(None, listing.bytes) for name, listing in listings.items() if listing.count}

    # -- what a batch asks

    def schema(self, flow: Flow, table: Table) -> Schema:
        known = self._described(table.source)
        if known is None:
            what = f"no object lies below s3://{self._config.bucket}/{self._prefix(table.source)}"
            raise DefinitionError(what, place=str(flow.position), remedy="correct the table's name, or the connection's `prefix`")
        return collected(flow, table, known)

    def plan(self, flow: Flow, table: Table, schema: Schema, window: Window) -> TablePlan | None:
        known = Known.of(window.cursor)
        if window.took is not None:
            return self._parts(Manifest(*window.took["objects"]), known, None)
        listing, start, end = self._listing(table.source), window.interval.start.timestamp(), window.interval.end.timestamp()
        if window.rerun and flow.mode != Mode.REPLACE:
            mine = self._taken.write(flow.id, (one for one in listing if start <= one.modified < end))
            return self._parts(mine, known, mine)
        if flow.mode == Mode.REPLACE:
            return self._replaced(flow, known, listing)
        new = self._taken.write(flow.id, self._taken.untaken(known, listing, lambda one: one.modified < end))
        if not new.count and not window.first:
            return None
        return self._parts(new, self._taken.added(flow.id, known, new), new)

    def extract(self, request: ExtractRequest, resume: Mapping[str, Any] | None, deadline: Deadline) -> Extracted:
        from slices.collect.s3.extracting import Extraction

        part = request.part
        objects = list(self._taken.read(part["objects"], part["first"], part["end"])) if part["end"] else []
        prefix = self._prefix(request.table.source)
        return Extraction(request, self.bucket, self._config, prefix, objects, self._aws).run(resume, deadline)

    def close(self) -> None:
        """Nothing stays open."""

    # -- the pieces

    def _replaced(self, flow: Flow, known: Known, listing: Listing) -> TablePlan | None:
        """All that is there; None where that is what was there."""
        everything = self._taken.write(flow.id, listing)
        if known.lists == (everything,):
            return None
        return self._parts(everything, Known((everything,)), everything)

    def _parts(self, objects: Manifest, known: Known, took: Manifest | None) -> TablePlan:
        """As many as their sizes ask for, each of neighbours in the order of keys."""
        bounds = _cut(self._taken.read(objects.key), objects) if objects.count else [0]
        parts = tuple({"objects": objects.key, "first": first, "end": end} for first, end in itertools.pairwise(bounds))
        nothing = {"objects": objects.key, "first": 0, "end": 0}
        return TablePlan(parts or (nothing,), known.cursor(), {"objects": took.plain()} if took else None)

    def _described(self, table: str) -> Schema | None:
        return self._sampling.schema(self._listing(table), self._prefix(table))

    def _listing(self, table: str) -> Listing:
        if table not in self._listings:
            self._listings[table] = self.bucket.listing(self._prefix(table))
        return self._listings[table]

    def _prefix(self, table: str) -> str:
        return f"{self._config.prefix}{table.replace('.', '/')}/"


def _cut(objects: Iterator[Found], of: Manifest) -> list[int]:
    """Where parts begin and end, in objects."""
    parts = min(MOST_PARTS, max(of.bytes // PART_BYTES, of.count // PART_OBJECTS) + 1)
    each_bytes, each_count = of.bytes / parts, of.count / parts
    bounds, size, count = [0], 0, 0
    for at, found in enumerate(objects):
        if count and len(bounds) < parts and (size + found.size > each_bytes * 1.05 or count >= each_count * 2):
            bounds.append(at)
            size = count = 0
        size, count = size + found.size, count + 1
    return [*bounds, of.count]
