"""An update set as readable text: aligned, the most important first, to be pasted into a pull request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import click

from console.printable import printable
from console.wording import counted
from shared_metadata.program import Position
from shared_metadata.program.intervals import to_text
from shared_metadata.update_set import (
    Breaking,
    ColumnChange,
    ColumnKind,
    PartChange,
    ReaderEffect,
    Recompute,
    StatementChange,
    UpdateSet,
)

Line = tuple[str, str]  # text and colour; '' for none
GREEN, YELLOW, RED, PLAIN = "green", "yellow", "red", ""
_SECONDS = ("EVERY", "FRESH WITHIN")


def show_update_set(update: UpdateSet) -> None:
    for text, colour in lines(printable(update)):
        click.secho(text, fg=colour or None)


def lines(update: UpdateSet) -> Iterator[Line]:
    """The lines of an update set; a first program is only listed."""
    if update.empty:
        yield (
            ("Nothing changes." if update.version == update.former else "Nothing that runs changes; only the program's text does."),
            PLAIN,
        )
        return
    width = max((len(name) for name in _names(update)), default=0)
    yield _sum(update), RED if update.breaking else PLAIN
    yield "", PLAIN
    yield from _breaking(update.breaking)
    yield from _statements(update, width)
    yield from _readers(update, width)
    yield from _recomputed(update.recompute, width)
    yield from _when(update)


def _names(update: UpdateSet) -> list[str]:
    changed, readers = [c.statement for c in update.changed], [r.dataset for r in update.readers]
    return [*update.added, *update.removed, *changed, *readers, *(r.statement for r in update.recompute)]


def _breaking(found: tuple[Breaking, ...]) -> Iterator[Line]:
    if not found:
        return
    yield f"Breaking, for readers outside Atoll or for a table's history: {len(found)}", RED
    for item in found:
        name = f"{item.dataset}.{item.column}" if item.column else item.dataset
        yield f"  ! {name}: {item.reason}  {_place(item.position)}", RED
        yield f"      {item.why}", PLAIN
        yield f"      help: {item.remedy}", PLAIN
    yield "", PLAIN


def _statements(update: UpdateSet, width: int) -> Iterator[Line]:
    for name in update.endpoints:
        yield f"  ~ {name}: its system or options", YELLOW
    for change in update.changed:
        yield f"  ~ {change.statement:<{width}}  {_place(change.position)}  {', '.join(map(_part, change.parts))}", YELLOW
        yield from _columns(c for c in update.columns if _belongs(c.dataset, change.statement))
        yield from _rows(update, change)
    for name in update.added:
        yield f"  + {name:<{width}}  {_place(update.positions[name])}", GREEN
    for name in update.removed:
        yield f"  - {name:<{width}}  {_place(update.positions[name])}  its tables stay as they are", RED


def _rows(update: UpdateSet, change: StatementChange) -> Iterator[Line]:
    if any(_belongs(name, change.statement) for name in update.other_rows):
        yield "      ~ other rows", PLAIN
    elif update.typed and change.words == ("query",) and not any(_belongs(c.dataset, change.statement) for c in update.columns):
        yield "      = the same result", PLAIN


def _belongs(dataset: str, statement: str) -> bool:
    """Whether the dataset is a statement's own, or one of several tables that it collects."""
    return dataset == statement or dataset.rpartition(".")[0] == statement


def _part(part: PartChange) -> str:
    if part.part in _SECONDS:
        return f"{part.part} {_duration(part.before)} ▸ {_duration(part.after)}"
    return f"{part.part} {part.before or 'none'} ▸ {part.after or 'none'}" if part.before or part.after else part.part


def _duration(seconds: int) -> str:
    from language.forms.durations import spell

    return f"'{spell(seconds)}'" if seconds else "none"


def _columns(changes: Iterable[ColumnChange]) -> Iterator[Line]:
    """A line for each column; a changed type is shown alone, because it says more than a changed computation."""
    found: dict[str, list[ColumnChange]] = {}
    for change in changes:
        found.setdefault(f"{change.column}", []).append(change)
    width = max((len(name) for name in found), default=0)
    for name, said in found.items():
        texts = [_column(c) for c in said if c.kind != ColumnKind.MEANING or len(said) == 1]
        sign = {ColumnKind.ADDED: "+", ColumnKind.DROPPED: "-"}.get(said[0].kind, "~")
        yield f"      {sign} {name:<{width}}  {', '.join(texts)}".rstrip(), PLAIN


