"""`atoll retry`: lists dead letters, and redrives them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from console.again import again
from console.nearest import unknown
from console.printable import printable
from console.progress import progress
from console.retry_wait import Redriven, Waiting
from console.run import ExecutionFailed
from console.target import Target, json_option, open_target, profile_option
from console.wording import counted, names_of
from shared_metadata.errors import InputError
from shared_metadata.notices.dead_letters import dead_remedy
from shared_metadata.notices.message import covering
from shared_metadata.program.intervals import to_text
from shared_metadata.state.records import TableState

if TYPE_CHECKING:
    from shared_metadata.state.timeline import Programs
    from shared_metadata.store.dead_letters import DeadBatch


@click.command(short_help="What has failed too often; try it again.")
@click.argument("datasets", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Everything that stopped.")
@click.option("--wait/--no-wait", default=True, help="Wait for the end and show how it went (default).")
@profile_option
@json_option
def retry(datasets: tuple[str, ...], everything: bool, wait: bool, profile: str | None, as_json: bool) -> None:
    """Show the dead letters: batches that have failed too often to be retried automatically. With DATASETS, or the name of a flow,
    retry them.

    A batch that fails is tried five times, after 15 s, 1 min, 5 min and 30 min; then it stops, the alerts topic gets a message, and
    only its readers wait. When its cause is removed, retry it: the conductor starts it at once, and it has five attempts again. A
    batch that is committed in another way (`atoll run`, an update set) is a dead letter no more. It is waited for until it is made or
    fails, or turns out to wait itself, e.g. for an input that is not complete. Exit code 1 when a batch fails again, waits, or is
    none that stopped.

    \b
      atoll retry                                what stopped, and why
      atoll retry lake.ops.flights               try its batch again, and wait for the end
      atoll retry --all --no-wait
      atoll retry --json | jq -r '.[].dataset'
    """
    from shared_metadata.store.dead_letters import dead_batches

    target = open_target(profile)
    programs = target.reader.programs()
    dead = dead_batches(programs, target.reader.flow_states(programs.flow_ids, programs), target.reader)
    if not datasets and not everything:
        _list(dead, as_json)
        return
    wanted = dead if everything else _chosen(datasets, dead, programs)
    redriven = _redrive(target, wanted)
    if not as_json:
        _say_redriven(wanted, redriven)
    if wait and redriven:
        with progress("waiting for the conductor to start it; Ctrl-C leaves it running") as say:
            ended = Waiting(target, programs, redriven).until_all_ended(say)
    else:
        ended = {}
    _show([_outcome(batch, redriven, ended) for batch in wanted], as_json)


def _chosen(names: Sequence[str], dead: list[DeadBatch], programs: Programs) -> list[DeadBatch]:
    """The chosen dead letters, by dataset or by flow. Raises InputError for one that did not stop."""
    for name in names:
        if not any(name in _called(batch) for batch in dead):
            raise _not_dead(name, dead, programs)
    return [batch for batch in dead if not _called(batch).isdisjoint(names)]


def _called(batch: DeadBatch) -> set[str]:
    """The names that mean a dead batch: 'lake.ops.flights' also finds what is staged for it, or computed for it."""
    return {batch.dataset, batch.flow, batch.dataset.split(":")[0]}


def _not_dead(name: str, dead: list[DeadBatch], programs: Programs) -> InputError:
    known = {table.dataset for _, program in programs.entries for flow in program.flows.values() for table in flow.tables}
    if name in known or name in programs.flow_ids:
        remedy = f"{again(f'atoll why {name}')} says what it waits for; {again('atoll run FLOW')} starts what is due"
        return InputError(f"{name} has not stopped", remedy=remedy)
    return unknown(
        "the program has no dataset", name, [b.dataset for b in dead] or known, f"`{again('atoll retry')}` lists what has stopped"
    )


def _redrive(target: Target, wanted: list[DeadBatch]) -> Redriven:
    redriven: dict[str, tuple[str, TableState]] = {}
    for flow in dict.fromkeys(batch.flow for batch in wanted):
        datasets = [batch.dataset for batch in wanted if batch.flow == flow]
        found = target.writer.dead_letters.redrive(flow, datasets)
        redriven |= {dataset: (flow, state) for dataset, state in found.items()}
    return redriven


def _outcome(batch: DeadBatch, redriven: Redriven, ended: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    status, error = ended.get(batch.dataset, ("REDRIVEN" if batch.dataset in redriven else "NOT_STOPPED", ""))
    start, end = to_text(batch.interval.start), to_text(batch.interval.end)
    return {"dataset": batch.dataset, "flow": batch.flow, "start": start, "end": end, "status": status, "error": error}


def _show(outcomes: list[dict[str, Any]], as_json: bool) -> None:
    failed = [one for one in outcomes if one["status"] in ("FAILED", "QUIESCED")]
    waiting = [one for one in outcomes if one["status"] == "WAITING"]
    if as_json:
        click.echo(json.dumps(outcomes, indent=2))
        if failed or waiting:
            raise SystemExit(1)
        return
    for one in outcomes:
        if one["status"] == "COMMITTED":
            click.secho(f"{one['dataset']} is complete through {one['end']}", fg="green")
    if not outcomes:
        click.echo("Nothing has stopped.")
    if failed:
        said = "; ".join(f"{one['dataset']}: {one['error']}" for one in failed)
        raise ExecutionFailed(
            f"failed again: {said}", remedy=f"it is tried again by itself, after a while: `{again('atoll status')}`"
        )
    if waiting:
        said = "; ".join(one["error"] for one in waiting)
        raise ExecutionFailed(
            f"redriven, and not made yet: {said}", remedy=f"it is made as soon as it can be: `{again('atoll why DATASET')}`"
        )


def _say_redriven(wanted: list[DeadBatch], redriven: Redriven) -> None:
    for batch in wanted:
        if batch.dataset in redriven:
            click.echo(f"{batch.dataset} is tried again: its batch {batch.interval}{covering(batch.covers)}")
        else:
            click.echo(f"{batch.dataset} is a dead letter no longer: it was committed, or redriven by another caller")


def _list(dead: list[DeadBatch], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([_plain(batch) for batch in dead], indent=2))
        return
    for batch in printable(dead):
        click.secho(batch.dataset, fg="red", nl=False)
        since = f" since {_moment(batch.letter.at)}" if batch.letter else ""
        click.echo(
            f" stopped{since} at its batch {batch.interval}{covering(batch.covers)}, after {counted(batch.failures, 'failure')}"
        )
        click.echo(f"  {batch.cause}")
        if batch.waiting:
            click.echo(f"  {names_of(batch.waiting)} {'waits' if len(batch.waiting) == 1 else 'wait'} for it")
    click.echo(f" help: {again(dead_remedy([batch.dataset for batch in dead]))}" if dead else "Nothing has stopped.")


def _plain(batch: DeadBatch) -> dict[str, Any]:
    letter = batch.letter
    return {
        "dataset": batch.dataset,
        "flow": batch.flow,
        "start": to_text(batch.interval.start),
        "end": to_text(batch.interval.end),
        "covers": batch.covers,
        "failures": batch.failures,
        "cause": batch.cause,
        "stopped_at": _moment(letter.at) if letter else "",
        "execution": letter.execution if letter else "",
        "told_at": _moment(letter.told_at) if letter and letter.told_at else "",
        "waiting": list(batch.waiting),
    }


def _moment(moment: datetime) -> str:
    return to_text(moment.replace(microsecond=0))
