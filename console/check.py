"""`atoll check` and `atoll format`: check and lay out the program's text, without any account."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.cache import ProjectCache
from console.empty_program import first_statement
from console.project import compile_texts, read_snapshots, read_sources, show_errors, told
from console.target import json_option
from console.windows import window_notes
from console.wording import counted
from language.text.diagnostics import Diagnostic, ProgramErrors
from shared_metadata.errors import InputError
from shared_metadata.program import Flow
from shared_metadata.program.lineage import Lineage

if TYPE_CHECKING:
    from language.compiler import Compilation


@click.command(short_help="Compile the program and show every mistake.")
@click.argument("files", nargs=-1)
@json_option
def check(files: tuple[str, ...], as_json: bool) -> None:
    """Compile FILES (default: the program of cdk.json) and show every mistake with its place, cause and remedy.

    Columns and types are checked against the snapshots of the sources' schemas in schemas/, which `atoll discover` writes. Needs no
    account and no network. Exit code 1 when something is wrong. What did not change since the last time is not compiled again: it
    is kept in .atoll/cache, which may be deleted.

    \b
      atoll check                        program.sql
      atoll check programs/              all *.sql files in a folder, as one program
      atoll check program.sql --json     for an editor or CI
    """
    sources = read_sources(files)
    snapshots = read_snapshots(sources)
    cache, verb = ProjectCache(files), "check-json" if as_json else "check"
    read = {**sources, **(snapshots if snapshots is not None else {"": "no snapshots"})}
    answer = cache.answer(verb, read)
    if answer is None:
        answer = _answer(sources, snapshots, cache, as_json)
        cache.keep_answer(verb, read, answer)
    click.echo(answer["text"], err=not (as_json or answer["sound"]))
    if not answer["sound"]:
        raise SystemExit(1)


def _answer(sources: Mapping[str, str], snapshots: Mapping[str, str] | None, cache: ProjectCache, as_json: bool) -> dict[str, Any]:
    """Whether the program is correct, and the text that says so or lists the errors."""
    try:
        compilation = compile_texts(sources, snapshots, cache)
    except ProgramErrors as errors:
        return {"sound": False, "text": told(errors, as_json)}
    return {"sound": True, "text": _described(compilation) if as_json else _summed_up(compilation)}


def _described(compilation: Compilation) -> str:
    program, lineage = compilation.program, compilation.lineage
    flows = [{"flow": f.id, "kind": f.kind, "slice": f.slice_id, "inputs": _inputs(f)} for f in program.flows.values()]
    found = {"version": program.version, "typed": lineage is not None, "slices": program.slice_ids, "flows": flows}
    return json.dumps({**found, "columns": _columns(lineage), "notes": _notes(compilation)}, indent=2)


def _summed_up(compilation: Compilation) -> str:
    program, typed = compilation.outline, compilation.typed
    columns = f", {counted(sum(outline.width for outline in typed.outlines.values()), 'column')}" if typed else ""
    lines = [f"No mistakes: {counted(len(program.flows), 'flow')}, {counted(len(program.producers), 'dataset')}{columns}."]
    if lacking := first_statement(program):
        return lacking
    if typed is None:
        lines.append("Columns and types were not checked: schemas/ beside the program has no snapshot. `atoll discover` writes them,")
        lines.append("and `atoll plan` and `atoll apply` need them.")
    if program.slice_ids:
        lines.append(f"The program needs the slices {', '.join(program.slice_ids)}.")
    return "\n".join([*lines, *(f"Note: {note}." for note in _notes(compilation))])


def _notes(compilation: Compilation) -> list[str]:
    """What of a program is no mistake, and by which rows may stay away."""
    from console.source_notes import source_notes

    return [*source_notes(compilation), *window_notes(compilation.outline)]


@click.command("format", short_help="Lay out the program in the one standard way.")
@click.argument("files", nargs=-1)
@click.option("--check", "only_check", is_flag=True, help="Change nothing; exit code 1 when a file is not formatted.")
@click.option("--diff", is_flag=True, help="Show what would change, and change nothing; exit code 1 when something would.")
@json_option
def format_files(files: tuple[str, ...], only_check: bool, diff: bool, as_json: bool) -> None:
    """Lay out FILES (default: the program of cdk.json) in the one standard way; the program stays the same.

    No file is rewritten when one of them has a syntax error.

    \b
      atoll format                 rewrite program.sql
      atoll format --diff          see it first
      atoll format --check .       for CI
    """
    sources = read_sources(files)
    formatted = _formatted(sources, as_json)
    changed = [file for file, text in sources.items() if formatted[file] != text]
    if as_json:
        click.echo(json.dumps({"changed": changed, "written": not (diff or only_check)}))
    for file in changed:
        if diff and not as_json:
            lines = difflib.unified_diff(
                sources[file].splitlines(True), formatted[file].splitlines(True), file, f"{file} (formatted)"
            )
            click.echo("".join(lines), nl=False)
        elif only_check and not as_json:
            click.echo(f"{file} is not formatted\n help: atoll format {file}", err=True)
        elif not (diff or only_check):
            write_file(file, formatted[file])
            click.echo(f"formatted {file}", err=as_json)
    if changed and (only_check or diff):
        raise SystemExit(1)


def _formatted(sources: dict[str, str], as_json: bool) -> dict[str, str]:
    from language import format_program

    formatted: dict[str, str] = {}
    mistakes: list[Diagnostic] = []
    for file, text in sources.items():
        try:
            formatted[file] = format_program(text, file)
        except ProgramErrors as errors:
            mistakes += errors.diagnostics
    if mistakes:
        show_errors(ProgramErrors(mistakes), as_json)
    return formatted


def write_file(file: str, text: str) -> None:
    """Raises InputError where the file cannot be written."""
    try:
        Path(file).write_bytes(text.encode())
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error.strerror}", remedy="see its permissions") from error


def _columns(lineage: Lineage | None) -> dict[str, dict[str, str]]:
    """Dataset ▸ column ▸ type."""
    return {d.dataset: {c.name: c.type for c in d.columns} for d in (lineage.datasets.values() if lineage else ())}


def _inputs(flow: Flow) -> list[str]:
    return sorted({name for table in flow.tables for name in table.inputs})
