"""Fits a result's columns to a PostgreSQL table, without I/O."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared_metadata.contract.parquet.duckdb_session import identifier, literal
from shared_metadata.contract.results.changes import Which
from shared_metadata.contract.work import Work
from shared_metadata.errors import DefinitionError
from shared_metadata.program.intervals import to_text
from slices.harness.postgres.column_types import takes
from systems.postgres.type_mapping import catalog_name, postgres_type

MISFITS_SHOWN = 5
# https://www.postgresql.org/docs/current/ddl-system-columns.html
SYSTEM_COLUMNS = frozenset({"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"})


@dataclass(frozen=True)
class TargetColumn:
    """A column of the table in PostgreSQL.

    type: as in a CREATE TABLE, with its modifiers.  base: the type's catalog name, a domain's base type, '_int4' for arrays.
    required: NOT NULL without a default.  generated: the database computes it and takes no value; identity: but one by override.
    nullable: takes nulls.  equals: the operator of its type.  collation: a COLLATE clause, where it is none of the type's own.
    """

    name: str
    type: str
    base: str
    required: bool = False
    generated: bool = False
    identity: bool = False
    nullable: bool = True
    equals: str = "="
    collation: str = ""


@dataclass(frozen=True)
class Guard:
    """A unique index or an exclusion constraint. columns: all that it looks at.  nulls_differ: any number of nulls is allowed."""

    columns: frozenset[str]
    nulls_differ: bool


@dataclass(frozen=True)
class TargetTable:
    """The table in PostgreSQL; `exists` is False for one that the first batch makes. unique: sets of columns, for ON CONFLICT.

    guarded: row level security holds for the user.  reacts: others would notice that a row is deleted and inserted anew (foreign
    keys, triggers).  referenced: columns to which foreign keys refer.  parents: foreign key ▸ the table that it refers to.
    before: triggers that may make something else of a row that is written, or nothing.
    """

    schema: str
    name: str
    columns: tuple[TargetColumn, ...]
    unique: tuple[frozenset[str], ...] = ()
    exists: bool = True
    guarded: bool = False
    guards: tuple[Guard, ...] = ()
    reacts: bool = False
    referenced: frozenset[str] = frozenset()
    parents: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    before: tuple[str, ...] = ()

    @property
    def sql(self) -> str:
        return f"{identifier(self.schema)}.{identifier(self.name)}"

    def column(self, name: str) -> TargetColumn | None:
        """Finds a column by its exact name, or the only one that differs in case."""
        folded = [c for c in self.columns if c.name.lower() == name.lower()]
        exact = [c for c in folded if c.name == name]
        return exact[0] if exact else folded[0] if len(folded) == 1 else None


def table_name(dataset: str, connection: str) -> tuple[str, str]:
    """'ops.public.scorecard' ▸ ('public', 'scorecard'); without a schema it is 'public'."""
    return split_name(dataset.removeprefix(f"{connection}."))


def split_name(table: str) -> tuple[str, str]:
    """'public.scorecard' ▸ ('public', 'scorecard'); without a schema it is 'public'."""
    schema, _, name = table.rpartition(".")
    return schema or "public", name


def new_table(schema: str, name: str, columns: Sequence[Mapping[str, Any]], key: Sequence[str]) -> TargetTable:
    """The table that Atoll makes when there is none: the result's columns, the key as PRIMARY KEY."""
    made = []
    for column in columns:
        kind = postgres_type(column["type"])
        made.append(TargetColumn(column["name"], kind, catalog_name(kind), required=column["name"] in key))
    return TargetTable(schema, name, tuple(made), (frozenset(key),) if key else (), exists=False)


def create_statement(table: TargetTable, key: Sequence[str]) -> str:
    columns = [f"{identifier(c.name)} {c.type}" for c in table.columns]
    primary = [f"PRIMARY KEY ({', '.join(map(identifier, key))})"] if key else []
    return f"CREATE TABLE {table.sql} ({', '.join(columns + primary)})"


def matched(table: TargetTable, columns: Sequence[Mapping[str, Any]], key: Sequence[str], place: str) -> dict[str, TargetColumn]:
    """Result column ▸ target column. Raises DefinitionError, which names every misfit, before anything is written."""
    found: dict[str, TargetColumn] = {}
    wrong: list[tuple[str, str]] = []
    for column in columns:
        target = table.column(column["name"])
        if column["name"].lower() in SYSTEM_COLUMNS:
            remedy = f"SELECT … {column['name']} AS another name"
            wrong.append((f"cannot have a column {column['name']}, a name that PostgreSQL keeps for itself", remedy))
        elif target is None:
            kind = postgres_type(column["type"])
            remedy = f"ALTER TABLE {table.sql} ADD COLUMN {identifier(column['name'])} {kind}"
            wrong.append((f"has no column {column['name']}", remedy))
        elif target.generated:
            wrong.append((f"computes column {target.name} itself", f"leave {target.name} out of the query"))
        elif not takes(target.base, column["type"]):
            remedy = f"CAST({column['name']} AS …) in the query, or change the column's type"
            wrong.append((f"has column {target.name} of type {target.type}, which takes no {column['type']}", remedy))
        else:
            found[column["name"]] = target
    names = {column["name"] for column in columns}
    wrong += [(f"the key column {name} is not in the query's result", "select it") for name in key if name not in names]
    filled = {target.name for target in found.values()}
    wrong += [
        (f"requires column {c.name}, which the query does not fill", f"select {c.name}, or give the column a default")
        for c in table.columns
        if c.required and c.name not in filled and not wrong
    ]
    if wrong:
        raise _misfit(table, wrong, place)
    return found


def _misfit(table: TargetTable, wrong: Sequence[tuple[str, str]], place: str) -> DefinitionError:
    shown = wrong[:MISFITS_SHOWN]
    more = f"; and {len(wrong) - len(shown)} more" if len(wrong) > len(shown) else ""
    what = f"the table {table.schema}.{table.name} " + "; it ".join(text for text, _ in shown) + more
    return DefinitionError(what, place=place, remedy="; ".join(remedy for _, remedy in shown))


def lock_number(flow: str) -> int:
    """A flow's number for pg_advisory_xact_lock, a signed 64-bit integer."""
    return int.from_bytes(hashlib.sha256(f"atoll {flow}".encode()).digest()[:8], "big", signed=True)


def stage_prefix(flow: str, start: str) -> str:
    """The beginning of the names of a batch's staging tables; the token follows."""
    return "stage_" + hashlib.sha256(f"{flow} {start}".encode()).hexdigest()[:20] + "_"


def forget_receipts(schema: str, work: Work, which: Which) -> str:
    """The statement that deletes receipts of the batch's flow."""
    forget = f"DELETE FROM {identifier(schema)}.receipts WHERE flow = {literal(work.flow.id)}"
    sign = {"all": "", "this": "=", "later": ">"}[which]
    return forget + (f" AND batch_start {sign} {literal(to_text(work.claim.interval.start))}" if sign else "")
