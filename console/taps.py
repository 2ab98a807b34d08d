"""Says of a tap's folder what is collected of it, and the licences of the packages that it brings."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click

from console.again import again
from console.licences import licences, told
from slices.manifests import TapCoverage, tap_coverage


def tell(folder: Path, as_json: bool) -> None:
    """Prints it. Raises DefinitionError for what cannot be read, InputError for packages that cannot be installed."""
    found = tap_coverage(folder)
    known = _licences(found)
    if as_json:
        plain = {**dataclasses.asdict(found), "packages": str(found.packages) if found.packages else None}
        click.echo(json.dumps({"folder": str(folder), **plain, "licences": known}))
        return
    if found.tables is None:
        click.echo(f"its tables are told by `{again('atoll discover')}`, which asks the tap")
    for table in found.tables or ():
        click.echo(f"{table.name}  key {', '.join(table.key) or '-'}  cursor {table.cursor or '-'}  {table.mode}")
    for name, why in found.left_out.items():
        click.echo(f"not covered: {name} ({why})")
    for line in _told(found, known):
        click.echo(line)
    options = ", ".join(("secret = '…'" if found.secret else "", *(f"{name} = …" for name in found.options))).strip(", ")
    click.echo(f"next: CREATE CONNECTION {folder.name} TO {folder.name} WITH ({options});")
    if found.secret:
        click.echo(f"the secret holds {', '.join(found.secret)}, and whatever else the tap's configuration has")


def _licences(found: TapCoverage) -> dict[str, str]:
    """Package and version ▸ licence, of all that its functions would bring beside Atoll."""
    remedy = "where a package has no wheel for the functions' platform, name it in tap.yaml: `source: [name]`; it is then built here"
    return licences(found.packages, found.built, remedy) if found.packages else {}


def _told(found: TapCoverage, known: dict[str, str]) -> list[str]:
    if found.packages is None:
        return [f"licence: that of {found.run}, which is the folder's own"]
    return [*told(known)]
