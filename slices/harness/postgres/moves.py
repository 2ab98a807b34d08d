"""Makes way for unique values that move between rows of one batch: what is legal in the end is published, in whatever order.

PostgreSQL checks a unique index, and an exclusion constraint that is not deferrable, row by row. So rows whose guarded values change
give them up before any row takes a new one, in the transaction that ends with the new ones:

- They are taken out of the table and put back with their new values and all that they have beside them, where no dependent object
would notice.
- Where one would (a foreign key to the table, a trigger), their guarded values are replaced by null, or by an unused one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared_metadata.contract.parquet.duckdb_session import identifier
from slices.harness.postgres import statements
from slices.harness.postgres.logic import TargetColumn, TargetTable

# An unused value, by the base type of a column that takes no null. Two random numbers are 128 bits.
_FRESH = "md5(random()::text || random()::text || clock_timestamp()::text)"
FREE = {
    **{kind: _FRESH for kind in ("text", "varchar", "bpchar", "citext")},
    "uuid": f"{_FRESH}::uuid",
    "bytea": f"decode({_FRESH}, 'hex')",
    "int4": "-1 - (random() * 2147483646)::int",
    **{kind: "-1 - (random() * 4503599627370496)::bigint" for kind in ("int8", "numeric", "float8")},
    **{kind: f"'empty'::{kind}" for kind in ("int4range", "int8range", "numrange", "daterange", "tsrange", "tstzrange")},
}


@dataclass(frozen=True)
class Moves:
    """The moves within one batch's MERGE.

    columns, key: those that are published.  kept: the name of a table for rows that are taken out.
    """

    table: TargetTable
    columns: Sequence[TargetColumn]
    key: Sequence[TargetColumn]
    kept: str

    @property
    def guarded(self) -> list[TargetColumn]:
        """Published columns beside the key that an index watches over; all of them where it watches what they are computed to."""
        watched = {name for guard in self.table.guards for name in guard.columns}
        return [c for c in self.columns if c not in self.key and (c.name in watched or watched & self._computed)]

    @property
    def _computed(self) -> set[str]:
        return {column.name for column in self.table.columns if column.generated and not column.identity}

    @property
    def takes_out(self) -> bool:
        return not self.table.reacts

    @property
    def possible(self) -> bool:
        return bool(self.guarded) and (self.takes_out or bool(self._free))

    def away(self, rows: str, gone: str = "") -> list[str]:
        """The statements that free guarded values which change in the relation `rows`; `gone`: the keys to be deleted."""
        deletes = self._deletes(rows, gone) if self.takes_out else []
        if not self.possible:
            return deletes
        changed = f"{statements.same(self.key, 't', 's')} AND {statements.differ(self.guarded, 't', 's')}"
        if self.takes_out:
            taken = f"DELETE FROM {self.table.sql} t USING {rows} s WHERE {changed} RETURNING {statements.names(self._held, 't')}"
            kept = f"CREATE UNLOGGED TABLE {self.kept} ({', '.join(self._kinds)})"
            return [*deletes, kept, f"WITH taken AS ({taken}) INSERT INTO {self.kept} SELECT * FROM taken"]
        sets = ", ".join(f"{identifier(name)} = {value}" for name, value in self._free.items())
        park = f"UPDATE {self.table.sql} t SET {sets} FROM"
        leaving = [f"{park} {gone} s WHERE {statements.same(self.key, 't', 's')}"] if gone else []
        return [*leaving, f"{park} {rows} s WHERE {changed}"]

    def back(self, rows: str) -> list[str]:
        """The statement that puts back those of these rows that were taken out, with their new values."""
        if not (self.possible and self.takes_out):
            return []
        others = [column for column in self._held if column not in self.columns]
        listed = statements.names([*self.columns, *others])
        chosen = ", ".join(filter(None, (statements.names(self.columns, "s"), statements.names(others, "m"))))
        taken = f"{statements.staged(self.kept, self._held)} m ON {statements.same(self.key, 'm', 's')}"
        return [f"INSERT INTO {self.table.sql} ({listed}) OVERRIDING SYSTEM VALUE SELECT {chosen} FROM {rows} s JOIN {taken}"]

    def over(self, rows: str, gone: str = "") -> list[str]:
        """The statement after the rows have come: it deletes rows whose earlier deletion others would have noticed."""
        return [f"DROP TABLE IF EXISTS {self.kept}"] if self.takes_out else self._deletes(rows, gone)

    def _deletes(self, rows: str, gone: str) -> list[str]:
        return [statements.delete_keys(self.table, gone, self.key, rows)] if gone else []

    @property
    def _held(self) -> list[TargetColumn]:
        """All columns of a row but those that the database computes from it."""
        return [column for column in self.table.columns if column.identity or not column.generated]

    @property
    def _kinds(self) -> list[str]:
        return [f"{place} {c.type}{c.collation}" for place, c in zip(statements.places(self._held), self._held, strict=True)]

    @property
    def _free(self) -> dict[str, str]:
        """Column ▸ the value that it gets meanwhile: one of each guard, or all where it watches what is computed from them;
        none at all where a guard has no column for that.

        A column to which foreign keys refer is left out: rows of others would follow it.
        """
        chosen: dict[str, str] = {}
        for guard in self.table.guards:
            computed = bool(guard.columns & self._computed)
            mine = [c for c in self.guarded if computed or c.name in guard.columns]
            free = {c.name: value for c in mine if c.name not in self.table.referenced and (value := self._free_value(c))}
            if mine and not free:
                return {}
            chosen |= free if computed else dict(list(free.items())[:1])
        return chosen

    def _free_value(self, column: TargetColumn) -> str:
        nulls = column.nullable and all(guard.nulls_differ for guard in self.table.guards if column.name in guard.columns)
        return "NULL" if nulls else FREE.get(column.base, "")
