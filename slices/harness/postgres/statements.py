"""The SQL of PostgreSQL that applies a staging table; pure text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from systems.sql_target.statements import names, places, same
from systems.sql_target.table import TargetColumn, TargetTable


def lock(table: TargetTable) -> str:
    return f"LOCK TABLE {table.sql} IN SHARE ROW EXCLUSIVE MODE"


def differ(columns: Sequence[TargetColumn], left: str, right: str) -> str:
    """The condition that values are stored differently, even if their types call them equal (citext, 1.0 and 1.00) or cannot compare
    them (json).

    https://www.postgresql.org/docs/current/functions-comparisons.html#COMPOSITE-TYPE-COMPARISON
    """
    return f"ROW({names(columns, left)})::record OPERATOR(pg_catalog.*<>) ROW({names(columns, right)})::record"


def delete_keys(table: TargetTable, gone: str, key: Sequence[TargetColumn], kept: str = "") -> str:
    """Deletes the keys of a relation; not those that the relation `kept` has, which the table's types may take for equal."""
    others = f" AND NOT EXISTS (SELECT 1 FROM {kept} k WHERE {same(key, 't', 'k')})" if kept else ""
    return f"DELETE FROM {table.sql} t USING {gone} s WHERE {same(key, 't', 's')}{others}"


def merge(table: TargetTable, rows: str, columns: Sequence[TargetColumn], key: Sequence[TargetColumn], gone: str = "") -> str:
    """One statement, at whose end foreign keys are checked: deletes, then INSERT … ON CONFLICT where the key is unique, else UPDATE
    and INSERT. Rows that are equal stay untouched.

    rows, gone: relations of rows and of keys that go. Steps are counted by the next one, so that they are over before its first row.
    """
    listed, rest = names(columns), [c for c in columns if c not in key]
    steps = {"gone": delete_keys(table, gone, key, rows)} if gone else {}
    if table.unique_by(key):
        insert = f"INSERT INTO {table.sql} AS t ({listed}) SELECT {names(columns, 's')} FROM {rows} s WHERE {_over(steps)}"
        return _counted(table, steps, f"{insert} ON CONFLICT ({names(key)}) DO {_on_conflict(table, rest, key)}")
    if rest:
        update = f"UPDATE {table.sql} t SET {_sets(rest, 's')} FROM {rows} s WHERE {same(key, 't', 's')} AND {differ(rest, 't', 's')}"
        steps["changed"] = f"{update} AND {_over(steps)}"
    missing = f"NOT EXISTS (SELECT 1 FROM {table.sql} t WHERE {same(key, 't', 's')}) AND {_over(steps)}"
    return _counted(table, steps, f"INSERT INTO {table.sql} ({listed}) SELECT {names(columns, 's')} FROM {rows} s WHERE {missing}")


def _on_conflict(table: TargetTable, rest: Sequence[TargetColumn], key: Sequence[TargetColumn]) -> str:
    """Where there are triggers, rows that are equal stay untouched as well, and are counted as kept."""
    changed = differ(rest, "t", "EXCLUDED") if rest else "false"
    if table.before:
        return f"UPDATE SET {_sets(rest or key, 'EXCLUDED')} WHERE CASE WHEN {changed} THEN true ELSE {_keep('1')} IS NULL END"
    return f"UPDATE SET {_sets(rest, 'EXCLUDED')} WHERE {changed}" if rest else "NOTHING"


def _sets(columns: Sequence[TargetColumn], source: str) -> str:
    return ", ".join(f"{c.sql} = {source}.{c.sql}" for c in columns)


def _steps(steps: Mapping[str, str]) -> str:
    written = ", ".join(f"{name} AS ({step} RETURNING 1)" for name, step in steps.items())
    return f"WITH {written} " if steps else ""


def _over(steps: Mapping[str, str]) -> str:
    return " AND ".join([f"(SELECT count(*) FROM {name}) >= 0" for name in steps] or ["true"])


# How many rows the INSERTs of this transaction have put into the table or met there as they are. It is a setting, since a row that
# meets its equal is in no statement's count; and what a savepoint undoes is not counted any more.
_KEPT = "coalesce(nullif(current_setting('atoll.kept', true), ''), '0')::bigint"
KEPT = f"SELECT {_KEPT}"


def _keep(more: str) -> str:
    return f"set_config('atoll.kept', ({_KEPT} + {more})::text, true)"


def _counted(table: TargetTable, steps: Mapping[str, str], insert: str) -> str:
    """The steps and the INSERT as one statement; of a table with triggers it counts the rows that these have left."""
    if not table.before:
        return f"{_steps(steps)}{insert}"
    return f"{_steps({**steps, 'added': insert})}SELECT {_keep('count(*)')} FROM added"


def insert_all(table: TargetTable, rows: str, columns: Sequence[TargetColumn]) -> str:
    return _counted(table, {}, f"INSERT INTO {table.sql} ({names(columns)}) SELECT {names(columns, 's')} FROM {rows} s")


