"""`atoll discover`: snapshots of the tables at the program's connections, kept in `schemas/` beside the program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from console.again import again
from console.discovery_call import Described, describe, list_names
from console.discovery_report import Discovered, show, show_names
from console.progress import progress
from console.project import read_sources
from console.schema_changes import compare
from console.target import Target, json_option, open_target, profile_option
from console.type_advice import advice
from language.text.diagnostics import Diagnostic, did_you_mean
from shared_metadata.errors import InputError
from shared_metadata.program.schema import Schema
from shared_metadata.program.source_schemas import FOLDER, NO_DEFAULTS, ConnectionSchemas
from slices.registry import installed

if TYPE_CHECKING:
    from language.outside import Outside, OutsideTable
    from shared_metadata.contract.declaration import Slice
    from shared_metadata.program import Connection

DIFFERS = 2
COLLECT, HARNESS = "collect", "harness"


@click.command(short_help="Write what the sources' tables are like to schemas/.")
@click.argument("connections", nargs=-1, metavar="[CONNECTION]...")
@click.option("--tables", metavar="A,B", help="Look at these tables only, whether the program names them or not.")
@click.option("--list", "only_list", is_flag=True, help="Only print the names of all tables that can be read there.")
@click.option("--check", "only_check", is_flag=True, help="Write nothing; exit code 2 when a snapshot is not what is there now.")
@click.option("--program", "files", multiple=True, metavar="FILE", help="The program's file or folder (default: that of cdk.json).")
@profile_option
@json_option
def discover(
    connections: tuple[str, ...],
    tables: str | None,
    only_list: bool,
    only_check: bool,
    files: tuple[str, ...],
    profile: str | None,
    as_json: bool,
) -> None:
    """Look at the tables of each CONNECTION (default: all) and write their columns and types to schemas/<connection>.json.

    These snapshots give the program its types, so that `atoll check` needs no network; check them in with it. The connection's
    slice does the looking, inside the account, with the connection's own secret: deploy it first. No program has to be applied,
    and the program may still have mistakes: only its connections count, and the tables that its statements name. A table stays
    in the snapshot until its source loses it.

    \b
      atoll discover                         every table that the program names
      atoll discover ops --list              what is there to be collected
      atoll discover ops --tables public.flights,public.planes
      atoll discover --check                 for CI: exit code 2 when a source is not what it was
    """
    from language.outside import tables_outside

    sources = read_sources(files)
    outside = tables_outside(sources, installed())
    chosen = _chosen(outside, connections, tables)
    target = open_target(profile)
    work = _Work(target, outside, sources)
    if only_list:
        show_names({name: work.names(name) for name in chosen}, as_json)
        return
    asked = [name.strip() for name in (tables or "").split(",") if name.strip()]
    found = []
    for name in chosen:
        with progress(f"looking at {name}"):
            found.append(work.discover(name, asked))
    for one in found:
        if one.differs and not only_check:
            _write(one)
    show(found, outside, only_check, as_json)
    if only_check and any(one.differs for one in found):
        raise SystemExit(DIFFERS)


class _Work:
    """The connections of one program, discovered in one account."""

    def __init__(self, target: Target, outside: Outside, sources: Mapping[str, str]) -> None:
        self._target, self._outside, self._files = target, outside, ",".join(sources)
        self._folders = sorted({Path(file).parent / FOLDER for file in sources})

    def names(self, connection: str) -> dict[str, str]:
        """The readable tables, or the writable ones where the program only publishes; each ▸ why a batch of it would fail, or ''."""
        return list_names(self._target, self._slices(connection)[0], self._outside.connections[connection], self._files)

    def discover(self, name: str, asked: Sequence[str]) -> Discovered:
        """Discovers one connection. asked: tables to look at instead of those that the program and the snapshot name."""
        file = self._file(name)
        text = file.read_text() if file.exists() else ""
        former = _former(text)
        old = former.tables
        named = {table.name for table in self._named(name)}
        wanted = self._wanted(name, asked or [*named, *_others(old, named)])
        seen = self._look(self._outside.connections[name], wanted)
        tables, close = seen.tables, seen.close
        kept = {table: schema for table, schema in old.items() if asked and table not in wanted}
        new = {**kept, **{table: schema for table, schema in tables.items() if schema is not None or table in named}}
        notes = {table: seen.notes[table] for table in new if table in seen.notes}
        notes |= {table: former.notes[table] for table in kept if table in former.notes}
        defaults = {table: seen.defaults[table] for table in new if table in seen.defaults}
        defaults |= {table: former.defaults[table] for table in kept if table in former.defaults}
        snapshot = ConnectionSchemas(name, self._outside.connections[name].system, new, notes, defaults).to_json()
        gone = {table for table, schema in tables.items() if schema is None}
        return Discovered(
            name,
            str(file),
            len(new),
            compare(old, new),
            snapshot != text,
            tuple(_missing(table, close) for table in self._named(name) if table.name in gone and table.slice.stage == COLLECT),
            {table: close.get(table, "") for table in sorted(gone & set(asked) - named)},
            tuple(sorted(table for table in gone & named if wanted[table].stage == HARNESS)),
            snapshot,
            advice(tables),
            _told(seen),
            {table: seen.defaults.get(table, NO_DEFAULTS) for table, schema in tables.items() if schema is not None},
        )

    def _wanted(self, connection: str, tables: Sequence[str]) -> dict[str, Slice]:
        """Table ▸ the slice that describes it: the one that collects it, or else the one that publishes to it."""
        collects, *_ = slices = self._slices(connection)
        publishes = {table.name for table in self._named(connection) if table.slice.stage == HARNESS}
        collected = {table.name for table in self._named(connection) if table.slice.stage == COLLECT}
        return {table: slices[-1] if table in publishes - collected else collects for table in sorted(tables)}

    def _look(self, connection: Connection, wanted: Mapping[str, Slice]) -> Described:
        found = Described()
        for slice_ in dict.fromkeys(wanted.values()):
            names = [name for name, its in wanted.items() if its == slice_]
            found = found.and_also(describe(self._target, slice_, connection, names, self._files))
        return found

    def _slices(self, connection: str) -> list[Slice]:
        """The program's slices for a connection: collecting ones before publishing ones. Raises InputError when there are none."""
        slices = {table.slice.id: table.slice for table in self._named(connection)}
        if not slices:
            raise InputError(
                f"no statement collects from `{connection}` or publishes to it, so no slice is deployed that opens it",
                place=str(self._outside.connections[connection].position),
                remedy=f"write INSERT INTO lake.{connection} FROM {connection} TABLES (…) EVERY '1 day'; and deploy its slice. "
                f"A statement with a mistake does not count: {again('atoll check', files=True)}",
            )
        return [slices[slice_id] for slice_id in sorted(slices)]

    def _named(self, connection: str) -> list[OutsideTable]:
        return [table for table in self._outside.tables if table.connection == connection]

    def _file(self, connection: str) -> Path:
        """The snapshot's path."""
        files = [folder / f"{connection}.json" for folder in self._folders]
        return next((file for file in files if file.exists()), files[0])


