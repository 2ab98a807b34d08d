"""Asks a slice's discover function for the tables at a connection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from console.function_call import call
from console.target import Target
from shared_metadata.contract.declaration import Slice
from shared_metadata.contract.sizes import Size
from shared_metadata.program import Connection, from_plain
from shared_metadata.program.schema import Schema
from shared_metadata.program.source_schemas import SourceNote, TableDefaults


@dataclass(frozen=True)
class Described:
    """The description of tables. tables: each one's schema, None for a missing one.  close: missing table ▸ one of a similar name.

    warnings: table ▸ why a batch of it would fail, and what to do.  notes: table ▸ by what a statement would lose rows.
    defaults: table ▸ how it is collected where a statement does not say so.
    """

    tables: dict[str, Schema | None] = field(default_factory=dict)
    close: dict[str, str] = field(default_factory=dict)
    warnings: dict[str, str] = field(default_factory=dict)
    notes: dict[str, tuple[SourceNote, ...]] = field(default_factory=dict)
    defaults: dict[str, TableDefaults] = field(default_factory=dict)

    def and_also(self, other: Described) -> Described:
        warnings, notes = self.warnings | other.warnings, self.notes | other.notes
        defaults = self.defaults | other.defaults
        return Described(self.tables | other.tables, self.close | other.close, warnings, notes, defaults)


def list_names(target: Target, slice_: Slice, connection: Connection, program: str) -> dict[str, str]:
    """The readable tables at the connection: each name ▸ why a batch of it would fail, or ''.

    program: the files' names, for the command that deploys. Raises as `describe`.
    """
    from shared_metadata.contract.discovery import STEP

    answer = call(target, slice_, STEP, {"connection": asdict(connection)}, program)
    warnings = answer.get("warnings", {})
    return {name: warnings.get(name, "") for name in answer["names"]}


def measure(target: Target, slice_: Slice, connection: Connection, tables: Sequence[str], program: str) -> dict[str, Size]:
    """The sizes of tables, as far as the slice knows them. Raises as `describe`."""
    from shared_metadata.contract.discovery import STEP

    answer = call(target, slice_, STEP, {"connection": asdict(connection), "tables": list(tables), "sizes": True}, program)
    return {name: Size(**size) for name, size in answer.get("sizes", {}).items()}


def describe(target: Target, slice_: Slice, connection: Connection, tables: Sequence[str], program: str) -> Described:
    """Describes tables. Raises DefinitionError when the slice is not deployed, and its function's errors."""
    from shared_metadata.contract.discovery import STEP

    found = Described()
    left = list(tables)
    while left:
        answer = call(target, slice_, STEP, {"connection": asdict(connection), "tables": left}, program)
        described = {name: from_plain(Schema, schema) if schema else None for name, schema in answer["tables"].items()}
        notes = {name: tuple(from_plain(SourceNote, n) for n in told) for name, told in answer.get("notes", {}).items()}
        defaults = {name: from_plain(TableDefaults, told) for name, told in answer.get("defaults", {}).items()}
        found = found.and_also(Described(described, answer["close"], answer.get("warnings", {}), notes, defaults))
        left = answer["left"]
    return found
