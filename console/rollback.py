"""`atoll cancel` and `atoll rollback`: takes an update set back, before it takes effect or after."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import click

from console.again import again
from console.change import caller, refuse_what_is_missing, told
from console.target import json_option, open_target, profile_option
from console.update_set import update_set
from console.update_text import show_update_set
from shared_metadata.errors import InputError
from shared_metadata.program.intervals import to_text
from shared_metadata.update_set.applying import former_program, moment_of, switch_to


@click.command(short_help="Take the pending update set back.")
@profile_option
@json_option
def cancel(profile: str | None, as_json: bool) -> None:
    """Take back the update set that was applied and has not yet taken effect; the active program stays.

    \b
      atoll plan --pending     what it is, and when it would take effect
      atoll cancel
    """
    target = open_target(profile)
    timeline = target.reader.timeline()
    pending = timeline.pending(datetime.now(UTC))
    if pending is None:
        raise InputError("no update set is pending", remedy=f"`{again('atoll rollback')}` brings the former program back")
    target.writer.cancel(timeline)
    if as_json:
        click.echo(json.dumps({"cancelled": pending.version, "boundary": to_text(pending.boundary)}, indent=2))
    else:
        click.echo(f"The update set {pending.version} will not take effect at {to_text(pending.boundary)}.")


@click.command(short_help="Bring the former program back.")
@profile_option
@json_option
def rollback(profile: str | None, as_json: bool) -> None:
    """Bring the program before the active one back, at the next boundary of all that differs between them.

    The data made by the active program stays. Until the boundary it can be taken back with `atoll cancel`; a second rollback
    afterwards brings the present program back.

    \b
      atoll rollback
      atoll rollback --profile production --json
    """
    target, now = open_target(profile), datetime.now(UTC)
    reader = target.reader
    program = former_program(reader, now)
    refuse_what_is_missing(target, program)
    moment = moment_of(reader, program, now)
    update = update_set(reader, program, reader.lineage(program.version), now=now, boundary=moment.effect.boundary)
    switch_to(target.writer, program, moment, by=caller(target))
    if as_json:
        click.echo(json.dumps({**update.to_dict(), "still": list(moment.still)}, indent=2))
        return
    show_update_set(update)
    told(moment, now)