def delete_like(table: TargetTable, stage: str, columns: Sequence[TargetColumn]) -> str:
    """Deletes one row of the table for each like row of the stage."""
    return (
        f"DELETE FROM {table.sql} t USING (SELECT x.place, x.tableoid FROM {_of_table(table, columns, True)} x "
        f"JOIN {_of_stage(stage, columns, False)} s USING (digest, n)) gone "
        f"WHERE t.ctid = gone.place AND t.tableoid = gone.tableoid"
    )


def delete_others(table: TargetTable, stage: str, columns: Sequence[TargetColumn]) -> str:
    """Deletes what the stage does not hold: like rows stay untouched."""
    both = f"{_of_table(table, columns, True)} x LEFT JOIN {_of_stage(stage, columns, False)} s USING (digest, n)"
    return (
        f"DELETE FROM {table.sql} t USING (SELECT x.place, x.tableoid FROM {both} WHERE s.n IS NULL) gone "
        f"WHERE t.ctid = gone.place AND t.tableoid = gone.tableoid"
    )


def insert_missing(table: TargetTable, stage: str, columns: Sequence[TargetColumn]) -> str:
    """Inserts of the stage what the table does not hold."""
    listed = ", ".join(f"r.{place}" for place in places(columns))
    return (
        f"INSERT INTO {table.sql} ({names(columns)}) SELECT {listed} FROM {stage} r "
        f"JOIN (SELECT s.place FROM {_of_stage(stage, columns, True)} s LEFT JOIN {_of_table(table, columns, False)} x "
        f"USING (digest, n) WHERE x.n IS NULL) added ON r.ctid = added.place"
    )


def replace(table: TargetTable, stage: str, columns: Sequence[TargetColumn]) -> str:
    """Deletes and inserts in one statement, at whose end foreign keys are checked."""
    steps = {"gone": delete_others(table, stage, columns)}
    return _counted(table, steps, f"{insert_missing(table, stage, columns)} WHERE {_over(steps)}")


def forget_present(table: TargetTable, stage: str, columns: Sequence[TargetColumn]) -> str:
    """Deletes from the stage what the table holds."""
    both = f"{_of_stage(stage, columns, True)} s JOIN {_of_table(table, columns, False)} x USING (digest, n)"
    return f"DELETE FROM {stage} r USING (SELECT s.place FROM {both}) present WHERE r.ctid = present.place"


def take_number(stage: str) -> str:
    """Takes a number for a savepoint. Once that is undone, the server's snapshot reaches beyond all numbers of this transaction."""
    return f"COMMENT ON TABLE {stage} IS 'rows are counted'"


# The rows that this transaction has written: it sees them, though their writer, it or a savepoint with a later number, has not ended.
# To be asked after `take_number`: the state of a number that is yet to come cannot be asked for, and an old row may seem to have one.
_NUMBER = "(txid_current() + (({alias}.xmin::text::bigint - txid_current()) & 4294967295))"
_OURS = f"""CASE WHEN {_NUMBER} < (SELECT txid_snapshot_xmax(txid_current_snapshot()))
THEN txid_status({_NUMBER}) = 'in progress' ELSE false END"""


def not_kept(table: TargetTable, rows: str, columns: Sequence[TargetColumn], key: Sequence[TargetColumn]) -> str:
    """How many of these rows are neither in the table as they are, nor were written under their key in this transaction."""
    rest = [c for c in columns if c not in key]
    stale = f" AND ({_OURS.format(alias='t')} OR NOT {differ(rest, 't', 's')})" if rest else ""
    kept = f"SELECT 1 FROM {table.sql} t WHERE {same(key, 't', 's')}{stale}"
    return f"SELECT count(*) FROM {rows} s WHERE NOT EXISTS ({kept})"


def written(table: TargetTable) -> str:
    """How many rows of the table this transaction has written."""
    return f"SELECT count(*) FROM {table.sql} t WHERE {_OURS.format(alias='t')}"


def missing(table: TargetTable, stage: str, columns: Sequence[TargetColumn]) -> str:
    """How many rows of the stage the table does not hold."""
    both = f"{_of_stage(stage, columns, False)} s LEFT JOIN {_of_table(table, columns, False)} x USING (digest, n)"
    return f"SELECT count(*) FROM {both} WHERE x.n IS NULL"


def _of_table(table: TargetTable, columns: Sequence[TargetColumn], placed: bool) -> str:
    return _numbered(table.sql, names(columns, "o"), placed)


def _of_stage(stage: str, columns: Sequence[TargetColumn], placed: bool) -> str:
    return _numbered(stage, ", ".join(f"o.{place}" for place in places(columns)), placed)


def _numbered(source: str, values: str, placed: bool) -> str:
    """Each row's digest and its number among like rows, so that rows that occur twice are compared one by one."""
    digest = f"sha256(convert_to(ROW({values})::text, 'UTF8')) AS digest"
    place = "o.ctid AS place, o.tableoid AS tableoid, " if placed else ""
    inner = f"SELECT {place}{digest} FROM {source} o"
    kept = "d.place, d.tableoid, " if placed else ""
    return f"(SELECT {kept}d.digest, row_number() OVER (PARTITION BY d.digest) AS n FROM ({inner}) d)"
