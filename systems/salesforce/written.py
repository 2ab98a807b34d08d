"""What describe says of an object's fields to who writes them; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared_metadata.program.schema import Schema, SchemaColumn
from systems.salesforce.objects import OBJECT_NAME
from systems.salesforce.type_mapping import NOT_COLLECTED, column_type

ID = "Id"


@dataclass(frozen=True)
class WrittenField:
    """A field. required: a new record needs a value of it.  finds: a record is found by it.

    refers: to records of which objects.  relationship: what it is called by which these are named.
    case_sensitive: whether its texts are others in another case.
    """

    name: str
    kind: str
    createable: bool
    updateable: bool
    required: bool
    finds: bool
    refers: tuple[str, ...] = ()
    relationship: str = ""
    case_sensitive: bool = False

    @property
    def is_text(self) -> bool:
        """Whether its values are texts of the user's."""
        return column_type(self.kind) == "string" and self.kind not in ("id", "reference")

    @property
    def writable(self) -> bool:
        return self.createable or self.updateable


@dataclass(frozen=True)
class WrittenObject:
    name: str
    fields: Mapping[str, WrittenField]  # by their names in lower case

    def find(self, name: str) -> WrittenField | None:
        """A field by its name in any case."""
        return self.fields.get(name.lower())

    def related(self, name: str) -> WrittenField | None:
        """The field by which a relationship of that name is."""
        return next((field for field in self.fields.values() if field.relationship.lower() == name.lower()), None)

    @property
    def keys(self) -> list[str]:
        """The fields by which a record is found, beside its Id."""
        return [field.name for field in self.fields.values() if field.finds and field.name != ID]


def read_written(answer: Mapping[str, Any]) -> WrittenObject:
    """The answer of `/sobjects/<name>/describe`, without what no request can write: compounds, and binary data."""
    fields = [_field(told) for told in answer["fields"] if told["type"] not in NOT_COLLECTED and OBJECT_NAME.fullmatch(told["name"])]
    return WrittenObject(answer["name"], {field.name.lower(): field for field in fields})


def written_schema(described: WrittenObject, related: Mapping[str, WrittenObject]) -> Schema:
    """The columns that can be published: its Id, the fields that the user may write, and the keys of records to which these refer.

    related: the objects that a field refers to alone, by their names.
    """
    columns = []
    for field in described.fields.values():
        if field.writable or field.name == ID:
            word = f"{field.kind}({', '.join(field.refers)})" if field.refers else field.kind
            columns.append(SchemaColumn(field.name.lower(), column_type(field.kind), not field.required, field.name, word))
        parent = related.get(field.refers[0]) if len(field.refers) == 1 and field.relationship and field.writable else None
        for key in parent.keys if parent else ():
            name, of = f"{field.relationship}.{key}", parent.fields[key.lower()] if parent else field
            columns.append(SchemaColumn(name.lower(), column_type(of.kind), True, name, of.kind))
    return Schema(tuple(columns))


def _field(told: Mapping[str, Any]) -> WrittenField:
    needed = not told["nillable"] and not told.get("defaultedOnCreate") and bool(told["createable"])
    finds = bool(told.get("externalId") or told.get("idLookup"))
    refers, relationship = tuple(told.get("referenceTo") or ()), str(told.get("relationshipName") or "")
    may, exact = (bool(told["createable"]), bool(told["updateable"])), bool(told.get("caseSensitive"))
    return WrittenField(told["name"], told["type"], *may, needed, finds, refers, relationship, exact)
