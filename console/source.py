"""`atoll source`: brings a manifest into the project as a slice, and says what of it is read."""

from __future__ import annotations

import dataclasses
import json
import keyword
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from console.again import again
from console.options_before import Group
from console.target import json_option
from shared_metadata.errors import InputError
from slices.manifests import AIRBYTE, BESIDE, MANIFEST, METADATA, OVERLAY, REQUIREMENTS, TAP, Coverage, code_of, coverage, engine_of
from slices.registry import OWN, installed

COLLECT = OWN / "collect"
_SYSTEM = re.compile(r"[a-z][a-z0-9_]*")
_PACKAGE = re.compile(r"([a-z][a-z0-9-]*)(?:@([0-9][0-9A-Za-z.]*))?")
_NOT_NAMED = "give a folder or a file that holds a manifest, or the name of an `airbyte-source-…` package, as in pokeapi@0.2.15"


@click.group(cls=Group, short_help="Bring a source's manifest into the project.")
def source() -> None:
    """Sources in one file: a folder slices/collect/SOURCE/ that holds a manifest.yaml, or a tap.yaml, is a slice.

    \b
      atoll source add pokeapi@0.2.15                 copy a manifest into the project
      atoll source check slices/collect/pokeapi       which of its tables are read
      atoll source packages slices/collect/pokeapi    write down what code of its own needs
    """


@source.command(short_help="Say what of a manifest is read.")
@click.argument("folder", type=click.Path(path_type=Path))
@json_option
def check(folder: Path, as_json: bool) -> None:
    """Say which tables of FOLDER's manifest are read, with key, cursor and what a batch reads, and which are not, and why.

    Of a tap, and of a manifest with code of its own, the packages are fetched, as for a deployment, and their licences told.

    \b
      atoll source check slices/collect/greenhouse
    """
    if (folder / TAP).is_file():
        from console import taps  # what builds bundles takes a while to load

        taps.tell(folder, as_json)
        return
    _tell(folder, coverage(folder), as_json)


@source.command(short_help="Copy a manifest into the project, and check it.")
@click.argument("wanted", metavar="NAME[@VERSION]|PATH")
@click.option("--as", "name", help="What a program writes after TO.  [default: the folder's or the package's name]")
@click.option("--engine", type=click.Choice([AIRBYTE]), help="Have airbyte-cdk read it, which runs code of the manifest's own.")
@click.option("--package", "asked", multiple=True, help="What that needs, as in airbyte-cdk==7.39.1.  [default: what it says]")
@json_option
def add(wanted: str, name: str | None, engine: str | None, asked: tuple[str, ...], as_json: bool) -> None:
    """Copy a manifest into slices/collect/, from a folder or a file, or from a package `airbyte-source-NAME` of PyPI.

    Its licence is told: the text stays its owner's. Nothing of a package is run here, and nothing is fetched later.
    With --engine, or where its overlay.yaml says it, the Python files beside it are copied too, for you to read:
    its functions run them.

    \b
      atoll source add downloads/greenhouse
      atoll source add pokeapi@0.2.15
      atoll source add downloads/chargebee --engine airbyte
    """
    with _found(wanted) as folder:
        system = _system(name or re.sub(r"^source[-_]", "", folder.name).replace("-", "_"))
        target = COLLECT / system
        said = engine_of(folder)
        if AIRBYTE not in (engine, said):
            coverage(folder)  # what cannot be read is not copied
        code = code_of(folder) if AIRBYTE in (engine, said) else {}
        kept = [REQUIREMENTS] if said == AIRBYTE and not asked else []  # which belong to its overlay
        with _made(target):
            for file in (MANIFEST, METADATA, OVERLAY, *BESIDE, *kept, *code):
                for found_file in sorted(folder.glob(file)):
                    copy = target / found_file.relative_to(folder)
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(found_file, copy)
            if AIRBYTE in (engine, said):
                _engaged(target, said, asked)
            found = coverage(target)
    _tell(target, found, as_json)
    if found.of_code and not as_json:
        anew = f"atoll source add {wanted} --engine {AIRBYTE}"
        click.echo(f"{found.of_code} need code of the manifest's own, which airbyte-cdk runs in a process of its own: {anew}")


@source.command(short_help="Write down what a manifest with code of its own needs.")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--package", "asked", multiple=True, help="What it needs, as in airbyte-cdk==7.39.1.  [default: what it says]")
def packages(folder: Path, asked: tuple[str, ...]) -> None:
    """Write FOLDER's requirements.txt: airbyte-cdk and all that it needs, each in one version and with its hashes.

    \b
      atoll source packages slices/collect/chargebee --package airbyte-cdk==7.39.1 --package pendulum
    """
    from console.packages import wanted_of, write  # what builds bundles takes a while to load

    write(folder, asked or wanted_of(folder))
    click.echo(f"{folder / REQUIREMENTS} is written")


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """A new folder, which goes again where what it is for fails."""
    folder.mkdir(parents=True)
    try:
        yield
    except BaseException:
        shutil.rmtree(folder)
        raise


