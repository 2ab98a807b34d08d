"""Makes way for unique values that move between rows of one batch: what is legal in the end is published, in whatever order.

A database checks a unique index row by row. So rows whose guarded values change give them up before any row takes a new one, in the
transaction that ends with the new ones:

- They are taken out of the table and put back with their new values and all that they have beside them, where no dependent object
would notice.
- Where one would (a foreign key to the table, a trigger), their guarded values are replaced by null, or by an unused one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from systems.sql_target.dialect import Dialect
from systems.sql_target.statements import names, same, staged
from systems.sql_target.table import TargetColumn, TargetTable


@dataclass(frozen=True)
class Moves:
    """The moves within one batch's MERGE.

    columns, key: those that are published.  kept: the table for rows that are taken out.
    """

    table: TargetTable
    columns: Sequence[TargetColumn]
    key: Sequence[TargetColumn]
    kept: str
    dialect: Dialect

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
        changed = f"{same(self.key, 't', 's')} AND {self.dialect.differ(self.guarded, 't', 's')}"
        if self.takes_out:
            kept = self.dialect.keep(self.kept, held(self.table))
            return [*deletes, *kept, *self.dialect.take_out(self.table, self.kept, held(self.table), rows, changed)]
        values = [(column, self._free[column.name]) for column in self.guarded if column.name in self._free]
        leaving = [self.dialect.update(self.table, values, gone, same(self.key, "t", "s"))] if gone else []
        return [*leaving, self.dialect.update(self.table, values, rows, changed)]

    def back(self, rows: str) -> list[str]:
        """The statement that puts back those of these rows that were taken out, with their new values."""
        if not (self.possible and self.takes_out):
            return []
        others = [column for column in held(self.table) if column not in self.columns]
        chosen = ", ".join(filter(None, (names(self.columns, "s"), names(others, "m"))))
        taken = f"{rows} s JOIN {staged(self.kept, held(self.table))} m ON {same(self.key, 'm', 's')}"
        return [self.dialect.put_back(self.table, names([*self.columns, *others]), chosen, taken)]

    def over(self, rows: str, gone: str = "") -> list[str]:
        """The statements after the rows have come: they delete rows whose earlier deletion others would have noticed."""
        if self.takes_out:
            return [f"DROP TABLE IF EXISTS {self.kept}"] if self.dialect.transactional else []
        return self._deletes(rows, gone)

    def _deletes(self, rows: str, gone: str) -> list[str]:
        return [self.dialect.delete_keys(self.table, gone, self.key, rows)] if gone else []

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
        return "NULL" if nulls else self.dialect.free(column)


def held(table: TargetTable) -> list[TargetColumn]:
    """All columns of a row but those that the database computes from it."""
    return [column for column in table.columns if column.identity or not column.generated]
