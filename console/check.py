"""`atoll check` and `atoll format`: the program's text, without any account."""

from __future__ import annotations

import difflib
import json
from pathlib import Path

import click

from console.project import compile_files, read_sources, show_errors
from console.target import json_option
from language.diagnostics import ProgramErrors


@click.command()
@click.argument("files", nargs=-1)
@json_option
def check(files: tuple[str, ...], as_json: bool) -> None:
    """Compile FILES (default: program.sql) and show every mistake with its place, cause and remedy.

    Needs no account and no network. Exit code 1 when something is wrong.

    \b
      atoll check                        program.sql
      atoll check programs/              all *.sql files in a folder, as one program
      atoll check program.sql --json     for an editor or CI
    """
    try:
        program = compile_files(files)
    except ProgramErrors as errors:
        return show_errors(errors, as_json)
    if as_json:
        flows = [{"flow": f.id, "kind": f.kind, "slice": f.slice_id, "inputs": _inputs(f)} for f in program.flows.values()]
        click.echo(json.dumps({"version": program.version, "slices": program.slice_ids, "flows": flows}, indent=2))
        return
    click.echo(f"{len(program.flows)} flows, {len(program.producers())} datasets; the program needs {', '.join(program.slice_ids)}.")


@click.command("format")
@click.argument("files", nargs=-1)
@click.option("--check", "only_check", is_flag=True, help="Change nothing; exit code 1 when a file is not formatted.")
@click.option("--diff", is_flag=True, help="Show what would change, and change nothing.")
def format_files(files: tuple[str, ...], only_check: bool, diff: bool) -> None:
    """Lay out FILES (default: program.sql) in the one standard way; the program stays the same.

    \b
      atoll format                 rewrite program.sql
      atoll format --check .       for CI
    """
    from language import format_program

    changed = False
    for file, text in read_sources(files).items():
        try:
            formatted = format_program(text, file)
        except ProgramErrors as errors:
            return show_errors(errors, False)
        if formatted == text:
            continue
        changed = True
        if diff:
            lines = difflib.unified_diff(text.splitlines(True), formatted.splitlines(True), file, f"{file} (formatted)")
            click.echo("".join(lines), nl=False)
        elif only_check:
            click.echo(f"{file} is not formatted. Remedy: atoll format {file}", err=True)
        else:
            Path(file).write_text(formatted)
            click.echo(f"formatted {file}")
    if changed and (only_check or diff):
        raise SystemExit(1)


def _inputs(flow: object) -> list[str]:
    return sorted({name for table in flow.tables for name in table.inputs})  # type: ignore[attr-defined]
