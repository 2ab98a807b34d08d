"""What inserting, updating and deleting a record means: checks, ids, system fields, soft deletion."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from itertools import islice
from typing import Any

from doubles.salesforce import identifiers
from doubles.salesforce.errors import SalesforceError, not_found
from doubles.salesforce.row_refusals import Refusals
from doubles.salesforce.schema import COMPOUND_TYPES, TEXT_TYPES, Field, ObjectSchema, collated
from doubles.salesforce.store import Store
from doubles.salesforce.values import Stored, parse_datetime, store_datetime, to_json, to_stored

_BATCH_ROWS = 10_000


class _Checker:
    """The checks that a row's values pass, prepared once an object for many rows."""

    def __init__(self, schema: ObjectSchema, by_client: bool, creates: bool) -> None:
        self.unique = [one for one in schema.stored_fields() if one.unique]
        self._schema = schema
        self._by_client, self._creates = by_client, creates
        self._required = [one.name for one in schema.stored_fields() if not one.nillable]
        self._fields: dict[str, Field] = {}

    def checked(self, row: Mapping[str, Any]) -> dict[str, Stored]:
        """The stored values of a row as given."""
        values: dict[str, Stored] = {}
        for name, value in row.items():
            if name != "attributes":
                field = self._fields.get(name) or self._writable(name)
                values[field.name] = to_stored(field, value)
        return values

    def _writable(self, name: str) -> Field:
        field = self._schema.find(name)
        if field is None or field.type in COMPOUND_TYPES:
            message = f"No such column '{name}' on sobject of type {self._schema.name}"
            raise SalesforceError(400, "INVALID_FIELD", message)
        allowed = field.createable if self._creates else field.updateable
        if self._by_client and (field.system or field.calculated or not allowed):
            message = f"Unable to create/update fields: {field.name}. Please check the security settings of this "
            message += "field and verify that it is read/write for your profile or permission set."
            raise SalesforceError(400, "INVALID_FIELD_FOR_INSERT_UPDATE", message, [field.name])
        self._fields[name] = field
        return field

    def check_required(self, values: Mapping[str, Stored]) -> None:
        """Refuse a whole record in which a required field is null."""
        missing = [name for name in self._required if values[name] is None and not self._schema.fields[name].defaulted]
        if missing:
            message = f"Required fields are missing: [{', '.join(missing)}]"
            raise SalesforceError(400, "REQUIRED_FIELD_MISSING", message, missing)


