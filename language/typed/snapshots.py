"""What the snapshots of sources' schemas say of a table; what is missing is told once a connection."""

from __future__ import annotations

from collections.abc import Iterable

from language.cache.statements import digest_of
from language.resolve.names import Undeclared
from language.text.diagnostics import Problem, Span, did_you_mean
from shared_metadata.program.schema import Schema
from shared_metadata.program.source_schemas import FOLDER, SourceSchemas


class Snapshots:
    """The snapshots of one compilation."""

    def __init__(self, schemas: SourceSchemas) -> None:
        self._schemas = schemas
        self._told: set[str] = set()
        self._digests: dict[str, str] = {}

    def digest(self, connection: str) -> str:
        """A digest of all that is known of a connection's tables."""
        if connection not in self._digests:
            self._digests[connection] = digest_of(self._schemas.get(connection))
        return self._digests[connection]

    def source(self, connection: str, table: str, span: Span) -> tuple[str, Schema]:
        """The table's name at the source and its columns.

        Raises Problem where it is not there or nothing is known of it; Undeclared where that was said of another of its tables.
        """
        name, schema = self._table(connection, table, span)
        if schema is None:
            known = [n for n, s in self._schemas[connection].tables.items() if s is not None]
            raise Problem(
                span,
                f"the source `{connection}` has no table `{table}`",
                _meant(table, known) + f"correct its name, or run `atoll discover {connection}` if it is there by now",
            )
        return name, schema

    def reports_deletes(self, connection: str, table: str) -> bool:
        """Whether a table's own source tells which rows are gone, though not all of its system do."""
        known = self._schemas.get(connection)
        return bool(known and table and known.defaults_of(table).deletes)

    def target(self, connection: str, table: str, span: Span) -> Schema | None:
        """The columns of a table to publish to; None for one that is not there: the first batch makes it. Raises as `source`."""
        return self._table(connection, table, span)[1]

    def _table(self, connection: str, table: str, span: Span) -> tuple[str, Schema | None]:
        snapshot = self._schemas.get(connection)
        if snapshot is None:
            if connection in self._told:
                raise Undeclared
            self._told.add(connection)
            cause = f"the tables of `{connection}` are not known: there is no {FOLDER}/{connection}.json"
            raise Problem(span, cause, f"run `atoll discover {connection}`, and check the file in with the program")
        if table in snapshot.tables:
            return table, snapshot.tables[table]
        for name, schema in snapshot.tables.items():
            if name.lower() == table.lower():
                return name, schema
        cause = f"nothing is known of the table `{table}` of `{connection}`: it is not in {FOLDER}/{connection}.json"
        raise Problem(span, cause, _meant(table, snapshot.tables) + f"run `atoll discover {connection}`, and check the file in")


def _meant(table: str, known: Iterable[str]) -> str:
    """'did you mean `public.flights`? ' for a name that is nearly one of these, in full or by its last part; else ''."""
    names = sorted(known)
    last = {name.rpartition(".")[2].lower(): name for name in reversed(names)}
    return did_you_mean(table, names) or did_you_mean(table.rpartition(".")[2], last, said=last)
