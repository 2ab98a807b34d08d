"""`atoll init`: a folder becomes a project."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import click

from console.target import json_option
from console.wording import names_of
from shared_metadata.errors import InputError

_TEXTS = Path(__file__).with_name("new_project")
PROGRAM = (_TEXTS / "program.sql").read_text(encoding="utf-8")
_FILES = {
    "program.sql": "program.sql",
    "cdk.json": "cdk.json",
    "README.md": "README.md",
    ".gitignore": "gitignore",
    "schemas/README.md": "schemas.md",
}
_OWN_SLICES = {"slices/README.md": "slices.md"}
_NAMED = 10
_REQUIREMENTS = """\
# The version of Atoll. No package index has it: `make wheel` in Atoll's clone builds it; keep it in a FOLDER that all of you reach.
#   pip install --find-links FOLDER -r requirements.txt
"""


@click.command(short_help="Make a project: a first program, and what deploys it.")
@click.argument("folder", default=".")
@click.option("--slices", is_flag=True, help="Also a folder for slices of the project's own.")
@json_option
def init(folder: str, slices: bool, as_json: bool) -> None:
    """Make FOLDER (default: here) a project: a first program.sql to change, schemas/, cdk.json, README.md, .gitignore, and
    requirements.txt with the version of Atoll. What is there already stays as it is.

    \b
      atoll init
      atoll init sales
      atoll init --slices
    """
    root, written, kept = Path(folder), list[str](), list[str]()
    for name, text in _contents(slices):
        (written if write_new(root / name, text) else kept).append(name)
    if as_json:
        click.echo(json.dumps({"folder": folder, "written": written, "kept": kept}))
        return
    if written:
        click.echo(f"wrote {names_of(written, _NAMED)}" + ("" if folder == "." else f" in {folder}"))
    if kept:
        click.echo(f"left as they were: {names_of(kept, _NAMED)}")
    click.echo(f"next: {'' if folder == '.' else f'cd {folder}, then '}atoll check")


def requirement() -> str:
    """A project's requirements.txt, which names this version of Atoll, and says where that comes from."""
    return f"{_REQUIREMENTS}atoll[local]=={version('atoll')}\n"


def _contents(slices: bool) -> Iterator[tuple[str, str]]:
    for name, source in {**_FILES, **(_OWN_SLICES if slices else {})}.items():
        yield name, (_TEXTS / source).read_text(encoding="utf-8")
    yield "requirements.txt", requirement()


def write_new(path: Path, text: str) -> bool:
    """Whether the file was written; False when there is one."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        if path.exists():
            return False
        raise InputError(f"{path.parent} is no folder", remedy="choose another folder") from None
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}", remedy="choose another folder") from error
    return True
