"""`atoll plan`: the changes of applying a program, their readers, breaks and costs, before it is applied."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from console.again import again
from console.empty_program import first_statement
from console.limits import guarantees, left_behind, limits
from console.prerequisites import deployed_slices, missing
from console.project import compile_project, show_errors
from console.sizes import judge_sizes
from console.source_notes import source_notes
from console.target import json_option, open_target, profile_option
from console.update_set import batches_would_fail, update_set
from console.update_text import show_update_set
from language.text.diagnostics import ProgramErrors
from shared_metadata.errors import AtollError, InputError
from shared_metadata.program.intervals import from_text, to_text
from slices.registry import installed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from language.compiler import Compilation
    from shared_metadata.program import Program
    from shared_metadata.store.reader import MetadataReader
    from shared_metadata.update_set.applying import EffectiveAt

BREAKING = 2


@click.command(short_help="Show what applying the program would change.")
@click.argument("files", nargs=-1)
@click.option("--restate-from", metavar="MOMENT", help="Plan to make the history anew from this moment on (ISO 8601, UTC).")
@click.option("--pending", is_flag=True, help="Show instead the update set that was applied and is still to take effect.")
@profile_option
@json_option
def plan(files: tuple[str, ...], restate_from: str | None, pending: bool, profile: str | None, as_json: bool) -> None:
    """Show what applying FILES (default: the program of cdk.json) would change, and what it still needs. Changes nothing.
    What is too large for the functions that are deployed is refused with its size, as far as its source tells it.

    First what breaks for those whom the compiler cannot see: readers outside Atoll, and a table's own history. Then the changed
    statements with their columns, every reader with the columns by which the change reaches it, what is made anew, and when it
    takes effect. A program that would break a reader inside does not compile, and is not planned.

    Exit code 2 when something breaks, else 0; 1 when the program has mistakes.

    \b
      atoll plan                                  against the active program
      atoll plan --restate-from 2026-11-01        … and make the history anew
      atoll plan --pending                        what was applied and is still to take effect
      atoll plan --profile production             … of another account
      atoll plan --json | jq .breaking            for CI
    """
    since, now = moment_option("--restate-from", restate_from), datetime.now(UTC)
    if pending:
        from console.pending import show_pending

        show_pending(open_target(profile).reader, now, as_json)
        return
    compilation = compiled(files, profile, as_json)
    program, target = compilation.program, open_target(profile)
    moment = planned_moment(target.reader, program, now, since)
    boundary = moment.effect.boundary if moment else None
    update = update_set(target.reader, program, compilation.lineage, now=now, boundary=boundary, restate_from=since)
    touched = {*update.added, *(change.statement for change in update.changed)}
    left = left_behind(target.reader, program, installed())
    notes = [*limits(program, touched, installed()), *source_notes(compilation, touched), *left]
    arrive = guarantees(program, touched, installed())
    deployed = deployed_slices(target, program)
    sizes = judge_sizes(target, program, compilation.lineage, update, deployed)
    problems = [*pending_problem(target.reader, now), *missing(target, program, deployed)]
    problems += [*batches_would_fail(update), *sizes.refused]
    if as_json:
        still = list(moment.still) if moment else []
        said = {**update.to_dict(), "problems": problems, "notes": notes, "arrive": arrive, "sizes": sizes.notes, "still": still}
        click.echo(json.dumps(said, indent=2))
    else:
        show_update_set(update)
        show_notes(program, notes, arrive, sizes.notes)
        if problems:
            click.echo("Before it can be applied:\n  " + "\n  ".join(problems))
        elif update.version != update.former or since:
            say_how_to_apply(moment, restate_from)
    if update.breaking:
        raise SystemExit(BREAKING)


def show_notes(program: Program, notes: Sequence[str], arrive: Sequence[str], sizes: Sequence[str]) -> None:
    """Shows what a reader of the update set should know before it is applied."""
    if lacking := first_statement(program):
        click.echo(lacking + "\n")
    if notes:
        click.echo("What a source cannot tell:\n  " + "\n  ".join(notes) + "\n")
    if arrive:
        click.echo("How often published rows arrive:\n  " + "\n  ".join(arrive) + "\n")
    if sizes:
        click.echo("Sizes:\n  " + "\n  ".join(sizes) + "\n")


def say_how_to_apply(moment: EffectiveAt | None, restate_from: str | None) -> None:
    """Shows the command, and that which also makes the batches that would stay with the former program."""
    command = again("atoll apply", files=True)
    click.echo(f"Apply it with: {command}" + (f" --restate-from {restate_from}" if restate_from else ""))
    if moment and moment.still_since:
        click.secho("\n".join(stays_with_the_former(moment)), fg="yellow")
        click.echo(f"  To make them by this one: {command} --restate-from {to_text(moment.still_since)}")


def compiled(files: tuple[str, ...], profile: str | None, as_json: bool) -> Compilation:
    """The compiled program; with mistakes, shows them and ends. For an unknown column it adds what a change did to it."""
    try:
        return compile_project(files, must_be_typed=True)
    except ProgramErrors as errors:
        show_errors(_explained(errors, profile), as_json)


def _explained(errors: ProgramErrors, profile: str | None) -> ProgramErrors:
    """The errors with probable renames; unchanged where no account can be reached, because they are mistakes of the text."""
    from botocore.exceptions import BotoCoreError, ClientError

    from language.typed.renames import explain_renames

    if errors.lineage is None:
        return errors
    try:
        reader = open_target(profile).reader
        version = reader.active_version()
        lineage = reader.lineage(version) if version else None
    except (AtollError, BotoCoreError, ClientError):
        return errors
    return explain_renames(errors, lineage) if lineage is not None else errors


def stays_with_the_former(moment: EffectiveAt) -> list[str]:
    """A line for each flow that an update set does not take over."""
    said = "fails or has stopped; its batches before the boundary stay with the former program."
    return [f"  {name} {said}" for name in moment.still]


def planned_moment(reader: MetadataReader, program: Program, now: datetime, since: datetime | None) -> EffectiveAt | None:
    """The moment at which the program would take effect; None while another update set is pending."""
    from console.restatement import effective_moment

    if reader.timeline().pending(now):
        return None
    return effective_moment(reader, program, now, restate_from=since)


def pending_problem(reader: MetadataReader, now: datetime) -> list[str]:
    """Why nothing can be applied yet, while an update set is pending."""
    pending = reader.timeline().pending(now)
    if pending is None:
        return []
    back = again("atoll cancel")
    return [f"the update set {pending.version} is pending until {to_text(pending.boundary)}; wait, or take it back: {back}"]


def moment_option(option: str, text: str | None) -> datetime | None:
    """The moment in an option. Raises InputError."""
    try:
        return from_text(text) if text else None
    except ValueError as error:
        raise InputError(f"{option} {text!r} is no moment", remedy="write it as 2026-11-01 or 2026-11-01T06:00Z") from error
