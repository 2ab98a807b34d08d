"""Words drift: what happened, what stands still, where the program uses it, and what to do. Names and types only, never data."""

from __future__ import annotations

from collections.abc import Callable

from shared_metadata.drift.changes import Change, DriftChange, DriftUse
from shared_metadata.notices.message import block, subject_line
from shared_metadata.program.intervals import to_text
from shared_metadata.program.lineage import Use
from shared_metadata.store.drift_records import Drift

MOST_USES = 25
Command = Callable[[str], str]
_USED_FOR = {
    Use.VALUE: "reads",
    Use.FILTER: "filters by",
    Use.JOIN: "joins on",
    Use.GROUP: "groups by",
    Use.ORDER: "orders by",
    Use.KEY: "has in its key",
    Use.EXPECT: "expects something of",
}


def what_happened(change: DriftChange) -> str:
    """'the column manufacturer of ops.public.planes, string (text), is gone'."""
    column = f"the column {change.column} of {change.table}"
    match change.kind:
        case Change.TABLE_DROPPED:
            return f"the table {change.table} is gone, or may not be read any more"
        case Change.COLUMN_DROPPED:
            return f"{column}, {change.before}, is gone, or may not be read any more"
        case Change.COLUMN_ADDED:
            return f"{column}, {change.after}, is new"
        case Change.NULLS_ALLOWED:
            return f"{column} may be null now"
        case Change.NULLS_REFUSED:
            return f"{column} is never null now"
    narrower = {Change.TYPE_WIDENED: "wider", Change.TYPE_NARROWED: "narrower"}.get(change.kind, "another type")
    return f"{column} was {change.before} and is {change.after} now: {narrower}"


def consequence(change: DriftChange) -> str:
    """The effect on the data, in a sentence."""
    if change.quiesces:
        return "Exactly what uses it, and what reads that, stands still at its last good batch; everything else runs on."
    match change.kind:
        case Change.COLUMN_ADDED:
            return "It is collected where the whole table is; no view sees it before an update set names it."
        case Change.TYPE_WIDENED:
            return "The warehouse's column is widened."
        case Change.COLUMN_DROPPED | Change.TYPE_CHANGED:
            return "Nothing uses it: the warehouse keeps the column, with nulls from here on."
    return "Nothing has to be done."


def remedy(change: DriftChange, command: Command = str) -> str:
    """The remedy; a probable rename is mentioned, and never acted upon.  command: how a command is written there."""
    connection = change.table.split(".")[0]
    again = f"`{command(f'atoll discover {connection}')}`, then `{command('atoll plan')}` and `{command('atoll apply')}`"
    if change.kind == Change.TABLE_DROPPED:
        return f"create it again, or grant its reading; or take its statement out of the program: {again}"
    if change.kind == Change.COLUMN_DROPPED and change.probable_rename:
        return (
            f"it is probably called {change.probable_rename} now ({change.evidence}): if so, write {change.probable_rename} at the "
            f"places named here, then {again}; or give the column its name back"
        )
    if change.kind == Change.COLUMN_DROPPED:
        return f"bring the column back, or take it out at the places named here: {again}"
    if change.kind in (Change.TYPE_CHANGED, Change.TYPE_NARROWED):
        return f"give the column its type back, or change the places named here: {again}"
    return f"nothing; to make the program know of it: {again}"


def use_line(use: DriftUse) -> str:
    """'program.sql:63:24: lake.ops.airport_delays reads lake.ops.planes.manufacturer'."""
    return f"{use.position}: {use.dataset} {_USED_FOR[use.use]} {use.column}"


def subject(drift: Drift) -> str:
    """The subject of a message; ASCII, one line."""
    column = f"{drift.change.table}.{drift.change.column}".rstrip(".")
    return subject_line(f"Atoll: drift {drift.number}: {column}: {drift.change.kind}")


def message(drift: Drift, command: Command = str, *, here: bool = False) -> str:
    """The message for an operator.  command: as in `remedy`.  here: where `atoll drift show` prints it."""
    change = drift.change
    uses, more = change.used_by[:MOST_USES], len(change.used_by) - MOST_USES
    seen = f"first seen {to_text(drift.first_seen.replace(microsecond=0))} by {drift.seen_by}"
    lines = [
        f"Drift {drift.number}, {seen}: {what_happened(change)}.",
        consequence(change),
        *block(
            "It is used here:",
            [*map(use_line, uses), *[f"and {more} more: {command(f'atoll drift show {drift.number}')}"] * (more > 0)],
        ),
        *block("These stand still:", change.quiesces),
        "",
        f"What to do: {remedy(change, command)}.",
        "What stands still goes on by itself, from where it stopped, when the source is as it was or such an update set is active.",
        *([] if here else [f"More: atoll drift show {drift.number}"]),
    ]
    return "\n".join(lines)
