"""Says of a tap's folder what is collected of it, and the licences of the packages that it brings."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from importlib.metadata import Distribution, distributions
from pathlib import Path

import click

from console.again import again
from infra.apart import Apart, BundleError
from infra.bundling import LAMBDA, PACKAGES
from shared_metadata.errors import InputError
from slices.manifests import TapCoverage, tap_coverage

COPYLEFT = ("GPL", "MPL", "EUPL", "CDDL")
SHORT = 60  # of characters: what is longer is a licence's text, and no name


def tell(folder: Path, as_json: bool) -> None:
    """Prints it. Raises DefinitionError for what cannot be read, BundleError for packages that cannot be installed."""
    found = tap_coverage(folder)
    licences = _licences(found)
    if as_json:
        told = {**dataclasses.asdict(found), "packages": str(found.packages) if found.packages else None}
        click.echo(json.dumps({"folder": str(folder), **told, "licences": licences}))
        return
    if found.tables is None:
        click.echo(f"its tables are told by `{again('atoll discover')}`, which asks the tap")
    for table in found.tables or ():
        click.echo(f"{table.name}  key {', '.join(table.key) or '-'}  cursor {table.cursor or '-'}  {table.mode}")
    for name, why in found.left_out.items():
        click.echo(f"not covered: {name} ({why})")
    for line in _told(found, licences):
        click.echo(line)
    options = ", ".join(("secret = '…'" if found.secret else "", *(f"{name} = …" for name in found.options))).strip(", ")
    click.echo(f"next: CREATE CONNECTION {folder.name} TO {folder.name} WITH ({options});")
    if found.secret:
        click.echo(f"the secret holds {', '.join(found.secret)}, and whatever else the tap's configuration has")


def _licences(found: TapCoverage) -> dict[str, str]:
    """Package and version ▸ licence, of all that its functions would bring beside Atoll."""
    if found.packages is None:
        return {}
    try:
        folder = Apart(found.packages.resolve(), found.built, (LAMBDA.name, LAMBDA.python)).installed(PACKAGES)
    except BundleError as error:
        remedy = (
            "where a package has no wheel for the functions' platform, name it in tap.yaml: `source: [name]`; it is then built here"
        )
        raise InputError(str(error), remedy=remedy) from None
    return {f"{one.name} {one.version}": _licence(one) for one in distributions(path=[str(folder)])}


def _told(found: TapCoverage, licences: dict[str, str]) -> list[str]:
    if found.packages is None:
        return [f"licence: that of {found.run}, which is the folder's own"]
    counted = ", ".join(f"{name} {count}" for name, count in Counter(licences.values()).most_common())
    copyleft = [f"{name}: {licence}" for name, licence in licences.items() if any(word in licence for word in COPYLEFT)]
    lines = [f"licences of its {len(licences)} packages: {counted}"]
    if copyleft:
        lines.append(f"copyleft: {'; '.join(copyleft)}. They run as a process of their own; Atoll brings none of them")
    return lines


def _licence(found: Distribution) -> str:
    told = found.metadata
    if expression := told.get_all("License-Expression"):
        return str(expression[0])
    classified = [line.rpartition(" :: ")[2] for line in told.get_all("Classifier") or () if line.startswith("License ::")]
    said = (told.get_all("License") or [""])[0]
    return ", ".join(classified) or (said if 0 < len(said) <= SHORT and "\n" not in said else "not told")
