"""A program's files on disk: read, compiled, and held against what the slices accept."""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from language.diagnostics import ProgramErrors
from shared_metadata.errors import DefinitionError, InputError
from shared_metadata.program import Program
from slices.registry import installed


def read_sources(paths: Sequence[str]) -> dict[str, str]:
    """File name ▸ text; a folder stands for its *.sql files. Raises InputError."""
    files: list[Path] = []
    for path in map(Path, paths or ("program.sql",)):
        if path.is_dir():
            files += sorted(path.glob("*.sql"))
        elif path.exists():
            files.append(path)
        else:
            raise InputError(f"there is no file {path}", remedy="name the program's files or folder; `atoll init` writes a first one")
    if not files:
        raise InputError("there are no *.sql files in that folder", remedy="name the program's files or folder")
    try:
        return {str(file): file.read_bytes().decode("utf-8") for file in files}
    except UnicodeDecodeError as error:
        raise InputError(f"a file is not UTF-8: {error.reason} at byte {error.start}", remedy="save it as UTF-8") from error


def compile_files(paths: Sequence[str]) -> Program:
    """The program of these files. Raises ProgramErrors, or DefinitionError for options and queries a slice does not take."""
    from language import compile_program

    program = compile_program(read_sources(paths), installed())
    problems = slice_problems(program)
    if problems:
        raise DefinitionError("\n".join(problems))
    return program


def slice_problems(program: Program) -> list[str]:
    """What the slices themselves say against the program: options that their config model refuses, queries they cannot run."""
    problems = []
    for slice_id in program.slice_ids:
        declaration = installed()[slice_id]
        module, name = declaration.config.split(":")
        model = getattr(importlib.import_module(module), name)
        owners = program.warehouses.values() if declaration.stage == "organize" else program.connections.values()
        for owner in owners:
            if owner.system == declaration.system and _uses(program, slice_id, owner.name):
                problems += _option_problems(model, owner, slice_id)
        problems += _query_problems(program, slice_id)
    return sorted(set(problems))


def _uses(program: Program, slice_id: str, owner: str) -> bool:
    return any(flow.slice_id == slice_id and owner in (flow.connection, flow.warehouse) for flow in program.flows.values())


def _option_problems(model: Any, owner: Any, slice_id: str) -> list[str]:
    from pydantic import ValidationError

    try:
        model.model_validate(dict(owner.options))
    except ValidationError as error:
        known = ", ".join(model.model_fields)
        return [
            f"{owner.position}: {owner.name}: option {'.'.join(map(str, e['loc'])) or 'secret'}: {e['msg']}."
            f" Remedy: {slice_id} takes the options {known}"
            for e in error.errors(include_input=False, include_url=False)
        ]
    return []


def _query_problems(program: Program, slice_id: str) -> list[str]:
    stage, system = slice_id.split(".")
    logic = importlib.import_module(f"slices.{stage}.{system}.logic")
    check = getattr(logic, "check_flow", None)
    problems = []
    for flow in program.flows.values() if check else ():
        if flow.slice_id == slice_id:
            try:
                check(flow)
            except DefinitionError as error:
                problems.append(str(error))
    return problems


def show_errors(errors: ProgramErrors, as_json: bool) -> None:
    """Prints every mistake and ends with exit code 1."""
    if as_json:
        click.echo(json.dumps({"errors": errors.to_dict()}, indent=2))
    else:
        click.echo(str(errors), err=True)
    raise SystemExit(1)
