"""The statements by which a batch's staged rows become a table's: in one transaction, so that readers see all of them or none.

Keys are met by equality, and again where a part of one is null: a database joins by equality at once, and whatever else it
compares row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from shared_metadata.contract.own_columns import BATCH, DELETED, unlike
from shared_metadata.program.schema import SchemaColumn
from systems.sql_warehouse.dialect import WarehouseSql, key_parts, names

FAR_DAYS = 8  # a cursor that lies further ahead than any batch is long says nothing of which row is newer
_TIMES = ("date", "timestamp", "timestamptz")


def append(sql: WarehouseSql, target: str, rows: str, columns: Sequence[SchemaColumn], stored: Sequence[SchemaColumn] = ()) -> str:
    """stored: the columns of the target, where these may be wider."""
    wanted = {column.name: column.type for column in stored}
    values = ", ".join(sql.becomes(sql.identifier(c.name), c.type, wanted.get(c.name, c.type)) for c in columns)
    return f"INSERT INTO {target} ({names(sql, columns)}) SELECT {values} FROM {rows}"


def delete_batch(sql: WarehouseSql, target: str, column: str, start: str, end: str) -> str:
    """Deletes what a batch [start, end) has made."""
    name = sql.identifier(column)
    return f"DELETE FROM {target} WHERE {name} >= {sql.moment(start)} AND {name} < {sql.moment(end)}"


def latest(sql: WarehouseSql, rows: str, columns: Sequence[SchemaColumn], key: Sequence[str], cursor: str) -> str:
    """One row for each key, that of the highest cursor; of several that are equal, any."""
    named, order = names(sql, columns), f"{sql.identifier(cursor)} DESC NULLS LAST" if cursor else sql.identifier(key[0])
    number = unlike((column.name for column in columns), "atoll_number")
    numbered = f"{named}, row_number() OVER (PARTITION BY {key_of(sql, columns, key)} ORDER BY {order}) AS {number}"
    return f"SELECT {named} FROM (SELECT {numbered} FROM {rows}) AS r WHERE {number} = 1"


def key_of(sql: WarehouseSql, columns: Sequence[SchemaColumn], key: Sequence[str]) -> str:
    """What rows with the same key are grouped by."""
    types = {column.name: column.type for column in columns}
    return ", ".join(part for name in key for part in key_parts(sql, sql.identifier(name), types[name]))


@dataclass(frozen=True)
class Merge:
    """The merge of one batch.  cursor: decides which of two rows is newer, or '';  batch: the column with the arrival time."""

    sql: WarehouseSql
    key: tuple[str, ...]
    cursor: str
    batch: str

    def statements(
        self, target: str, rows: str, left: str, columns: Sequence[SchemaColumn], stored: Sequence[SchemaColumn], start: str
    ) -> list[str]:
        """rows, left: staging tables; left '' where no key is gone.  stored: the columns of the target.  start: of the batch."""
        sql, found = self.sql, list[str]()
        if left:
            newer = self._newer(left, "n", columns)
            found += self._each(columns, lambda same: sql.delete(left, rows, "n", f"{same} AND NOT {newer}"), left, "n")
            found += self._each(columns, lambda same: sql.delete(rows, left, "n", same), rows, "n")
            marked = f"({self._stays('t', left, stored)} OR {self._marked('t', left, columns)})"
            found += self._each(columns, lambda same: sql.delete(left, target, "t", f"{same} AND {marked}"), left, "t")
        stays = self._stays("t", rows, stored)
        if stays != "false":
            found += self._each(columns, lambda same: sql.delete(rows, target, "t", f"{same} AND {stays}"), rows, "t")
        if left:
            sets = self._set(target, columns, start)
            found += self._each(columns, lambda same: sql.update(target, sets, left, "n", same), target, "n")
        found += self._each(columns, lambda same: sql.delete(target, rows, "n", same), target, "n")
        return [*found, append(self.sql, target, rows, columns, stored)]

    def besides(self, target: str, left: str, start: str, there: Sequence[str], columns: Sequence[SchemaColumn]) -> list[str]:
        """Makes the keys of all rows of the target those that are gone; of these, `statements` takes out what the batch brings.

        there: staging tables of rows that the source has and the batch sets aside.
        """
        keys = ", ".join(map(self.sql.identifier, self.key))
        named = f"{keys}, {self.sql.identifier(self.batch)}"
        all_keys = f"SELECT {keys}, {self.sql.moment(start)} FROM {target}"
        found = [f"DELETE FROM {left}", f"INSERT INTO {left} ({named}) {all_keys}"]
        for rows in there:
            found += self._each(columns, partial(self.sql.delete, left, rows, "n"), left, "n")
        return found

    def _each(self, columns: Sequence[SchemaColumn], statement: Callable[[str], str], one: str, other: str) -> list[str]:
        """The statement for keys that are equal, and for those of which a part is null."""
        sql, types = self.sql, {column.name: column.type for column in columns}
        named = [(f"{one}.{sql.identifier(k)}", f"{other}.{sql.identifier(k)}", types[k]) for k in self.key]
        parts = [[*zip(key_parts(sql, a, kind), key_parts(sql, b, kind), strict=True)] for a, b, kind in named]
        each = [" AND ".join(f"{a} = {b}" for a, b in of_one) for of_one in parts]
        null = " OR ".join(f"{b} IS NULL" for _, b, _ in named)
        either = " AND ".join(f"(({same}) OR ({a} IS NULL AND {b} IS NULL))" for same, (a, b, _) in zip(each, named, strict=True))
        return [statement(f"({' AND '.join(each)})"), statement(f"(({null}) AND {either})")]

    def _stays(self, stored: str, incoming: str, columns: Sequence[SchemaColumn]) -> str:
        """Whether the stored row is newer than the incoming one; never null."""
        order, new = self._order(stored, columns), self._order(incoming, columns)
        by_batch = ""
        if any(column.name == self.batch for column in columns):
            name = self.sql.identifier(self.batch)
            by_batch = f"{stored}.{name} > {incoming}.{name}"
        if not order:
            return f"coalesce({by_batch}, false)" if by_batch else "false"
        return f"coalesce({order} > {new}, {by_batch or 'false'}, false)"

    def _newer(self, one: str, other: str, columns: Sequence[SchemaColumn]) -> str:
        order, new = self._order(one, columns), self._order(other, columns)
        return f"coalesce({order} > {new}, {order} IS NOT NULL AND {new} IS NULL)" if order else "false"

    def _marked(self, stored: str, left: str, columns: Sequence[SchemaColumn]) -> str:
        """Whether the row is marked already, by what is no older."""
        order, new = self._order(stored, columns), self._order(left, columns)
        older = f" AND NOT coalesce({new} > {order}, false)" if order else ""
        return f"(coalesce({stored}.{self.sql.identifier(DELETED.name)}, false){older})"

    def _set(self, target: str, columns: Sequence[SchemaColumn], start: str) -> str:
        """The row that left may have the same cursor column, so the target's own is said to be it."""
        sets = [f"{self.sql.identifier(DELETED.name)} = true", f"{self.sql.identifier(self.batch)} = {self.sql.moment(start)}"]
        cursor = next((c for c in columns if c.name == self.cursor and c.type != "string"), None)
        if cursor is not None and cursor.name != self.batch:
            name = self.sql.identifier(cursor.name)
            sets.append(f"{name} = coalesce({self._order('n', columns)}, {target}.{name})")
        return ", ".join(sets)

    def _order(self, row: str, columns: Sequence[SchemaColumn]) -> str:
        """The order of two rows by age; '' where there is none, as for texts: a source sorts them in an order of its own."""
        column = next((c for c in columns if c.name == self.cursor), None)
        if column is None or column.type == "string":
            return ""
        name, batch = f"{row}.{self.sql.identifier(column.name)}", f"{row}.{self.sql.identifier(self.batch)}"
        if column.type in ("float", "double"):
            return f"CASE WHEN {name} - {name} = 0 THEN {name} END"  # of an infinity and of NaN that is NaN
        if column.type in _TIMES and self.batch == BATCH:
            moment = name if column.type == "timestamptz" else self.sql.in_utc(name)
            return f"CASE WHEN {moment} < {batch} + INTERVAL '{FAR_DAYS} days' THEN {name} END"
        return name
