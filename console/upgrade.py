"""`atoll state upgrade`: moves the metadata to the format of this version."""

from __future__ import annotations

import json

import click

from console.progress import progress
from console.target import json_option, open_target, profile_option
from shared_metadata import naming


@click.command(short_help="Move what is recorded to this version's format.")
@profile_option
@json_option
def upgrade(profile: str | None, as_json: bool) -> None:
    """Move the metadata table to the format that this version of Atoll works with.

    A version that records something otherwise says so in CHANGELOG.md. Deploy it first: from then on nothing begins until the
    format is the new one, and what runs ends. Then call this, which can be interrupted and called again; what was due meanwhile
    is made up afterwards. An export before it (`atoll state export`) is the way back.

    \b
      atoll state export before.jsonl && atoll state upgrade
    """
    from shared_metadata.store.upgrade import upgrade as upgraded

    target = open_target(profile)
    with progress("upgrading") as say:
        done = upgraded(target.client("dynamodb"), naming.METADATA_TABLE, lambda moved: say(f"{moved:,} items moved"))
    if as_json:
        click.echo(json.dumps(vars(done), indent=2))
    elif done.former == done.present:
        click.echo(f"what is recorded has format {done.present}, the present one: nothing to do")
    else:
        click.echo(f"what was recorded in format {done.former} has format {done.present} now")
