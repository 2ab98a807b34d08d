"""`atoll status`: the progress, freshness, size, cost and errors of every dataset."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime

import click

from console.again import again
from console.dataset_status import DatasetStatus, in_order, statuses_of
from console.nearest import unknown
from console.printable import printable
from console.table import GAP, aligned, terminal_width
from console.target import Target, json_option, open_target, profile_option
from console.wording import age, counted, dollars, names_of, waiting_for, without_place
from shared_metadata.notices.dead_letters import dead_remedy

WATCH_SECONDS = 5
COLOURS = {"current": "green", "new": "cyan", "late": "yellow", "failing": "red", "stopped": "red", "quiesced": "red"}


@click.command(short_help="How fresh every dataset is, and what failed.")
@click.argument("dataset", required=False)
@click.option("--watch", is_flag=True, help=f"Show it again every {WATCH_SECONDS} seconds until Ctrl-C.")
@profile_option
@json_option
def status(dataset: str | None, watch: bool, profile: str | None, as_json: bool) -> None:
    """Show how fresh every dataset is, how large, what its last batch took and cost at list prices, and what failed.

    With the name of one DATASET, all that is known of it: its batches, schema, versions read, warnings. `current`: all batches
    are done; `new`: none was made yet; `late`: older than FRESH WITHIN, or a batch behind; `failing`: retried automatically;
    `stopped`: failed too often, waits for `atoll retry`; `quiesced`: uses something that its source no longer has, see `atoll drift`;
    `running` beside any of these: its next batch is being made; `waiting`: it waits for a statement that runs elsewhere.

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
    producers = program.producers
    names = [name for name in in_order(program) if name.startswith(wanted) or producers[name].id == wanted]
    if wanted in names:
        names = [wanted]
    found = statuses_of(target.reader, program, names, now)
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
    """Shows a table, under it every error in full, and last a line that sums it up."""
    heads = ("dataset", "kind", "state", "rows", "batches in 24 h", "fresh", "last rows", "seconds", "dollars")
    lines = aligned(heads, [_cells(row) for row in statuses], right_from=3, width=terminal_width())
    said = [GAP.join(next(lines))]
    for cells in lines:
        said.append(GAP.join(_coloured(cells) if len(cells) > 1 else cells))
    for row in statuses:
        said += (click.style(printable(line), fg=COLOURS[row.state]) for line in troubles(row))
    counts = Counter(row.state for row in statuses)
    states = ", ".join(f"{counts[state]} {state}" for state in COLOURS if counts[state])
    running = Counter(at_work(row) for row in statuses if row.running)
    more = "".join(f"; {number} {word}" for word, number in sorted(running.items()))
    click.echo("\n".join([*said, f"{counted(len(statuses), 'dataset')}{': ' if states else ''}{states}{more}"]))


def _coloured(cells: list[str]) -> list[str]:
    return [*cells[:2], click.style(cells[2], fg=COLOURS[cells[2].strip().partition(",")[0]]), *cells[3:]]


def troubles(row: DatasetStatus) -> Iterator[str]:
    """The problems of a dataset and their next steps, a line each; none when it is current."""
    if row.state == "quiesced":
        yield f"{row.dataset} is quiesced since {row.complete_through} by drift {', '.join(map(str, row.drifts))}"
        yield f"  help: {again(f'atoll drift show {row.drifts[0]}')}"
    elif row.state == "stopped":
        yield f"{row.dataset} stopped after {counted(row.attempts, 'failure')}: {row.error}"
        waiting = f"; {names_of(row.waiting)} {'waits' if len(row.waiting) == 1 else 'wait'} for it" if row.waiting else ""
        yield f"  a dead letter since {row.stopped_at or 'a while'}{waiting}"
        yield f"  help: {again(dead_remedy([row.dataset]))}"
    elif row.state == "failing":
        yield f"{row.dataset} failed, {counted(row.attempts, 'time')} so far; tried again at {row.retry_at}: {row.error}"
    if row.breaks_promise:
        yield f"{row.dataset} is {age(row.freshness_seconds)} old, and promised FRESH WITHIN {age(row.fresh_within_seconds)}"
    if row.elsewhere:
        yield f"{row.dataset} {waiting_elsewhere(row)}"
    if row.state == "late" and row.waits_for:
        yield f"{row.dataset} waits for {', '.join(row.waits_for)} through {row.next_batch_end}"
    if row.state == "late" and row.waits_for_place_in:
        yield f"{row.dataset} {without_place(row.waits_for_place_in, row.taken_by)}"


def at_work(row: DatasetStatus) -> str:
    """The word for a dataset whose next batch is being made; '' for any other."""
    return ("waiting" if row.elsewhere else "running") if row.running else ""


def waiting_elsewhere(row: DatasetStatus) -> str:
    return waiting_for(row.elsewhere, row.elsewhere_step, row.elsewhere_since, row.elsewhere_next_look)


def _cells(row: DatasetStatus) -> tuple[str, ...]:
    fresh, cost = age(row.freshness_seconds), dollars(row.last_batch_dollars)
    figures = (f"{row.rows:,}", f"{row.batches:,}", fresh, f"{row.last_batch_rows:,}", f"{row.last_batch_seconds:.1f}", cost)
    return (printable(row.dataset), row.kind, ", ".join(filter(None, (row.state, at_work(row)))), *figures)
