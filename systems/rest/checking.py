"""Checks a flow against its source's manifest, before anything is deployed."""

from __future__ import annotations

from collections.abc import Mapping

from shared_metadata.program import Flow
from shared_metadata.program.schema import Schema
from systems.rest.client import stream_of
from systems.rest.document import document_of


def check_flow(flow: Flow, known: Mapping[str, Schema]) -> None:
    """Checks that each table is a stream that is read here. Raises DefinitionError."""
    document = document_of(flow.slice_id.partition(".")[2])
    for table in flow.tables:
        stream_of(document, flow, table)