def _chosen(outside: Outside, connections: Sequence[str], tables: str | None) -> list[str]:
    """The connections to discover. Raises InputError."""
    used = {table.connection for table in outside.tables}
    for name in connections:
        if name not in outside.connections:
            known = ", ".join(sorted(outside.connections)) or "none"
            raise InputError(
                f"the program has no connection `{name}`", remedy=did_you_mean(name, outside.connections) + f"it has {known}"
            )
        if name in outside.blind:
            what = f"nothing tells what columns a table of `{name}` has: whatever is published there is sent as it is"
            raise InputError(what, remedy="leave the connection out; `atoll check` asks for no snapshot of it")
    chosen = list(dict.fromkeys(connections)) or sorted(used)
    if tables is not None and len(chosen) != 1:
        raise InputError("--tables goes with one connection", remedy=again("atoll discover CONNECTION --tables A,B"))
    if not chosen:
        look = again("atoll check", files=True)
        raise InputError("no statement names a table of a connection", remedy=f"`{look}` shows statements that cannot be read")
    return chosen


def _former(text: str) -> ConnectionSchemas:
    """A snapshot; without tables for an unreadable one, which is written anew."""
    try:
        return ConnectionSchemas.from_json(text)
    except (ValueError, KeyError, TypeError, AttributeError):
        return ConnectionSchemas("", "")


def _told(seen: Described) -> dict[str, str]:
    """Each table's warning and notes."""
    told = {name: [warning] for name, warning in seen.warnings.items()}
    for name, notes in seen.notes.items():
        told.setdefault(name, []).extend(note.text for note in notes)
    return {name: ". ".join(lines) for name, lines in sorted(told.items())}


def _others(old: Mapping[str, Schema | None], named: set[str]) -> list[str]:
    """The tables of a snapshot that the program does not name, in any case."""
    folded = {name.lower() for name in named}
    return [name for name in old if name.lower() not in folded]


def _missing(table: OutsideTable, close: Mapping[str, str]) -> Diagnostic:
    near = f"did you mean `{close[table.name]}`? " if table.name in close else ""
    remedy = f"{near}correct its name, or let the secret's user read it; {again(f'atoll discover {table.connection} --list')}"
    return table.span.diagnostic(f"the source `{table.connection}` has no table `{table.name}`", remedy)


def _write(found: Discovered) -> None:
    file = Path(found.file)
    try:
        file.parent.mkdir(exist_ok=True)
        file.write_text(found.text)
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error.strerror}", remedy="see its permissions") from error
