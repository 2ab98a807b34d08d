"""The describe answers: an org's objects, and an object's fields, with Salesforce's keys.

Keys: REST API Developer Guide, "sObject Describe", and SOAP API Developer Guide, "DescribeSObjectResult" and "Field".
"""

from collections.abc import Iterable
from typing import Any

from doubles.salesforce.schema import COMPOUND_TYPES, INTEGER_TYPES, NUMBER_TYPES, Field, ObjectSchema

_SOAP_TYPES = {
    "id": "tns:ID", "reference": "tns:ID", "boolean": "xsd:boolean", "int": "xsd:int", "long": "xsd:long",
    "double": "xsd:double", "currency": "xsd:double", "percent": "xsd:double", "date": "xsd:date",
    "datetime": "xsd:dateTime", "time": "xsd:time", "base64": "xsd:base64Binary", "address": "urn:address",
    "location": "urn:location", "anyType": "xsd:anyType",
}  # fmt: skip
_SINGLE_BYTE_TYPES = frozenset({"id", "reference"})


def describe_global(objects: Iterable[ObjectSchema], version: str) -> dict[str, Any]:
    """The answer of `/sobjects/`."""
    return {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": [_summary(one, version) for one in objects]}


def _summary(schema: ObjectSchema, version: str) -> dict[str, Any]:
    url = f"/services/data/{version}/sobjects/{schema.name}"
    flags = ("createable", "deletable", "layoutable", "queryable", "retrieveable", "searchable",
             "triggerable", "undeletable", "updateable")  # fmt: skip
    return {
        "activateable": False, "associateEntityType": None, "associateParentEntity": None,
        "custom": schema.name.endswith("__c"), "customSetting": False, "deepCloneable": False,
        "deprecatedAndHidden": False, "feedEnabled": False, "hasSubtypes": False, "isInterface": False,
        "isSubtype": False, "keyPrefix": schema.key_prefix, "label": schema.label, "labelPlural": schema.label + "s",
        "mergeable": False, "mruEnabled": True, "name": schema.name, **dict.fromkeys(flags, True),
        "replicateable": schema.replicateable,
        "urls": {"sobject": url, "describe": f"{url}/describe", "rowTemplate": f"{url}/{{ID}}"},
    }  # fmt: skip


def describe_object(schema: ObjectSchema, version: str) -> dict[str, Any]:
    """The answer of `/sobjects/<T>/describe`."""
    fields = [_describe_field(schema, one) for one in schema.fields.values()]
    empty: dict[str, Any] = {"childRelationships": [], "recordTypeInfos": [], "namedLayoutInfos": []}
    return {**_summary(schema, version), **empty, "fields": fields}


def basic_information(schema: ObjectSchema, version: str) -> dict[str, Any]:
    """The answer of `/sobjects/<T>`."""
    return {"objectDescribe": _summary(schema, version), "recentItems": []}


def _describe_field(schema: ObjectSchema, field: Field) -> dict[str, Any]:
    writable = not (field.system or field.calculated or field.type in COMPOUND_TYPES)
    length = 0 if field.type in NUMBER_TYPES or field.type in COMPOUND_TYPES else field.length or 0
    digits = {"int": 8, "long": 18}.get(field.type, 0)
    byte_length = length * (1 if field.type in _SINGLE_BYTE_TYPES else 3)
    defaulted = field.defaulted or field.type == "boolean" or (field.system and field.name != "Id")
    return {
        "aggregatable": field.filterable, "aiPredictionField": False, "autoNumber": False, "byteLength": byte_length,
        "calculated": field.calculated, "calculatedFormula": None, "cascadeDelete": False, "caseSensitive": field.case_sensitive,
        "compoundFieldName": field.compound, "controllerName": None, "createable": writable and field.createable,
        "custom": field.custom,
        "defaultValue": False if field.type == "boolean" else None, "defaultValueFormula": None,
        "defaultedOnCreate": defaulted or field.name == "Id", "dependentPicklist": False,
        "deprecatedAndHidden": False, "digits": digits, "displayLocationInDecimal": False,
        "encrypted": field.type == "encryptedstring", "externalId": field.external_id, "extraTypeInfo": None,
        "filterable": field.filterable, "filteredLookupInfo": None, "formulaTreatNullNumberAsZero": False,
        "groupable": field.filterable and field.type not in ("double", "currency", "percent", "datetime"),
        "highScaleNumber": False, "htmlFormatted": False, "idLookup": field.name == "Id" or field.external_id,
        "inlineHelpText": None, "label": field.label or field.name, "length": length, "mask": None, "maskType": None,
        "name": field.name, "nameField": field.name == "Name", "namePointing": False,
        "nillable": field.nillable and field.type != "boolean", "permissionable": field.custom,
        "picklistValues": [_picklist_value(one) for one in field.picklist_values],
        "polymorphicForeignKey": len(field.reference_to) > 1,
        "precision": 0 if field.type in INTEGER_TYPES else field.precision or 0, "queryByDistance": False,
        "referenceTargetField": None, "referenceTo": list(field.reference_to),
        "relationshipName": field.relationship_name, "relationshipOrder": None,
        "restrictedDelete": False, "restrictedPicklist": False, "scale": field.scale or 0, "searchPrefilterable": False,
        "soapType": _SOAP_TYPES.get(field.type, "xsd:string"), "sortable": field.filterable, "type": field.type,
        "unique": field.unique, "updateable": writable and field.updateable, "writeRequiresMasterRead": False,
    }  # fmt: skip


def _picklist_value(value: str) -> dict[str, Any]:
    return {"active": True, "defaultValue": False, "label": value, "validFor": None, "value": value}