def _engaged(folder: Path, said: str, asked: tuple[str, ...]) -> None:
    """Says in the overlay that airbyte-cdk reads the manifest, where it does not yet; writes its packages down unless they are."""
    from console.packages import wanted_of, write

    overlay = folder / OVERLAY
    if not said:
        text = overlay.read_text(encoding="utf-8") if overlay.is_file() else ""
        overlay.write_text(f"engine: {AIRBYTE}\n{text}", encoding="utf-8")
    if not (folder / REQUIREMENTS).is_file():
        write(folder, asked or wanted_of(folder))


@contextmanager
def _found(wanted: str) -> Iterator[Path]:
    """The folder of what is wanted."""
    path = Path(wanted)
    if path.is_file() and path.name == MANIFEST:
        yield path.resolve().parent
    elif (path / MANIFEST).is_file():
        yield path.resolve()
    elif path.exists() or not (package := _PACKAGE.fullmatch(wanted)):
        raise InputError(f"{wanted} holds no {MANIFEST}", remedy=_NOT_NAMED)
    else:
        with tempfile.TemporaryDirectory() as folder:
            yield _unpacked(package[1], package[2], Path(folder))


def _unpacked(name: str, version: str | None, folder: Path) -> Path:
    """The manifest of a package, with what it says of its licence."""
    requirement = f"airbyte-source-{name}" + (f"=={version}" if version else "")
    uv = str(Path(sys.executable).with_name("uv"))
    command = [uv, "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:", "--target", str(folder), requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        why = done.stderr.strip().splitlines()
        raise InputError(f"{requirement} cannot be fetched: {why[-1].strip() if why else 'no reason is told'}", remedy=_NOT_NAMED)
    manifests = sorted(folder.glob(f"source_*/{MANIFEST}"))
    if not manifests:
        raise InputError(f"{requirement} holds code and no manifest", remedy="choose a version that has one")
    lines = [line for file in folder.glob("*/METADATA") for line in file.read_text(encoding="utf-8").splitlines()]
    licence = next((line.partition(": ")[2].strip() for line in lines if line.startswith("License: ")), "")
    needs = [line.partition(": ")[2] for line in lines if line.startswith("Requires-Dist: ") and "extra ==" not in line]
    if licence:
        data = {"license": licence, "requires": [need for need in needs if not need.startswith("pytest")]}
        (manifests[0].parent / METADATA).write_text(json.dumps({"data": data}) + "\n", encoding="utf-8")
    return manifests[0].parent


def _system(name: str) -> str:
    if not _SYSTEM.fullmatch(name) or keyword.iskeyword(name):
        raise InputError(f"{name} can be no system's name", remedy="write --as with small letters, digits and _, the first a letter")
    if f"collect.{name}" in installed() or (COLLECT / name).exists():
        raise InputError(f"there is a slice collect.{name} already", remedy="give another name with --as, or change what is there")
    return name


def _tell(folder: Path, found: Coverage, as_json: bool) -> None:
    known = _licences(folder) if found.engine else {}
    if as_json:
        click.echo(json.dumps({"folder": str(folder), **dataclasses.asdict(found), **({"licences": known} if known else {})}))
        return
    rows = [("table", "key", "cursor", "mode", "deletes", "a batch reads")]
    rows += [(t.name, ", ".join(t.key) or "-", t.cursor or "-", t.mode, t.deletes or "not known", t.reads) for t in found.tables]
    widths = [max(len(row[at]) for row in rows) for at in range(5)]
    for row in rows:
        click.echo("  ".join((*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[5])))
    count = len(found.tables) + len(found.left_out)
    click.echo(f"{len(found.tables)} of {count} tables." if count or not found.made else "No table that the manifest names.")
    for name, who in found.made.items():
        click.echo(f"and each that {who} tells ({name}): `{again('atoll discover')}` lists them")
    for name, why in found.left_out.items():
        click.echo(f"not covered: {name} ({why})")
    click.echo(f"licence: {found.licence or 'not told; see where the manifest comes from'}")
    for line in _told(known):
        click.echo(line)
    for name in found.unknown:
        click.echo(f"no connection can give `{name}`, which it reads: its specification of options has no such name", err=True)
    options = ", ".join(filter(None, ("secret = '…'" if found.secret else "", *(f"{name} = …" for name in found.options))))
    click.echo(f"next: CREATE CONNECTION {folder.name} TO {folder.name}{f' WITH ({options})' if options else ''};")
    if found.secret:
        click.echo(f"the secret holds {', '.join(found.secret)}")


def _licences(folder: Path) -> dict[str, str]:
    """Those of the packages of a manifest with code of its own."""
    from console.licences import licences

    return licences(folder / REQUIREMENTS, (), f"have it written anew: atoll source packages {folder}")


def _told(known: dict[str, str]) -> Iterator[str]:
    if known:
        from console.licences import told

        yield from told(known)
        yield "its code runs with the connection's secret, in a process without the function's keys: read it before you deploy it"
