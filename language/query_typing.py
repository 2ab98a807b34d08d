"""Types one query: its columns with their types and origins, its uses of its inputs' columns, its stars spelled out.

A pure function of the query, its dialect and the columns of exactly its inputs; the result is plain data whose places are offsets
into the query's text, so that it can be kept and used again wherever the same text stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple, TypeGuard

from sqlglot import exp
from sqlglot.errors import OptimizeError, SqlglotError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, traverse_scope
from sqlglot.schema import MappingSchema

from language.grouping import ungrouped_columns
from language.iceberg_types import data_type, iceberg_name, source_data_type
from language.places import of_kind, place_of
from language.postgres_types import PostgresTypes, loaded_name
from language.queries import sqlglot_dialect
from language.query_forms import name_inner_columns, refused, rewrite_exists, rewrite_series, unnamed
from language.query_lineage import QueryLineage, trace
from language.query_places import Written, remember
from language.query_problems import QueryProblem
from language.type_rules import Mismatch, TypeRules
from shared_metadata.lineage import Use
from shared_metadata.records import SchemaColumn

Tables = Mapping[str, tuple[SchemaColumn, ...]]
SOURCE_DIALECTS = ("postgres",)
_RULES: dict[str, type[PostgresTypes]] = {"postgres": PostgresTypes}
_UNNAMED = re.compile(r"_col_\d+")


class QueryColumn(NamedTuple):
    """One output column. type: '' where a problem says that it cannot be told.  inputs: (table, column) pairs, sorted."""

    name: str
    type: str
    inputs: tuple[tuple[str, str], ...]
    start: int
    end: int
    nullable: bool = True


class QueryUse(NamedTuple):
    """The first place where a column of an input is used in this way."""

    table: str
    column: str
    use: Use
    start: int
    end: int


@dataclass(frozen=True)
class TypedQuery:
    """edits: (start, end, text): each star's columns, to be put in its place."""

    columns: tuple[QueryColumn, ...] = ()
    uses: tuple[QueryUse, ...] = ()
    edits: tuple[tuple[int, int, str], ...] = ()
    problems: tuple[QueryProblem, ...] = ()


def type_query(tree: exp.Query, references: Mapping[int, str], dialect: str, tables: Tables) -> TypedQuery:
    """Types the parsed query, which is used up by it.

    Where a column of an input has no type (its own statement is wrong), only names are checked.

    references: id of each exp.Table that is an input ▸ its key in `tables`.
    """
    nodes = list(tree.walk())
    problems = [QueryProblem(*p) for p in tuple(refused(nodes)) or tuple(unnamed(tree))]
    if problems:
        return TypedQuery(problems=tuple(dict.fromkeys(problems)))
    edits = rewrite_exists(nodes)
    name_inner_columns(nodes, dialect)
    _name_tables(nodes, references)
    rewrite_series(nodes, dialect)
    written = remember(nodes)
    columns = _columns(tables, dialect)
    known = sqlglot_dialect(dialect)
    schema = MappingSchema({name: dict(types) for name, types in columns.items()}, dialect=known, normalize=False)
    rules = _rules(dialect)
    try:
        tree = qualify(
            tree,
            dialect=known,
            schema=schema,
            allow_partial_qualification=True,
            validate_qualify_columns=False,
            quote_identifiers=False,
        )
        tree = annotate_types(tree, schema=schema, expression_metadata=rules.metadata if rules else None, dialect=known)
        scopes = traverse_scope(tree)
    except (SqlglotError, ValueError, TypeError, KeyError, AttributeError, AssertionError, IndexError) as error:
        return TypedQuery(problems=(_refused(error, tree, written),))
    lineage = trace(scopes, columns, written)
    problems = [QueryProblem(*p) for p in lineage.problems]
    problems += _stars_left(written)
    complete = all(column.type for columns in tables.values() for column in columns)
    if not problems and complete:  # of a name that is not known nothing more can be said
        problems += _condition_problems(scopes, rules) if rules else []
        problems += _ungrouped(scopes)
    originals = _source_columns(tables, dialect) if dialect in SOURCE_DIALECTS else {}
    outputs, untyped = _outputs(tree, lineage, written, rules, originals, dialect, bool(problems) or not complete)
    uses = tuple(QueryUse(table, column, use, *place) for (table, column, use), place in sorted(lineage.uses.items()))
    edits += written.stars.edits(dialect)
    return TypedQuery(outputs, uses, tuple(sorted(edits)), tuple(dict.fromkeys([*problems, *untyped])))


@cache
def _rules_of(dialect: str) -> TypeRules | None:
    return _RULES[dialect]() if dialect in _RULES else None


def _rules(dialect: str) -> TypeRules | None:
    found = _rules_of(dialect)
    if found is not None:
        found.begin()
    return found


def _columns(tables: Tables, dialect: str) -> dict[str, dict[str, exp.DataType]]:
    if dialect in SOURCE_DIALECTS:
        return {
            name: {c.source or c.name: source_data_type(c.type, c.source_type, dialect) for c in cs} for name, cs in tables.items()
        }
    return {name: {c.name: data_type(c.type) for c in columns} for name, columns in tables.items()}


def _name_tables(nodes: Sequence[exp.Expr], references: Mapping[int, str]) -> None:
    """Gives each input one name of one part and its own last part as alias; columns lose the parts before that."""
    paths = set()
    for table in of_kind(nodes, exp.Table):
        key = references.get(id(table))
        if key is None:
            continue
        parts = [part.name for part in table.parts]
        paths.add(tuple(part.lower() for part in parts))
        if not table.alias:
            table.set("alias", exp.TableAlias(this=table.this.copy()))
        table.set("this", exp.to_identifier(key, quoted=True))
        table.set("db", None)
        table.set("catalog", None)
    for column in of_kind(nodes, exp.Column):
        if column.args.get("db") and tuple(part.name.lower() for part in column.parts[:-1]) in paths:
            column.set("db", None)
            column.set("catalog", None)


