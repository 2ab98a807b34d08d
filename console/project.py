"""A program's files on disk: reads and compiles them, and checks them against its slices."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from console.again import again
from console.cache import ProjectCache
from console.deploy_hint import CDK_JSON, DEFAULT_PROGRAM
from console.given_files import decoded
from language.text.diagnostics import Diagnostic, ProgramErrors, SourceText, did_you_mean
from shared_metadata.contract.declaration import Slice, declared
from shared_metadata.errors import DefinitionError, InputError
from shared_metadata.program import Connection, Flow, Kind, Program, Warehouse
from shared_metadata.program.lineage import published_table, source_in
from shared_metadata.program.schema import Schema
from shared_metadata.program.source_schemas import FOLDER, ConnectionSchemas, SourceSchemas
from slices.registry import installed

if TYPE_CHECKING:
    from language.compiler import Compilation

ORGANIZE = "organize"
# As options of a connection in other tools' programs.
_IN_SECRETS = frozenset(
    (
        *("host", "hostname", "port", "user", "username", "password", "dbname", "database", "sslmode", "sslrootcert", "url", "dsn"),
        *(
            "token",
            "api_key",
            "api_token",
            "client_id",
            "client_secret",
            "credentials",
            "connection_string",
            "access_key",
            "private_key",
        ),
    )
)


def read_sources(paths: Sequence[str]) -> dict[str, str]:
    """File name ▸ text; a folder stands for its *.sql files, and no path for the program that cdk.json names. Raises InputError."""
    files: list[str] = []
    for path in (str(Path(path)) for path in paths or program_here()):
        if os.path.isdir(path):
            found = sorted(name for name in os.listdir(path) if name.endswith(".sql"))
            if not found:
                raise InputError(f"the folder {path} has no *.sql file", remedy="name the program's files or its folder")
            files += [os.path.join(path if path != "." else "", name) for name in found]
        else:
            files.append(path)
    return {file: decoded_file(file) for file in files}


def program_here() -> list[str]:
    """The files and folders of this folder's program: those that cdk.json names, or else the default. Raises InputError."""
    if not os.path.exists(CDK_JSON):
        return [DEFAULT_PROGRAM]
    from console.context import read_context

    return [*filter(None, map(str.strip, read_context().program.split(",")))]


def decoded_file(file: str) -> str:
    """Raises InputError."""
    try:
        with open(file, "rb") as opened:
            return decoded(opened.read(), file)
    except FileNotFoundError as error:
        remedy = "name the program's files or its folder; `atoll init` writes a first program.sql"
        raise InputError(f"there is no file {file}", remedy=remedy) from error
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}", remedy="see its permissions") from error


def read_snapshots(files: Iterable[str]) -> dict[str, str] | None:
    """File name ▸ text of the snapshots in `schemas/` beside the program's files; None without any. Raises InputError."""
    folders = sorted({os.path.join(os.path.dirname(file), FOLDER) for file in files})
    return {str(file): decoded_file(str(file)) for folder in folders for file in sorted(Path(folder).glob("*.json"))} or None


def parse_snapshots(texts: Mapping[str, str]) -> SourceSchemas:
    """The snapshots by connection. Raises InputError."""
    found: dict[str, ConnectionSchemas] = {}
    for file, text in texts.items():
        try:
            schemas = ConnectionSchemas.from_json(text)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            remedy = f"`{again(f'atoll discover {Path(file).stem}')}` writes it anew"
            said = f": {error}" if type(error) is ValueError else ""  # others are Python's words
            raise InputError(f"this is no snapshot of a source's schemas{said}", place=file, remedy=remedy) from error
        found[schemas.connection] = schemas
    return found


def compile_project(paths: Sequence[str], *, must_be_typed: bool = False) -> Compilation:
    """The program of these files, typed by the snapshots beside them.

    must_be_typed: without any snapshot, say what is missing instead of leaving the program untyped.
    Raises ProgramErrors, also for options and queries that a slice refuses.
    """
    sources = read_sources(paths)
    snapshots = read_snapshots(sources)
    return compile_texts(sources, {} if must_be_typed and snapshots is None else snapshots, ProjectCache(paths))


def compile_texts(sources: Mapping[str, str], snapshots: Mapping[str, str] | None, cache: ProjectCache) -> Compilation:
    """Compiles as `compile_project`, from texts; statements that `cache` knows are not compiled again."""
    from language import compile_with_positions

    schemas = parse_snapshots(snapshots) if snapshots is not None else None
    memo = cache.memo()
    try:
        compilation = compile_with_positions(sources, installed(), schemas, memo)
    finally:
        cache.keep_memo(memo)
    problems = [*_new_option_problems(compilation, cache), *_flow_problems(compilation.outline, sources, schemas or {})]
    if problems:
        raise ProgramErrors(problems)
    return compilation


