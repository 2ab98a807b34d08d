"""What an org's objects look like: fields, their Salesforce types, and the objects that hold them."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

TEXT_TYPES = frozenset(
    {"id", "string", "textarea", "picklist", "multipicklist", "reference", "email", "phone", "url", "combobox"}
    | {"encryptedstring", "base64", "anyType"}
)
NUMBER_TYPES = frozenset({"int", "long", "double", "currency", "percent"})
INTEGER_TYPES = frozenset({"int", "long"})
COMPOUND_TYPES = frozenset({"address", "location"})
FIELD_TYPES = TEXT_TYPES | NUMBER_TYPES | COMPOUND_TYPES | {"boolean", "date", "datetime", "time"}

_DEFAULT_LENGTHS = {
    "id": 18, "reference": 18, "string": 255, "textarea": 255, "picklist": 255, "multipicklist": 4099, "email": 80,
    "phone": 40, "url": 255, "combobox": 255, "encryptedstring": 175, "base64": 10485760, "anyType": 255,
}  # fmt: skip
_DEFAULT_PRECISIONS = {"double": (18, 2), "currency": (18, 2), "percent": (18, 2)}
_ADDRESS_PARTS = (
    ("Street", "textarea", 255), ("City", "string", 40), ("State", "string", 80), ("PostalCode", "string", 20),
    ("Country", "string", 80), ("Latitude", "double", None), ("Longitude", "double", None),
    ("GeocodeAccuracy", "picklist", 40),
)  # fmt: skip


@dataclass(frozen=True)
class Field:
    """One field of an object; `length` counts characters, `precision` and `scale` decimal digits.

    filters: False for a field by which SOQL takes no condition although its type would allow one.
    case_sensitive: whether its texts are others in another case, where they are unique, or found by it.
    createable, updateable: False where the user may not write it, in a new record or in one that is there.
    defaulted: whether a new record has a value of its own where it is given none.
    """

    name: str
    type: str = "string"
    label: str = ""
    length: int | None = None
    precision: int | None = None
    scale: int | None = None
    nillable: bool = True
    unique: bool = False
    external_id: bool = False
    case_sensitive: bool = False
    calculated: bool = False
    filters: bool = True
    createable: bool = True
    updateable: bool = True
    defaulted: bool = False
    reference_to: tuple[str, ...] = ()
    picklist_values: tuple[str, ...] = ()
    compound: str | None = None
    system: bool = False

    def __post_init__(self) -> None:
        if self.type not in FIELD_TYPES:
            raise ValueError(f"field {self.name}: unknown type {self.type!r}; one of {', '.join(sorted(FIELD_TYPES))}")
        if self.length is None:
            object.__setattr__(self, "length", _DEFAULT_LENGTHS.get(self.type, 0))
        precision, scale = _DEFAULT_PRECISIONS.get(self.type, (0, 0))
        if self.precision is None:
            object.__setattr__(self, "precision", precision)
        if self.scale is None:
            object.__setattr__(self, "scale", scale)
        object.__setattr__(self, "reference_to", tuple(self.reference_to))
        object.__setattr__(self, "picklist_values", tuple(self.picklist_values))

    @property
    def custom(self) -> bool:
        """Whether an administrator made the field: its name ends in `__c`, or `__s` for part of a compound one."""
        return self.name.endswith(("__c", "__s"))

    @property
    def relationship_name(self) -> str | None:
        if self.type != "reference":
            return None
        return self.name.removesuffix("__c") + "__r" if self.custom else self.name.removesuffix("Id")

    @property
    def filterable(self) -> bool:
        """Whether SOQL may filter and sort by the field.

        Long text, encrypted, binary and compound fields cannot be: SOQL and SOSL Reference, "WHERE", and Object
        Reference, "Compound Field Considerations and Limitations".
        """
        if self.type == "textarea":
            return self.filters and (self.length or 0) <= 255
        return self.filters and self.type not in COMPOUND_TYPES | {"encryptedstring", "base64"}


SYSTEM_FIELDS = (
    Field("Id", "id", "Record ID", nillable=False, system=True),
    Field("IsDeleted", "boolean", "Deleted", nillable=False, system=True),
    Field("CreatedDate", "datetime", "Created Date", nillable=False, system=True),
    Field("CreatedById", "reference", "Created By ID", nillable=False, reference_to=("User",), system=True),
    Field("LastModifiedDate", "datetime", "Last Modified Date", nillable=False, system=True),
    Field("LastModifiedById", "reference", "Last Modified By ID", nillable=False, reference_to=("User",), system=True),
    Field("SystemModstamp", "datetime", "System Modstamp", nillable=False, system=True),
)


def collated(field: Field) -> str:
    """A column as Salesforce compares it: texts without regard to case, unless the field has it; all else exactly."""
    text = field.type in TEXT_TYPES - {"id", "reference"} and not field.case_sensitive
    return f'"{field.name}" COLLATE NOCASE' if text else f'"{field.name}"'


def component_fields(compound: Field) -> list[Field]:
    """The stored fields behind an address or location field; Salesforce names them after it.

    `BillingAddress` is `BillingStreet`, `BillingCity`, …; `Site__c` is `Site__Latitude__s`, …
    """
    stem = compound.name.removesuffix("__c") + "__" if compound.custom else compound.name.removesuffix("Address")
    suffix = "__s" if compound.custom else ""
    parts = _ADDRESS_PARTS if compound.type == "address" else _ADDRESS_PARTS[5:7]
    return [
        Field(f"{stem}{part}{suffix}", kind, length=length, compound=compound.name)
        if kind != "double"
        else Field(f"{stem}{part}{suffix}", kind, precision=18, scale=15, compound=compound.name)
        for part, kind, length in parts
    ]


@dataclass(frozen=True)
class ObjectSchema:
    """One object: its fields by name, in their order, system fields included; `replicateable`: getDeleted and getUpdated know it."""

    name: str
    key_prefix: str
    label: str = ""
    fields: dict[str, Field] = field(default_factory=dict)
    bulk: bool = True
    replicateable: bool = True

    def find(self, name: str) -> Field | None:
        """The field of that name; SOQL takes names in any case."""
        found = self.fields.get(name)
        if found is None:
            folded = name.lower()
            found = next((one for one in self.fields.values() if one.name.lower() == folded), None)
        return found

    def stored_fields(self) -> list[Field]:
        """The fields that have a column of their own: all but the compound ones."""
        return [one for one in self.fields.values() if one.type not in COMPOUND_TYPES]

    def components(self, compound: Field) -> list[Field]:
        """The stored fields that make up a compound one."""
        return [one for one in self.fields.values() if one.compound == compound.name]

    def find_relationship(self, name: str) -> Field | None:
        """The field of references that a relationship of that name is by."""
        folded = name.lower()
        return next((one for one in self.fields.values() if (one.relationship_name or "").lower() == folded), None)

    def with_field(self, new: Field) -> "ObjectSchema":
        """The object with the field added or replaced, with its components if it is a compound one."""
        added = [new, *(component_fields(new) if new.type in COMPOUND_TYPES else [])]
        return replace(self, fields={**self.fields, **{one.name: one for one in added}})

    def without_field(self, name: str) -> "ObjectSchema":
        """The object without the field and, if it is a compound one, without its components."""
        kept = {key: one for key, one in self.fields.items() if name not in (key, one.compound)}
        return replace(self, fields=kept)


def build_object(
    name: str, fields: Iterable[Field], *, key_prefix: str, label: str = "", bulk: bool = True, name_field: bool = True
) -> ObjectSchema:
    """An object with Salesforce's system fields, and a `Name` unless it is not to have one."""
    schema = ObjectSchema(name, key_prefix, label or name, {one.name: one for one in SYSTEM_FIELDS[:1]}, bulk)
    given = list(fields)
    if name_field and all(one.name != "Name" for one in given):
        given.insert(0, Field("Name", "string", length=80 if name.endswith("__c") else 255))
    for one in (*given, *SYSTEM_FIELDS[1:]):
        schema = schema.with_field(one)
    return schema


def field_from_json(definition: dict[str, Any]) -> Field:
    """A field from its JSON form; the keys are the names of Field's attributes, or describe's."""
    described = {"referenceTo": "reference_to", "picklistValues": "picklist_values", "externalId": "external_id"}
    return Field(**{described.get(key, key): value for key, value in definition.items()})


def object_from_json(definition: dict[str, Any]) -> ObjectSchema:
    """The inverse of `object_to_json`."""
    fields = [field_from_json(one) for one in definition["fields"]]
    return ObjectSchema(**{**definition, "fields": {one.name: one for one in fields}})


def object_to_json(schema: ObjectSchema) -> dict[str, Any]:
    """An object as plain JSON values."""
    return {**asdict(schema), "fields": [asdict(one) for one in schema.fields.values()]}
