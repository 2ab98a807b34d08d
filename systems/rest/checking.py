"""Checks a flow against its source's manifest, before anything is deployed."""

from __future__ import annotations

from collections.abc import Mapping

from shared_metadata.contract.projection import place_of
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Flow, Mode
from shared_metadata.program.schema import Schema
from systems.rest.columns import cursor_field, key_fields, of_changes
from systems.rest.document import document_of, said_of
from systems.rest.streams import not_covered, not_there


def check_flow(flow: Flow, known: Mapping[str, Schema]) -> None:
    """Checks that each table is a stream that is read here, in this mode. Raises DefinitionError."""
    document = document_of(flow.slice_id.partition(".")[2])
    for table in flow.tables:
        if why := document["left_out"].get(table.source):
            raise not_covered(flow, table, why)
        if table.source not in document["streams"] and not document["templates"]:  # those of these the snapshot has
            raise not_there(flow, table, document["streams"])
        if flow.mode is not Mode.MERGE and said_of(document, table.source).get("only") == Mode.MERGE:
            stream = of_changes(document["streams"].get(table.source) or {})
            key, cursor = ", ".join(key_fields(stream)) or "…", cursor_field(stream) or "…"
            raise DefinitionError(
                f"{table.source} is not read as a whole: its API tells what changed, and a record that changes meanwhile twice",
                place=place_of(flow, table),
                remedy=f"write MERGE ON ({key}) CURSOR {cursor}",
            )


def misses(system: str, table: str) -> str:
    """Which changes of a table no batch of a cursor sees, as the overlay says; '' where it says nothing."""
    return str(said_of(document_of(system), table).get("misses") or "")
