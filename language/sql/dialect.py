"""What a dialect of queries declares. A folder `language/dialects/<name>/` with a `dialect.py` is a dialect."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Generic, TypeVar

import sqlglot

from language.sql.leaving import Leaving
from language.sql.problems import QueryProblem
from language.sql.projection import CollectedQuery
from language.sql.query import Predicate, SourceQuery, WarehouseQuery
from language.sql.typing import TypedQuery
from language.text.diagnostics import Diagnostic, Span
from shared_metadata.errors import DefinitionError
from shared_metadata.program.schema import SchemaColumn

FOLDER = Path(__file__).parents[1] / "dialects"
Tables = Mapping[str, tuple[SchemaColumn, ...]]
S = TypeVar("S", bound=SourceQuery)
W = TypeVar("W", bound=WarehouseQuery)
P = TypeVar("P", bound=Predicate)


def _nothing(queries: Iterable[object]) -> None:
    pass


@dataclass(frozen=True)
class AsSource(Generic[S]):
    """How collect queries are read.

    read: the query at a place. Raises Problem where it is not one query that only reads.
    collected: what of it the slice runs.
    leaving: by what a row may leave its result.
    type: its columns.  names: of each table, its parts ▸ its key among `tables`.
    mistakes: what is wrong with it whatever the tables' columns are.
    impure: what in its columns, as they were typed, is no function of its inputs; without types `mistakes` says it.
    """

    read: Callable[[Span], S]
    collected: Callable[[S], CollectedQuery]
    leaving: Callable[[S], Leaving]
    type: Callable[[S, Mapping[tuple[str, ...], str], Tables], TypedQuery]
    mistakes: Callable[[S], Iterable[Diagnostic]] = lambda query: ()
    impure: Callable[[S, TypedQuery], Iterable[QueryProblem]] = lambda query, typed: ()


@dataclass(frozen=True)
class AsWarehouse(Generic[W, P]):
    """How views, publications and expectations are read.

    read: the query at a place. Raises Problem where it is not one SELECT or set operation over tables.
    type: its columns.  tables: by their names in FROM; a column of no type is of a statement that is itself wrong.
    mistakes: what is wrong with it whatever the tables' columns are.
    predicate: the condition at a place. Raises Problem where it does not speak of one row.
    type_predicate: what it uses of these columns; places are offsets into its text.
    read_ahead, plan_ahead: say of many queries that they will be read, and typed, where that is faster at once.
    """

    read: Callable[[Span], W]
    type: Callable[[W, Tables], TypedQuery]
    mistakes: Callable[[W], Iterable[Diagnostic]]
    predicate: Callable[[Span], P]
    type_predicate: Callable[[P, Sequence[SchemaColumn]], TypedQuery]
    read_ahead: Callable[[Iterable[Span]], None] = _nothing
    plan_ahead: Callable[[Iterable[tuple[W, Tables]]], None] = _nothing


@dataclass(frozen=True)
class Dialect:
    """One dialect.

    name: as slices' capabilities say it; its folder's.
    sqlglot: under which sqlglot reads it where two queries are compared; '' for its own.
    fold: a name as the system means it, of its text and whether it stands in quotes.
    spelled: a name as its SQL writes it, in quotes where it needs them.
    kept: the classes of its queries, which a cache may make again.
    null_equals: whether a value is compared with NULL by `=`.
    """

    name: str
    sqlglot: str
    fold: Callable[[str, bool], str]
    spelled: Callable[[str], str]
    kept: tuple[type, ...] = field(repr=False)
    source: AsSource[Any] | None = None
    warehouse: AsWarehouse[Any, Any] | None = None
    null_equals: bool = False


@cache
def installed() -> tuple[str, ...]:
    """The dialects' names."""
    return tuple(file.parent.name for file in sorted(FOLDER.glob("*/dialect.py")))


@cache
def dialect(name: str) -> Dialect:
    """The dialect of that name. Raises DefinitionError where there is none, or where its folder calls it otherwise."""
    known = installed()
    if name not in known:
        remedy = f"a slice's dialect is one of {', '.join(known)}, or a folder language/dialects/{name}/ declares it"
        raise DefinitionError(f"there is no dialect `{name}`", remedy=remedy)
    found: Dialect = importlib.import_module(f"language.dialects.{name}.dialect").DIALECT
    if found.name != name:
        raise DefinitionError(
            f"language/dialects/{name}/dialect.py calls itself {found.name}", remedy="a dialect has its folder's name"
        )
    return found


def as_source(name: str) -> AsSource[Any]:
    """How collect queries in that dialect are read. Raises DefinitionError where it is no source's."""
    found = dialect(name).source
    if found is None:
        raise DefinitionError(
            f"`{name}` is no dialect of collect queries", remedy=f"language/dialects/{name}/dialect.py can declare it"
        )
    return found


def as_warehouse(name: str) -> AsWarehouse[Any, Any]:
    """How queries in a warehouse of that dialect are read. Raises DefinitionError where it is none's."""
    found = dialect(name).warehouse
    if found is None:
        raise DefinitionError(f"`{name}` is no warehouse's dialect", remedy=f"language/dialects/{name}/dialect.py can declare it")
    return found


def dialect_of(module: str) -> str | None:
    """The name of the dialect in whose folder a module stands."""
    found = module.split(".")
    return found[2] if found[:2] == ["language", "dialects"] and len(found) > 3 and found[2] in installed() else None


@cache
def sqlglot_dialect(name: str) -> sqlglot.Dialect:
    """sqlglot's own of a dialect. Given by name, it would be made at every call."""
    return sqlglot.Dialect.get_or_raise(dialect(name).sqlglot or None)


def lower(text: str, quoted: bool) -> str:
    """Folds where case never counts."""
    return text.lower()


def lower_unless_quoted(text: str, quoted: bool) -> str:
    return text if quoted else text.lower()


def as_written(text: str, quoted: bool = False) -> str:
    return text
