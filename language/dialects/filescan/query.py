"""A collect query over files: columns of one folder, each perhaps CAST to the type that its texts are, and a WHERE over the row."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from sqlglot import exp

from language.dialects.filescan.types import NAMES, named
from language.sql import one_table_typing
from language.sql.dialect import Tables
from language.sql.one_table import OneTableQuery, projection
from language.sql.projection import CollectedQuery
from language.sql.typing import TypedQuery
from language.text.diagnostics import Problem, Span

# What may stand in a WHERE; all else is refused until it is known here.
_KNOWN = (
    *(exp.Where, exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null, exp.Paren, exp.Tuple, exp.Neg),
    *(exp.And, exp.Or, exp.Not, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Is, exp.In, exp.Between, exp.Like),
    *(exp.Add, exp.Sub, exp.Mul, exp.Cast, exp.DataType, exp.DataTypeParam),
)


@dataclass(frozen=True, eq=False)
class FilescanQuery(OneTableQuery):
    dialect: str = "filescan"

    @cached_property
    def tree(self) -> exp.Query:
        """The tree without the casts of its items, which `casts` has."""
        tree = self.read_tree()
        for _, cast in _casts(tree):
            cast.replace(cast.this)
        return tree

    @cached_property
    def casts(self) -> Mapping[str, str]:
        """Output column ▸ its type in a schema. Raises Problem for one that there is not."""
        found = {}
        for item, cast in _casts(self.read_tree()):
            kind = named(cast.to)
            if kind is None:
                raise Problem(self.place(item), f"`{cast.to.sql('duckdb')}` is no type of a column here", f"write one of {NAMES}")
            found[item.alias.lower() or cast.this.name.lower()] = str(kind)
        return found


def read(span: Span) -> FilescanQuery:
    """The query at `span`. Raises Problem where it is not one query that only reads."""
    query = FilescanQuery(span)
    query.check_reads()
    query.check_commas()
    return query


def collected(query: FilescanQuery) -> CollectedQuery:
    """What of the query the slice runs, with the types that it casts to."""
    found = projection(query)
    if isinstance(found, Problem):
        return CollectedQuery(found)
    return CollectedQuery(_unknown(query) or found, query.casts)


def typed(query: FilescanQuery, names: Mapping[tuple[str, ...], str], tables: Tables) -> TypedQuery:
    """Its columns, of the snapshot's types or of those that it casts them to."""
    found = one_table_typing.typed(query, names, tables)
    columns = (column._replace(type=query.casts.get(column.name, column.type)) for column in found.columns)
    return dataclasses.replace(found, columns=tuple(columns))


def _casts(tree: exp.Query) -> Iterator[tuple[exp.Expr, exp.Cast]]:
    """Each item that is a column's CAST."""
    for item in tree.selects:
        cast = item.unalias()
        if type(cast) is exp.Cast and isinstance(cast.this, exp.Column):
            yield item, cast


def _unknown(query: FilescanQuery) -> Problem | None:
    """The first thing in the WHERE of which it is not known here what it means."""
    where = query.tree.args.get("where")
    for node in where.walk() if where is not None else ():
        if not isinstance(node, _KNOWN):
            remedy = "compare columns with values, and do the rest in a view"
            return Problem(query.place(node), f"`{query.place(node).text}` is not taken in a WHERE over files", remedy)
    return None
