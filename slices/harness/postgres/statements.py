"""The SQL that compares results (DuckDB) and that applies what was brought to a staging table (PostgreSQL); pure text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared_metadata.contract import rejected_rows
from shared_metadata.contract.duckdb_session import identifier, literal
from slices.harness.postgres.logic import WITHOUT_EQUALITY, TargetColumn, TargetTable

FILE, ROW = "_atoll_file", "_atoll_row"


def names(columns: Sequence[str], alias: str = "") -> str:
    prefix = f"{alias}." if alias else ""
    return ", ".join(prefix + identifier(name) for name in columns)


def parquet(urls: Sequence[str]) -> str:
    """DuckDB: these files as one relation."""
    return f"read_parquet([{', '.join(map(literal, urls))}], union_by_name = true)"


def key_faults(source: str, key: Sequence[str]) -> str:
    """DuckDB: how many keys occur more than once, and how many rows have a null in their key."""
    missing = " OR ".join(f"{identifier(name)} IS NULL" for name in key)
    twice = f"SELECT 1 FROM {source} GROUP BY {names(key)} HAVING count(*) > 1"
    return f"SELECT (SELECT count(*) FROM ({twice})), (SELECT count(*) FROM {source} WHERE {missing})"


def new_or_changed(source: str, former: str, columns: Sequence[str]) -> str:
    """DuckDB: rows of `source` that `former` does not hold alike; nulls are alike."""
    return f"SELECT {names(columns)} FROM {source} EXCEPT SELECT {names(columns)} FROM {former}"


def vanished(source: str, former: str, key: Sequence[str]) -> str:
    """DuckDB: keys of `former` that `source` has no more."""
    return f"SELECT {names(key)} FROM {former} EXCEPT SELECT {names(key)} FROM {source}"


def rows_without(source: str, other: str, columns: Sequence[str]) -> str:
    """DuckDB: `source` less one row for each like row of `other`."""
    return f"SELECT {names(columns)} FROM {source} EXCEPT ALL SELECT {names(columns)} FROM {other}"


def not_published_later(rows: str, later: str, key: Sequence[str]) -> str:
    """DuckDB: those of `rows` whose key no later batch has published."""
    same = " AND ".join(f"l.{identifier(name)} = r.{identifier(name)}" for name in key)
    return f"SELECT r.* FROM ({rows}) r WHERE NOT EXISTS (SELECT 1 FROM {later} l WHERE {same})"


def without_rejected(former: str, rejected: str, columns: Sequence[str]) -> str:
    """DuckDB: what of a former result was written."""
    return f"(SELECT {names(columns)} FROM {former} EXCEPT ALL SELECT {_typed(columns)} FROM {rejected} r)"


def with_held(written: str, rejected: str, columns: Sequence[str]) -> str:
    """DuckDB: with it those whose former version stands in the target."""
    return f"(SELECT {names(columns)} FROM {written} UNION ALL SELECT {_typed(columns)} FROM {rejected} r WHERE r.held)"


def _typed(columns: Sequence[str]) -> str:
    return ", ".join(f"{_of_typed(name, 'r')} AS {identifier(name)}" for name in columns)


def _of_typed(name: str, alias: str) -> str:
    return f"struct_extract({alias}.typed, {literal(name)})"


def position(first: int) -> str:
    """DuckDB: the number of a row of a file, counted from `first`. Not DuckDB's own file_row_number: a file may have such a column.

    https://duckdb.org/docs/stable/sql/dialect/order_preservation: an empty OVER clause counts rows in the file's order.
    """
    return f"{first} + row_number() OVER () - 1"


def csv_rows(url: str, marks: Sequence[str], values: Sequence[str], rows: tuple[int, int]) -> tuple[str, list[str]]:
    """DuckDB: of the rows [from, to) of a file, called `r`, the marks and values; and what the columns of the values are called."""
    called = [f"c{number}" for number in range(len(values))]
    listed = [*(f"{mark} AS m{number}" for number, mark in enumerate(marks)), *map(" AS ".join, zip(values, called, strict=True))]
    return f"SELECT {', '.join(listed)} FROM {parquet([url])} r LIMIT {rows[1] - rows[0]} OFFSET {rows[0]}", called


def rejected(files: Mapping[str, int], types: Mapping[str, str], reasons: str, batch: str, standing: str, key: Sequence[str]) -> str:
    """DuckDB: rejected rows, for people in `data`, and for the next comparison in `typed` and `held`.

    files: URL ▸ the number of its first row.  types: DuckDB's, of their columns.  reasons: the path of a CSV of numbers and reasons.
    standing: the keys in the target.
    """
    typed = ", ".join(f"{literal(name)}: {names([name], 'r')}" for name in types)
    rows = [f"SELECT {position(at)} AS number, {{{typed}}} AS typed FROM {parquet([url])} r" for url, at in files.items()]
    why = f"read_csv({literal(reasons)}, header = false, columns = {{'number': 'BIGINT', 'reason': 'VARCHAR'}})"
    same = " AND ".join(f"{names([name], 's')} = {_of_typed(name, 'f')}" for name in key)
    held = f"EXISTS (SELECT 1 FROM {standing} s WHERE {same})" if key and standing else "false"
    data = rejected_rows.as_json({name: (_of_typed(name, "f"), kind) for name, kind in types.items()})
    chosen = f"{rejected_rows.select(batch, 'harness', 'w.reason', data)}, f.typed AS typed, {held} AS held"
    return f"{chosen} FROM ({' UNION ALL '.join(rows)}) f JOIN {why} w ON w.number = f.number"


# -- PostgreSQL


def create_stage(stage: str, columns: Sequence[TargetColumn]) -> str:
    kinds = [f"{identifier(c.name)} {c.type}" for c in columns]
    return f"CREATE UNLOGGED TABLE IF NOT EXISTS {stage} ({', '.join([f'{identifier(FILE)} integer NOT NULL', *kinds])})"


def create_numbered(stage: str, columns: Sequence[TargetColumn]) -> str:
    """With each row's number among the batch's, from 0."""
    kinds = [f"{identifier(c.name)} {c.type}" for c in columns]
    marks = [f"{FILE} integer NOT NULL", f"{ROW} bigint PRIMARY KEY"]
    return f"CREATE UNLOGGED TABLE IF NOT EXISTS {stage} ({', '.join([*marks, *kinds])})"


def create_rejected(rejected: str) -> str:
    """The numbers of rows that the database refuses, and why; none of their values."""
    columns = f"{FILE} integer NOT NULL, {ROW} bigint PRIMARY KEY, reason text NOT NULL"
    return f"CREATE UNLOGGED TABLE IF NOT EXISTS {rejected} ({columns})"


def numbered(stage: str, first: int, end: int, without: str) -> str:
    """Of a numbered stage the rows [first, end), less those that a table of rejected rows names."""
    others = f" AND NOT EXISTS (SELECT 1 FROM {without} x WHERE x.{ROW} = n.{ROW})" if without else ""
    return f"(SELECT * FROM {stage} n WHERE n.{ROW} >= {first} AND n.{ROW} < {end}{others})"


def copy_in(stage: str, columns: Sequence[str]) -> str:
    return f"COPY {stage} ({names(columns)}) FROM STDIN (FORMAT csv)"


def delete_keys(table: TargetTable, stage: str, key: Sequence[str]) -> str:
    same = " AND ".join(f"t.{identifier(name)} = s.{identifier(name)}" for name in key)
    return f"DELETE FROM {table.sql} t USING {stage} s WHERE {same}"


def upsert(table: TargetTable, stage: str, columns: Sequence[TargetColumn], key: Sequence[str]) -> list[str]:
    """One INSERT … ON CONFLICT where the key is unique, else UPDATE and INSERT; rows that are equal stay untouched."""
    listed, rest = names([c.name for c in columns]), [c for c in columns if c.name not in key]
    if frozenset(key) in table.unique:
        action = "NOTHING"
        if rest:
            sets = ", ".join(f"{identifier(c.name)} = EXCLUDED.{identifier(c.name)}" for c in rest)
            action = f"UPDATE SET {sets} WHERE {_differs(rest, 't', 'EXCLUDED')}"
        insert = f"INSERT INTO {table.sql} AS t ({listed}) SELECT {listed} FROM {stage} s"
        return [f"{insert} ON CONFLICT ({names(key)}) DO {action}"]
    same = " AND ".join(f"t.{identifier(name)} = s.{identifier(name)}" for name in key)
    missing = f"NOT EXISTS (SELECT 1 FROM {table.sql} t WHERE {same})"
    found = [f"INSERT INTO {table.sql} ({listed}) SELECT {names([c.name for c in columns], 's')} FROM {stage} s WHERE {missing}"]
    if rest:
        sets = ", ".join(f"{identifier(c.name)} = s.{identifier(c.name)}" for c in rest)
        found.insert(0, f"UPDATE {table.sql} t SET {sets} FROM {stage} s WHERE {same} AND ({_differs(rest, 't', 's')})")
    return found


def insert_all(table: TargetTable, stage: str, columns: Sequence[TargetColumn]) -> str:
    listed = names([c.name for c in columns])
    return f"INSERT INTO {table.sql} ({listed}) SELECT {listed} FROM {stage} s"


def delete_like(table: TargetTable, stage: str, columns: Sequence[TargetColumn]) -> str:
    """Deletes one row of the table for each like row of the stage."""
    return (
        f"DELETE FROM {table.sql} t USING (SELECT x.place, x.tableoid FROM {_numbered(table.sql, columns, True)} x "
        f"JOIN {_numbered(stage, columns, False)} s USING (digest, n)) gone "
        f"WHERE t.ctid = gone.place AND t.tableoid = gone.tableoid"
    )


def delete_others(table: TargetTable, stage: str, columns: Sequence[TargetColumn]) -> str:
    """Deletes what the stage does not hold: like rows stay untouched."""
    both = f"{_numbered(table.sql, columns, True)} x LEFT JOIN {_numbered(stage, columns, False)} s USING (digest, n)"
    return (
        f"DELETE FROM {table.sql} t USING (SELECT x.place, x.tableoid FROM {both} WHERE s.n IS NULL) gone "
        f"WHERE t.ctid = gone.place AND t.tableoid = gone.tableoid"
    )


def insert_missing(table: TargetTable, stage: str, columns: Sequence[TargetColumn]) -> str:
    """Inserts of the stage what the table does not hold."""
    listed = names([c.name for c in columns])
    return (
        f"INSERT INTO {table.sql} ({listed}) SELECT {names([c.name for c in columns], 'r')} FROM {stage} r "
        f"JOIN (SELECT s.place FROM {_numbered(stage, columns, True)} s LEFT JOIN {_numbered(table.sql, columns, False)} x "
        f"USING (digest, n) WHERE x.n IS NULL) added ON r.ctid = added.place"
    )


def forget_present(table: TargetTable, stage: str, columns: Sequence[TargetColumn]) -> str:
    """Deletes from the stage what the table holds."""
    both = f"{_numbered(stage, columns, True)} s JOIN {_numbered(table.sql, columns, False)} x USING (digest, n)"
    return f"DELETE FROM {stage} r USING (SELECT s.place FROM {both}) present WHERE r.ctid = present.place"


def _numbered(source: str, columns: Sequence[TargetColumn], placed: bool) -> str:
    """Each row's digest and its number among like rows, so that rows that occur twice are compared one by one."""
    digest = f"sha256(convert_to(ROW({names([c.name for c in columns])})::text, 'UTF8')) AS digest"
    place = "ctid AS place, tableoid, " if placed else ""
    inner = f"SELECT {place}{digest} FROM {source}"
    kept = "place, tableoid, " if placed else ""
    return f"(SELECT {kept}digest, row_number() OVER (PARTITION BY digest) AS n FROM ({inner}) d)"


def _differs(columns: Sequence[TargetColumn], left: str, right: str) -> str:
    def one(column: TargetColumn) -> str:
        cast = "::text" if column.base.removeprefix("_") in WITHOUT_EQUALITY else ""
        name = identifier(column.name)
        return f"{left}.{name}{cast} IS DISTINCT FROM {right}.{name}{cast}"

    return " OR ".join(map(one, columns))
