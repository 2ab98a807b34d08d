"""What a warehouse's SQL says in its own way; all else of a batch's statements is the same in each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from shared_metadata.program.schema import SchemaColumn

LEDGERS, STAGING = "atoll", "atoll_staging"  # schemas of Atoll's own in the database
MADE = "made"  # the table in the second that tells when each other one there was made


class WarehouseSql(Protocol):
    """title: what the warehouse is called.  reads: what of a catalog tells of columns: schema, table, column, type and its sizes."""

    title: str

    def identifier(self, name: str) -> str:
        """A name of a program's as the warehouse has it."""
        ...

    def name_known(self, name: str) -> str:
        """The program's name of what the warehouse's catalog calls so."""
        ...

    def literal(self, text: str) -> str: ...

    def spelled(self, text: str) -> str:
        """A program's SQL, whose texts are 'it''s', as the warehouse reads it."""
        ...

    def told_apart(self, text: str) -> tuple[str, ...]:
        """What differs where two texts differ that its `=` may take for one, without blanks or case.  text: as an expression."""
        ...

    def type(self, type_name: str) -> str:
        """'decimal(10,2)' as its SQL writes it. Raises KeyError for one that it cannot keep."""
        ...

    def declared(self, type_name: str) -> str:
        """The type of a table's column, with what tells it from others that the warehouse keeps alike."""
        ...

    def type_known(self, word: str, sizes: tuple[int, int]) -> str | None:
        """The type of a column that its catalog calls so; None for one that is none of ours.  sizes: precision and scale."""
        ...

    def moment(self, text: str) -> str:
        """An ISO moment in UTC as a constant."""
        ...

    def in_utc(self, clocks: str) -> str:
        """The moment at which clocks in UTC show what an expression gives, a date or a timestamp."""
        ...

    def filed(self, name: str) -> str:
        """A column's name, as written, in a table or a query whose columns are those of a Parquet file."""
        ...

    def now(self) -> str:
        """The moment of a transaction, as a timestamp in UTC."""
        ...

    def loaded(self, column: SchemaColumn) -> tuple[str, str]:
        """The type of a column of a staging table that a Parquet file is loaded into, and the expression of its value from there."""
        ...

    def unloaded(self, column: SchemaColumn) -> str:
        """The expression of a value as it is written to Parquet."""
        ...

    def as_json(self, columns: Sequence[SchemaColumn]) -> str:
        """The expression of a row as a JSON object."""
        ...

    def copy(self, table: str, manifest: str, files: Sequence[str], columns: Sequence[SchemaColumn]) -> list[str]:
        """Loads files of these columns into a table, as it is written.  manifest, files: s3://…; the first lists the others."""
        ...

    def fill(self, table: str, named: str, query: str) -> str:
        """Writes a query's rows into a staging table that holds none.  table, named: it and its columns, as they are written."""
        ...

    def delete(self, table: str, other: str, alias: str, where: str) -> str:
        """Deletes the rows for which another table has one.  table, other: as they are written.  where: of `alias`, the second."""
        ...

    def update(self, table: str, sets: str, other: str, alias: str, where: str) -> str:
        """Changes the rows for which another table has one."""
        ...

    def unload(self, query: str, prefix: str) -> list[str]:
        """Writes a query's rows to Parquet files below s3://…, with a manifest, or the last statement's rows tell of them."""
        ...

    def unloaded_files(self, answered: Callable[[], Sequence[Sequence[Any]]], prefix: str) -> list[dict[str, Any]] | None:
        """The files that an UNLOAD has answered, as {'url', 'rows', 'bytes'}; None where a manifest does.  answered: its rows."""
        ...

    def schema(self, name: str) -> str:
        """Makes a schema where it is not there."""
        ...

    def widened(self, written: str, column: str, former: str, type_name: str, other: str) -> list[list[str]]:
        """Transactions that give a column a wider type.  written, column: as they are written.  former: its type so far.

        other: a name that no column has.
        """
        ...

    def becomes(self, value: str, former: str, wanted: str) -> str:
        """The expression of a value as a wider type, where a column of that does not take it by itself."""
        ...

    def columns_of(self, tables: Sequence[tuple[str, str]]) -> str:
        """Asks the catalog: schema, table, column, type, precision, scale, in order.  tables: schema and name."""
        ...

    def lock(self, table: str) -> str:
        """Has others wait that lock the table, until the transaction ends; before it reads anything."""
        ...

    def lockable(self, table: str) -> list[str]:
        """Makes of a table that is there, of one column, one that can be locked."""
        ...

    def guard(self, condition: str) -> str:
        """A query that fails, as the service recognises, where a condition does not hold."""
        ...


def fill(table: str, named: str, query: str) -> str:
    """`WarehouseSql.fill` of a service that runs a statement once under its token."""
    return f"INSERT INTO {table} ({named}) {query}"


def delete_using(table: str, other: str, alias: str, where: str) -> str:
    """`WarehouseSql.delete` where DELETE has USING."""
    return f"DELETE FROM {table} USING {other} AS {alias} WHERE {where}"


def update_from(table: str, sets: str, other: str, alias: str, where: str) -> str:
    """`WarehouseSql.update` where UPDATE has FROM."""
    return f"UPDATE {table} SET {sets} FROM {other} AS {alias} WHERE {where}"


Tables = Mapping[str, Sequence[SchemaColumn]]


def table(sql: WarehouseSql, schema: str, name: str) -> str:
    return f"{sql.identifier(schema)}.{sql.identifier(name)}"


def names(sql: WarehouseSql, columns: Sequence[SchemaColumn], alias: str = "") -> str:
    prefix = f"{alias}." if alias else ""
    return ", ".join(prefix + sql.identifier(column.name) for column in columns)


def key_parts(sql: WarehouseSql, value: str, type_name: str) -> tuple[str, ...]:
    """What is equal of two keys where they are the same.  value: an expression of this type, which a database joins by."""
    return (value, *sql.told_apart(value)) if type_name == "string" else (value,)


def create(sql: WarehouseSql, written: str, columns: Sequence[SchemaColumn]) -> str:
    """Makes a table of columns of their own types."""
    return f"CREATE TABLE {written} ({', '.join(f'{sql.identifier(c.name)} {sql.declared(c.type)}' for c in columns)})"
