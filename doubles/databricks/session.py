"""The statements of one call in a session of their own, as Databricks runs them.

Each commits by itself, but for those of an ATOMIC block: all of it or none, over tables alone whose commits the catalog coordinates,
and of two that change the same row one fails. https://docs.databricks.com/aws/en/transactions/
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import duckdb

from doubles.databricks import column_types, files
from doubles.databricks.errors import StatementFailed, failed, unknown
from doubles.databricks.files import Opens
from doubles.databricks.results import text as as_text
from doubles.databricks.script import Assigned, Block, Declared, Signalled, Sql
from doubles.databricks.words import COLUMNS, DDL, QUERY, Said, said
from doubles.interrupts import Interrupts

MANAGED, WIDENS = "delta.feature.catalogManaged=supported", "delta.enableTypeWidening=true"
_JSON = re.compile(
    r"\(SELECT to_json\(array_agg\(struct\(\*\)\), map\('ignoreNullFields', 'false'\)\) FROM \((?P<query>.*)\) AS q\)", re.DOTALL
)
_VARIABLE = re.compile(r"SELECT (?P<items>(?:a\d+ AS \w+)(?:, a\d+ AS \w+)*)")


@dataclass
class Outcome:
    """What a statement gave.  columns: name and DuckDB's type of each."""

    columns: Sequence[tuple[str, str]] = ()
    rows: Sequence[Sequence[Any]] = ()


# Of a number and a text: which type is common to both goes by ANSI_MODE.
_TYPE_OF_BOTH = re.compile(r"typeof\s*\(\s*coalesce\s*\(\s*0\s*,\s*'0'\s*\)\s*\)", re.IGNORECASE)


@dataclass
class Catalog:
    """A catalog: DuckDB in memory.  properties: of its tables.  loaded: which files COPY INTO has loaded into each.

    zone, ansi: what an administrator has set of all sessions: TIMEZONE, ANSI_MODE.
    """

    connection: duckdb.DuckDBPyConnection = field(default_factory=lambda: duckdb.connect(":memory:"))
    properties: dict[str, frozenset[str]] = field(default_factory=dict)
    loaded: dict[str, set[str]] = field(default_factory=dict)
    zone: str = "UTC"
    ansi: bool = True


