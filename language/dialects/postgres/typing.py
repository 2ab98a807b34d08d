"""Types one query: its columns with their types and origins, its uses of its inputs' columns, its stars spelled out, its mistakes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from language.dialects.postgres.context import Context
from language.dialects.postgres.kinds import UNKNOWN, loaded
from language.dialects.postgres.misread import syntax_problem
from language.dialects.postgres.parser import Node, NotRead, Text, parse
from language.dialects.postgres.scope import Column, Output
from language.dialects.postgres.targets import UNNAMED, output_name
from language.dialects.postgres.type_words import source_kind
from language.sql.typing import QueryColumn, QueryUse, TypedQuery
from shared_metadata.program.lineage import Use
from shared_metadata.program.schema import SchemaColumn


def type_text(text: Text, inputs: Mapping[tuple[str, ...], str], tables: Mapping[str, Sequence[SchemaColumn]]) -> TypedQuery:
    """inputs: of each table that is read, its names as the text folds them ▸ its key among `tables`, with its columns there."""
    try:
        node = parse(text)["SelectStmt"]
    except NotRead as refused:
        return TypedQuery(problems=(syntax_problem(text, refused),))
    known = {name: [_column(name, column) for column in columns] for name, columns in tables.items()}
    context = Context(text, inputs, known)
    outputs, _ = context.query(node, None)
    _check_names(context, node, outputs)
    loaded_as = {(name, c.source or c.name): c.type for name, columns in tables.items() for c in columns}
    columns = tuple(_output(context, output, loaded_as) for output in outputs)
    for output in outputs:
        context.use(output.expr, Use.VALUE)
    return TypedQuery(columns, _uses(context), tuple(sorted(set(context.edits))), context.problems, tuple(sorted(context.moments)))


def _column(table: str, column: SchemaColumn) -> Column:
    name = column.source or column.name
    return Column(name, source_kind(column.source_type or "text"), frozenset({(table, name)}), (table, name))


def _check_names(context: Context, node: Node, outputs: Sequence[Output]) -> None:
    while "targetList" not in node and "larg" in node:
        node = node["larg"]
    if not outputs and not context.problems:
        context.problem((0, context.text.words[0].end), "this query puts out no columns", "name columns, or write *")
    for target in (each["ResTarget"] for each in node.get("targetList", ())):
        is_star = "A_Star" in str(target["val"].get("ColumnRef", target["val"].get("A_Indirection", "")))
        if output_name(target) is None and not is_star:
            context.problem(context.places.of(target["val"]), "this column has no name", "name it with AS")


def _output(context: Context, output: Output, loaded_as: Mapping[tuple[str, str], str]) -> QueryColumn:
    expr = output.expr
    found = ""
    if expr.origin is not None and expr.origin in loaded_as:
        found = loaded_as[expr.origin]
    elif expr.kind is not None:
        found = "string" if expr.kind == UNKNOWN else loaded(expr.kind)
    elif expr.untold is not None and output.name != UNNAMED:
        cause = f"the column `{output.name}` has no type that can be told: {expr.untold.cause}"
        context.problem(expr.untold.place, cause, expr.untold.remedy)
    said = str(expr.kind) if expr.kind is not None else ""
    return QueryColumn(output.name.lower(), found, tuple(sorted(expr.refs)), *output.place, source_type=said)


def _uses(context: Context) -> tuple[QueryUse, ...]:
    used = {ref for ref, _ in context.uses}
    for ref, place in context.first_named.items():
        if ref not in used:  # named, and read by nothing
            context.use_ref(ref, Use.VALUE, place)
    found = {(*ref, use): place or context.first_named[ref] for (ref, use), place in context.uses.items()}
    return tuple(QueryUse(*key, *place) for key, place in sorted(found.items()))
