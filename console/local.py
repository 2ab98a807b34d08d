"""`atoll local`: an AWS of one's own in the background, with its state under `.atoll/`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from console.target import json_option


@click.group()
def local() -> None:
    """The embedded AWS: the same stacks, on this machine, with TLS and IAM enforcement on and state on disk.

    \b
      atoll local up         start it (or see that it runs)
      atoll local status     where it listens
      atoll local env        variables for other tools: eval "$(atoll local env)"
      atoll local down       save everything and stop
    """


@local.command()
@click.option("--fresh", is_flag=True, help="Forget all state first: an empty account and an empty database.")
@click.option("--port", type=int, help="The port to listen on (default: that of the last time, 4566, or a free one).")
def up(fresh: bool, port: int | None) -> None:
    """Start the embedded AWS and PostgreSQL in the background; state is kept in .atoll/."""
    from infra import embedded

    if fresh:
        embedded.reset(Path.cwd(), click.echo)
    stack = embedded.up(Path.cwd(), click.echo, port=port)
    click.echo(f"AWS at {stack.endpoint}, account {stack.account}, region {stack.region}")


@local.command()
def down() -> None:
    """Save everything and stop."""
    from infra import embedded

    embedded.down(Path.cwd(), click.echo)
    click.echo("stopped")


@local.command()
@json_option
def status(as_json: bool) -> None:
    """Whether it runs, and where."""
    from infra import embedded

    found = embedded.status(Path.cwd())
    values = {name: value for name, value in asdict(found).items() if name != "dsn"}
    if as_json:
        click.echo(json.dumps(values, default=str, indent=2))
        return
    if not found.running:
        click.echo("not running. Start it with: atoll local up")
        raise SystemExit(3)
    for name, value in values.items():
        click.echo(f"{name.replace('_', ' '):<16}{value:.0f}" if isinstance(value, float) else f"{name.replace('_', ' '):<16}{value}")


@local.command()
def env() -> None:
    """Shell variables with which the AWS CLI, the CDK and others reach it."""
    from infra import embedded

    if not embedded.status(Path.cwd()).running:
        raise SystemExit("not running. Start it with: atoll local up")
    for name, value in embedded.up(Path.cwd()).environment().items():
        click.echo(f"export {name}={value}")
