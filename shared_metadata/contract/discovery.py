"""The `discover` step of a collect or harness slice: looks at a connection's tables, before any program is applied."""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from shared_metadata.contract.declaration import Slice
from shared_metadata.contract.runtime.deadline import Context, Deadline
from shared_metadata.contract.runtime.services import Services
from shared_metadata.contract.sizes import Measures
from shared_metadata.errors import InputError
from shared_metadata.program import Connection, from_plain
from shared_metadata.program.schema import Schema
from shared_metadata.program.source_schemas import SourceNote, TableDefaults

STEP = "discover"
MOST_NAMES = 10_000
ANSWER_BYTES = 3 * 2**20  # of schemas, then the caller asks for the rest; an answer may have 6 MB, and a table some 300 KB
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
ACCEPTED = (
    '{"connection": {"name": "…", "system": "…", "options": {"secret": "…"}}, "tables": ["…"]}; without tables it lists names, '
    'with "sizes": true it only tells how large they are'
)


class Catalog(Protocol):
    """What a slice's client knows of the tables at its connection; closed after each step."""

    def tables(self) -> list[str]:
        """What the user may read there, as a program names it, sorted, MOST_NAMES at most."""
        ...

    def describe(self, tables: Sequence[str]) -> dict[str, Schema | None]:
        """Each table's columns in the source's order, without Atoll's own; None for a table that is not there.

        Names as a program writes them after the connection's. Raises DefinitionError for a table that may not be read.
        """
        ...

    def close(self) -> None: ...


@runtime_checkable
class Warns(Protocol):
    """A Catalog that can tell of tables which it describes, and of which a batch would fail."""

    def warnings(self, tables: Sequence[str] | None) -> dict[str, str]:
        """Table ▸ what keeps it from being read, or written, and what to do; None: of those that `tables()` lists, as far as a look
        at the catalog tells."""
        ...


@runtime_checkable
class Notes(Protocol):
    """A Catalog that can tell by what a statement over a table would lose rows unnoticed."""

    def notes(self, tables: Sequence[str]) -> dict[str, list[SourceNote]]:
        """Table ▸ what is to be known of it, for those of which there is anything."""
        ...


@runtime_checkable
class Tells(Protocol):
    """A Catalog that can tell how a table is collected where a statement does not say so."""

    def defaults(self, tables: Sequence[str]) -> dict[str, TableDefaults]:
        """Table ▸ its key, cursor, mode and deletes, for those of which the source tells any."""
        ...


OpenCatalog = Callable[[Connection, Mapping[str, Any]], Catalog]


class DiscoverStep:
    """Described tables go into the registry as they are seen; the answer holds them too."""

    def __init__(self, declaration: Slice, services: Services, open_catalog: OpenCatalog) -> None:
        self._declaration, self._services, self._open = declaration, services, open_catalog

    def __call__(self, event: Mapping[str, Any], context: Context) -> dict[str, Any]:
        """Answers an event without 'tables' with {'names': […]}, else {'tables': {name: schema or None}, 'close': {…}, 'left': […]}.

        close: missing table ▸ a known one of a similar name.  left: tables to ask for in another call, as an answer and a call
        are limited.  notes: table ▸ its SourceNotes.  defaults: table ▸ its TableDefaults.  In both 'warnings': table ▸ why a batch
        of it would fail. With 'sizes' in the event {'sizes': {table: {'rows', 'bytes'}}}, and nothing else. Raises as plan.
        """
        connection, tables = self._read(event)
        deadline, secret = Deadline.of(context), self._secret(connection)
        self._services.deadline_monotonic = deadline.at_monotonic
        catalog = self._open(connection, secret)
        try:
            if event.get("sizes") is True:
                return {"sizes": _sizes(catalog, tables or ())}
            if tables is None:
                return {"names": catalog.tables(), "warnings": _warnings(catalog, None)}
            return self._describe(catalog, connection, tables, deadline)
        finally:
            catalog.close()

    def _describe(self, catalog: Catalog, connection: Connection, tables: Sequence[str], deadline: Deadline) -> dict[str, Any]:
        found: dict[str, Any] = {}
        missing, size = [], 0
        for name in tables:
            if found and (size >= ANSWER_BYTES or deadline.near):
                break
            schema = _with_source_names(catalog.describe([name])[name])
            self._services.sources.put(connection, name, schema)
            found[name] = dataclasses.asdict(schema) if schema else None
            size += len(json.dumps(found[name]))
            missing += [] if schema else [name]
        close = _close(missing, catalog.tables()) if missing else {}
        left = [name for name in tables if name not in found]
        there = [name for name, schema in found.items() if schema]
        noted = catalog.notes(there) if isinstance(catalog, Notes) else {}
        notes = {name: [dataclasses.asdict(note) for note in told] for name, told in noted.items()}
        told = catalog.defaults(there) if isinstance(catalog, Tells) else {}
        defaults = {name: one.to_plain() for name, one in told.items() if one.to_plain()}
        warnings = _warnings(catalog, there)
        return {"tables": found, "close": close, "left": left, "warnings": warnings, "notes": notes, "defaults": defaults}

    def _secret(self, connection: Connection) -> Mapping[str, Any]:
        reference = self._declaration.opened_with(connection)
        place = f"connection {connection.name} ({connection.position})"
        return self._services.secret(reference, place=place) if reference else {}

    def _read(self, event: Mapping[str, Any]) -> tuple[Connection, list[str] | None]:
        try:
            position = {"file": "the input", "line": 1, "column": 1}
            connection = from_plain(Connection, {"position": position, **event["connection"]})
            tables = event.get("tables")
            strings = [connection.name, connection.system, *(tables or [])]
            right = isinstance(tables, list | None) and isinstance(connection.options, Mapping)
            if not right or not all(isinstance(text, str) and text for text in strings):
                raise TypeError
        except (KeyError, TypeError, AttributeError):
            raise InputError("the input is refused", place=self._declaration.id, remedy=f"accepted is {ACCEPTED}") from None
        if connection.system != self._declaration.system:
            raise InputError(
                f"the connection {connection.name} is to {connection.system}",
                place=self._declaration.id,
                remedy=f"call the slice of {connection.system}",
            )
        return connection, tables


def _sizes(catalog: Catalog, tables: Sequence[str]) -> dict[str, Any]:
    found = catalog.sizes(tables) if isinstance(catalog, Measures) else {}
    return {name: dataclasses.asdict(size) for name, size in found.items()}


def _warnings(catalog: Catalog, tables: Sequence[str] | None) -> dict[str, str]:
    return catalog.warnings(tables) if isinstance(catalog, Warns) else {}


def _with_source_names(schema: Schema | None) -> Schema | None:
    """A column for which the slice gives no name at the source has the same there."""
    if schema is None:
        return None
    return Schema(tuple(dataclasses.replace(column, source=column.source or column.name) for column in schema.columns))


def _close(missing: Sequence[str], known: Sequence[str]) -> dict[str, str]:
    """Each missing table ▸ the known one whose name is the nearest, if one is near; a schema left out does not count."""
    folded = {name.lower(): name for name in reversed(known)}
    short = {name.rpartition(".")[2]: full for name, full in folded.items()}
    found = {}
    for name in missing:
        candidates = folded if "." in name else {**short, **folded}
        match = difflib.get_close_matches(name.lower(), candidates, n=1)
        if match:
            found[name] = candidates[match[0]]
    return found
