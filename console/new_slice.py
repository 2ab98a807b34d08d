"""`atoll new-slice`: the folder of a slice, with every file that one has and what its contract asks for left to write."""

from __future__ import annotations

import json
import keyword
import re
import shutil
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from string import Template

import click

from console.init import write_new
from console.target import json_option
from shared_metadata.errors import InputError
from slices.registry import OWN, installed

_FILES = Path(__file__).with_name("slice_files")
STAGES = {"collect": "Collects from", "organize": "Keeps a warehouse in", "harness": "Publishes to"}
_STATEMENTS = {
    "collect": "CREATE CONNECTION … TO {system} WITH (…)",
    "organize": "CREATE WAREHOUSE … USING {system} WITH (…)",
    "harness": "CREATE CONNECTION … TO {system} WITH (…)",
}
_PACKAGES = ("aws-lambda-powertools[tracer]", "duckdb", "duckdb-extension-httpfs", "pydantic")
_SQL, _MORE = "collect_sql", ("pyarrow",)  # the folder of what a source that speaks SQL has otherwise, and what it imports beside
_SYSTEM = re.compile(r"[a-z][a-z0-9_]*")
_TESTS = "tests_"  # before the name of a file of the slice's tests, which the clone alone has a suite for
_SUITES = Path("tests/conformance")


@click.command("new-slice", short_help="Make the folder of a new connector or warehouse.")
@click.argument("slice_id", metavar="STAGE/SYSTEM")
@click.option("--title", help="The system's name as people write it, such as HubSpot.  [default: System]")
@click.option("--sql", is_flag=True, help="Of a source that is a database which speaks SQL: over Atoll's own reading of these.")
@json_option
def new_slice(slice_id: str, title: str | None, sql: bool, as_json: bool) -> None:
    """Make slices/STAGE/SYSTEM/: its declaration, options, steps, state machine, stack and packages, and a client whose methods
    are yours to write.

    STAGE is collect, organize or harness, and SYSTEM what a program writes after TO or USING. It is a slice by being there:
    `atoll check` knows it at once, and `atoll deploy` deploys it when a program uses it. How one is written, from its declaration
    to its first batch: docs/guides/a-slice-of-your-own.md.

    \b
      atoll new-slice collect/calendar --title Calendar
      atoll new-slice collect/oracle --title Oracle --sql
      atoll new-slice harness/hubspot --title HubSpot
    """
    stage, system = _named(slice_id)
    folder = OWN / stage / system
    if sql and stage != "collect":
        raise InputError(f"--sql is for sources, and {stage} has none", remedy="leave it out")
    kinds = ("every", stage, *((_SQL,) if sql else ()))
    written = _write(folder, kinds, stage, system, title or system.replace("_", " ").title())
    if as_json:
        click.echo(json.dumps({"folder": str(folder), "written": written}))
        return
    click.echo(f"wrote {len(written)} files in {folder}/")
    click.echo(f"next: write {folder}/client.py; what {'the files leave' if sql else 'it leaves'} to you raises NotImplementedError")
    if (tests := folder / "tests").is_dir():
        click.echo(f"then {tests}/under_test.py, the suite's door to the system; CONTRIBUTING.md lists what else names a slice")


def _named(slice_id: str) -> tuple[str, str]:
    """Raises InputError for what can be no slice, or is one."""
    stage, separator, system = slice_id.replace(".", "/").partition("/")
    if stage not in STAGES or not separator:
        raise InputError(f"{slice_id} names no slice", remedy=f"write {', '.join(f'{s}/<system>' for s in STAGES)}")
    if not _SYSTEM.fullmatch(system) or keyword.iskeyword(system):
        raise InputError(f"{system} can be no system's name", remedy="write small letters, digits and _, the first a letter")
    if f"{stage}.{system}" in installed() or (OWN / stage / system).exists():
        raise InputError(f"there is a slice {stage}.{system} already", remedy="choose another name, or change what is there")
    return stage, system


def _write(folder: Path, kinds: Sequence[str], stage: str, system: str, title: str) -> list[str]:
    """All of it or, where something cannot be written, nothing."""
    try:
        for name, text in _contents(kinds, stage, system, title):
            write_new(folder / name, text)
    except InputError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def _contents(kinds: Sequence[str], stage: str, system: str, title: str) -> Iterator[tuple[str, str]]:
    """Each file and its text. kinds: the folders that they are in; of two of a name that of the later folder is taken."""
    said = {
        "stage": stage,
        "system": system,
        "title": title,
        "class_name": "".join(word[:1].upper() + word[1:] for word in re.split(r"\W|_", title)) or system.title(),
        "Does": STAGES[stage],
        "statement": _STATEMENTS[stage].format(system=system),
    }
    files = {file.name: file for kind in kinds for file in sorted((_FILES / kind).iterdir())}
    for file in files.values():
        name, text = file.name.removesuffix(".txt"), Template(file.read_text(encoding="utf-8")).substitute(said)
        if not name.startswith(_TESTS):
            yield name, text
        elif _SUITES.is_dir():
            yield f"tests/{name.removeprefix(_TESTS)}", text
    packages = sorted((*_PACKAGES, *(_MORE if _SQL in kinds else ())))
    yield "requirements.txt", "".join(f"{name}=={version(name.partition('[')[0])}\n" for name in packages)
