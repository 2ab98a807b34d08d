"""`atoll why`: what a dataset waits for, in a sentence."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from console.again import again
from console.causes import Cause, Why, why_of
from console.nearest import unknown
from console.printable import printable
from console.target import json_option, open_target, profile_option
from shared_metadata.errors import AtollError
from shared_metadata.program import Kind, Program
from shared_metadata.program.intervals import to_text

if TYPE_CHECKING:
    from shared_metadata.store.drift_records import DriftReader
    from shared_metadata.store.reader import MetadataReader


@click.command(short_help="What a dataset is waiting for.")
@click.argument("dataset")
@profile_option
@json_option
def why(dataset: str, profile: str | None, as_json: bool) -> None:
    """What DATASET is waiting for, in a sentence: an input that is not complete, the time, a place in its warehouse, a retry,
    an operator after too many failures, a drift of its source, `atoll apply`. It follows the inputs up to where the cause lies.

    \b
      atoll why lake.ops.airport_delays
      atoll why ops.published.airport_delays --json | jq -r .cause
    """
    target, now = open_target(profile), datetime.now(UTC)
    try:
        program = target.reader.active_program()
    except AtollError:
        if not _in_local_program(dataset):
            raise
        program = Program({}, {}, {})
    known = _known(dataset, program)
    if known is None:
        former = _former(dataset, target.reader, now) if program.flows else None
        found = former or _pending(dataset, target.reader, now) or _not_active(dataset, program)
    else:
        programs = target.reader.programs()
        states = target.reader.flow_states(programs.flow_ids, programs)
        found = why_of(known, programs, states, target.reader.batches_at, now)
        found = _with_drift(found, target.writer.drifts)
    if as_json:
        click.echo(json.dumps({**asdict(found), "cause": found.cause.name.lower(), "sentence": found.sentence}, indent=2))
        return
    found = printable(found)
    click.echo(found.sentence)
    if found.remedy:
        click.echo(f" help: {found.remedy}")


def _known(dataset: str, program: Program) -> str | None:
    """Finds a dataset by its own name, or by its flow's."""
    if dataset in program.producers:
        return dataset
    flow = program.flows.get(dataset)
    if flow and flow.kind == Kind.COLLECT and len(flow.tables) == 1:
        return flow.tables[0].dataset
    return None


def _former(dataset: str, reader: MetadataReader, now: datetime) -> Why | None:
    """The answer for a dataset that only a former program makes, and that its readers still wait for."""
    programs = reader.programs()
    past = [program.producers for entry, program in programs.entries if entry.boundary <= now]
    made = [makers[dataset].id for makers in past if dataset in makers]
    states = reader.flow_states(programs.flow_ids, programs) if made else {}
    state = states[made[-1]].tables.get(dataset) if made and made[-1] in states else None
    if state is None or programs.is_over(made[-1], dataset, state):
        return None
    return why_of(dataset, programs, states, reader.batches_at, now)


def _pending(dataset: str, reader: MetadataReader, now: datetime) -> Why | None:
    """The answer for a dataset that only the pending update set makes."""
    entry = reader.timeline().pending(now)
    if entry is None or dataset not in reader.program(entry.version).producers:
        return None
    what = f"is made by the pending update set, which takes effect at {to_text(entry.boundary)}"
    return Why(Cause.PENDING, (dataset,), "", what, f"wait, or see it with `{again('atoll plan --pending')}`")


def _not_active(dataset: str, program: Program) -> Why:
    if _in_local_program(dataset):
        remedy = f"{again('atoll plan')}, then {again('atoll apply')}"
        return Why(Cause.NEVER_APPLIED, (dataset,), "", "is in the program here, which was never applied", remedy)
    raise unknown("the active program has no dataset", dataset, program.producers)


def _in_local_program(dataset: str) -> bool:
    """Whether the program of this folder makes it; a folder without a program that compiles makes nothing."""
    from console.project import compile_files
    from language import ProgramErrors

    try:
        return dataset in compile_files([]).producers
    except (AtollError, ProgramErrors):
        return False


def _with_drift(found: Why, drifts: DriftReader) -> Why:
    """The sentence with the drift's change."""
    if not found.drift:
        return found
    from shared_metadata.notices.drift import what_happened

    drift = drifts.drift(found.drift)
    if drift is None:
        return found
    return Why(**{**vars(found), "what": f"{found.what}: {what_happened(drift.change)}"})
