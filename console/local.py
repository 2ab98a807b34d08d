"""`atoll local`: an AWS of one's own in the background, with its state under `.atoll/`."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from console.options_before import Group
from console.progress import progress
from console.target import json_option
from console.wording import age
from shared_metadata.errors import InputError

if TYPE_CHECKING:
    from infra.embedded import EmbeddedStatus

NOT_RUNNING = 3


@click.group(cls=Group, short_help="An AWS of your own on this machine: up, status, env, down.")
def local() -> None:
    """The embedded AWS: the same stacks, on this machine, with TLS and IAM enforcement on and state on disk in .atoll/.

    \b
      atoll local up                    start it (or see that it runs)
      atoll local status                where it listens
      eval "$(atoll local env)"         let the AWS CLI, the CDK, psql and others in this shell talk to it
      atoll deploy                      deploy into it what the program needs
      atoll local down                  save everything and stop

    Where one was started in this folder, `atoll` talks to it unless --profile or ATOLL_PROFILE says otherwise.
    """


@local.command(short_help="Start it in the background, or see that it runs.")
@click.option("--fresh", is_flag=True, help="Forget all state first: an empty account and an empty database.")
@click.option("--port", type=click.IntRange(1, 65535), help="Where to listen (default: as the last time, 4566, or a free one).")
@json_option
def up(fresh: bool, port: int | None, as_json: bool) -> None:
    """Start the embedded AWS and PostgreSQL in the background; state is kept in .atoll/.

    \b
      atoll local up                  go on where the last one stopped
      atoll local up --fresh          an empty account
    """
    from infra import embedded

    with progress("starting the embedded AWS") as say:
        if fresh:
            embedded.reset(Path.cwd(), say)
        stack = embedded.up(Path.cwd(), say, port=port)
    if as_json:
        click.echo(json.dumps({"endpoint": stack.endpoint, "account": stack.account, "region": stack.region}))
        return
    click.echo(f"AWS at {stack.endpoint}, account {stack.account}, region {stack.region}")
    click.echo('For other tools: eval "$(atoll local env)"')


@local.command(short_help="Save everything and stop.")
@json_option
def down(as_json: bool) -> None:
    """Save everything to .atoll/ and stop; `atoll local up` goes on from there.

    \b
      atoll local down
    """
    from infra import embedded

    if not Path(".atoll", "local.json").exists():
        click.echo(json.dumps({"running": False}) if as_json else "nothing was ever started in this folder")
        return
    with progress("stopping the embedded AWS") as say:
        embedded.down(Path.cwd(), say)
    click.echo(json.dumps({"running": False}) if as_json else "stopped; its state stays in .atoll/")


@local.command(short_help="Whether it runs, and where.")
@json_option
def status(as_json: bool) -> None:
    """Whether it runs, and where. Exit code 3 when it does not.

    \b
      atoll local status
      atoll local status --json | jq -r .endpoint
    """
    from infra import embedded

    found = embedded.status(Path.cwd())
    if as_json:
        values = {name: value for name, value in asdict(found).items() if name != "dsn"}  # the record holds the password
        click.echo(json.dumps(values, default=str, indent=2))
    elif found.running:
        _show(found)
    else:
        click.echo("not running. Start it with: atoll local up")
    if not found.running:
        raise SystemExit(NOT_RUNNING)


@local.command(short_help="Shell variables for the AWS CLI, the CDK, psql and others.")
def env() -> None:
    """Print shell variables with which the AWS CLI, the CDK and others reach it, and psql its PostgreSQL.

    Whoever sees them can sign in to that database, which listens on this machine only. psql itself is put on the PATH where there
    is none.

    \b
      eval "$(atoll local env)"
      aws stepfunctions list-state-machines
      psql -c 'CREATE TABLE orders (id int)'
    """
    from infra import embedded

    if not embedded.status(Path.cwd()).running:
        raise InputError(f"the embedded AWS of {Path.cwd()} does not run", remedy="atoll local up")
    stack = embedded.up(Path.cwd())
    for name, value in {**stack.environment(), **stack.database_environment()}.items():
        click.echo(f"export {name}={shlex.quote(value)}")


def _show(found: EmbeddedStatus) -> None:
    lines = {
        "AWS": f"{found.endpoint}, running for {age(found.uptime_seconds or 0)} (process {found.gateway_pid})",
        "account": f"{found.account}, region {found.region}",
        "PostgreSQL": f"process {found.postgres_pid}",
        "CA bundle": found.ca_bundle,
        "logs": f"{found.log}, {found.postgres_log}",
    }
    for name, value in lines.items():
        click.echo(f"{name:<12}{value}")
