"""Shows the result of a verification."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from console.again import again
from console.wording import counted


def show_verified(told: Mapping[str, Any]) -> None:
    """Shows the result as in `atoll state verify --json`. at: its moment, if not just now.  more: differences that were not kept."""
    for one in told["differences"]:
        click.secho(f"{one['dataset']}: {one['what']}", fg="yellow" if one["repairable"] else "red")
        click.echo(f"  at       {one['place']}\n  found    {one['found']}\n  expected {one['expected']}\n  cause    {one['cause']}")
        click.echo(f"  help     {one['remedy']}")
    for title, error in told["not_compared_with"].items():
        help_ = f" Remedy: {error['help']}" if error["help"] else ""
        click.secho(f"not compared with {title}: {error['message']}{help_}", fg="yellow", err=True)
    for dataset, why in told["cursors_not_compared"].items():
        click.secho(f"the cursor of {dataset} was not compared: {why}", fg="yellow", err=True)
    figures, number = told["looked_at"], len(told["differences"]) + told.get("more", 0)
    looked_at = ", ".join(
        counted(figures[f"{noun}{'es' if noun == 'batch' else 's'}"], noun) for noun in ("dataset", "batch", "version")
    )
    compared = f", compared with {'; '.join(told['compared_with'])}" if told["compared_with"] else ""
    said = counted(number, "difference") if number else "no differences"
    click.echo(f"{said} in {looked_at}{compared}{', at ' + told['at'] if 'at' in told else ''}")
    if told.get("more"):
        click.echo(f"{told['more']:,} of them are not shown: {again('atoll state verify')}")
