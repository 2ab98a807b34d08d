"""Checks whether the user may see all records of an object: no query reports records that sharing hides."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from shared_metadata.errors import DefinitionError
from systems.salesforce.refusals import Refused
from systems.salesforce.session import Session

# Organization-wide defaults by which nothing is hidden from a user: Object Reference, "EntityDefinition", InternalSharingModel.
PUBLIC = frozenset({"", "Read", "ReadWrite", "ReadWriteTransfer", "FullAccess"})
REMEDY = (
    "grant the permission View All Data, or View All on the object by a permission set (with View Setup and Configuration, so that "
    "it can be told), or write all_records = FALSE in the connection where a part of the records is what is wanted"
)


class Visibility:
    """Asked before each batch, since permissions and sharing change. One request, and a few more for a user without View All Data."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def check(self, name: str) -> None:
        """Raises DefinitionError for an object that the user sees only in part, or of which that is unknown."""
        if self._views_all_data or self._sharing(name) in PUBLIC:
            return
        try:
            seen = self._views_all(name)
        except Refused:
            raise DefinitionError(f"whether the user sees all records of {name} cannot be told, and {name} is not shared with all",
                                  remedy=REMEDY) from None  # fmt: skip
        if not seen:
            raise DefinitionError(f"the user sees only those records of {name} that are shared with it", remedy=REMEDY)

    @cached_property
    def _views_all_data(self) -> bool:
        """Whether the user's permissions include View All Data; an org without that object does not say."""
        try:
            found = self._records("SELECT PermissionsViewAllData FROM UserPermissionAccess LIMIT 1")
        except Refused:
            return False
        return any(one["PermissionsViewAllData"] for one in found)

    def _sharing(self, name: str) -> str | None:
        """The organization-wide default; '' for an object without sharing, None where it is unknown."""
        try:
            found = self._records(f"SELECT InternalSharingModel FROM EntityDefinition WHERE QualifiedApiName = '{name}'")
        except Refused:
            return None
        return str(found[0]["InternalSharingModel"] or "") if found else None

    def _views_all(self, name: str) -> bool:
        ids = ", ".join(f"'{one['PermissionSetId']}'" for one in self._records(self._permission_sets))
        if not ids:
            return False
        granted = f"SobjectType = '{name}' AND PermissionsViewAllRecords = TRUE AND ParentId IN ({ids})"
        return bool(self._records(f"SELECT Id FROM ObjectPermissions WHERE {granted} LIMIT 1"))

    @cached_property
    def _permission_sets(self) -> str:
        """The SOQL of the user's permission sets, its profile's among them."""
        user = self._session.get("/services/oauth2/userinfo")["user_id"]
        return f"SELECT PermissionSetId FROM PermissionSetAssignment WHERE AssigneeId = '{user}'"

    def _records(self, soql: str) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = self._session.get("query", {"q": soql})["records"]
        return found
