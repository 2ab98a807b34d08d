"""Asks the discover function of a slice what is at a connection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from console.function_call import call
from console.target import Target
from shared_metadata.contract.declaration import Slice
from shared_metadata.program import Connection, from_plain
from shared_metadata.records import Schema


def list_names(target: Target, slice_: Slice, connection: Connection, program: str) -> list[str]:
    """What can be read at the connection. program: the files' names, for the command that deploys. Raises as `describe`."""
    from shared_metadata.contract.discovery import STEP

    return list(call(target, slice_, STEP, {"connection": asdict(connection)}, program)["names"])


def describe(
    target: Target, slice_: Slice, connection: Connection, tables: Sequence[str], program: str
) -> tuple[dict[str, Schema | None], dict[str, str]]:
    """Each table's schema, None where it is not there; and missing table ▸ one of a similar name.

    Raises DefinitionError when the slice is not deployed, and what its function raises.
    """
    from shared_metadata.contract.discovery import STEP

    found: dict[str, Schema | None] = {}
    close: dict[str, str] = {}
    left = list(tables)
    while left:
        answer = call(target, slice_, STEP, {"connection": asdict(connection), "tables": left}, program)
        found |= {name: from_plain(Schema, schema) if schema else None for name, schema in answer["tables"].items()}
        close |= answer["close"]
        left = answer["left"]
    return found, close
