"""`atoll lineage`: the origins and readers of columns."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from console.again import again
from console.printable import printable
from console.project import compile_project, show_errors
from console.target import json_option, open_target, profile_option
from language.text.diagnostics import ProgramErrors, did_you_mean
from shared_metadata.errors import InputError
from shared_metadata.program.lineage import ColumnRef, Lineage
from shared_metadata.program.lineage_graph import ROWS, Edge, LineageGraph
from shared_metadata.program.type_names import fields_of, spelled

if TYPE_CHECKING:
    from rich.console import Console
    from rich.tree import Tree

DEEPEST = 50
WIDEST = 400  # characters of a line in a file


@click.command(short_help="Show where a column comes from and what reads it.")
@click.argument("target")
@click.argument("files", nargs=-1)
@click.option("--up", is_flag=True, help="Only what it is made from, back to the sources' fields.")
@click.option("--down", is_flag=True, help="Only what is made from it, down to published columns.")
@click.option("--depth", type=click.IntRange(min=1), help="How many statements to follow (default: all).")
@click.option("--active", is_flag=True, help="Of the program that is applied, instead of the one in FILES.")
@profile_option
@json_option
def lineage(
    target: str, files: tuple[str, ...], up: bool, down: bool, depth: int | None, active: bool, profile: str | None, as_json: bool
) -> None:
    """Show where TARGET comes from and what reads it, by column, through the whole program in FILES (default: that of cdk.json).

    TARGET is a dataset, a published table or a source's table, a column of one, or a field of a column. A column is used for the
    value of another, or only to filter, join, group or order: then it decides which rows there are, and its loss breaks the reader as
    well.

    \b
      atoll lineage lake.ops.carrier_day.mean_delay
      atoll lineage crm.Account.Name --down          what breaks when the field goes
      atoll lineage lake.ops.carrier_day --up --json
      atoll lineage lake.ops.carrier_day --active    as it runs now
    """
    graph = LineageGraph(_lineage(files, active, profile, as_json))
    nodes = _nodes(graph, target)
    both = up == down
    if as_json:
        found: dict[str, Any] = {"target": [_plain(graph, node) for node in nodes]}
        if up or both:
            found["up"] = [_edge(edge) for edge in graph.up(nodes, depth or 0)]
        if down or both:
            found["down"] = [_edge(edge) for edge in graph.down(nodes, depth or 0)]
        click.echo(json.dumps(found, indent=2))
        return
    _show(LineageGraph(printable(graph.lineage)), printable(nodes), up or both, down or both, min(depth or DEEPEST, DEEPEST))


def _lineage(files: tuple[str, ...], active: bool, profile: str | None, as_json: bool) -> Lineage:
    if not active:
        try:
            compiled = compile_project(files, must_be_typed=True).lineage
        except ProgramErrors as errors:
            show_errors(errors, as_json)
        assert compiled is not None
        return compiled
    reader = open_target(profile).reader
    found = reader.lineage(reader.active_program().version)
    if found is None:
        raise InputError("the active program was applied without types", remedy=f"apply it again: `{again('atoll apply')}`")
    return found


# -- names


def _nodes(graph: LineageGraph, target: str) -> list[ColumnRef]:
    """The columns of TARGET: one, or all of a dataset. Raises InputError for an unknown name."""
    tables = {name.lower(): name for name in (*graph.lineage.datasets, *graph.lineage.sources)}
    if target.lower() in tables:
        return list(graph.columns(tables[target.lower()]))
    if (field := _field(graph, tables, target)) is not None:
        return [field]
    dataset, _, column = target.rpartition(".")
    if dataset.lower() not in tables:
        near = did_you_mean(target, tables.values()) or did_you_mean(dataset, tables.values())
        raise InputError(f"the program knows no `{target}`", remedy=f"{near}name a dataset, a source's table, or a column of one")
    columns = graph.columns(tables[dataset.lower()])
    for node in columns:
        if node.column.lower() == column.lower():
            return [node]
    names = [node.column for node in columns]
    remedy = did_you_mean(column, names) + f"it has {', '.join(names)}"
    raise InputError(f"`{tables[dataset.lower()]}` has no column `{column}`", remedy=remedy)


def _field(graph: LineageGraph, tables: Mapping[str, str], target: str) -> ColumnRef | None:
    """The field of TARGET, written as in a struct's type or in any case: 'lake.ops.flights.place.city'."""
    for name in (tables[text] for text in tables if target.lower().startswith(f"{text}.")):
        for column in graph.columns(name):
            rest = target[len(name) + 1 :]
            if rest.lower().startswith(f"{column.column.lower()}."):
                return _field_of(column, rest[len(column.column) + 1 :], graph.type_of(column))
    return None