def _column(change: ColumnChange) -> str:
    if change.kind in (ColumnKind.ADDED, ColumnKind.DROPPED):
        return f"{change.after or change.before}"
    if change.kind == ColumnKind.RENAMED:
        return f"renamed {change.after}" if change.certain else f"probably renamed {change.after}"
    if change.kind == ColumnKind.MEANING:
        return f"{change.kind}, {_origin(change)}"
    return f"{change.kind}: {change.before} ▸ {change.after}" if change.before else change.kind


def _origin(change: ColumnChange) -> str:
    """The column's origins; where they differ, only the difference."""
    before, after = ([name for name in text.split(", ") if name] for text in (change.before, change.after))
    if before == after:
        return f"from {change.after or 'no column'}"
    come, gone = [name for name in after if name not in before], [name for name in before if name not in after]
    if not gone:
        return f"now also from {', '.join(come)}"
    return f"now from {', '.join(come)} instead of {', '.join(gone)}" if come else f"now without {', '.join(gone)}"


def _readers(update: UpdateSet, width: int) -> Iterator[Line]:
    changed = {change.statement for change in update.changed}
    if all(reader.dataset in changed and not (reader.changes or reader.by) for reader in update.readers):
        return
    yield "", PLAIN
    yield "Readers, and the columns that reach them", PLAIN
    for reader in sorted((r for r in update.readers if r.changes or r.by), key=lambda r: not r.changes):
        sign, colour = ("~", YELLOW) if reader.changes else ("=", PLAIN)
        yield f"  {sign} {reader.dataset:<{width}}  {_place(reader.position)}  {_effect(reader)}", colour
    if untouched := [r.dataset for r in update.readers if not (r.changes or r.by or r.dataset in changed)]:
        yield f"  = {', '.join(untouched)}: nothing that changes is used", PLAIN


def _effect(reader: ReaderEffect) -> str:
    if not reader.known:
        return "may change: without the sources' schemas its columns are not known"
    ways = [f"{reach.column} ({', '.join(reach.uses)})" for reach in reader.by]
    ways += [f"rows of {name}" for name in reader.rows_of]
    if not reader.changes:
        return f"{', '.join(ways)}, but its result stays the same"
    return f"{', '.join(ways) or 'its own query'} ▸ {'rows' if reader.rows else ', '.join(reader.columns)}"


def _recomputed(found: tuple[Recompute, ...], width: int) -> Iterator[Line]:
    if not found:
        return
    yield "", PLAIN
    yield "Made anew", PLAIN
    for item in found:
        yield f"  {item.statement:<{width + 2}}  {_scope(item)}{_figures(item)}", PLAIN
    dollars = [item.dollars for item in found if item.dollars is not None]
    if dollars:
        seconds = sum(item.seconds or 0 for item in found)
        missing = "" if len(dollars) == len(found) else ", not counting what has no statistics yet"
        yield f"  together about {seconds:,.1f} s and {sum(dollars):,.4f} ${missing}", PLAIN


def _scope(item: Recompute) -> str:
    if item.start is not None and item.end is not None:
        return f"{counted(item.batches, 'batch')} from {to_text(item.start)} to {to_text(item.end)}"
    return "the whole table, 1 batch" if item.batches else "nothing of the past; from the boundary on"


def _figures(item: Recompute) -> str:
    if item.rows is None or item.seconds is None or item.dollars is None or not item.batches:
        return ""
    return f", about {counted(item.rows, 'row')}, {item.seconds:,.1f} s, {item.dollars:,.4f} $"


def _when(update: UpdateSet) -> Iterator[Line]:
    if update.boundary is None or not update.former:
        return
    yield "", PLAIN
    if update.planned_at is None or update.boundary > update.planned_at:
        yield f"Takes effect at {to_text(update.boundary)}, when all of these and their readers begin a batch.", PLAIN
    else:
        yield f"Takes effect at once, for batches that start at {to_text(update.boundary)} or later.", PLAIN


def _sum(update: UpdateSet) -> str:
    parts = [f"{counted(len(update.added), 'statement')} added, {len(update.changed)} changed, {len(update.removed)} removed"]
    if update.readers:
        changing = sum(reader.changes for reader in update.readers)
        parts.append(f"{counted(changing, 'reader')} affected, {len(update.readers) - changing} not")
    parts.append(f"{len(update.breaking)} breaking" if update.breaking else "nothing breaking")
    return "; ".join(parts) + "."


def _place(position: Position) -> str:
    return f"{position.file}:{position.line}"
