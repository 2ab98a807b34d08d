"""REST queries: running SOQL, cutting its result into pages, and the locators that lead from page to page."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from doubles.salesforce import identifiers, soql_sql, soql_syntax
from doubles.salesforce.errors import SalesforceError
from doubles.salesforce.permissions import Permissions
from doubles.salesforce.schema import COMPOUND_TYPES, Field, ObjectSchema
from doubles.salesforce.soql_sql import CompiledQuery
from doubles.salesforce.store import Store
from doubles.salesforce.values import Stored, to_json

# REST API Developer Guide, "Query Options Header": 200 to 2,000 records, 2,000 unless asked otherwise.
_SMALLEST_PAGE, _LARGEST_PAGE = 200, 2000
# SOQL and SOSL Reference, "SOQL and SOSL Limits" and "OFFSET".
_LONGEST_QUERY, _LARGEST_OFFSET = 100_000, 2000


@dataclass(frozen=True)
class _Cursor:
    """An open query: which rows it found, and until when it may be read."""

    schema: ObjectSchema
    fields: tuple[Field, ...]
    row_numbers: list[int]
    page_size: int
    expires: datetime


class Cursors:
    """The open queries of an org. `page_rows` caps every page, so that a test can have small ones.

    A cursor holds the rows that its query found, and reads their values when a page is asked for.
    """

    def __init__(self, store: Store, now: Callable[[], datetime], permissions: Permissions) -> None:
        self._permissions = permissions
        self.page_rows = _LARGEST_PAGE
        # REST API Developer Guide, "Query More Results": a locator lives for two days.
        self.lifetime_seconds = 2 * 86_400.0
        self._store = store
        self._now = now
        self._cursors: dict[str, _Cursor] = {}
        self._lock = threading.Lock()

    def compile(self, soql: str, include_deleted: bool) -> CompiledQuery:
        """Check and translate a query; SalesforceError says what is wrong with it."""
        if len(soql) > _LONGEST_QUERY:
            message = f"SOQL statements cannot be longer than {_LONGEST_QUERY} characters."
            raise SalesforceError(400, "MALFORMED_QUERY", message)
        select = soql_syntax.parse(soql)
        if select.offset > _LARGEST_OFFSET:
            message = f"Maximum SOQL offset allowed is {_LARGEST_OFFSET}"
            raise SalesforceError(400, "NUMBER_OUTSIDE_VALID_RANGE", message)
        return soql_sql.compile_query(select, self._find_object, self._now(), include_deleted)

    def _find_object(self, name: str) -> ObjectSchema | None:
        return self._store.find_object(name) or self._permissions.find(name)

    def open(self, soql: str, include_deleted: bool, batch_size: int | None, version: str, repeat: bool = False) -> dict[str, Any]:
        """The first page of a query; with `repeat` its successor is that page once more."""
        query = self.compile(soql, include_deleted)
        if not query.fields:
            return {"totalSize": self._store.count(query), "done": True, "records": []}
        wanted = min(max(batch_size or _LARGEST_PAGE, _SMALLEST_PAGE), _LARGEST_PAGE)
        numbers = self._store.row_numbers(query)
        expires = self._now() + timedelta(seconds=self.lifetime_seconds)
        cursor = _Cursor(query.schema, query.fields, numbers, min(wanted, self.page_rows), expires)
        locator = ""
        if len(numbers) > cursor.page_size:
            locator = identifiers.make_id("01g", self._store.reserve_numbers("01g", 1))
            with self._lock:
                self._cursors[locator] = cursor
        return self._page(locator, cursor, 0, version, repeat)

    def more(self, locator: str, version: str, repeat: bool = False) -> dict[str, Any]:
        """The page at a locator such as `01g…-2000`; with `repeat` its successor is that page once more."""
        name, _, start = locator.partition("-")
        with self._lock:
            cursor = self._cursors.get(identifiers.with_checksum(name))
        if cursor is None or cursor.expires <= self._now() or not start.isdigit() or int(start) > len(cursor.row_numbers):
            raise SalesforceError(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        return self._page(name, cursor, int(start), version, repeat)

    def _page(self, name: str, cursor: _Cursor, start: int, version: str, repeat: bool) -> dict[str, Any]:
        end = min(start + cursor.page_size, len(cursor.row_numbers))
        needed = [part for one in cursor.fields for part in (cursor.schema.components(one) or [one])]
        needed.append(cursor.schema.fields["Id"])
        unique = list({one.name: one for one in needed}.values())
        rows = self._store.rows_by_number(cursor.schema, unique, cursor.row_numbers[start:end])
        page: dict[str, Any] = {"totalSize": len(cursor.row_numbers), "done": end == len(cursor.row_numbers)}
        if not page["done"]:
            page["nextRecordsUrl"] = f"/services/data/{version}/query/{name}-{start if repeat else end}"
        page["records"] = [record_json(cursor.schema, cursor.fields, row, version) for row in rows]
        return page

    def expire(self) -> None:
        """Make every locator given out so far invalid."""
        with self._lock:
            self._cursors.clear()


def record_json(schema: ObjectSchema, fields: tuple[Field, ...], row: dict[str, Stored], version: str) -> dict[str, Any]:
    """A record as the REST API answers it: its attributes, then the fields in the order asked for."""
    url = f"/services/data/{version}/sobjects/{schema.name}/{row['Id']}"
    record: dict[str, Any] = {"attributes": {"type": schema.name, "url": url}}
    for one in fields:
        if one.type in COMPOUND_TYPES:
            record[one.name] = _compound_json(schema, one, row)
        else:
            record[one.name] = to_json(one, row.get(one.name))
    return record


def _compound_json(schema: ObjectSchema, compound: Field, row: dict[str, Stored]) -> dict[str, Any] | None:
    """An address or location as one object with keys such as `postalCode`; null if every part is."""
    parts = {}
    for one in schema.components(compound):
        plain = one.name.removesuffix("__s").rpartition("__")[2] if one.custom else one.name
        plain = plain if one.custom else plain.removeprefix(compound.name.removesuffix("Address"))
        parts[plain[0].lower() + plain[1:]] = to_json(one, row.get(one.name))
    return parts if any(value is not None for value in parts.values()) else None