def _field_of(column: ColumnRef, field: str, kind: str) -> ColumnRef:
    names = {spelled(fields): fields for fields in fields_of(kind)}
    for name, fields in names.items():
        if name.lower() == field.lower():
            return replace(column, fields=fields)
    remedy = did_you_mean(field, names) + (f"it has {', '.join(names)}" if names else "it is no struct")
    raise InputError(f"`{column}` has no field `{field}`", remedy=remedy)


# -- lineage


def _plain(graph: LineageGraph, node: ColumnRef) -> dict[str, Any]:
    """The lineage as plain values: no `field` for a whole column, no `masked` and `masked_from` where nothing is masked."""
    found: dict[str, Any] = {
        "dataset": node.dataset,
        "column": node.column,
        "field": spelled(node.fields),
        "type": graph.type_of(node),
    }
    found |= {"masked": graph.masked(node), "masked_from": list(map(str, graph.masked_origins(node)))}
    return {name: value for name, value in found.items() if value or name == "type"}


def _edge(edge: Edge) -> dict[str, str]:
    """An edge as plain values: no `to_column` for a use that decides over a dataset's rows, no `from_field` for a whole column."""
    found = {"from": edge.of.dataset, "from_column": edge.of.column, "from_field": spelled(edge.of.fields)}
    found |= {"to": edge.to.dataset, "to_column": edge.to.column}
    return {**{k: v for k, v in found.items() if v}, "use": edge.use.value, "position": str(edge.position)}


def _show(graph: LineageGraph, nodes: list[ColumnRef], up: bool, down: bool, depth: int) -> None:
    from rich.markup import escape
    from rich.tree import Tree

    console = wide_console()
    for node in nodes:
        tree = Tree(f"[bold]{escape(str(node))}[/] {escape(graph.type_of(node))}{escape(_mask(graph, node))}")
        if up:
            branch = tree.add("made from")
            _grow_up(graph, branch, node, depth, {node})
            _hint(
                branch, "nothing: the statement makes it by itself" if node.dataset in graph.lineage.datasets else "the source's own"
            )
        if down:
            branch = tree.add("read by")
            _grow_down(graph, branch, node, depth, {node})
            _hint(branch, "nothing in the program")
        console.print(tree)


def wide_console() -> Console:
    """A console as wide as the terminal; a file gets whole lines."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else WIDEST)


def _hint(branch: Tree, text: str) -> None:
    if not branch.children:
        _dim(branch, text)


def _dim(branch: Tree, text: str) -> None:
    from rich.markup import escape

    branch.add(f"[dim]{escape(text)}[/]")


def _grow_up(graph: LineageGraph, branch: Tree, node: ColumnRef, depth: int, seen: set[ColumnRef]) -> None:
    for edge in graph.inputs(node):
        twig = branch.add(_line(graph, edge.of, edge))
        if depth > 1 and edge.of not in seen:
            _grow_up(graph, twig, edge.of, depth - 1, {*seen, edge.of})
    for text in _folded(graph.inputs(ColumnRef(node.dataset, ROWS)), lambda edge: str(edge.of)):
        _dim(branch, f"rows by {text}")


def _grow_down(graph: LineageGraph, branch: Tree, node: ColumnRef, depth: int, seen: set[ColumnRef]) -> None:
    for edge in graph.outputs(node):
        if edge.to.column == ROWS:
            continue
        twig = branch.add(_line(graph, edge.to, edge))
        if depth > 1 and edge.to not in seen:
            _grow_down(graph, twig, edge.to, depth - 1, {*seen, edge.to})
    for text in _folded((e for e in graph.outputs(node) if e.to.column == ROWS), lambda edge: edge.to.dataset):
        _dim(branch, f"rows of {text}")


def _line(graph: LineageGraph, node: ColumnRef, edge: Edge) -> str:
    from rich.markup import escape

    return f"{escape(str(node))} {escape(graph.type_of(node))}{escape(_mask(graph, node))}  [dim]{escape(str(edge.position))}[/]"


def _mask(graph: LineageGraph, node: ColumnRef) -> str:
    """The mask of a column, for its reader: it holds hashes, or is made from some."""
    if masked := graph.masked(node):
        return f"  masked: {masked}"
    origins = graph.masked_origins(node)
    return f"  from masked {', '.join(map(str, origins))}" if origins else ""


def _folded(edges: Iterable[Edge], name: Callable[[Edge], str]) -> list[str]:
    """One text for each name: 'lake.ops.flights.carrier (group, join)'."""
    uses: dict[str, list[str]] = {}
    for edge in edges:
        uses.setdefault(name(edge), []).append(edge.use.value)
    return [f"{which} ({', '.join(sorted(set(kinds)))})" for which, kinds in sorted(uses.items())]
