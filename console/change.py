"""`atoll apply`: from the program in the files to the program that is active."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import click

from console.plan import compiled
from console.prerequisites import deployed_slices, missing_secrets, missing_slices
from console.target import Target, json_option, open_target, profile_option
from console.update_set import update_set
from console.update_text import show_update_set
from shared_metadata.errors import DefinitionError
from shared_metadata.lineage import Lineage
from shared_metadata.program import Program
from shared_metadata.update_set import UpdateSet


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
    compilation = compiled(files, profile, as_json)
    update = activate(open_target(profile), compilation.program, compilation.lineage)
    if as_json:
        click.echo(json.dumps(update.to_dict(), indent=2))
        return
    show_update_set(update)
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
    update = update_set(target.reader, program, lineage, now=datetime.now(UTC))
    if update.version == update.former:
        return update
    for slice_id, values in deployed.items():
        target.writer.put_installed_slice(slice_id, values)
    target.writer.put_program(program, lineage)
    target.writer.activate(program, former_version=update.former)
    return update
