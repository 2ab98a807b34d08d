"""The columns that a flow collects of an object."""

from __future__ import annotations

from shared_metadata.errors import DefinitionError
from shared_metadata.program import Flow, Mask, Table
from shared_metadata.program.schema import Schema, SchemaColumn
from systems.salesforce.objects import SalesforceObject, column_of, field_of, object_schema


def schema_of(flow: Flow, table: Table, described: SalesforceObject) -> Schema:
    """The columns that the flow collects, `_batch` and `_deleted` last. Raises DefinitionError for a field that is not there.

    All are nullable: what Salesforce promises for a form does not bind old records.
    """
    where = place(flow, table)
    wanted = [(column.name, source_field(column.source)) for column in flow.columns]
    pairs = wanted or [(column.name, column.source) for column in object_schema(described).columns]
    pairs = [(name, source) for name, source in pairs if name not in table.masked(Mask.DROP)]
    columns: dict[str, SchemaColumn] = {}
    if not pairs:
        raise DefinitionError(f"MASK drops every field of {described.name}", place=where, remedy="leave one")
    for name, source in pairs:
        field = field_of(described, source, where)
        if name in columns or name in ("_batch", "_deleted"):
            raise DefinitionError(
                f"two columns of {described.name} would be called {name}",
                place=where,
                remedy="select the columns by name and rename one with AS",
            )
        columns[name] = column_of(name, field, described)
    own = (SchemaColumn("_batch", "timestamptz"), SchemaColumn("_deleted", "boolean"))
    return Schema((*columns.values(), *own))


def source_field(text: str) -> str:
    """The field in a projection's column, as SQL text."""
    return text.strip().strip('"')


def place(flow: Flow, table: Table) -> str:
    """The table's place in the program, for errors."""
    return f"{flow.position}: {table.dataset}"
