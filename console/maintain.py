"""`atoll maintain`: maintains the warehouse's tables now, as the schedule does once an hour."""

from __future__ import annotations

import json
from typing import Any

import click

from console.function_call import call
from console.nearest import unknown
from console.progress import progress
from console.target import Target, json_option, open_target, profile_option
from console.wording import counted
from shared_metadata.contract.declaration import Slice
from shared_metadata.program import Program
from slices.registry import installed

PROGRAM_FILE = "program.sql"


@click.command(short_help="Compact tables, forget old versions and delete garbage now.")
@click.argument("dataset", required=False)
@profile_option
@json_option
def maintain(dataset: str | None, profile: str | None, as_json: bool) -> None:
    """Do the due maintenance of the warehouse's tables now, or all of it for DATASET.

    Small files are put together, versions that no reader may need are forgotten, and files that no version needs are deleted once
    they are eight days old; old records of batches become files below history/ in the data bucket. No row changes, and nothing has
    to stop for it. It also happens by itself once an hour, for tables that have got enough new versions to be worth it.

    \b
      atoll maintain                       what is due
      atoll maintain lake.ops.flights      this table, due or not
    """
    target = open_target(profile)
    program = target.reader.active_program()
    tables: list[dict[str, Any]] = []
    with progress("maintaining tables; Ctrl-C leaves it at work"):
        for slice_ in _slices(program, dataset):
            tables += until_done(target, slice_, {"dataset": dataset} if dataset else {})
    if as_json:
        click.echo(json.dumps({"tables": tables}, indent=2))
        return
    for table in tables:
        click.echo(f"{table['dataset']}: {_done(table)}")
    if not tables:
        click.echo("Nothing is due.")


def _slices(program: Program, dataset: str | None) -> list[Slice]:
    """The slices that maintain tables of the program, or that of a dataset. Raises InputError where there is none."""
    known = installed()
    mine = {f.slice_id: known[f.slice_id] for f in program.flows.values() if known[f.slice_id].capabilities.maintains}
    if not dataset:
        return [mine[name] for name in sorted(mine)]
    tables = {name: flow.slice_id for name, flow in program.producers.items() if flow.slice_id in mine}
    if dataset not in tables:
        raise unknown("there is no maintained table", dataset, tables, f"those are {', '.join(sorted(tables)) or 'none'}")
    return [mine[tables[dataset]]]


def until_done(target: Target, slice_: Slice, event: dict[str, str]) -> list[dict[str, Any]]:
    """Repeats calls, each of which ends with its function's time, while they make progress."""
    from shared_metadata.contract.maintenance.step import STEP

    found: dict[str, dict[str, Any]] = {}
    while True:
        answer = call(target, slice_, STEP, event, PROGRAM_FILE)
        for table in answer["tables"]:
            before = found.get(table["dataset"], {})
            found[table["dataset"]] = table | {n: v + before[n] for n, v in table.items() if n in before and type(v) is int}
        if not answer["left"] or not any(value for table in answer["tables"] for value in _counts(table).values()):
            return list(found.values())


def _counts(table: dict[str, Any]) -> dict[str, int]:
    return {name: value for name, value in table.items() if type(value) is int}


def _done(table: dict[str, Any]) -> str:
    """The result in words: '20 files became 1, 3 versions forgotten, …'."""
    counts = _counts(table)
    said = []
    if counts.get("compacted_files"):
        said.append(f"{counted(counts['compacted_files'], 'file')} became {counts['new_files']}")
    if counts.get("dropped_manifests"):
        said.append(f"{counted(counts['dropped_manifests'], 'empty manifest')} dropped")
    if counts.get("expired_versions"):
        said.append(f"{counted(counts['expired_versions'], 'version')} forgotten")
    if aged := counts.get("aged_batches", 0) + counts.get("aged_versions", 0):
        said.append(f"{counted(aged, 'record')} of old batches and versions put away")
    if deleted := counts.get("deleted_files", 0) + counts.get("deleted_staged", 0):
        said.append(f"{counted(deleted, 'object')} deleted")
    return ", ".join(said) or "nothing to do"