class Records:
    """The records of an org. A change by the org's own user may set any field; one `by_client` only writable ones."""

    def __init__(self, store: Store, now: Callable[[], datetime], user_id: str) -> None:
        self._store = store
        self._now = now
        self._user_id = user_id
        self.refusals = Refusals()

    def schema(self, name: str) -> ObjectSchema:
        """An object by name; SalesforceError NOT_FOUND if there is none."""
        found = self._store.find_object(name)
        if found is None:
            raise not_found()
        return found

    def insert(self, name: str, rows: Iterable[Mapping[str, Any]], at: datetime | None = None, by_client: bool = False) -> list[str]:
        """Add records, all or none, and return their ids; `at` is when they are created."""
        schema = self.schema(name)
        names = [one.name for one in schema.stored_fields()]
        stamp = store_datetime(at or self._now())
        template: dict[str, Stored] = {
            **{one.name: 0 if one.type == "boolean" else None for one in schema.stored_fields()},
            "CreatedDate": stamp, "LastModifiedDate": stamp, "SystemModstamp": stamp,
            "CreatedById": self._user_id, "LastModifiedById": self._user_id,
        }  # fmt: skip
        checker = _Checker(schema, by_client, True)
        source = iter(rows)
        ids: list[str] = []
        with self._store.transaction():
            while batch := list(islice(source, _BATCH_ROWS)):
                first = self._store.reserve_numbers(schema.key_prefix, len(batch))
                stored = []
                for number, row in enumerate(batch, first):
                    given = checker.checked(self._referred(schema, row))
                    values = {**template, "Id": identifiers.make_id(schema.key_prefix, number), **given}
                    checker.check_required(values)
                    self._check_unique(schema, checker.unique, given, None)
                    self.refusals.check(schema.name, values)
                    stored.append([values[one] for one in names])
                    ids.append(str(values["Id"]))
                self._store.insert_rows(schema, names, stored)
        return ids

    def _referred(self, schema: ObjectSchema, row: Mapping[str, Any]) -> dict[str, Any]:
        """The row with the ids of the records to which it refers by an external id, `{"Account": {"Number__c": 7}}`.

        REST API Developer Guide, "Insert or Update (Upsert) a Record Using an External ID": a relationship by one of the parent's.
        """
        found: dict[str, Any] = {}
        for name, value in row.items():
            if not isinstance(value, Mapping) or name == "attributes":
                found[name] = value
                continue
            by = schema.find_relationship(name)
            ((key, wanted),) = ((one, given) for one, given in value.items() if one != "attributes")
            if by is None or len(by.reference_to) != 1:
                raise SalesforceError(400, "INVALID_FIELD", f"No such column '{name}' on sobject of type {schema.name}")
            parents = self.find_by(by.reference_to[0], key, wanted) if wanted is not None else []
            if len(parents) != 1 and wanted is not None:
                message = f"Foreign key external ID: {wanted} not found for field {key} in entity {by.reference_to[0]}"
                raise SalesforceError(400, "INVALID_FIELD", message, [])
            found[by.name] = parents[0]["Id"] if parents else None
        return found

    def _check_unique(
        self, schema: ObjectSchema, unique: Iterable[Field], values: Mapping[str, Stored], record_id: str | None
    ) -> None:
        for field in unique:
            value = values.get(field.name)
            if value is None:
                continue
            others = self._store.rows(schema, f'{collated(field)} = ? AND "IsDeleted" = 0', [value])
            if others and others[0]["Id"] != record_id:
                message = f"duplicate value found: {field.name} duplicates value on record with id: {others[0]['Id']}"
                raise SalesforceError(400, "DUPLICATE_VALUE", message, [])

    def get(self, name: str, record_id: str) -> dict[str, Stored]:
        """A record that is not deleted, as stored values."""
        schema = self.schema(name)
        found = self._store.rows(schema, '"Id" = ?', [identifiers.with_checksum(record_id)])
        if not found:
            raise not_found(f"Provided external ID field does not exist or is not accessible: {record_id}")
        if found[0]["IsDeleted"]:
            raise SalesforceError(404, "ENTITY_IS_DELETED", "entity is deleted", [])
        return found[0]

    def update(
        self, name: str, record_id: str, values: Mapping[str, Any], at: datetime | None = None, by_client: bool = False
    ) -> None:
        """Change fields of a record; its modification stamps move."""
        schema = self.schema(name)
        checker = _Checker(schema, by_client, False)
        given = checker.checked(self._referred(schema, values))
        with self._store.transaction():
            record = self.get(name, record_id)
            checker.check_required({**record, **given})
            self._check_unique(schema, checker.unique, given, str(record["Id"]))
            self.refusals.check(schema.name, {**record, **given})
            self._write(schema, str(record["Id"]), given, at)

    def delete(self, name: str, record_id: str, at: datetime | None = None) -> None:
        """Move a record to the recycle bin: it stays, marked deleted, for queryAll."""
        with self._store.transaction():
            record = self.get(name, record_id)
            self._write(self.schema(name), str(record["Id"]), {"IsDeleted": 1}, at)

    def purge(self, name: str, record_id: str, at: datetime | None = None) -> None:
        """Delete a record for good, as a hard delete does, or as a user who empties the recycle bin: no query has it any more."""
        schema, found = self.schema(name), identifiers.with_checksum(record_id)
        (row,) = self._store.rows(schema, '"Id" = ?', [found])
        deleted = str(row["SystemModstamp"]) if row["IsDeleted"] else store_datetime(at or self._now())
        self._store.purge(schema.name, found, deleted)

    def empty_recycle_bin(self) -> None:
        """What an administrator can do for the whole org: every deleted record is purged, and the log of deletions begins anew.

        SOAP API Developer Guide, "getDeleted()": "or earlier if an administrator has purged the Recycle Bin".
        """
        with self._store.transaction():
            for schema in self._store.objects():
                for row in self._store.rows(schema, '"IsDeleted" = 1', []):
                    self._store.purge(schema.name, str(row["Id"]), str(row["SystemModstamp"]))
            self._store.save_setting("log-begins", store_datetime(self._now()))

    def log_begins(self) -> datetime | None:
        """When the log of deletions was last emptied; None if it never was."""
        stored = self._store.setting("log-begins")
        return parse_datetime(stored) if stored else None

    def undelete(self, name: str, record_id: str, at: datetime | None = None) -> None:
        """Take a record back out of the recycle bin."""
        self._write(self.schema(name), identifiers.with_checksum(record_id), {"IsDeleted": 0}, at)

    def _write(self, schema: ObjectSchema, record_id: str, given: Mapping[str, Stored], at: datetime | None) -> None:
        stamp = store_datetime(at or self._now())
        values = {"LastModifiedDate": stamp, "SystemModstamp": stamp, "LastModifiedById": self._user_id, **given}
        assignments = ", ".join(f'"{name}" = ?' for name in values)
        with self._store.transaction() as connection:
            connection.execute(f'UPDATE "{schema.name}" SET {assignments} WHERE "Id" = ?', (*values.values(), record_id))

    def convert(self, schema: ObjectSchema, old: Field, new: Field) -> None:
        """Bring a field's stored values from its old type to its new one; what does not fit becomes null."""
        column = f'"{new.name}"'
        with self._store.transaction() as connection:
            found = connection.execute(f'SELECT rowid, {column} FROM "{schema.name}" WHERE {column} IS NOT NULL')
            changes = [(_converted(old, new, value), number) for number, value in found]
            connection.executemany(f'UPDATE "{schema.name}" SET {column} = ? WHERE rowid = ?', changes)

    def find_by(self, name: str, field_name: str, value: str) -> list[dict[str, Stored]]:
        """The records that are not deleted whose external id is `value`."""
        schema = self.schema(name)
        field = schema.find(field_name)
        if field is None or not (field.external_id or field.name == "Id"):
            raise not_found(f"Provided external ID field does not exist or is not accessible: {field_name}")
        return self._store.rows(schema, f'{collated(field)} = ? AND "IsDeleted" = 0', [_lookup(field, value)])

    def changed(self, name: str, start: datetime, end: datetime) -> list[str]:
        """Ids of the records that were created or changed in the half-open interval."""
        return [str(row["Id"]) for row in self._within(name, 0, start, end)]

    def deleted(self, name: str, start: datetime, end: datetime) -> list[tuple[str, str]]:
        """What the log of deletions says of the half-open interval: ids and moments, of purged records too."""
        binned = [(str(row["Id"]), str(row["SystemModstamp"])) for row in self._within(name, 1, start, end)]
        return [*binned, *self._store.purged(self.schema(name).name, store_datetime(start), store_datetime(end))]

    def _within(self, name: str, deleted: int, start: datetime, end: datetime) -> list[dict[str, Stored]]:
        condition = '"IsDeleted" = ? AND "SystemModstamp" >= ? AND "SystemModstamp" < ?'
        return self._store.rows(self.schema(name), condition, [deleted, store_datetime(start), store_datetime(end)])


def _converted(old: Field, new: Field, value: Stored) -> Stored:
    shown = to_json(old, value)
    if new.type in TEXT_TYPES and not isinstance(shown, str):
        shown = str(shown).lower() if isinstance(shown, bool) else str(shown)
    try:
        return to_stored(new, shown)
    except SalesforceError:
        return to_stored(new, None)


def _lookup(field: Field, value: str) -> Stored:
    return identifiers.with_checksum(value) if field.name == "Id" else to_stored(field, value)
