"""`atoll apply`: from the program in the files to the program that is active, or will be at the next boundary."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click

from console.again import again
from console.empty_program import first_statement
from console.pending import pending_line
from console.plan import compiled, moment_option, stays_with_the_former
from console.prerequisites import deployed_slices, missing
from console.restatement import effective_moment
from console.sizes import judge_sizes
from console.target import Target, json_option, open_target, profile_option
from console.update_set import batches_would_fail, update_set
from console.update_text import show_update_set
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Program
from shared_metadata.program.intervals import to_text
from shared_metadata.program.lineage import Lineage
from shared_metadata.update_set import UpdateSet
from shared_metadata.update_set.applying import EffectiveAt, switch_to


@click.command(short_help="Make the program the active one, at its boundary.")
@click.argument("files", nargs=-1)
@click.option("--at", metavar="MOMENT", help="Take effect then, and not at the next boundary (ISO 8601, UTC).")
@click.option("--restate-from", metavar="MOMENT", help="Take effect from this past moment on: make again what was made since.")
@click.option("--any-size", is_flag=True, help="Apply also what `atoll plan` refuses for its size, which is estimated.")
@click.option("--any-type", is_flag=True, help="Apply also what `atoll plan` refuses because a table has a column in another type.")
@profile_option
@json_option
def apply(
    files: tuple[str, ...],
    at: str | None,
    restate_from: str | None,
    any_size: bool,
    any_type: bool,
    profile: str | None,
    as_json: bool,
) -> None:
    """Apply FILES (default: the program of cdk.json) as one update set, which takes effect at one boundary.

    The boundary is the next moment at which all changed flows and all their readers begin a batch: batches before it, late ones
    included, are made by the former program, and those after it by this one. It takes effect at once where nothing that changes ever
    ran, and where all of it stands still because something in it fails: from the first batch that could not be made. Refused while
    another update set is pending, and where `atoll plan` names something to do before it can be applied: a slice or a secret is not
    there, something is too large, a table has a column in another type; then everything stays as it was.
    Applying the same program again changes nothing, unless it is to make history again.

    \b
      atoll apply
      atoll apply --at 2026-12-01                  at a later boundary
      atoll apply --restate-from 2026-11-01        and make the history since then again
      atoll apply programs/ --profile production --json
      atoll plan --pending, atoll cancel           until the boundary
    """
    compilation, now = compiled(files, profile, as_json), datetime.now(UTC)
    target, wanted = open_target(profile), moment_option("--at", at)
    restated = moment_option("--restate-from", restate_from)
    if wanted and restated:
        raise click.UsageError("--at and --restate-from exclude each other")
    update, moment = apply_program(
        target,
        compilation.program,
        compilation.lineage,
        now,
        at=wanted,
        restate_from=restated,
        any_size=any_size,
        any_type=any_type,
    )
    if as_json:
        click.echo(json.dumps({**update.to_dict(), "still": list(moment.still) if moment else []}, indent=2))
        return
    show_update_set(update)
    if lacking := first_statement(compilation.program):
        click.echo(lacking)
    if moment is None:
        pending = target.reader.timeline().pending(now)
        click.echo(pending_line(pending) if pending else "This program is active already.")
    else:
        told(moment, now)


def told(moment: EffectiveAt, now: datetime) -> None:
    """Reports when the applied program takes effect, and what is left to do."""
    effect = moment.effect
    if effect.boundary > now:
        until = f"{again('atoll plan --pending')}, {again('atoll cancel')}"
        click.echo(f"Applied: it takes effect at {to_text(effect.boundary)}. Until then: {until}")
    else:
        click.echo(f"Applied, and in effect. How its flows are: {again('atoll status')}")
    if moment.still_since:
        click.secho("\n".join(stays_with_the_former(moment)), fg="yellow")
        anew = f"{again('atoll apply', files=True)} --restate-from {to_text(moment.still_since)}"
        click.echo(f"  To make them by this one: {again('atoll cancel')}, then {anew}")


def activate(target: Target, program: Program, lineage: Lineage | None) -> UpdateSet:
    """Applies a program as `atoll apply --any-size --any-type` does. Raises DefinitionError for missing slices and secrets."""
    return apply_program(target, program, lineage, datetime.now(UTC), any_size=True, any_type=True)[0]


def apply_program(
    target: Target,
    program: Program,
    lineage: Lineage | None,
    now: datetime,
    *,
    at: datetime | None = None,
    restate_from: datetime | None = None,
    any_size: bool = False,
    any_type: bool = False,
) -> tuple[UpdateSet, EffectiveAt | None]:
    """Stores the program and puts it into the timeline. Returns no moment when it is the last one there already.

    Raises DefinitionError for missing slices and secrets, and for what batches would fail by; InputError for a moment at which it
    cannot take effect.
    """
    deployed = refuse_what_is_missing(target, program)
    reader = target.reader
    timeline = reader.timeline()
    if timeline.entries and timeline.entries[-1].version == program.version and restate_from is None:
        target.writer.put_program(program, lineage)  # as this version stores it; an earlier one may have stored it differently
        return update_set(reader, program, lineage, now=now, boundary=timeline.earliest), None
    moment = effective_moment(reader, program, now, at=at, restate_from=restate_from)
    update = update_set(reader, program, lineage, now=now, boundary=moment.effect.boundary, restate_from=restate_from)
    if not any_type and (unfit := batches_would_fail(update)):
        raise DefinitionError(
            "batches of this program would fail:\n  " + "\n  ".join(unfit),
            remedy="do this, then apply again; or, once there is no such table any more, apply it as it is, with --any-type",
        )
    if not any_size:
        refuse_what_is_too_large(judge_sizes(target, program, lineage, update, deployed).refused)
    for slice_id, values in deployed.items():
        target.writer.put_installed_slice(slice_id, values)
    target.writer.put_program(program, lineage)
    switch_to(target.writer, program, moment, by=caller(target))
    return update, moment


def refuse_what_is_missing(target: Target, program: Program) -> dict[str, Any]:
    """The deployed slices of the program. Raises DefinitionError with all that is missing."""
    deployed = deployed_slices(target, program)
    problems = missing(target, program, deployed)
    if problems:
        raise DefinitionError(
            "the program cannot run in this account yet:\n  " + "\n  ".join(problems),
            remedy="do this, then apply again",
        )
    return dict(deployed)


def refuse_what_is_too_large(refused: Sequence[str]) -> None:
    """Raises DefinitionError with all parts that are too large."""
    if refused:
        raise DefinitionError(
            "the program asks for more than the functions that are deployed can do:\n  " + "\n  ".join(refused),
            remedy="do this, then apply again; or apply it as it is, with --any-size",
        )


def caller(target: Target) -> str:
    """The caller, as AWS names them: the last part of the caller's ARN."""
    return str(target.client("sts").get_caller_identity()["Arn"]).rsplit(":", 1)[-1]
