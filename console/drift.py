"""`atoll drift`: the changes at the sources, the datasets that stand still for them, and the remedies."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import click

from console.again import again
from console.options_before import Group
from console.printable import printable
from console.target import json_option, open_target, profile_option
from console.wording import counted, names_of
from shared_metadata.errors import InputError
from shared_metadata.notices.drift import message, remedy, what_happened
from shared_metadata.program import Kind
from shared_metadata.program.intervals import to_text
from shared_metadata.store.drift_records import Drift

if TYPE_CHECKING:
    from shared_metadata.store.reader import MetadataReader

MOST = 100
COLOURS = {"quiesces": "red", "open": "yellow", "resolved": "green"}


@click.group(cls=Group, invoke_without_command=True, short_help="What changed at the sources, and what stands still for it.")
@click.option("--all", "everything", is_flag=True, help=f"Resolved ones too, the last {MOST} of all.")
@profile_option
@json_option
@click.pass_context
def drift(context: click.Context, everything: bool, profile: str | None, as_json: bool) -> None:
    """Show the changes at the sources since the program was compiled, and the datasets that stand still for them.

    A change that breaks a reader quiesces exactly the datasets that use the column, and their readers; everything else runs on.
    They go on automatically, from where they stopped, when the column is back or an update set without it is active.

    \b
      atoll drift                  what is open
      atoll drift --all            with what is over
      atoll drift show 3           one in full: the lines of the program that use it, and the remedy
      atoll drift --json | jq '.[] | select(.flows != [])'
    """
    if context.invoked_subcommand is not None:
        return
    target = open_target(profile)
    records = target.writer.drifts
    found = list(reversed(records.drifts(MOST))) if everything else records.open_drifts()
    if as_json:
        click.echo(json.dumps([plain(one) for one in found], indent=2))
        return
    if not found:
        click.echo("No source has changed yet." if everything else _as_expected(target.reader))
    for one in printable(found):
        click.secho(f"{one.number:>4}  {state(one):<9}", nl=False, fg=COLOURS[state(one)])
        held = f"; {counted(len(one.change.quiesces), 'dataset')} quiesced" if one.open and one.flows else ""
        click.echo(f" {to_text(one.first_seen.replace(microsecond=0))}  {what_happened(one.change)}{held}")
        if one.open and one.flows:
            click.echo(f"      help: {remedy(one.change, again)}")


@drift.command(short_help="One drift in full.")
@click.argument("number", type=int)
@profile_option
@json_option
def show(number: int, profile: str | None, as_json: bool) -> None:
    """Show drift NUMBER: the change, every place of the program that uses it, what stands still, and the remedy.

    \b
      atoll drift show 3
    """
    found = open_target(profile).writer.drifts.drift(number)
    if found is None:
        raise InputError(f"there is no drift {number}", remedy=f"`{again('atoll drift --all')}` lists them")
    if as_json:
        click.echo(json.dumps(plain(found), indent=2))
        return
    found = printable(found)
    click.echo(message(found, again, here=True))
    if found.notified_at:
        click.echo(f"People were told at {to_text(found.notified_at.replace(microsecond=0))}.")
    if found.resolved_at:
        click.secho(f"Resolved at {to_text(found.resolved_at.replace(microsecond=0))}: {found.resolution}.", fg=COLOURS["resolved"])


def _as_expected(reader: MetadataReader) -> str:
    """Says that no drift is open. Every batch of a collect flow looks at its source first; later changes are not seen yet."""
    look, version = again("atoll discover --check"), reader.active_version()
    if not version:
        return f"No program is active, so no batch looks at the sources; `{look}` looks now."
    flows = [flow.id for flow in reader.program(version).flows.values() if flow.kind == Kind.COLLECT]
    tables = {name: table for state in reader.flow_states(flows).values() for name, table in state.tables.items()}
    unseen = sorted(name for name, table in tables.items() if table.watermark == table.begins)
    seen = [table.watermark for name, table in tables.items() if name not in unseen]
    when = f", as of {to_text(min(seen))}" if seen else ""
    but = f"; no batch has looked at what {names_of(unseen)} {'is' if len(unseen) == 1 else 'are'} made of yet" if unseen else ""
    return f"The sources are as the program expects them{when}{but}; `{look}` looks now."


def state(found: Drift) -> str:
    """'quiesces' | 'open' (breaks no reader) | 'resolved'."""
    if not found.open:
        return "resolved"
    return "quiesces" if found.flows else "open"


def plain(found: Drift) -> dict[str, Any]:
    """The drift as plain values for JSON; moments as text, '' where there is none."""
    values = {name: getattr(found, name) for name in ("first_seen", "notified_at", "resolved_at")}
    moments = {name: to_text(moment) if moment else "" for name, moment in values.items()}
    said = {"state": state(found), "what": what_happened(found.change), "remedy": remedy(found.change, again)}
    return {**dataclasses.asdict(found), **moments, **said}