def _new_option_problems(compilation: Compilation, cache: ProjectCache) -> list[Diagnostic]:
    """The problems of `_option_problems`, without importing models whose options were accepted before."""
    program = compilation.outline
    using = sorted({(flow.slice_id, flow.connection, flow.warehouse) for flow in program.flows.values()})
    options = {"options": repr([(owner.name, owner.system, owner.options) for owner in endpoints(program)]), "using": repr(using)}
    if cache.answer("options", options):
        return []
    problems = list(_option_problems(compilation))
    if not problems:
        cache.keep_answer("options", options, True)
    return problems


def compile_files(paths: Sequence[str]) -> Program:
    """The plan of these files' program, as `compile_project` makes it."""
    return compile_project(paths).program


def _option_problems(compilation: Compilation) -> Iterator[Diagnostic]:
    """The options of connections and warehouses that the config models of their slices refuse."""
    from shared_metadata.contract.accepted import names_of, refusals

    program = compilation.outline
    for owner in endpoints(program):
        slices, place = _slices_of(owner), partial(compilation.resolved.option_diagnostic, owner.name)
        known = {name for slice_ in slices for name in names_of(config_model(slice_))}
        for name in sorted(set(owner.options) - known):
            remedy = _as_secret(name) or did_you_mean(name, known) + f"{owner.system} takes the options {', '.join(sorted(known))}"
            yield place(name, f"{owner.system} has no option `{name}`", remedy)
        for slice_ in slices_opening(program, owner):
            for wrong in refusals(config_model(slice_), owner.options):
                cause = f"the option `{wrong.name}` is missing" if wrong.missing else f"the option `{wrong.name}` takes {wrong.takes}"
                yield place(wrong.name, cause, _as_secret(wrong.name) or wrong.remedy)


def _as_secret(option: str) -> str:
    """What to do where the option is wrong that names a secret, or one is given that belongs into it; '' for any other."""
    if option != "secret" and option not in _IN_SECRETS:
        return ""
    return f"write secret = 'name', and store what it signs in with: {again('atoll secret name FILE')}"


def endpoints(program: Program) -> list[Connection | Warehouse]:
    """The program's connections and warehouses."""
    return [*program.connections.values(), *program.warehouses.values()]


def _slices_of(owner: Connection | Warehouse) -> list[Slice]:
    """The slices that may open it: those that collect from a connection, or publish to it, or both."""
    organizes = isinstance(owner, Warehouse)
    return [s for s in installed().values() if s.works_in == owner.system and (s.stage == ORGANIZE) == organizes]


def slices_opening(program: Program, owner: Connection | Warehouse) -> list[Slice]:
    """The slices that open it by the program's statements; where none does, those that may."""
    slices = _slices_of(owner)
    return [slice_ for slice_ in slices if _uses(program, slice_.id, owner.name)] or slices


def config_model(slice_: Slice) -> Any:
    """The pydantic model of a slice's options."""
    return declared(slice_.config)


def _uses(program: Program, slice_id: str, owner: str) -> bool:
    return any(flow.slice_id == slice_id and owner in (flow.connection, flow.warehouse) for flow in program.flows.values())


def _flow_problems(program: Program, sources: Mapping[str, str], schemas: SourceSchemas) -> Iterator[Diagnostic]:
    """The flows that their slice refuses (Slice.check)."""
    for slice_id in program.slice_ids:
        if not (where := installed()[slice_id].check):
            continue
        check = declared(where)
        for flow in program.flows.values():
            if flow.slice_id != slice_id:
                continue
            try:
                check(flow, _known(flow, schemas))
            except DefinitionError as error:
                at = flow.position
                line = SourceText(at.file, sources[at.file]).line(at.line)
                yield Diagnostic(at.file, at.line, at.column, 1, error.what, error.remedy, line)


def _known(flow: Flow, schemas: SourceSchemas) -> dict[str, Schema]:
    """The tables of the flow in the snapshots, by their names at the source or at the target."""
    there = schemas[flow.connection].tables if flow.connection in schemas else {}
    seen = {name: schema for name, schema in there.items() if schema is not None}
    names = [published_table(flow)] if flow.kind is Kind.PUBLISH else [table.source for table in flow.tables]
    found = {name: source_in(seen, name) for name in names}
    return {name: schema for name, schema in found.items() if schema is not None}


def show_errors(errors: ProgramErrors, as_json: bool) -> NoReturn:
    """Prints every mistake and ends with exit code 1."""
    click.echo(told(errors, as_json), err=not as_json)
    raise SystemExit(1)


def told(errors: ProgramErrors, as_json: bool) -> str:
    """Every mistake, as text or as JSON."""
    return json.dumps(errors.to_dict(), indent=2) if as_json else str(errors)
