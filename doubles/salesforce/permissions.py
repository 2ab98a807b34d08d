"""What the org's user may see, told by Salesforce's own objects: all records, those of an object, and what is shared with everybody.

Object Reference, "UserPermissionAccess" (of the current user), "EntityDefinition" (`InternalSharingModel`), "PermissionSetAssignment"
and "ObjectPermissions", which only users with View Setup and Configuration can query.
"""

from __future__ import annotations

from doubles.salesforce import identifiers
from doubles.salesforce.schema import Field, ObjectSchema, build_object
from doubles.salesforce.store import Store
from doubles.salesforce.values import Stored

_BOOLEAN = "boolean"
OBJECTS = {
    "userpermissionaccess": ("UserPermissionAccess", (Field("PermissionsViewAllData", _BOOLEAN),)),
    "entitydefinition": ("EntityDefinition", (Field("QualifiedApiName"), Field("InternalSharingModel", "picklist"))),
    "permissionsetassignment": ("PermissionSetAssignment", (Field("PermissionSetId"), Field("AssigneeId"))),
    "objectpermissions": (
        "ObjectPermissions",
        (Field("ParentId"), Field("SobjectType"), Field("PermissionsViewAllRecords", _BOOLEAN)),
    ),
}
_SETUP = ("permissionsetassignment", "objectpermissions")


class Permissions:
    """Of the org's only user, who may see everything until a test says otherwise.

    view_all_data, view_setup: the user's permissions.  view_all: objects of which all records may be seen, by a permission set.
    sharing: object ▸ its organization-wide default; of the others 'ReadWrite'.
    """

    def __init__(self, store: Store, user_id: str) -> None:
        self.view_all_data, self.view_setup = True, True
        self.view_all: set[str] = set()
        self.sharing: dict[str, str] = {}
        self._store, self._user_id = store, user_id
        self._schemas: dict[str, ObjectSchema] = {}

    def find(self, name: str) -> ObjectSchema | None:
        """The object of that name with rows as the permissions are now; None if it is none of these, or hidden."""
        folded = name.lower()
        if folded not in OBJECTS or (folded in _SETUP and not self.view_setup):
            return None
        own, fields = OBJECTS[folded]
        schema = self._schemas.setdefault(folded, build_object(own, fields, key_prefix="0PS", name_field=False))
        names = [one.name for one in schema.stored_fields()]
        rows = [{"Id": identifiers.make_id("0PS", n), "IsDeleted": 0, **row} for n, row in enumerate(self._rows(folded), 1)]
        self._store.fill(schema, names, [[row.get(one) for one in names] for row in rows])
        return schema

    def _rows(self, folded: str) -> list[dict[str, Stored]]:
        permission_set = identifiers.make_id("0PS", 1)
        if folded == "userpermissionaccess":
            return [{"PermissionsViewAllData": int(self.view_all_data)}]
        if folded == "entitydefinition":
            names = [one.name for one in self._store.objects()]
            return [{"QualifiedApiName": name, "InternalSharingModel": self.sharing.get(name, "ReadWrite")} for name in names]
        if folded == "permissionsetassignment":
            return [{"PermissionSetId": permission_set, "AssigneeId": self._user_id}]
        return [{"ParentId": permission_set, "SobjectType": name, "PermissionsViewAllRecords": 1} for name in sorted(self.view_all)]
