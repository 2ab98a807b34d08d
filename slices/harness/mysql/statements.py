"""The SQL of MySQL that applies a staging table; pure text.

MySQL has no name for the place of a row, so rows that occur more than once are told apart by digests of what they hold, and counted.
"""

from __future__ import annotations

from collections.abc import Sequence

from slices.harness.mysql.column_types import INTEGERS, LISTED, TEXT
from systems.sql_target.dialect import Ours
from systems.sql_target.moves import held
from systems.sql_target.statements import names, places, same
from systems.sql_target.table import TargetColumn, TargetTable

Columns = Sequence[TargetColumn]
SURPLUS, MOVED = "surplus", "moved"
PLAIN = frozenset({"date", "time", "datetime", "timestamp", "year", "decimal", "float", "double"}) | INTEGERS


def quote(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def stored(column: TargetColumn, value: str) -> str:
    """A value as it is stored, whatever its collation calls equal."""
    if column.base == "json":
        return f"CAST({value} AS CHAR)"
    return f"CAST({value} AS BINARY)" if column.base in TEXT | LISTED else value


def differ(columns: Columns, left: str, right: str) -> str:
    """The condition that values are stored differently."""
    alike = (f"{stored(c, f'{left}.{c.sql}')} <=> {stored(c, f'{right}.{c.sql}')}" for c in columns)
    return f"NOT ({' AND '.join(alike)})"


def delete_keys(table: TargetTable, gone: str, key: Columns, kept: str = "") -> str:
    others = f" WHERE NOT EXISTS (SELECT 1 FROM {kept} k WHERE {same(key, 't', 'k')})" if kept else ""
    return f"DELETE t FROM {table.sql} t JOIN {gone} s ON {same(key, 't', 's')}{others}"


def update(table: TargetTable, values: Sequence[tuple[TargetColumn, str]], source: str, condition: str) -> str:
    sets = ", ".join(f"t.{column.sql} = {value}" for column, value in values)
    return f"UPDATE {table.sql} t JOIN {source} s ON {condition} SET {sets}"


def merge(table: TargetTable, rows: str, columns: Columns, key: Columns, gone: str = "") -> list[str]:
    """Rows are looked for by the key alone: ON DUPLICATE KEY would take another's row that has one of their unique values.

    Foreign keys are checked row by row: rows that refer to others of the table do so once all of them are there, and rows go last.
    """
    rest = [c for c in columns if c not in key]
    late = [c for c in rest if c.name in table.own_parents and c.nullable]
    deletes = [delete_keys(table, gone, key, rows)] if gone else []
    values = [(c, f"s.{c.sql}") for c in rest]
    changed = f"{same(key, 't', 's')} AND {differ(rest, 't', 's')}"
    updates = [update(table, values, rows, changed)] if rest else []
    chosen = ", ".join("NULL" if c in late else f"s.{c.sql}" for c in columns)
    missing = f"NOT EXISTS (SELECT 1 FROM {table.sql} t WHERE {same(key, 't', 's')})"
    inserts = [f"INSERT INTO {table.sql} ({names(columns)}) SELECT {chosen} FROM {rows} s WHERE {missing}"]
    return [*inserts, *updates, *deletes] if late else [*deletes, *updates, *inserts]


def insert_all(table: TargetTable, rows: str, columns: Columns) -> str:
    return f"INSERT INTO {table.sql} ({names(columns)}) SELECT {names(columns, 's')} FROM {rows} s"


# -- rows that may occur more than once


def _digest(columns: Columns, values: Sequence[str]) -> str:
    """64 characters for all that a row holds. Long values count by digests of their own: a text longer than a packet is null."""
    return f"SHA2(CONCAT_WS(',', {', '.join(map(_part, columns, values))}), 256)"


def _part(column: TargetColumn, value: str) -> str:
    if column.base not in PLAIN:
        return f"IFNULL(SHA2({value}, 256), '~')"
    exact = f"({value} + 0e0)" if column.base == "float" else value  # as a text, a float has six digits
    return f"IFNULL(CAST({exact} AS CHAR), '~')"


def _of_table(columns: Columns) -> str:
    return _digest(columns, [f"t.{c.sql}" for c in columns])


def _of_stage(columns: Columns) -> str:
    return _digest(columns, [f"s.{place}" for place in places(columns)])


def _counted(relation: str, digest: str) -> str:
    return f"(SELECT {digest} AS digest, count(*) AS n FROM {relation} GROUP BY 1)"


def _numbered(stage: str, columns: Columns, more: str) -> str:
    """The staged rows, each with its number, n, among like rows."""
    digest = _of_stage(columns)
    return f"(SELECT {more}, {digest} AS digest, row_number() OVER (PARTITION BY {digest}) AS n FROM {stage} s)"


def _take_surplus(table: TargetTable, ours: Ours, columns: Columns) -> list[str]:
    """Deletes of like rows as many as `surplus` says: all are deleted, and those that stay put back with all that they have."""
    kept, all_of_it = ours(MOVED), held(table)
    digest, listed = _of_table(columns), ", ".join(places(all_of_it))
    chosen = ", ".join(f"t.{c.sql} AS {place}" for c, place in zip(all_of_it, places(all_of_it), strict=True))
    like = f"{table.sql} t JOIN {ours(SURPLUS)} x ON x.digest = {digest}"
    rows = f"SELECT {chosen}, x.n AS going, row_number() OVER (PARTITION BY x.digest) AS n FROM {like}"
    return [
        f"INSERT INTO {kept} ({listed}) SELECT {listed} FROM ({rows}) o WHERE o.n > o.going",
        f"DELETE t FROM {like}",
        f"INSERT INTO {table.sql} ({names(all_of_it)}) SELECT {listed} FROM {kept}",
    ]


def delete_like(table: TargetTable, ours: Ours, columns: Columns) -> list[str]:
    counted = _counted(f"{ours('deletes')} s", _of_stage(columns))
    return [f"INSERT INTO {ours(SURPLUS)} (digest, n) SELECT c.digest, c.n FROM {counted} c", *_take_surplus(table, ours, columns)]


def delete_others(table: TargetTable, ours: Ours, columns: Columns) -> list[str]:
    """Deletes what the stage does not hold: like rows stay untouched."""
    there, staged = _counted(f"{table.sql} t", _of_table(columns)), _counted(f"{ours('upserts')} s", _of_stage(columns))
    more = (
        f"SELECT c.digest, c.n - IFNULL(w.n, 0) FROM {there} c LEFT JOIN {staged} w ON w.digest = c.digest WHERE c.n > IFNULL(w.n, 0)"
    )
    return [f"INSERT INTO {ours(SURPLUS)} (digest, n) {more}", *_take_surplus(table, ours, columns)]


def insert_missing(table: TargetTable, ours: Ours, columns: Columns) -> str:
    """Inserts of the stage what the table does not hold."""
    listed = ", ".join(places(columns))
    rows = _numbered(ours("upserts"), columns, ", ".join(f"s.{place}" for place in places(columns)))
    there = _counted(f"{table.sql} t", _of_table(columns))
    missing = f"{rows} r LEFT JOIN {there} c ON c.digest = r.digest WHERE r.n > IFNULL(c.n, 0)"
    return f"INSERT INTO {table.sql} ({names(columns)}) SELECT {listed} FROM {missing}"


def forget_present(table: TargetTable, ours: Ours, columns: Columns, row: str) -> str:
    """Deletes from the stage what the table holds. row: the column of its rows' numbers."""
    rows, there = _numbered(ours("upserts"), columns, f"s.{row}"), _counted(f"{table.sql} t", _of_table(columns))
    present = f"(SELECT r.{row} FROM {rows} r JOIN {there} c ON c.digest = r.digest WHERE r.n <= c.n)"
    return f"DELETE u FROM {ours('upserts')} u JOIN {present} p ON p.{row} = u.{row}"
