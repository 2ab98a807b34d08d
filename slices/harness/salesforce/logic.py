"""How a result's columns stand to the fields of an object; no I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared_metadata.errors import DefinitionError
from shared_metadata.program import Flow, Mode
from shared_metadata.program.schema import Schema
from shared_metadata.spelling import did_you_mean
from slices.harness.salesforce.fitting import fits
from slices.harness.salesforce.values import written
from systems.salesforce.objects import OBJECT_NAME
from systems.salesforce.written import ID, WrittenField, WrittenObject

Describe = Callable[[str], WrittenObject]


@dataclass(frozen=True)
class Column:
    """A column of the result, and the field that it goes to.

    kind: of its values' field.  by: the key of the record that the field refers to, where the column has that.
    """

    name: str
    field: WrittenField
    kind: str
    by: str = ""

    @property
    def header(self) -> str:
        """The name of its column in a CSV."""
        return f"{self.field.relationship}.{self.by}" if self.by else self.field.name


@dataclass(frozen=True)
class Writing:
    """How the rows of a flow are written.  key: of a MERGE; None for rows that are added."""

    object: WrittenObject
    columns: tuple[Column, ...]
    key: Column | None

    @property
    def updates_only(self) -> bool:
        """Whether its records are others': by their Id."""
        return self.key is not None and self.key.field.name == ID

    def record(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Header ▸ value. Raises Unwritable, whose text is the field's name."""
        found = {}
        for column in self.columns:
            try:
                found[column.header] = written(column.kind, row[column.name])
            except ValueError as error:
                raise type(error)(column.header) from None
        return found

    def in_json(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """A record within a collection; one that refers to nothing has a null in the field itself."""
        found: dict[str, Any] = {"attributes": {"type": self.object.name}}
        for column in self.columns:
            value = record[column.header]
            if not column.by:
                found["id" if column.field.name == ID else column.field.name] = value
            elif value is None:
                found[column.field.name] = None
            else:
                found[column.field.relationship] = {column.by: value}
        return found


def check_flow(flow: Flow, known: Mapping[str, Schema]) -> None:
    """Checks a publication without Salesforce. Raises DefinitionError."""
    if flow.mode == Mode.MERGE and len(flow.key) != 1:
        raise DefinitionError(
            f"Salesforce finds a record by one field, and MERGE ON has {len(flow.key)}",
            place=str(flow.position),
            remedy="make one column of them in the query, and an external id field of it in Salesforce",
        )


def writing_of(flow: Flow, columns: Sequence[Mapping[str, Any]], object: WrittenObject, describe: Describe) -> Writing:
    """columns: 'name' and 'type' of each.  describe: an object that one refers to. Raises DefinitionError without a place."""
    check_flow(flow, {})
    found = tuple(_column(column["name"], object, describe) for column in columns)
    for column, told in zip(found, columns, strict=True):
        if why := fits(column.kind, told["type"]):
            what = f"`{column.name}` is {told['type']}, and {object.name} has it as {column.kind}, {why}"
            raise DefinitionError(what, remedy="CAST it in the query")
    key = next((column for column in found if flow.mode == Mode.MERGE and column.name == flow.key[0]), None)
    writing = Writing(object, found, key)
    _check_twice(writing)
    _check_key(writing)
    _check_rights(writing)
    return writing


def _column(name: str, object: WrittenObject, describe: Describe) -> Column:
    relation, _, key = name.rpartition(".")
    if not all(OBJECT_NAME.fullmatch(part) for part in (relation, key) if part or not key):
        raise DefinitionError(
            f"{object.name} cannot have a column {name!r}: the name of a field has letters, digits and _",
            remedy="publish it AS another name, that of a field",
        )
    if relation:
        return _related(name, relation, key, object, describe)
    field = object.find(name)
    if field is None:
        remedy = f"{did_you_mean(name, sorted(object.fields))}change the program, or grant field-level security"
        raise DefinitionError(f"{object.name} has no field {name}, or the user may not see it", remedy=remedy)
    return Column(name, field, field.kind)


def _related(name: str, relation: str, key: str, object: WrittenObject, describe: Describe) -> Column:
    field = object.related(relation)
    if field is None:
        known = sorted(one.relationship for one in object.fields.values() if one.relationship)
        raise DefinitionError(
            f"{object.name} cannot have a column {name!r}: it has no relationship {relation}",
            remedy=f"{did_you_mean(relation, known)}publish it AS another name: it has {', '.join(known) or 'none'}",
        )
    if len(field.refers) != 1:
        what = f"{object.name}.{field.name} refers to records of {len(field.refers)} objects, of which a key does not say which"
        raise DefinitionError(what, remedy=f"publish {field.name} with the record's Id")
    parent = describe(field.refers[0])
    by = parent.find(key)
    if by is None or not by.finds:
        remedy = f"{did_you_mean(key, parent.keys)}{parent.name} has {', '.join(parent.keys) or 'none'}"
        raise DefinitionError(f"{parent.name}.{key} is no field by which a record is found", remedy=remedy)
    return Column(name, field, by.kind, by.name)


def _check_twice(writing: Writing) -> None:
    fields = [column.field.name for column in writing.columns]
    if twice := sorted({name for name in fields if fields.count(name) > 1}):
        raise DefinitionError(f"two columns go to {writing.object.name}.{twice[0]}", remedy="publish one of them")


def _check_key(writing: Writing) -> None:
    key = writing.key
    if key is None:
        return
    if key.by or not (key.field.finds or key.field.name == ID):
        keys = ", ".join([*writing.object.keys, ID])
        raise DefinitionError(
            f"{writing.object.name}.{key.header} is no external id, so that no record is found by it",
            remedy=f"make it one in Salesforce, or MERGE ON one of {keys}",
        )


def _check_rights(writing: Writing) -> None:
    """An upsert creates and updates; a record's own key is only given when it is made, and its Id never."""
    creates, updates = not writing.updates_only, writing.key is not None
    for column in writing.columns:
        field = column.field
        if column is writing.key and field.name == ID:
            continue
        may = (field.createable or not creates) and (field.updateable or not updates or column is writing.key)
        if not may:
            does = " and ".join(["create"] * creates + ["update"] * updates)
            raise DefinitionError(
                f"the user may not {does} {writing.object.name}.{field.name}",
                remedy="leave the column out, or grant field-level security",
            )
    missing = [field.name for field in writing.object.fields.values() if field.required]
    lacking = sorted({*missing} - {column.field.name for column in writing.columns}) if creates and not updates else []
    if lacking:
        raise DefinitionError(f"a new {writing.object.name} needs {', '.join(lacking)}", remedy="publish these too")
