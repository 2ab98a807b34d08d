"""What Salesforce's describe means: an object's fields, which of them can be collected, and as what columns; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared_metadata.errors import DefinitionError
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.source_schemas import TableDefaults
from shared_metadata.spelling import did_you_mean
from systems.salesforce.type_mapping import NOT_COLLECTED, column_type

OBJECT_NAME = re.compile(r"[A-Za-z]\w*", re.ASCII)
MOVES = "SystemModstamp"
CALCULATED = "calculated "  # before the type's word, where a snapshot or a registered schema holds such a field


@dataclass(frozen=True)
class SalesforceObject:
    """An object as describe tells: its API name, and its fields that can be collected, name ▸ Salesforce type.

    excluded: those that cannot.  calculated: formulas and the like, whose values change without a change of the record.
    unfilterable: those by which SOQL takes no condition.  logs_deletions: Salesforce keeps a log of which records were deleted.
    """

    name: str
    fields: Mapping[str, str]
    excluded: Mapping[str, str] = field(default_factory=dict)
    calculated: frozenset[str] = frozenset()
    unfilterable: frozenset[str] = frozenset()
    logs_deletions: bool = False

    def find(self, name: str) -> str | None:
        """The API name of a field written in any case."""
        folded = name.lower()
        return next((field for field in self.fields if field.lower() == folded), None)

    def filters_by(self, name: str) -> bool:
        """Whether there is a field of that API name, and SOQL takes conditions on it."""
        return name in self.fields and name not in self.unfilterable


def read_describe(answer: Mapping[str, Any]) -> SalesforceObject:
    """The answer of `/sobjects/<name>/describe`. SOQL knows no quotes, so names stand in it as they are, or nowhere."""
    fields = {_api_name(field["name"]): field["type"] for field in answer["fields"]}
    return SalesforceObject(
        _api_name(answer["name"]),
        {name: kind for name, kind in fields.items() if kind not in NOT_COLLECTED},
        {name: kind for name, kind in fields.items() if kind in NOT_COLLECTED},
        frozenset(field["name"] for field in answer["fields"] if field.get("calculated")),
        frozenset(field["name"] for field in answer["fields"] if not field.get("filterable", True)),
        bool(answer.get("replicateable")),
    )


def read_schema(name: str, schema: Schema) -> SalesforceObject:
    """What of an object is known without asking for it: from a schema that `object_schema` made."""
    return SalesforceObject(
        name,
        {column.source: column.source_type.removeprefix(CALCULATED) for column in schema.columns},
        calculated=frozenset(column.source for column in schema.columns if column.source_type.startswith(CALCULATED)),
    )


def _api_name(name: str) -> str:
    """The name, if it is one as Salesforce makes them."""
    if not OBJECT_NAME.fullmatch(name):
        raise DefinitionError(f"Salesforce describes {name!r}, which is no name of an object or field", remedy="check login_url")
    return name


def object_schema(described: SalesforceObject) -> Schema:
    """All columns that can be collected of an object, without Atoll's own; also of names that would collide in a warehouse."""
    return Schema(tuple(column_of(name.lower(), name, described) for name in described.fields))


def object_defaults(described: SalesforceObject) -> TableDefaults:
    """An object's key, its cursor where SOQL takes conditions on it, and how its deletions are known."""
    cursor = MOVES.lower() if described.filters_by(MOVES) else ""
    logged = " and its log of deletions" if described.logs_deletions else ""
    return TableDefaults(("id",), cursor, None, f"IsDeleted{logged}")


def column_of(name: str, field: str, described: SalesforceObject) -> SchemaColumn:
    """A field's column under a name."""
    kind = described.fields[field]
    word = CALCULATED + kind if field in described.calculated else kind
    return SchemaColumn(name, column_type(kind), True, field, word)


def field_of(described: SalesforceObject, name: str, where: str) -> str:
    """A field by its name in any case. Raises DefinitionError, with what may have been meant, for one that is not to be had."""
    found = described.find(name)
    if found:
        return found
    excluded = next((field for field in described.excluded if field.lower() == name.lower()), None)
    if excluded:
        raise DefinitionError(
            f"{described.name}.{excluded} is of type {described.excluded[excluded]}, which is not collected",
            place=where,
            remedy="select the fields that it is made of, or leave it out",
        )
    raise DefinitionError(
        f"{described.name} has no field {name}, or the user may not read it",
        place=where,
        remedy=did_you_mean(name, list(described.fields)) + "change the program, or grant field-level security",
    )
