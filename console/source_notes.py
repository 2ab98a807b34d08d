"""Notes on sources: by what statements would lose rows or fill a disk, as `discover` has found it and the snapshots keep it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from language.forms.resolved import Collect
from shared_metadata.program import Mode
from shared_metadata.program.source_schemas import Concern, ConnectionSchemas, SourceNote

if TYPE_CHECKING:
    from language.compiler import Compilation

_AT_ZONE = re.compile(r"\bat\s+time\s+zone\b|\btimezone\s*\(", re.IGNORECASE)


def source_notes(compilation: Compilation, statements: Collection[str] | None = None) -> list[str]:
    """A line for each note on what a statement collects. statements: those to look at; None for all."""
    found = []
    for statement in compilation.resolved.statements:
        if not isinstance(statement, Collect) or (statements is not None and statement.id not in statements):
            continue
        known = compilation.schemas.get(statement.connection.name.folded)
        if known is None or not known.notes:
            continue
        position = statement.statement.target.span.position
        for table, note in _of(statement, known):
            found.append(f"{position}: {statement.id}, of {table}: {note.text}")
    return found


def _of(statement: Collect, known: ConnectionSchemas) -> Iterator[tuple[str, SourceNote]]:
    folded = {name.lower(): name for name in known.notes}
    for named in dict.fromkeys(_tables(statement)):
        table = folded.get(named.lower())
        for note in known.notes[table] if table is not None else ():
            if _concerns(statement, named, note):
                yield str(table), note


def _tables(statement: Collect) -> Iterator[str]:
    """The tables' names, as a snapshot has them, in any case."""
    yield from (table.source for table in statement.tables if table.source)
    for reference in statement.query.tables if statement.query is not None else ():
        yield ".".join(reference.parts[1:])


def _concerns(statement: Collect, named: str, note: SourceNote) -> bool:
    settings = next((statement.settings_of(table) for table in statement.tables if table.source == named), statement.settings)
    if note.concerns is Concern.MERGE:
        return settings.mode is Mode.MERGE
    if note.concerns is Concern.CAPTURE:
        return settings.capture
    if settings.mode is Mode.REPLACE or not settings.cursor:
        return False
    return not note.column or _reads(statement, settings.cursor) == note.column.lower()


def _reads(statement: Collect, cursor: str) -> str:
    """The column that the cursor is; '' where it is an expression that reads it in a zone."""
    source = next((column.source for column in statement.columns if column.name == cursor), "")
    if source:
        return source.strip('"').lower()
    return "" if _AT_ZONE.search(statement.sql) else cursor
