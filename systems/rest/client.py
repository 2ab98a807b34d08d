"""Reads an API as its manifest says, for a batch."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from shared_metadata.contract.collect import Extracted, ExtractRequest, Source, TablePlan, Window
from shared_metadata.contract.projection import place_of, projected
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.secrets.rotating_grant import OPTION, RotatingGrant
from shared_metadata.contract.sizes import Size
from shared_metadata.drift.changes import source_name
from shared_metadata.drift.column_values import SAMPLE_ROWS, ColumnValues, sampled
from shared_metadata.errors import DefinitionError, RetryLater
from shared_metadata.program import Connection, Flow, Mode, Table
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.source_schemas import TableDefaults
from shared_metadata.spelling import did_you_mean
from systems.rest import table_defaults
from systems.rest.columns import columns_of
from systems.rest.document import Document, said_of
from systems.rest.manifest import CHANGES, Node, has_parents
from systems.rest.options import config_of, lag_of
from systems.rest.passes import Moving, is_numbered
from systems.rest.portions import BEYOND, Portion, Span
from systems.rest.reader import Reader
from systems.rest.sending import Sending
from systems.rest.streams import Streams, not_covered, not_there
from systems.rest.window import Taken, cursor_text, reads_changes, taken

DELETED = SchemaColumn("_deleted", "boolean")
GrantOf = Callable[..., RotatingGrant]


class RestSource(Source):
    """One connection, while one step works. aws: the boto3 session that Parquet is written with; only `extract` needs it.

    grant_of: the grant in a secret, by its reference and the place that errors name.
    """

    def __init__(
        self,
        connection: Connection,
        secret: Mapping[str, Any],
        document: Document,
        aws: Any = None,
        grant_of: GrantOf | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._place = f"connection {connection.name} ({connection.position})"
        self._document, self._aws, self._clock, self._system = document, aws, clock, connection.system
        self._config = config_of(connection, secret, document)
        self._lag = lag_of(connection)
        self._reference = str(connection.options.get("secret") or "")
        rotates = connection.options.get(OPTION) is True
        self._grant = grant_of(self._reference, place=self._place) if rotates and grant_of else None
        self._sending, self._answers = Sending(self._place), False
        self._streams = Streams(document, lambda: self._reader(self._clock()))

    # -- what `atoll discover` and drift ask

    def tables(self) -> list[str]:
        self._check()
        return self._streams.names()

    def describe(self, tables: Sequence[str]) -> dict[str, Schema | None]:
        self._check()
        return {name: Schema(self._columns(name)) if self._streams.has(name) else None for name in tables}

    def sample(self, table: str, column: SchemaColumn) -> ColumnValues:
        stream, reader, beyond = self._known(table), self._reader(self._clock()), self._clock() + BEYOND
        portions = reader.portions.of(stream, Span(None, beyond, beyond))
        found = chain.from_iterable(reader.records(stream, portion) for portion in portions)
        values = [record.get(source_name(column)) for record, _ in zip(found, range(SAMPLE_ROWS), strict=False)]
        return sampled(column.type, values)

    def defaults(self, tables: Sequence[str]) -> dict[str, TableDefaults]:
        there = (name for name in tables if self._streams.has(name))
        return {name: table_defaults.defaults_of(self._known(name), self._said(name)) for name in there}

    def sizes(self, tables: Sequence[str]) -> dict[str, Size]:
        """No API tells."""
        return {name: Size() for name in tables if self._streams.has(name)}

    # -- what a batch asks

    def schema(self, flow: Flow, table: Table) -> Schema:
        self._stream(flow, table)
        self._check()
        known = Schema(self._columns(table.source))
        by_source = {column.source: column for column in known.columns}
        by_name = {column.name: column for column in reversed(known.columns)}  # of equal ones the first

        def find(name: str, source: str) -> SchemaColumn:
            if (found := by_source.get(source) or by_name.get(source.lower())) is None:
                remedy = did_you_mean(source, by_source) + "change the program"
                raise DefinitionError(f"{table.source} has no column {source}", place=place_of(flow, table), remedy=remedy)
            return found

        found = projected(flow, table, known, find)
        deletes = bool(table_defaults.deleted_field(self._said(table.source)))
        return Schema((*found.columns, DELETED)) if deletes else found

    def plan(self, flow: Flow, table: Table, schema: Schema, window: Window) -> TablePlan | None:
        """One part, of all portions: an API's rate is limited, whoever asks. Those that parents tell are asked for by `extract`."""
        stream, reader = self._stream(flow, table), self._reader(window.interval.end)
        cursor, changes, wanted = self._taken(flow, table, schema, window)
        stream = stream[CHANGES] if changes else stream
        portions = None if has_parents(stream) else [*reader.portions.of(stream, wanted.span)]
        few = wanted.changes and portions is not None and len(portions) <= 1
        if few and all(self._is_empty(reader, stream, portion) for portion in portions or ()):
            return None
        told = None if portions is None else [[dict(one.partition), dict(one.window)] for one in portions]
        rows, kept = self._rows(flow, table, schema, wanted, cursor), self._streams.kept(table.source)
        part = {"portions": told, **rows, "changes": changes, "kept": kept}
        return TablePlan((part,), cursor_text(window))

    def _taken(self, flow: Flow, table: Table, schema: Schema, window: Window) -> tuple[SchemaColumn | None, bool, Taken]:
        """The cursor, whether the batch reads by the stream of changes, and what it takes."""
        stream = self._stream(flow, table)
        cursor = self._cursor(flow, table, schema) if flow.mode == Mode.MERGE and flow.cursor else None
        changes = CHANGES in stream and cursor is not None and reads_changes(stream, window, self._lag, self._clock())
        return cursor, changes, taken(flow.mode, window, stream[CHANGES] if changes else stream, cursor, self._lag, self._clock())

    def _rows(self, flow: Flow, table: Table, schema: Schema, wanted: Taken, cursor: SchemaColumn | None) -> dict[str, Any]:
        """What a part says of the time that is asked for, of the fields that are read, and of the rows that are taken."""
        known = {column.source: column for column in self._columns(table.source)}
        fields = {c.source: c.type for c in schema.columns if c.source}
        beside = {cursor.source} if cursor else set()
        beside |= {source for source in known if source.lower() in flow.filter.lower()}
        said = self._said(table.source)
        gone = table_defaults.deleted_field(said)
        beside |= {gone} - {""}
        fields |= {source: known[source].type for source in sorted(beside - {*fields})}
        deleted = table_defaults.deleted_sql(said, fields[gone]) if gone else ""
        return {"span": wanted.span.to_plain(), "fields": fields, "cut": asdict(wanted.cut), "deleted": deleted}

    def extract(self, request: ExtractRequest, resume: Mapping[str, Any] | None, deadline: Deadline) -> Extracted:
        """The token has a salt as well, for what is kept of keys from call to call."""
        told = dict(resume or {})
        salt = str(told.pop("salt", "")) or secrets.token_hex(16)
        found = self._extracted(request, told, request.hashing.salt(salt), deadline)
        return found if found.resume is None else replace(found, resume={**found.resume, "salt": salt})

    def close(self) -> None:
        self._sending.close()

    # -- the pieces

    def _extracted(self, request: ExtractRequest, told: Mapping[str, Any], salt: str, deadline: Deadline) -> Extracted:
        from systems.rest.extracting import Extraction
        from systems.rest.parents import Parents
        from systems.rest.parquet_files import ParquetFiles

        kept, name = request.part.get("kept"), request.table.source
        stream = self._stream(request.flow, request.table) if kept is None else self._streams.again(name, kept)
        stream = stream[CHANGES] if request.part.get("changes") else stream
        files = ParquetFiles(self._aws, request, place_of(request.flow, request.table))
        reader = self._reader(request.window.interval.end)
        try:
            if request.part["portions"] is not None:
                portions = [Portion(*one) for one in request.part["portions"]]
                return Extraction(reader, stream, request, portions, files, salt).run(told, deadline)
            parents = Parents(reader, request, told.get("parents") or (), salt, deadline)
            found = parents.portions(stream, Span.of_plain(request.part["span"]))
            if found is None:
                return Extracted((), {**told, "parents": parents.keep()})
            extraction = Extraction(reader, stream, request, found, files, salt)
            try:
                done = extraction.run(told.get("rows"), deadline)
            except RetryLater as error:
                if isinstance(error, Moving) or not parents.pages:
                    raise
                return Extracted((), {**told, "parents": parents.keep()})
            return done if done.resume is None else Extracted(done.files, {"parents": parents.keep(), "rows": done.resume})
        finally:
            files.close()

    def _check(self) -> None:
        """Asks the API once a step, so that a credential that is refused is told before anything else."""
        if self._answers:
            return
        known = self._document["streams"]
        named = [name for name in (*self._document["check"], *known) if name in known]
        stream, reader = known[named[0]] if named else self._streams.unasked(), self._reader(self._clock())
        if stream is not None and (portion := next(reader.portions.of(stream, None), None)):
            reader.page(stream, portion, reader.first_token(stream))
        self._answers = True

    def _reader(self, now: datetime) -> Reader:
        return Reader(
            self._config,
            now,
            self._sending.send,
            hosts=self._document["hosts"],
            place=self._place,
            reference=self._reference,
            grant=self._grant,
            numbered=self._numbered,
        )

    def _stream(self, flow: Flow, table: Table) -> Mapping[str, Node]:
        """Raises DefinitionError for one that the connection has not, or that is not read here."""
        if why := self._streams.why_not(table.source):
            raise not_covered(flow, table, why)
        if not self._streams.has(table.source):
            raise not_there(flow, table, self._streams.names())
        return self._known(table.source)

    def _known(self, name: str) -> Mapping[str, Node]:
        found = self._streams.find(name)
        assert found is not None  # its name is one of the streams'
        return found

    def _columns(self, name: str) -> tuple[SchemaColumn, ...]:
        return columns_of(self._known(name), self._said(name).get("types") or {})

    def _said(self, table: str) -> Mapping[str, Any]:
        return said_of(self._document, table)

    def _cursor(self, flow: Flow, table: Table, schema: Schema) -> SchemaColumn:
        found = (column for column in (*schema.columns, *self._columns(table.source)) if column.name == flow.cursor)
        if (column := next(found, None)) is None:
            raise DefinitionError(f"{table.source} has no column {flow.cursor}", place=place_of(flow, table), remedy="change CURSOR")
        return column

    def _numbered(self, stream: Mapping[str, Node]) -> tuple[str, ...] | None:
        """The `numbered` of a Reader, also for a stream of parents."""
        return table_defaults.key_of(stream, self._said(stream["name"])) if self._is_numbered(stream) else None

    def _is_numbered(self, stream: Mapping[str, Node]) -> bool:
        return is_numbered(stream, self._said(stream["name"]))

    @staticmethod
    def _is_empty(reader: Reader, stream: Mapping[str, Node], portion: Portion) -> bool:
        page = reader.page(stream, portion, reader.first_token(stream))
        return not page.records and page.following is None
