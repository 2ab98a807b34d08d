"""Reads objects of a bucket for a batch: lists them to plan it, and has DuckDB read them to extract it."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shared_metadata.contract.collect import Extracted, ExtractRequest, Source, TablePlan, Window
from shared_metadata.contract.projection import beside
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.sizes import Size
from shared_metadata.drift.changes import source_name
from shared_metadata.drift.column_values import SAMPLE_ROWS, ColumnValues, sampled
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Connection, Flow, Mode, Table
from shared_metadata.program.schema import Schema, SchemaColumn
from slices.collect.s3.config import read_config
from slices.collect.s3.logic import collected, cut, with_types
from slices.collect.s3.manifests import Known, Manifest, Manifests
from slices.collect.s3.objects import Bucket, Listing
from slices.collect.s3.sampling import Sampling

KnownTable = Callable[[str], Schema | None]


class S3Source(Source):
    """One connection, while one step works. aws: the boto3 session.  taken: the lists of what batches have taken.

    known: a table's columns as the program in effect was compiled against them; None for none.
    """

    def __init__(self, connection: Connection, aws: Any, taken: Manifests, known: KnownTable = lambda table: None) -> None:
        self._config, self._aws, self._taken, self._known = read_config(connection), aws, taken, known
        self.place = f"connection {connection.name} ({connection.position})"
        self.bucket = Bucket(aws.client("s3"), self._config.bucket, self.place)
        self._listings: dict[str, Listing] = {}
        self._schemas: dict[str, Schema | None] = {}
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
        """The bytes of each table as they lie there, packed perhaps; its rows are known only when they are read."""
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
        aside = self._beside(flow, table, schema)
        if window.took is not None:
            return self._parts(Manifest(*window.took["objects"]), known, None, aside)
        listing, start, end = self._listing(table.source), window.interval.start.timestamp(), window.interval.end.timestamp()
        if flow.mode == Mode.REPLACE:
            everything = self._taken.write(flow.id, listing)
            same = known.lists == (everything,)  # nothing came, changed or went
            return None if same else self._parts(everything, Known((everything,)), everything, aside)
        if window.rerun:
            mine = self._taken.write(flow.id, (one for one in listing if start <= one.modified < end))
            return self._parts(mine, known, mine, aside)
        new = self._taken.write(flow.id, self._taken.untaken(known, listing, lambda one: one.modified < end))
        if not new.count and not window.first:
            return None
        return self._parts(new, self._taken.added(flow.id, known, new), new, aside)

    def extract(self, request: ExtractRequest, resume: Mapping[str, Any] | None, deadline: Deadline) -> Extracted:
        from slices.collect.s3.extracting import Extraction

        part = request.part
        objects = list(self._taken.read(part["objects"], part["first"], part["end"])) if part["end"] else []
        prefix = self._prefix(request.table.source)
        return Extraction(request, self.bucket, self._config, prefix, objects, self._aws).run(resume, deadline)

    def close(self) -> None:
        """Nothing stays open."""

    # -- the pieces

    def _parts(self, objects: Manifest, known: Known, took: Manifest | None, aside: list[Any]) -> TablePlan:
        """Cuts as many as their sizes ask for, each of neighbours in the order of keys.  aside: columns that only the WHERE reads."""
        bounds = cut(self._taken.read(objects.key), objects.count, objects.bytes) if objects.count else [0, 0]
        whole = {"objects": objects.key, "beside": aside}
        parts = tuple({**whole, "first": first, "end": end} for first, end in itertools.pairwise(bounds))
        return TablePlan(parts, known.cursor(), {"objects": took.plain()} if took else None)

    def _beside(self, flow: Flow, table: Table, schema: Schema) -> list[Any]:
        known = self._described(table.source) if flow.filter else None
        return [dataclasses.asdict(column) for column in beside(flow, schema, known)] if known else []

    def _described(self, table: str) -> Schema | None:
        if table not in self._schemas:
            found = self._sampling.schema(self._listing(table), self._prefix(table))
            self._schemas[table] = found if found is None or self._sampling.exact else with_types(found, self._known(table))
        return self._schemas[table]

    def _listing(self, table: str) -> Listing:
        if table not in self._listings:
            self._listings[table] = self.bucket.listing(self._prefix(table))
        return self._listings[table]

    def _prefix(self, table: str) -> str:
        return f"{self._config.prefix}{table.replace('.', '/')}/"
