"""`atoll plan` and `atoll apply`: from the program in the files to the program that is active."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from console.prerequisites import deployed_slices, missing_secrets, missing_slices
from console.project import compile_project, endpoints, show_errors
from console.target import Target, json_option, open_target, profile_option
from console.wording import counted
from language.diagnostics import ProgramErrors
from shared_metadata.errors import DefinitionError
from shared_metadata.lineage import Lineage
from shared_metadata.program import Flow, Program

if TYPE_CHECKING:
    from language.compiler import Compilation

# Each property of a flow under the word that the program has for it.
WORDS = {
    "kind": "kind",
    "slice_id": "slice",
    "warehouse": "warehouse",
    "connection": "connection",
    "interval_seconds": "EVERY",
    "tables": "tables and inputs",
    "mode": "mode",
    "key": "key",
    "cursor": "CURSOR",
    "query": "query",
    "columns": "query",
    "filter": "query",
    "whole": "query",
    "partition_by": "PARTITION BY",
    "fresh_within_seconds": "FRESH WITHIN",
}


@dataclass(frozen=True)
class UpdateSet:
    """What applying a program changes; `changed` names each flow's changed properties.

    endpoints: connections and warehouses whose system or options change.
    """

    version: str
    former: str
    added: tuple[str, ...]
    changed: dict[str, tuple[str, ...]]
    removed: tuple[str, ...]
    endpoints: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        return not (self.added or self.changed or self.removed or self.endpoints)


def compare(program: Program, active: Program | None) -> UpdateSet:
    """The difference between a program and the active one."""
    before = active.flows if active else {}
    changed = {name: _changes(flow, before[name]) for name, flow in program.flows.items() if name in before}
    return UpdateSet(
        program.version,
        active.version if active else "",
        tuple(sorted(set(program.flows) - set(before))),
        {name: properties for name, properties in sorted(changed.items()) if properties},
        tuple(sorted(set(before) - set(program.flows))),
        _changed_endpoints(program, active) if active else (),
    )


def _changes(new: Flow, old: Flow) -> tuple[str, ...]:
    new, old = _unsigned(new), _unsigned(old)
    found = [word for name, word in WORDS.items() if getattr(new, name) != getattr(old, name)]
    if _expectations(new) != _expectations(old):
        found.append("EXPECT")
    return tuple(dict.fromkeys(found))


def _unsigned(flow: Flow) -> Flow:
    """Without what the compiler found of columns, which follows from other changes."""
    return dataclasses.replace(flow, tables=tuple(dataclasses.replace(table, signature="") for table in flow.tables))


def _expectations(flow: Flow) -> list[tuple[str, str, str]]:
    return [(e.name, e.predicate, e.action) for e in flow.expectations]


def _changed_endpoints(program: Program, active: Program) -> tuple[str, ...]:
    new, old = _endpoints(program), _endpoints(active)
    return tuple(sorted(name for name in new.keys() & old.keys() if new[name] != old[name]))


def _endpoints(program: Program) -> dict[str, tuple[str, Mapping[str, Any]]]:
    return {e.name: (e.system, e.options) for e in endpoints(program)}


@click.command(short_help="Show what applying the program would change.")
@click.argument("files", nargs=-1)
@profile_option
@json_option
def plan(files: tuple[str, ...], profile: str | None, as_json: bool) -> None:
    """Show what applying FILES (default: program.sql) would change, and what it still needs. Changes nothing.

    \b
      atoll plan                           against the active program
      atoll plan --profile production      … of another account
      atoll plan --json | jq .problems     what `atoll apply` would refuse
    """
    program = _compiled(files, as_json).program
    target = open_target(profile)
    update = compare(program, active_program(target))
    problems = [*missing_slices(program, deployed_slices(target, program)), *missing_secrets(target, program)]
    if as_json:
        click.echo(json.dumps({**dataclasses.asdict(update), "problems": problems}, indent=2))
        return
    _show(update)
    if problems:
        click.echo("Before it can be applied:\n  " + "\n  ".join(problems))
    elif update.version != update.former:
        click.echo("Apply it with: atoll apply")


@click.command(short_help="Make the program the active one.")
@click.argument("files", nargs=-1)
@profile_option
@json_option
def apply(files: tuple[str, ...], profile: str | None, as_json: bool) -> None:
    """Make FILES (default: program.sql) the active program, at the next batch of each flow.

    Refused when a slice that the program uses is not deployed, or a secret that it names does not exist; then the active
    program stays what it was. Applying the same program again changes nothing.

    \b
      atoll apply
      atoll apply programs/ --profile production --json
    """
    compilation = _compiled(files, as_json)
    update = activate(open_target(profile), compilation.program, compilation.lineage)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(update), indent=2))
        return
    _show(update)
    if update.version == update.former:
        click.echo("This program is active already.")
    else:
        click.echo("Applied: each flow uses it from its next batch on. How they are: atoll status")


def activate(target: Target, program: Program, lineage: Lineage | None) -> UpdateSet:
    """Stores the program and makes it active. Raises DefinitionError for what is not deployed or not there."""
    deployed = deployed_slices(target, program)
    problems = [*missing_slices(program, deployed), *missing_secrets(target, program)]
    if problems:
        raise DefinitionError(
            "the program cannot run in this account yet:\n  " + "\n  ".join(problems),
            remedy="do this, then apply again",
        )
    active = active_program(target)
    update = compare(program, active)
    if update.version == update.former:
        return update
    for slice_id, values in deployed.items():
        target.writer.put_installed_slice(slice_id, values)
    target.writer.put_program(program, lineage)
    target.writer.activate(program, former_version=update.former)
    return update


def active_program(target: Target) -> Program | None:
    """None when no program was ever applied."""
    version = target.reader.active_version()
    return target.reader.program(version) if version else None


def _compiled(files: tuple[str, ...], as_json: bool) -> Compilation:
    try:
        return compile_project(files, must_be_typed=True)
    except ProgramErrors as errors:
        show_errors(errors, as_json)


def _show(update: UpdateSet) -> None:
    if update.empty:
        same = update.version == update.former
        click.echo("Nothing changes." if same else "No flow changes; only the program's text does.")
        return
    lines = [("+", "green", name) for name in update.added]
    lines += [("~", "yellow", f"{name}: {', '.join(properties)}") for name, properties in update.changed.items()]
    lines += [("~", "yellow", f"{name}: its system or options") for name in update.endpoints]
    lines += [("-", "red", f"{name} (its tables stay as they are)") for name in update.removed]
    for sign, colour, text in lines:
        click.secho(f"  {sign} {text}", fg=colour)
    click.echo(f"{counted(len(update.added), 'flow')} added, {len(update.changed)} changed, {len(update.removed)} removed.")
