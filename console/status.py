"""`atoll status`: how far, how fresh, how large and how costly every dataset is, and what failed."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from console.nearest import unknown
from console.printable import printable
from console.table import GAP, aligned, terminal_width
from console.target import Target, json_option, open_target, profile_option
from console.wording import age, counted, dollars, names_of
from shared_metadata.dead_letter_wording import dead_remedy
from shared_metadata.drift import readers
from shared_metadata.intervals import ceil, count, next_interval, to_text
from shared_metadata.program import Flow, Kind, Program, Table
from shared_metadata.records import LastChange, TableState

if TYPE_CHECKING:
    from shared_metadata.reader import MetadataReader

WATCH_SECONDS = 5
COLOURS = {"current": "green", "late": "yellow", "failing": "red", "stopped": "red", "quiesced": "red"}
GRACE_SECONDS = 120  # a batch shorter than this is not late before


@dataclass(frozen=True)
class DatasetStatus:
    """One dataset. rows: of the whole table, or of the last batch where only that is known; batches: that are complete, of the last
    24 hours; last_batch_…: of the last batch that changed something; its skew and dollars as shared_metadata/costs.py has them.
    last_batch_rejected: the rows that it set aside.
    fresh_within_seconds: what FRESH WITHIN promises; 0 where nothing is promised.

    state: 'current' | 'late' | 'failing' (tried again at retry_at) | 'stopped' (waits for an operator) | 'quiesced' (by drifts).
    attempts: failed ones at its next batch, since it was begun or redriven.
    waits_for: inputs that are not yet complete through the end of its next batch.
    stopped_at, execution, waiting: of a dead letter: since when, who tried last, and the datasets that wait for it.
    """

    dataset: str
    flow: str
    kind: str
    state: str
    complete_through: str
    freshness_seconds: int
    next_batch_end: str
    rows: int
    batches: int
    last_batch_rows: int
    last_batch_rejected: int
    last_batch_seconds: float
    last_batch_skew: float
    last_batch_dollars: float
    attempts: int
    retry_at: str
    error: str
    waits_for: tuple[str, ...] = ()
    drifts: tuple[int, ...] = ()
    fresh_within_seconds: int = 0
    stopped_at: str = ""
    execution: str = ""
    waiting: tuple[str, ...] = ()

    @property
    def breaks_promise(self) -> bool:
        """Whether it is older than its FRESH WITHIN, whatever else is the matter."""
        return 0 < self.fresh_within_seconds < self.freshness_seconds


def dataset_statuses(reader: MetadataReader, program: Program, now: datetime) -> list[DatasetStatus]:
    """Every dataset of the program, in the order of its text.

    Costs one read for 100 flows, several at a time.
    """
    return _statuses_of(reader, program, _in_order(program), now)


def _in_order(program: Program) -> list[str]:
    """All datasets as the program's statements make them one after the other; a stored program is sorted by name."""
    kinds = list(Kind)
    flows = sorted(program.flows.values(), key=lambda f: (f.position.file, f.position.line, f.position.column, kinds.index(f.kind)))
    return [table.dataset for flow in flows for table in flow.tables]


def _statuses_of(reader: MetadataReader, program: Program, datasets: list[str], now: datetime) -> list[DatasetStatus]:
    flow_states = reader.states_of(program.datasets()).values()
    states = {name: table for s in flow_states for name, table in s.tables.items()}
    producers = program.producers()
    tables = {table.dataset: table for flow in program.flows.values() for table in flow.tables}
    found = [_status(producers[name], tables[name], states, now) for name in datasets if name in states]
    return [_held(one, states[one.dataset], program) for one in found]


def _held(status: DatasetStatus, state: TableState, program: Program) -> DatasetStatus:
    """The same, with what holds it up beside the time and its inputs."""
    if state.drifts:
        return replace(status, state="quiesced", drifts=state.drifts)
    if not state.stopped:
        return status
    letter, waiting = state.dead_letter, tuple(sorted(readers(program, [status.dataset]) - {status.dataset}))
    at, execution = (to_text(letter.at.replace(microsecond=0)), letter.execution) if letter else ("", "")
    return replace(status, stopped_at=at, execution=execution, waiting=waiting)


def _status(flow: Flow, table: Table, states: Mapping[str, TableState], now: datetime) -> DatasetStatus:
    name, state = table.dataset, states[table.dataset]
    last = state.last or LastChange()
    end = next_interval(state.watermark, flow.interval_seconds).end
    return DatasetStatus(
        dataset=name,
        flow=flow.id,
        kind=flow.kind.value,
        state=state_word(flow, state, now),
        complete_through=to_text(state.watermark),
        freshness_seconds=int((now - state.watermark).total_seconds()),
        next_batch_end=to_text(end),
        rows=last.total,
        batches=_complete_since(now - timedelta(days=1), state, flow.interval_seconds),
        last_batch_rows=last.rows,
        last_batch_rejected=last.rejected,
        last_batch_seconds=last.seconds,
        last_batch_skew=last.skew,
        last_batch_dollars=last.dollars,
        attempts=state.failures,
        retry_at=to_text(state.retry_at.replace(microsecond=0)) if state.retry_at and not state.stopped else "",
        error=state.error if state.failures else "",
        waits_for=_waits_for(table, states, end) if end <= now else (),
        fresh_within_seconds=flow.fresh_within_seconds,
    )


def _complete_since(since: datetime, state: TableState, length: int) -> int:
    """How many of its batches that start then or later are complete."""
    first = max(ceil(since, length), state.begins or since)
    return count(first, state.watermark, length) if first < state.watermark else 0


