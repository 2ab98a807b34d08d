"""Shows the result of a discovery: as text, or as JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from console.again import again
from console.printable import printable
from console.schema_changes import ColumnChange, TableChange
from console.wording import counted
from language.text.diagnostics import Diagnostic
from shared_metadata.program import Mode
from shared_metadata.program.source_schemas import TableDefaults

if TYPE_CHECKING:
    from language.outside import Outside

SIGNS = {"added": ("+", "green"), "changed": ("~", "yellow"), "gone": ("-", "red"), "forgotten": ("-", "red")}
WORDS = {"gone": "is not at the source any more", "forgotten": "is neither at the source nor in the program"}


@dataclass(frozen=True)
class Discovered:
    """One connection, and the snapshot for its file.

    missing: places that name a table which the source lacks.  unknown: tables asked for that it lacks ▸ a similar one, or ''.
    to_be_made: missing tables to publish to; their first batch makes them.
    advice: columns whose type the program may say better than the source does ▸ how.
    warnings: tables of which a batch would fail ▸ why, and what to do.
    defaults: how tables are collected where a statement leaves it open.
    """

    connection: str
    file: str
    tables: int
    changes: tuple[TableChange, ...]
    differs: bool
    missing: tuple[Diagnostic, ...]
    unknown: Mapping[str, str]
    to_be_made: tuple[str, ...]
    text: str
    advice: Mapping[str, str] = field(default_factory=dict)
    warnings: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, TableDefaults] = field(default_factory=dict)


def show(found: Sequence[Discovered], outside: Outside, only_check: bool, as_json: bool) -> None:
    if as_json:
        click.echo(
            json.dumps({"connections": [_plain(one, only_check) for one in found], "not_read": len(outside.problems)}, indent=2)
        )
        return
    for one in found:
        _show_one(printable(one), only_check)
    if outside.problems:
        what = counted(len(outside.problems), "mistake")
        click.echo(
            f"\nThe program has {what}: tables named there may be missing here. See them: {again('atoll check', files=True)}",
            err=True,
        )


def _show_one(one: Discovered, only_check: bool) -> None:
    verb = "differs" if only_check else "written"
    state = f"{one.file} {verb}" if one.differs else f"{one.file} is up to date"
    click.echo(f"{one.connection}: {counted(one.tables, 'table')}; {state}")
    for change in one.changes:
        sign, colour = SIGNS[change.change]
        more = counted(len(change.columns), "column") if change.change == "added" else WORDS.get(change.change, "")
        click.secho(f"  {sign} {change.table}" + (f": {more}" if more else ""), fg=colour)
        for column in change.columns if change.change == "changed" else ():
            _show_column(column)
        if change.reordered:
            click.echo("      its columns stand in another order")
    for name in one.to_be_made:
        click.echo(f"  . {name} is not there yet: the first batch that is published makes it")
    for name, advice in one.advice.items():
        click.echo(f"  . {name}: {advice}")
    for name, told in one.defaults.items():
        if told.to_plain():
            click.echo(f"  = {name}: {_said(told)}")
    for name, warning in one.warnings.items():
        click.secho(f"  ! {name}: {warning}", fg="yellow", err=True)
    for name, close in one.unknown.items():
        click.echo(f"  ! {name} is not there{f'; did you mean {close}?' if close else ''}", err=True)
    for diagnostic in one.missing:
        click.echo(f"\n{diagnostic}\n", err=True)


def _said(told: TableDefaults) -> str:
    """What a statement may leave out, in a program's words: 'MERGE is ON (id); CURSOR is updated_at'."""
    mode = f"{told.mode}, unless a statement says otherwise" if told.mode else ""
    key, cursor = f"MERGE is ON ({', '.join(told.key)})" if told.key else "", f"CURSOR is {told.cursor}" if told.cursor else ""
    unseen = "deletes are not seen" if told.mode == Mode.MERGE else ""
    deletes = f"deletes are told {told.deletes}" if told.deletes else unseen
    return "; ".join(filter(None, (mode, key, cursor, f"a batch reads {told.reads}" if told.reads else "", deletes)))


def _show_column(change: ColumnChange) -> None:
    if not change.before:
        click.secho(f"      + {change.column}: {change.after}", fg="green")
    elif not change.after:
        click.secho(f"      - {change.column}: {change.before}", fg="red")
    else:
        click.secho(f"      ~ {change.column}: {change.before} ▸ {change.after}", fg="yellow")


def _plain(one: Discovered, only_check: bool) -> dict[str, Any]:
    return {
        "connection": one.connection,
        "file": one.file,
        "tables": one.tables,
        "differs": one.differs,
        "written": one.differs and not only_check,
        "changes": [dataclasses.asdict(change) for change in one.changes],
        "missing": [diagnostic.to_dict() for diagnostic in one.missing],
        "unknown": dict(one.unknown),
        "to_be_made": list(one.to_be_made),
        "advice": dict(one.advice),
        "warnings": dict(one.warnings),
        "defaults": {name: told.to_plain() for name, told in one.defaults.items()},
    }


def show_names(names: Mapping[str, Mapping[str, str]], as_json: bool) -> None:
    """Shows the names of tables. names: connection ▸ each table ▸ why a batch of it would fail, or ''.

    The JSON is connection ▸ its tables, and '<connection>.warnings', which names no connection, ▸ those that have any.
    """
    if as_json:
        warned = {f"{connection}.warnings": {t: why for t, why in tables.items() if why} for connection, tables in names.items()}
        listed = {connection: list(tables) for connection, tables in names.items()}
        click.echo(json.dumps(listed | {name: tables for name, tables in warned.items() if tables}, indent=2))
        return
    for connection, tables in printable(names).items():
        click.echo(f"{connection}: {counted(len(tables), 'table')}")
        for table, warning in tables.items():
            click.echo(f"  {table}")
            if warning:
                click.secho(f"    ! {warning}", fg="yellow", err=True)
