"""Reads a table in the target's catalog: its columns, indexes and foreign keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from shared_metadata.errors import DefinitionError
from slices.harness.mysql.statements import quote
from systems.sql_target.table import Guard, TargetColumn, TargetTable

Ask = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]
_TABLES = """SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, ENGINE, CREATE_OPTIONS FROM information_schema.TABLES
WHERE LOWER(TABLE_SCHEMA) = LOWER(%s) AND LOWER(TABLE_NAME) = LOWER(%s)"""
_COLUMNS = """SELECT COLUMN_NAME, COLUMN_TYPE, LOWER(DATA_TYPE), IS_NULLABLE = 'YES', COLUMN_DEFAULT, UPPER(EXTRA),
  CHARACTER_SET_NAME, COLLATION_NAME FROM information_schema.COLUMNS
WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s ORDER BY ORDINAL_POSITION"""
_INDEXES = """SELECT INDEX_NAME, COLUMN_NAME, SUB_PART FROM information_schema.STATISTICS
WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s AND NON_UNIQUE = 0 ORDER BY INDEX_NAME, SEQ_IN_INDEX"""
_PARENTS = """SELECT CONSTRAINT_NAME, COLUMN_NAME, REFERENCED_TABLE_SCHEMA, REFERENCED_TABLE_NAME
FROM information_schema.KEY_COLUMN_USAGE
WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s AND REFERENCED_TABLE_NAME IS NOT NULL"""
_CHILDREN = """SELECT DISTINCT REFERENCED_COLUMN_NAME FROM information_schema.KEY_COLUMN_USAGE
WHERE REFERENCED_TABLE_SCHEMA = %s AND REFERENCED_TABLE_NAME = %s"""
TABLES = ("BASE TABLE", "SYSTEM VERSIONED")
_COMPUTED = ("VIRTUAL GENERATED", "STORED GENERATED", "PERSISTENT GENERATED", "VIRTUAL", "PERSISTENT")


def read_table(ask: Ask, schema: str, name: str) -> TargetTable | None:
    """The table by its exact name, or the only one whose name differs in case; None when there is none.

    Rows that refer to it and triggers may be there that the user cannot see: it always reacts.
    """
    found = ask(_TABLES, (schema, name))
    exact = [row for row in found if row[:2] == (schema, name)] or found
    if not exact:
        return None
    if len(exact) > 1:
        raise DefinitionError(f"{schema}.{name} are several tables that differ in case", remedy="publish to one that has no twin")
    schema, name, kind, engine, options = exact[0]
    _check_kind(f"{schema}.{name}", kind, engine, f"{quote(schema)}.{quote(name)}")
    of = (schema, name)
    indexes, parents = _indexes(ask(_INDEXES, of)), ask(_PARENTS, of)
    columns = tuple(map(_column, ask(_COLUMNS, of)))
    return TargetTable(
        *of,
        columns,
        tuple(frozenset(filter(None, parts)) for parts in indexes.values() if all(parts.values())),
        guards=tuple(_guards(indexes, columns)),
        reacts=True,
        referenced=frozenset(column for (column,) in ask(_CHILDREN, of)),
        parents={constraint: (parent, table) for constraint, _, parent, table in parents},
        own_parents=frozenset(column for _, column, *parent in parents if tuple(parent) == of),
        names=frozenset(indexes),
        partitioned="partitioned" in (options or "").lower(),
        quote=quote,
    )


def _check_kind(name: str, kind: str, engine: str | None, quoted: str) -> None:
    """Raises DefinitionError for what has no transactions, or is no table."""
    if kind == "VIEW":
        what = "a view: what its table holds beside it, and who else watches over that, is not seen through it"
        raise DefinitionError(f"{name} is {what}", remedy="publish to a table, and let the view show that")
    if kind not in TABLES:
        raise DefinitionError(f"{name} is a {kind.lower()}", remedy="publish to an ordinary table")
    if (engine or "").lower() != "innodb":
        what = f"{name} is kept by {engine or 'no engine'}, in which a batch cannot be published as a whole or not at all"
        raise DefinitionError(what, remedy=f"ALTER TABLE {quoted} ENGINE=InnoDB")


def _column(found: tuple[Any, ...]) -> TargetColumn:
    name, kind, base, nullable, default, extra, charset, collation = found
    counted, computed = "AUTO_INCREMENT" in extra, any(word in extra.split(",")[0] for word in _COMPUTED)
    required = not nullable and default is None and not counted and not computed
    # NULL is the moment, where explicit_defaults_for_timestamp is off, which not every server lets a session turn on.
    fills = counted or (base == "timestamp" and not nullable)
    clause = f" CHARACTER SET {charset} COLLATE {collation}" if charset else ""
    takes = bool(nullable) and not computed
    return TargetColumn(name, kind, base, required, computed, nullable=takes, fills=fills, collation=clause, quote=quote)


def _indexes(found: Sequence[tuple[Any, ...]]) -> dict[str, dict[str | None, bool]]:
    """Name ▸ column, None for an expression ▸ whether all of its value counts."""
    grouped = groupby(found, key=lambda row: row[0])
    return {name: {column: column is not None and part is None for _, column, part in rows} for name, rows in grouped}


def _guards(indexes: Mapping[str, Mapping[str | None, bool]], columns: Sequence[TargetColumn]) -> Iterator[Guard]:
    """What an expression looks at is not told: it may be any column."""
    everything = frozenset(column.name for column in columns)
    for parts in indexes.values():
        yield Guard(everything if None in parts else frozenset(filter(None, parts)))