def _refused(error: Exception, tree: exp.Query, written: Written) -> QueryProblem:
    """What sqlglot's optimizer itself refuses; it tells a place in words only."""
    said = str(error).split("\n")[0].rstrip(".") if isinstance(error, OptimizeError) else "the columns of this query cannot be told"
    name = said.rpartition(": ")[2]
    if said.startswith("Alias already used"):
        places = [place for alias in tree.find_all(exp.TableAlias) if alias.name == name and (place := place_of(alias))]
        return QueryProblem(*max(places, default=(0, 0)), f"two tables are called `{name}` here", "give each an alias of its own")
    if said.startswith("Cannot automatically join"):
        place = next((places[name] for places in written.using.values() if name in places), (0, 0))
        return QueryProblem(*place, f"not both sides of the join have `{name}`", "join ON a condition")
    return QueryProblem(0, 0, said[:1].lower() + said[1:], "name tables and columns in full, or write the query in simpler steps")


def _stars_left(written: Written) -> list[QueryProblem]:
    found = []
    for select, _ in written.stars.selects:
        place = written.stars.place(select) or (0, 0)
        if any(item.is_star for item in select.expressions):
            found.append(QueryProblem(*place, "the columns behind this * cannot be told", "name the columns, each once"))
        elif any(_UNNAMED.fullmatch(item.unalias().name) for item in select.expressions if isinstance(item.unalias(), exp.Column)):
            found.append(QueryProblem(*place, "a column behind this * has no name", "name it where it is made: … AS name"))
    return found


def _condition_problems(scopes: list[Scope], rules: TypeRules) -> list[QueryProblem]:
    for scope in scopes:
        for name in ("where", "having", "qualify"):
            clause = scope.expression.args.get(name)
            if clause is not None:
                rules.condition(clause.this)
        for join in scope.expression.args.get("joins") or ():
            if join.args.get("on") is not None:
                rules.condition(join.args["on"])
    return [_at(m) for m in rules.mismatches]


def _at(mismatch: Mismatch) -> QueryProblem:
    start, end = place_of(mismatch.node) or (0, 0)
    return QueryProblem(start, end, mismatch.cause, mismatch.remedy)


def _ungrouped(scopes: list[Scope]) -> list[QueryProblem]:
    found = []
    for column in (c for scope in scopes if isinstance(scope.expression, exp.Select) for c in ungrouped_columns(scope)):
        start, end = place_of(column) or (0, 0)
        cause = f"`{column.name}` is neither grouped nor aggregated"
        found.append(QueryProblem(start, end, cause, f"add it to GROUP BY, or write an aggregate such as any_value({column.name})"))
    return found


Originals = Mapping[tuple[str, str], tuple[exp.DataType, SchemaColumn]]


def _source_columns(tables: Tables, dialect: str) -> Originals:
    return {
        (name, column.source or column.name): (source_data_type(column.type, column.source_type, dialect), column)
        for name, columns in tables.items()
        for column in columns
    }


def _outputs(
    tree: exp.Query,
    lineage: QueryLineage,
    written: Written,
    rules: TypeRules | None,
    originals: Originals,
    dialect: str,
    failed: bool,
) -> tuple[tuple[QueryColumn, ...], list[QueryProblem]]:
    """originals: a source's columns with their types there: what comes out with the type that it had is loaded as it always is."""
    columns: list[QueryColumn] = []
    problems: list[QueryProblem] = []
    selects = {select.alias_or_name: select for select in reversed(list(_selects(tree)))}
    for number, (name, kind) in enumerate(_output_types(tree, rules)):
        select = selects.get(name, tree)
        start, end = place_of(select) or written.stars.place(tree) or (0, 0)
        inputs = lineage.outputs[number] if number < len(lineage.outputs) else frozenset()
        original, column = originals.get(next(iter(inputs)), (None, None)) if len(inputs) == 1 else (None, None)
        name_of = loaded_name if dialect in SOURCE_DIALECTS else iceberg_name
        found = column.type if column is not None and original == kind else name_of(kind)
        if found is None and not failed:
            said = f"has the type {kind.sql('duckdb')}, which no table can hold" if _known(kind) else "has no type that can be told"
            problems.append(QueryProblem(start, end, f"the column `{name}` {said}", "CAST it to the type that it is to have"))
        columns.append(QueryColumn(name.lower(), found or "", tuple(sorted(inputs)), start, end))
    return tuple(columns), problems


def _selects(query: exp.Expr) -> Iterator[exp.Expr]:
    """The items of all SELECTs whose rows are the query's, the leftmost first."""
    query = query.unnest()
    if isinstance(query, exp.SetOperation):
        yield from _selects(query.this)
        yield from _selects(query.expression)
    else:
        yield from query.selects  # type: ignore[attr-defined]


def _known(kind: exp.DataType | None) -> TypeGuard[exp.DataType]:
    return kind is not None and kind.this not in (exp.DType.UNKNOWN, exp.DType.NULL)


def _output_types(query: exp.Expr, rules: TypeRules | None) -> list[tuple[str, exp.DataType | None]]:
    query = query.unnest()
    known = rules.sides.get(id(query)) if rules is not None else None
    return known or [(select.alias_or_name, select.type) for select in query.selects]  # type: ignore[attr-defined]
