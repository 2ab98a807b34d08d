"""One Salesforce org: its objects, records, logins, queries, jobs and traffic, and the doors that tests use."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from doubles.salesforce import identifiers
from doubles.salesforce.bulk import QueryJobs
from doubles.salesforce.cursors import Cursors
from doubles.salesforce.ingest import IngestJobs
from doubles.salesforce.oauth import Authority, Credentials, make_credentials
from doubles.salesforce.permissions import Permissions
from doubles.salesforce.records import Records
from doubles.salesforce.schema import Field, ObjectSchema, build_object
from doubles.salesforce.store import Store
from doubles.salesforce.traffic import Request, Traffic


def utc_now() -> datetime:
    """The org's clock, unless it is given another."""
    return datetime.now(UTC)


class Org:
    """Everything behind the server's endpoints; `now` is its clock, `token_seconds` how long a token lives unused."""

    def __init__(
        self,
        directory: Path,
        now: Callable[[], datetime] = utc_now,
        token_seconds: float = 7200,
        credentials: Credentials | None = None,
    ) -> None:
        self.now = now
        self.store = Store(directory)
        organization_id = identifiers.make_id("00D", 1)
        self.user_id = user_id = identifiers.make_id("005", 1)
        self.traffic = Traffic()
        self.replication_limit = 600_000  # ids in one answer of getDeleted or getUpdated
        self.authority = Authority(credentials or self._stored_credentials(), organization_id, user_id, token_seconds)
        self.records = Records(self.store, lambda: self.now(), user_id)
        self.permissions = Permissions(self.store, user_id)
        self.cursors = Cursors(self.store, lambda: self.now(), self.permissions)
        self.jobs = QueryJobs(self.store, self.cursors, lambda: self.now(), user_id)
        self.ingest = IngestJobs(self.store, self.records, lambda: self.now(), user_id)

    def _stored_credentials(self) -> Credentials:
        stored = self.store.setting("credentials")
        credentials = Credentials(**stored) if stored else make_credentials()
        if not stored:
            self.store.save_setting("credentials", asdict(credentials))
        return credentials

    def close(self) -> None:
        """Finish running jobs and close the files."""
        self.jobs.close()
        self.ingest.close()
        self.store.close()

    @property
    def requests(self) -> list[Request]:
        """Every request so far, oldest first."""
        return list(self.traffic.requests)

    def add_object(
        self,
        name: str,
        fields: Iterable[Field] = (),
        *,
        label: str = "",
        key_prefix: str = "",
        bulk: bool = True,
        replicateable: bool = True,
        name_field: bool = True,
    ) -> ObjectSchema:
        """Create an object with these fields, the system fields and a `Name`; an object that is there stays."""
        found = self.store.find_object(name)
        if found is not None:
            return found
        prefix = key_prefix or identifiers.KEY_PREFIXES.get(name) or self._free_prefix()
        schema = build_object(name, fields, key_prefix=prefix, label=label, bulk=bulk, name_field=name_field)
        schema = replace(schema, replicateable=replicateable)
        self.store.save_object(schema)
        return schema

    def _free_prefix(self) -> str:
        """The next prefix of a custom object: `a00`, `a01`, …"""
        return "a" + identifiers.base62(self.store.reserve_numbers("custom-object", 1) - 1, 2)

    def add_field(self, object_name: str, field: Field) -> None:
        """Add a field, null in every record, or change one; values that the new type does not take become null."""
        schema = self.records.schema(object_name)
        self.store.save_object(schema.with_field(field))
        if field.name in schema.fields:
            self.records.convert(schema, schema.fields[field.name], field)

    def rename_field(self, object_name: str, field_name: str, new_name: str) -> None:
        """Give a field another API name; its values and its place stay."""
        schema = self.records.schema(object_name)
        fields = [replace(one, name=new_name) if one.name == field_name else one for one in schema.fields.values()]
        self.store.rename_column(schema.name, field_name, new_name)
        self.store.save_object(replace(schema, fields={one.name: one for one in fields}))

    def remove_field(self, object_name: str, field_name: str) -> None:
        """Remove a field and its values."""
        self.store.save_object(self.records.schema(object_name).without_field(field_name))

    def insert(self, object_name: str, rows: Iterable[Mapping[str, Any]], at: datetime | None = None) -> list[str]:
        """Add records and return their ids; all fields may be set, system fields too."""
        return list(self.records.insert(object_name, rows, at))

    def update(self, object_name: str, record_id: str, values: Mapping[str, Any], at: datetime | None = None) -> None:
        """Change a record."""
        self.records.update(object_name, record_id, values, at)

    def delete(self, object_name: str, record_id: str, at: datetime | None = None) -> None:
        """Delete a record softly."""
        self.records.delete(object_name, record_id, at)

    def purge(self, object_name: str, record_id: str, at: datetime | None = None) -> None:
        """Delete a record for good; one that is in the recycle bin leaves it."""
        self.records.purge(object_name, record_id, at)

    def expire_tokens(self) -> None:
        """Make every access token given out so far invalid."""
        self.authority.expire_tokens()

    def fail_next(self, kind: str, count: int = 1, path: str = "", method: str = "", **changes: Any) -> None:
        """Let the next `count` requests whose path matches a regular expression go wrong; kinds: `traffic.FAULTS`."""
        self.traffic.arm(kind, count, path, method, **changes)
