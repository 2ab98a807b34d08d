"""`atoll status`: how far, how fresh, how large and how costly every dataset is, and what failed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import click

from console.target import Target, json_option, open_target, profile_option
from shared_metadata.errors import InputError
from shared_metadata.intervals import next_interval, to_text
from shared_metadata.program import Flow, Program, Table
from shared_metadata.reader import MetadataReader
from shared_metadata.records import MAX_ATTEMPTS, TableState


@dataclass(frozen=True)
class DatasetStatus:
    """One dataset. rows: of the whole table, or of the last batch where only that is known; seconds: of its last batch."""

    dataset: str
    kind: str
    state: str
    complete_through: str
    freshness_seconds: int
    rows: int
    batches: int
    last_batch_rows: int
    last_batch_seconds: float
    attempts: int
    error: str


def dataset_statuses(reader: MetadataReader, program: Program, now: datetime) -> list[DatasetStatus]:
    """Every dataset of the program, in the order of its flows."""
    states = reader.flow_states(list(program.flows))
    return [
        _status(reader, flow, table, states[flow.id].tables[table.dataset], now)
        for flow in program.flows.values()
        if flow.id in states
        for table in flow.tables
        if table.dataset in states[flow.id].tables
    ]


def _status(reader: MetadataReader, flow: Flow, table: Table, state: TableState, now: datetime) -> DatasetStatus:
    version = reader.latest_version(table.dataset)
    statistics = next((s for s in reader.statistics(flow.id, 50) if s["dataset"] == table.dataset), {})
    rows = version.pointer.get("total_rows", version.rows) if version else 0
    return DatasetStatus(
        dataset=table.dataset,
        kind=flow.kind.value,
        state=_word(flow, state, now),
        complete_through=to_text(state.watermark),
        freshness_seconds=int((now - state.watermark).total_seconds()),
        rows=int(rows),
        batches=reader.batch_count(flow.id),
        last_batch_rows=int(statistics.get("rows", 0)),
        last_batch_seconds=float(statistics.get("seconds", 0)),
        attempts=state.attempts,
        error=state.error,
    )


def _word(flow: Flow, state: TableState, now: datetime) -> str:
    if state.attempts >= MAX_ATTEMPTS:
        return "stopped"
    if state.attempts:
        return "failing"
    lag = (now - next_interval(state.watermark, flow.interval_seconds).end).total_seconds()
    return "late" if lag > max(flow.interval_seconds, 120) else "current"


@click.command()
@click.argument("dataset", required=False)
@click.option("--watch", is_flag=True, help="Show it again every few seconds until interrupted.")
@profile_option
@json_option
def status(dataset: str | None, watch: bool, profile: str | None, as_json: bool) -> None:
    """How fresh every dataset is, how large, what its last batch took, and what failed.

    \b
      atoll status                             everything
      atoll status lake.ops                    what begins with lake.ops
      atoll status --json | jq '.[] | select(.state != "current")'
    """
    target = open_target(profile)
    while True:
        found = [s for s in _statuses(target) if s.dataset.startswith(dataset or "")]
        if not found and dataset:
            raise InputError(f"the active program has no dataset that begins with {dataset!r}", remedy="`atoll status` lists them")
        if as_json:
            click.echo(json.dumps([asdict(s) for s in found], indent=2))
        else:
            show(found)
        if not watch:
            return
        time.sleep(5)


def _statuses(target: Target) -> list[DatasetStatus]:
    return dataset_statuses(target.reader, target.reader.active_program(), datetime.now(UTC))


def show(statuses: list[DatasetStatus]) -> None:
    """A table for people, and under it every error in full."""
    from rich.console import Console
    from rich.table import Table as RichTable

    table = RichTable(box=None, pad_edge=False)
    for name in ("dataset", "kind", "state"):
        table.add_column(name)
    for name in ("rows", "batches", "fresh", "last rows", "seconds"):
        table.add_column(name, justify="right")
    for row in statuses:
        table.add_row(*_cells(row))
    console = Console(width=None if Console().is_terminal else 140)
    console.print(table)
    for row in statuses:
        if row.error:
            console.print(f"{row.dataset} failed {row.attempts} times: {row.error}", style="red", markup=False, highlight=False)


def _cells(row: DatasetStatus) -> Iterator[Any]:
    colour = {"current": "green", "late": "yellow"}.get(row.state, "red")
    yield from (row.dataset, row.kind, f"[{colour}]{row.state}[/]", f"{row.rows:,}", f"{row.batches:,}")
    yield from (age(row.freshness_seconds), f"{row.last_batch_rows:,}", f"{row.last_batch_seconds:.1f}")


def age(seconds: int) -> str:
    """'45 s', '12 min', '3 h', '2 d'."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
