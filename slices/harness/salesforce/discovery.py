"""Describes the objects of Salesforce that a program publishes to; needs no data library."""

from __future__ import annotations

from collections.abc import Sequence

from shared_metadata.program.schema import Schema
from systems.salesforce.catalog import Catalog
from systems.salesforce.session import Session
from systems.salesforce.written import WrittenObject, read_written, written_schema


class SalesforceCatalog:
    """The Catalog of contract/discovery.py."""

    def __init__(self, session: Session) -> None:
        self._session, self._catalog = session, Catalog(session)

    def tables(self) -> list[str]:
        return self._catalog.names("updateable")

    def describe(self, tables: Sequence[str]) -> dict[str, Schema | None]:
        return {name: self._schema(name) for name in tables}

    def close(self) -> None:
        self._session.close()

    def _schema(self, name: str) -> Schema | None:
        described = self._object(name)
        if described is None:
            return None
        parents = {field.refers[0] for field in described.fields.values() if len(field.refers) == 1 and field.writable}
        related = {parent: found for parent in sorted(parents) if (found := self._object(parent)) is not None}
        return written_schema(described, related)

    def _object(self, name: str) -> WrittenObject | None:
        answer = self._catalog.answer(name)
        return read_written(answer) if answer is not None else None
