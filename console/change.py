"""`atoll plan` and `atoll apply`: from the program in the files to the program that is active."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

import click

from console.project import compile_files, show_errors
from console.target import Target, json_option, open_target, profile_option
from language.diagnostics import ProgramErrors
from shared_metadata import naming
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Flow, Program
from slices.registry import installed

UNCOMPARED = {"position", "expectations"}


@dataclass(frozen=True)
class UpdateSet:
    """What applying a program changes; `changed` names each flow's changed properties."""

    version: str
    former: str
    added: tuple[str, ...]
    changed: dict[str, tuple[str, ...]]
    removed: tuple[str, ...]

    @property
    def empty(self) -> bool:
        return not (self.added or self.changed or self.removed)


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
    )


def _changes(new: Flow, old: Flow) -> tuple[str, ...]:
    names = [field.name for field in dataclasses.fields(Flow) if field.name not in UNCOMPARED]
    found = [name for name in names if getattr(new, name) != getattr(old, name)]
    if _expectations(new) != _expectations(old):
        found.append("expectations")
    return tuple(found)


def _expectations(flow: Flow) -> list[tuple[str, str, str]]:
    return [(e.name, e.predicate, e.action) for e in flow.expectations]


@click.command()
@click.argument("files", nargs=-1)
@profile_option
@json_option
def plan(files: tuple[str, ...], profile: str | None, as_json: bool) -> None:
    """Show what applying FILES (default: program.sql) would change, and change nothing.

    \b
      atoll plan                           against the active program
      atoll plan --profile production      … of another account
    """
    try:
        program = compile_files(files)
    except ProgramErrors as errors:
        return show_errors(errors, as_json)
    update = compare(program, _active(open_target(profile)))
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(update), indent=2))
        return
    _show(update)


@click.command()
@click.argument("files", nargs=-1)
@profile_option
@json_option
def apply(files: tuple[str, ...], profile: str | None, as_json: bool) -> None:
    """Make FILES (default: program.sql) the active program, at the next batch of each flow.

    Refused when a slice that the program uses is not deployed, or a secret that it names does not exist.

    \b
      atoll apply
      atoll apply programs/ --profile production --json
    """
    try:
        program = compile_files(files)
    except ProgramErrors as errors:
        return show_errors(errors, as_json)
    target = open_target(profile)
    update = activate(target, program)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(update), indent=2))
        return
    _show(update)
    click.echo("Applied: each flow uses it from its next batch on. `atoll status` shows them.")


def activate(target: Target, program: Program) -> UpdateSet:
    """Stores the program and makes it active. Raises DefinitionError for what is not deployed or not there."""
    problems = [*_missing_slices(target, program), *_missing_secrets(target, program)]
    if problems:
        raise DefinitionError("the program cannot run here:\n  " + "\n  ".join(problems))
    active = _active(target)
    update = compare(program, active)
    target.writer.put_program(program)
    if not active or active.version != program.version:
        target.writer.activate(program, former_version=update.former)
    return update


def _missing_slices(target: Target, program: Program) -> list[str]:
    from botocore.exceptions import ClientError

    parameters = target.session.client("ssm")
    problems = []
    for slice_id in program.slice_ids:
        try:
            value = parameters.get_parameter(Name=naming.parameter("slices", slice_id))["Parameter"]["Value"]
            target.writer.put_installed_slice(slice_id, {"state_machine": value})
        except ClientError as error:
            if error.response["Error"]["Code"] != "ParameterNotFound":
                raise
            problems.append(f"{slice_id} is not deployed. Remedy: npx cdk deploy {installed()[slice_id].stack_name}")
    return problems


def _missing_secrets(target: Target, program: Program) -> list[str]:
    from botocore.exceptions import ClientError

    secrets = target.session.client("secretsmanager")
    problems = []
    for connection in program.connections.values():
        reference = connection.options.get("secret")
        if not reference:
            continue
        name = naming.secret(str(reference))
        try:
            secrets.describe_secret(SecretId=name)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            problems.append(
                f"{connection.position}: connection {connection.name}: the secret {name} does not exist. "
                f"Remedy: aws secretsmanager create-secret --name {name} --secret-string file://…"
            )
    return problems


def _active(target: Target) -> Program | None:
    version = target.reader.active_version()
    return target.reader.program(version) if version else None


def _show(update: UpdateSet) -> None:
    if update.empty:
        click.echo("Nothing changes." if update.former else "An empty program.")
        return
    lines: list[tuple[str, str, Any]] = [("+", "green", name) for name in update.added]
    lines += [("~", "yellow", f"{name}: {', '.join(properties)}") for name, properties in update.changed.items()]
    lines += [("-", "red", f"{name} (its tables stay as they are)") for name in update.removed]
    for sign, colour, text in lines:
        click.secho(f"  {sign} {text}", fg=colour)
    click.echo(f"{len(update.added)} flows added, {len(update.changed)} changed, {len(update.removed)} removed.")
