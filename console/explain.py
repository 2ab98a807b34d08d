"""`atoll explain`: shows a statement as the compiler understands it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import click

from console.lineage import wide_console
from console.printable import printable
from console.project import compile_project, show_errors
from console.target import json_option
from language.text.diagnostics import ProgramErrors, did_you_mean
from shared_metadata.errors import InputError
from shared_metadata.program import Flow, Program
from shared_metadata.program.lineage import DatasetLineage, Lineage
from shared_metadata.program.masks import said
from shared_metadata.program.type_names import spelled


@click.command(short_help="Show what the compiler made of a statement.")
@click.argument("dataset")
@click.argument("files", nargs=-1)
@json_option
def explain(dataset: str, files: tuple[str, ...], as_json: bool) -> None:
    """Show how the compiler understands the statement in FILES (default: that of cdk.json) that makes DATASET.

    Its columns with types and origins, what it uses of its inputs and why, the query as it will run (every `*` spelled out), how
    and where it runs, and who reads it.

    \b
      atoll explain lake.ops.carrier_day
      atoll explain ops.published.scorecard --json
    """
    try:
        compilation = compile_project(files, must_be_typed=True)
    except ProgramErrors as errors:
        show_errors(errors, as_json)
    assert compilation.lineage is not None
    name = _known(dataset, compilation.lineage.datasets, "the program makes no dataset or published table")
    found = _explained(compilation.program, compilation.lineage, name)
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        _show_explained(printable({**found, "query": found["query"].splitlines()}))


def _known(name: str, known: Iterable[str], what: str) -> str:
    found = {other.lower(): other for other in known}
    if name.lower() not in found:
        raise InputError(f"{what} `{name}`", remedy=did_you_mean(name, found.values()) + "`atoll check --json` lists them")
    return found[name.lower()]


def _explained(program: Program, known: Lineage, name: str) -> dict[str, Any]:
    dataset = known.datasets[name]
    flow = program.flows[dataset.flow].of(name)
    query = next((f for f in program.flows.values() if f.id in (name, f"{name}:result") and (f.query or f.columns)), flow)
    table = next((t.source for t in query.tables if t.source), "")
    return {
        "dataset": name,
        "position": str(dataset.position),
        "kind": flow.kind.value,
        "slices": sorted({f.slice_id for f in program.flows.values() if f.id in (flow.id, query.id, flow.id.removesuffix(":load"))}),
        "source": f"{query.connection}.{table}" if table else "",
        "every_seconds": flow.interval_seconds,
        "mode": flow.mode.value,
        "key": list(flow.key),
        "cursor": flow.cursor,
        "capture": query.capture,
        "partition_by": list(flow.partition_by),
        "fresh_within_seconds": flow.fresh_within_seconds,
        "tolerates": dict(query.tolerates),
        "covers": query.covers and flow.covers,
        "follows": flow.follows,
        "columns": [
            {
                **{"name": c.name, "type": c.type, "nullable": c.nullable, "from": list(map(str, c.inputs))},
                **{"position": str(c.position), "masked": said(c.masked)},
            }
            for c in dataset.columns
        ],
        "inputs": _inputs(dataset),
        "expectations": [{"name": e.name, "predicate": e.predicate, "action": e.action} for e in _expectations(flow, query)],
        "query": query.query,
        "calls": [{"function": c.function, "language": c.language, "table": c.table, "query": c.query} for c in query.calls],
        "read_by": sorted(
            {reader.dataset for reader in known.datasets.values() for use in reader.uses if use.column.dataset == name}
        ),
    }


def _expectations(*flows: Flow) -> list[Any]:
    return list({e.name: e for flow in flows for e in flow.expectations}.values())


def _inputs(dataset: DatasetLineage) -> dict[str, dict[str, list[str]]]:
    """Input ▸ column, or field of one, ▸ the kinds of its use."""
    found: dict[str, dict[str, list[str]]] = {}
    for use in dataset.uses:
        column = ".".join([use.column.column, *([spelled(use.column.fields)] if use.column.fields else [])])
        found.setdefault(use.column.dataset, {}).setdefault(column, []).append(use.use.value)
    return found


def _clauses(found: Mapping[str, Any]) -> Iterator[str]:
    """The statement's other clauses."""
    from language.forms.durations import spell

    if found["source"]:
        how = f", what changed by the cursor {found['cursor']}" if found["cursor"] else ", what changed by its log" * found["capture"]
        yield f"collects {found['source']}{how}"
    if found["partition_by"]:
        yield f"partitioned by {', '.join(found['partition_by'])}"
    if found["fresh_within_seconds"]:
        yield f"to be fresh within {spell(found['fresh_within_seconds'])}"
    for name, seconds in found["tolerates"].items():
        yield f"reads {name} as it is, if that lags no more than {spell(seconds)}"
    if found["follows"]:
        yield f"missed batches are made as one where they read one version of {next(iter(found['inputs']))}"
        return
    yield "missed batches are made as one" if found["covers"] else "each missed batch is made by itself"


def _show_explained(found: dict[str, Any]) -> None:
    from rich.markup import escape
    from rich.table import Table

    from language.forms.durations import spell

    console = wide_console()
    key = f" on {', '.join(found['key'])}" if found["key"] else ""
    console.print(f"[bold]{found['dataset']}[/]  {found['kind']}, {escape(found['position'])}")
    console.print(f"  every {spell(found['every_seconds'])}, {found['mode']}{key}, run by {', '.join(found['slices'])}")
    for clause in _clauses(found):
        console.print(f"  {escape(clause)}")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 2))
    for title in ("column", "type", "made from"):
        table.add_column(title, header_style="dim")
    for column in found["columns"]:
        masked = f" (masked: {column['masked']})" if column["masked"] else ""
        table.add_row(escape(column["name"]), escape(column["type"]), escape(", ".join(column["from"]) + masked))
    console.print(table)
    for name, columns in found["inputs"].items():
        uses = [f"{column} ({', '.join(kinds)})" for column, kinds in columns.items()]
        console.print(f"  reads {escape(name)}: {escape(', '.join(uses))}")
    for expectation in found["expectations"]:
        console.print(f"  expects {expectation['name']}: {escape(expectation['predicate'])} or {expectation['action'].lower()}")
    console.print(f"  read by {', '.join(found['read_by']) or 'nothing in the program'}")
    for call in found["calls"]:
        console.print(f"  calls {call['function']}, in {call['language']}, for {escape(call['table'])}, with")
        console.print("\n".join(f"    {line}" for line in call["query"].splitlines()), markup=False)
    if found["query"]:
        console.print("  runs")
        console.print("\n".join(f"    {line}" for line in found["query"]), markup=False)