def _waits_for(table: Table, states: Mapping[str, TableState], end: datetime) -> tuple[str, ...]:
    return tuple(name for name in table.inputs if name not in states or states[name].watermark < end)


def state_word(flow: Flow, state: TableState, now: datetime) -> str:
    """Late is what FRESH WITHIN says, and also a batch that did not follow within the length of another."""
    if state.failures:
        return "stopped" if state.stopped else "failing"
    if flow.fresh_within_seconds and (now - state.watermark).total_seconds() > flow.fresh_within_seconds:
        return "late"
    lag = (now - next_interval(state.watermark, flow.interval_seconds).end).total_seconds()
    return "late" if lag > max(flow.interval_seconds, GRACE_SECONDS) else "current"


@click.command(short_help="How fresh every dataset is, and what failed.")
@click.argument("dataset", required=False)
@click.option("--watch", is_flag=True, help=f"Show it again every {WATCH_SECONDS} seconds until Ctrl-C.")
@profile_option
@json_option
def status(dataset: str | None, watch: bool, profile: str | None, as_json: bool) -> None:
    """How fresh every dataset is, how large, what its last batch took and cost at list prices, and what failed.

    With the name of one DATASET, all that is known of it: its batches, schema, versions read, warnings. `current`: all batches
    are done; `late`: older than FRESH WITHIN, or a batch behind; `failing`: tried again by itself; `stopped`: failed too often,
    waits for `atoll retry`; `quiesced`: uses what its source does not have any more, see `atoll drift`.

    \b
      atoll status                             everything
      atoll status lake.ops                    what begins with lake.ops
      atoll status lake.ops.flights            one dataset in detail
      atoll status --json | jq '.[] | select(.state != "current")'
    """
    target = open_target(profile)
    try:
        while True:
            _once(target, dataset or "", as_json, clear=watch)
            if not watch:
                return
            time.sleep(WATCH_SECONDS)
    except KeyboardInterrupt:
        if not watch:
            raise


def _once(target: Target, wanted: str, as_json: bool, *, clear: bool) -> None:
    program, now = target.reader.active_program(), datetime.now(UTC)
    producers = program.producers()
    names = [name for name in _in_order(program) if name.startswith(wanted) or producers[name].id == wanted]
    if wanted in names:
        names = [wanted]
    found = _statuses_of(target.reader, program, names, now)
    if not found and wanted:
        raise unknown("the active program has no dataset that begins with", wanted, producers)
    if clear and not as_json:
        click.clear()
    if names == [wanted]:
        from console.detail import read_detail, show_detail

        detail = read_detail(target.reader, program, found[0], now)
        click.echo(json.dumps(asdict(detail), indent=2)) if as_json else show_detail(detail)
    elif as_json:
        click.echo(json.dumps([asdict(s) for s in found], indent=2))
    else:
        show(found)
        if pending := target.reader.timeline().pending(now):
            from console.pending import pending_line

            click.echo(pending_line(pending))


def show(statuses: list[DatasetStatus]) -> None:
    """A table for people, under it every error in full, and last a line that sums it up."""
    heads = ("dataset", "kind", "state", "rows", "batches in 24 h", "fresh", "last rows", "seconds", "dollars")
    lines = aligned(heads, [_cells(row) for row in statuses], right_from=3, width=terminal_width())
    said = [GAP.join(next(lines))]
    for cells in lines:
        said.append(GAP.join(_coloured(cells) if len(cells) > 1 else cells))
    for row in statuses:
        said += (click.style(printable(line), fg=COLOURS[row.state]) for line in troubles(row))
    counts = Counter(row.state for row in statuses)
    states = ", ".join(f"{counts[state]} {state}" for state in COLOURS if counts[state])
    click.echo("\n".join([*said, f"{counted(len(statuses), 'dataset')}{': ' if states else ''}{states}"]))


def _coloured(cells: list[str]) -> list[str]:
    return [*cells[:2], click.style(cells[2], fg=COLOURS[cells[2].strip()]), *cells[3:]]


def troubles(row: DatasetStatus) -> Iterator[str]:
    """What is wrong with a dataset and what comes next, a line each; nothing when it is current."""
    if row.state == "quiesced":
        yield f"{row.dataset} is quiesced since {row.complete_through} by drift {', '.join(map(str, row.drifts))}"
        yield f"  help: atoll drift show {row.drifts[0]}"
    elif row.state == "stopped":
        yield f"{row.dataset} stopped after {counted(row.attempts, 'failure')}: {row.error}"
        waiting = f"; {names_of(row.waiting)} {'waits' if len(row.waiting) == 1 else 'wait'} for it" if row.waiting else ""
        yield f"  a dead letter since {row.stopped_at or 'a while'}{waiting}"
        yield f"  help: {dead_remedy([row.dataset])}"
    elif row.state == "failing":
        yield f"{row.dataset} failed, {counted(row.attempts, 'time')} so far; tried again at {row.retry_at}: {row.error}"
    if row.breaks_promise:
        yield f"{row.dataset} is {age(row.freshness_seconds)} old, and promised FRESH WITHIN {age(row.fresh_within_seconds)}"
    if row.state == "late" and row.waits_for:
        yield f"{row.dataset} waits for {', '.join(row.waits_for)} through {row.next_batch_end}"


def _cells(row: DatasetStatus) -> tuple[str, ...]:
    fresh, cost = age(row.freshness_seconds), dollars(row.last_batch_dollars)
    figures = (f"{row.rows:,}", f"{row.batches:,}", fresh, f"{row.last_batch_rows:,}", f"{row.last_batch_seconds:.1f}", cost)
    return (printable(row.dataset), row.kind, row.state, *figures)
