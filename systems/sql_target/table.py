"""A table to publish to, and how a result's columns fit it; no I/O."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared_metadata.contract.parquet.duckdb_session import identifier
from shared_metadata.errors import DefinitionError
from systems.sql_target.dialect import Types

MISFITS_SHOWN = 5
Quote = Callable[[str], str]  # how a database writes a name


@dataclass(frozen=True)
class TargetColumn:
    """A column of the table.

    type: as in a CREATE TABLE, with its modifiers.  base: what the catalog calls it, without them.
    required: NOT NULL without a default.  generated: the database computes it and takes no value; identity: but one by override.
    nullable: takes nulls.  fills: a null is not refused, but becomes a value of the database's own.
    equals: the operator of its type.  collation: a clause of CREATE TABLE, where it needs one.
    stored: the type below a domain, with its modifiers; '' for `type`.  parts: the types of elements, bounds and fields, as `base`.
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
    stored: str = ""
    parts: frozenset[str] = frozenset()
    fills: bool = False
    quote: Quote = field(default=identifier, compare=False, repr=False)

    @property
    def sql(self) -> str:
        return self.quote(self.name)

    @property
    def exact_type(self) -> str:
        return self.stored or self.type


@dataclass(frozen=True)
class Guard:
    """What refuses rows that are alike: a unique index, or a constraint like one. columns: all that it looks at.

    nulls_differ: any number of nulls is allowed.
    """

    columns: frozenset[str]
    nulls_differ: bool = True


@dataclass(frozen=True)
class TargetTable:
    """The table; `exists` is False for one that the first batch makes. unique: sets of columns by which a row is found at once.

    guarded: policies of the table hide rows from the user.  reacts: others would notice that a row is deleted and inserted anew
    (foreign keys, triggers).  referenced: columns to which foreign keys refer.  parents: foreign key ▸ the table that it refers to.
    own_parents: columns that refer to other rows of the table.  before: triggers that may leave a row out.
    below: its partitions and heirs, which an error may name instead of it.
    names: of its unique indexes, which an error may tell.  partitioned: a row may fit none of its partitions.
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
    own_parents: frozenset[str] = frozenset()
    before: tuple[str, ...] = ()
    below: frozenset[tuple[str, str]] = frozenset()
    names: frozenset[str] = frozenset()
    partitioned: bool = False
    quote: Quote = field(default=identifier, compare=False, repr=False)

    @property
    def sql(self) -> str:
        return f"{self.quote(self.schema)}.{self.quote(self.name)}"

    @property
    def refers_to_itself(self) -> bool:
        return (self.schema, self.name) in self.parents.values()

    def column(self, name: str) -> TargetColumn | None:
        """Finds a column by its exact name, or the only one that differs in case."""
        folded = [c for c in self.columns if c.name.lower() == name.lower()]
        exact = [c for c in folded if c.name == name]
        return exact[0] if exact else folded[0] if len(folded) == 1 else None

    def unique_by(self, key: Sequence[TargetColumn]) -> bool:
        return frozenset(column.name for column in key) in self.unique


def split_name(table: str, default_schema: str) -> tuple[str, str]:
    """'sales.scorecard' ▸ ('sales', 'scorecard'); without a schema it is the default one."""
    schema, _, name = table.rpartition(".")
    return schema or default_schema, name


def table_name(dataset: str, connection: str, default_schema: str) -> tuple[str, str]:
    """'ops.sales.scorecard' ▸ ('sales', 'scorecard')."""
    return split_name(dataset.removeprefix(f"{connection}."), default_schema)


def stage_prefix(flow: str, start: str) -> str:
    """The beginning of the names of a batch's staging tables; the token follows."""
    return "stage_" + hashlib.sha256(f"{flow} {start}".encode()).hexdigest()[:20] + "_"


def matched(
    table: TargetTable, columns: Sequence[Mapping[str, Any]], key: Sequence[str], place: str, types: Types
) -> dict[str, TargetColumn]:
    """Result column ▸ target column. Raises DefinitionError, which names every misfit, before anything is written."""
    found: dict[str, TargetColumn] = {}
    wrong: list[tuple[str, str]] = []
    for column in columns:
        target = table.column(column["name"])
        if misfit := _misfit_of(table, target, column["name"], column["type"], types):
            wrong.append(misfit)
        elif target:
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


def _misfit_of(table: TargetTable, target: TargetColumn | None, name: str, kind: str, types: Types) -> tuple[str, str] | None:
    """What is wrong with a column of the result, and its remedy."""
    if why := types.unnameable(name):
        return f"cannot have a column {name}, {why}", f"SELECT … {name} AS another name"
    if target is None:
        added = f"ALTER TABLE {table.sql} ADD COLUMN {table.quote(name)} {types.made(kind)}"
        return f"has no column {name}", added
    if target.generated:
        return f"computes column {target.name} itself", f"leave {target.name} out of the query"
    if why := types.misfit(target, kind):
        remedy = f"CAST({name} AS …) in the query, or change the column's type"
        return f"has column {target.name} of type {target.type}, {why}", remedy
    return None


def _misfit(table: TargetTable, wrong: Sequence[tuple[str, str]], place: str) -> DefinitionError:
    shown = wrong[:MISFITS_SHOWN]
    more = f"; and {len(wrong) - len(shown)} more" if len(wrong) > len(shown) else ""
    what = f"the table {table.schema}.{table.name} " + "; it ".join(text for text, _ in shown) + more
    return DefinitionError(what, place=place, remedy="; ".join(remedy for _, remedy in shown))