class Session:
    """opens: opens what an external location covers. Raises StatementFailed for what none does."""

    def __init__(self, catalog: Catalog, opens: Opens, stops_inside: StatementFailed | None = None) -> None:
        self._catalog, self._opens, self._stops = catalog, opens, stops_inside
        self._cursor = catalog.connection.cursor()
        self._cursor.execute(f"SET TimeZone = '{catalog.zone}'")
        self._variables: dict[str, str | None] = {}
        self._interrupts = Interrupts(self._cursor)
        self.stopped, self.stop = self._interrupts.asked, self._interrupts.ask

    def run(self, whole: Sql | Block) -> Outcome:
        """Raises StatementFailed; then a transaction that is open is rolled back."""
        try:
            if isinstance(whole, Block):
                return self._block(whole)
            with self._interrupts.apply():
                return self._sql(whole.text, False)
        except duckdb.Error as error:
            raise failed(error) from None
        finally:
            self._interrupts.end()
            self._cursor.close()

    def _block(self, block: Block) -> Outcome:
        last = Outcome()
        if block.atomic:
            self._cursor.execute("BEGIN TRANSACTION")
        try:
            for part in block.parts:
                if self.stopped.is_set():
                    raise StatementFailed("", "Statement was canceled.", code="CANCELLED")
                with self._interrupts.apply():
                    last = self._part(part, block.atomic) or last
            if block.atomic:
                if self._stops is not None:
                    raise self._stops
                self._cursor.execute("COMMIT")
        except (duckdb.Error, StatementFailed):
            if block.atomic:
                self._undone()
            raise
        return last

    def _undone(self) -> None:
        try:
            self._cursor.execute("ROLLBACK")
        except duckdb.Error:
            return  # DuckDB has done so

    def _part(self, part: Sql | Declared | Assigned | Signalled | Block, atomic: bool) -> Outcome | None:
        if isinstance(part, Block):
            return self._block(part)
        if isinstance(part, Declared):
            self._variables[part.name] = None
        elif isinstance(part, Assigned):
            self._variables[part.name] = self._assigned(part, atomic)
        elif isinstance(part, Signalled):
            condition = part.condition if self._catalog.ansi else _TYPE_OF_BOTH.sub("'STRING'", part.condition)
            asked = said(f"SELECT {condition} AS holds")
            if self._cursor.execute(asked.text).fetchall()[0][0]:
                raise StatementFailed("", part.message, "45000")
        else:
            return self._sql(part.text, atomic)
        return None

    def _assigned(self, part: Assigned, atomic: bool) -> str:
        """Rows as JSON; an array has them in any order, so here in the reverse one."""
        found = _JSON.fullmatch(part.query)
        if atomic:
            raise _not_in_transaction("SET")
        if part.name not in self._variables or found is None:
            raise unknown(f"SET {part.name}")
        outcome = self._sql(found["query"], False)
        names = [name for name, _ in outcome.columns]
        rows = [{name: _json(value) for name, value in zip(names, row, strict=True)} for row in reversed(outcome.rows)]
        return json.dumps(rows)

    def _sql(self, text: str, atomic: bool) -> Outcome:
        if found := _VARIABLE.fullmatch(text):
            items = [item.split(" AS ") for item in found["items"].split(", ")]
            return Outcome([(name, "VARCHAR") for _, name in items], [[self._variables[variable] for variable, _ in items]])
        if files.is_copy(text):
            table = files.copied_into(text)
            self._writes(table, atomic)
            loaded = self._catalog.loaded.setdefault(table, set())
            loaded |= files.copy(self._cursor, text, self._opens, loaded)
            return Outcome()
        if files.is_out(text):
            if atomic:
                raise _not_in_transaction("INSERT OVERWRITE DIRECTORY")
            files.write(self._cursor, text, self._opens)
            return Outcome()
        told = files.told_of(text, self._opens)
        if told is not None:
            return Outcome([("url", "VARCHAR"), ("bytes", "BIGINT"), ("rows", "BIGINT")], told)
        return self._one(said(text), atomic)

    def _one(self, one: Said, atomic: bool) -> Outcome:
        if one.kind == DDL:
            if atomic:
                raise _not_in_transaction(one.text.split(" ", 1)[0] or "ALTER")
            return self._defined(one)
        of_catalog = COLUMNS in one.text
        if atomic and of_catalog:
            raise StatementFailed("TRANSACTION_NOT_SUPPORTED.INFORMATION_SCHEMA_TABLE", "Accessing INFORMATION_SCHEMA.", "0A000")
        if one.kind != QUERY:
            self._writes(one.table, atomic)
            return self._changed(one, atomic)
        if of_catalog:
            self._cursor.register(COLUMNS, column_types.columns(self._cursor))
        result = self._cursor.execute(one.text)
        columns = [(str(name), str(kind)) for name, kind, *_ in result.description or ()]
        found = result.to_arrow_table()
        return Outcome(columns, [*zip(*(column.to_pylist() for column in found.columns), strict=True)])

    def _changed(self, one: Said, atomic: bool) -> Outcome:
        """A statement that overwrites is one change."""
        texts = [*([f"DELETE FROM {one.table}"] if one.overwrites else ()), one.text]
        if atomic or len(texts) == 1:
            for text in texts:
                self._cursor.execute(text)
            return Outcome()
        self._cursor.execute("BEGIN TRANSACTION")
        try:
            for text in texts:
                self._cursor.execute(text)
            self._cursor.execute("COMMIT")
        except duckdb.Error:
            self._undone()
            raise
        return Outcome()

    def _writes(self, table: str, atomic: bool) -> None:
        if atomic and MANAGED not in self._catalog.properties.get(table, ()):
            text = f"Table {table} does not have catalog commits enabled."
            raise StatementFailed("TRANSACTION_NOT_SUPPORTED.WRITE_NON_CATALOG_OWNED_TABLE", text, "0A000")

    def _defined(self, one: Said) -> Outcome:
        text, catalog = one.text, self._catalog
        there = self._there(one.table) if one.table else False
        if text.startswith("CREATE TABLE IF NOT EXISTS") and there:
            return Outcome()
        if one.widened is not None:
            if WIDENS not in catalog.properties.get(one.table, ()):
                raise StatementFailed("DELTA_UNSUPPORTED_ALTER_TABLE_CHANGE_COL_OP", "the change of type is not supported.", "0AKDD")
            self._cursor.execute(column_types.widening(self._cursor, one.table, *one.widened))
        if text:
            self._cursor.execute(text)
        if text.startswith(("CREATE", "DROP")) and one.table:
            catalog.loaded.pop(one.table, None)
            catalog.properties[one.table] = one.properties
        if text.startswith("CREATE") and one.table and self._there(one.table):
            self._kept(one.table)
        for column, comment in one.comments:
            quoted, written = column.replace('"', '""'), comment.replace("'", "''")
            self._cursor.execute(f"COMMENT ON COLUMN {one.table}.\"{quoted}\" IS '{written}'")
        return Outcome()

    def _there(self, table: str) -> bool:
        try:
            self._cursor.execute(f"SELECT 1 FROM {table} LIMIT 0")
        except duckdb.CatalogException:
            return False
        return True

    def _kept(self, table: str) -> None:
        """No table has a column of every type that DuckDB has."""
        for name, kind, *_ in self._cursor.execute(f"SELECT * FROM {table} LIMIT 0").description or ():
            if column_types.not_kept(kind):
                self._cursor.execute(f"DROP TABLE {table}")
                said = f"Found columns using unsupported data types: [{name}: {kind}]. CAST them."
                raise StatementFailed("DELTA_UNSUPPORTED_DATA_TYPES", said, "0AKDC")


def _not_in_transaction(command: str) -> StatementFailed:
    said = f"Command {command} is not supported in a transaction. Only SELECT / INSERT / MERGE / UPDATE / DELETE are supported."
    return StatementFailed("TRANSACTION_NOT_SUPPORTED.COMMAND", said, "0A000")


def _json(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return float(value) if isinstance(value, Decimal) else as_text(value)
