"""Finds out the state of the project in the current folder; asks no more than it has to."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from console.next_step import Standing
from shared_metadata.errors import InputError
from shared_metadata.program import Program
from shared_metadata.program.intervals import to_text

if TYPE_CHECKING:
    from console.target import Target
    from shared_metadata.state.entries import Timeline
    from shared_metadata.store.reader import MetadataReader


def standing(profile: str | None = None) -> Standing:
    """The project's state. Raises AtollError, or an error of AWS's SDK, where the account cannot be asked."""
    from console.project import program_here

    names, files = program_here(), ""  # the files that verbs take by default
    if not all(Path(name).exists() for name in names):
        return Standing(exists=False)
    from console.project import compile_project, read_snapshots, read_sources
    from language import ProgramErrors

    try:
        program = compile_project(names).program
    except ProgramErrors as errors:
        return Standing(files=files, mistakes=len(errors.diagnostics))
    from console.target import open_target

    try:
        target = open_target(profile)
    except InputError as error:
        return Standing(files=files, account=error.what, account_remedy=error.remedy)
    typed = read_snapshots(read_sources(names)) is not None
    return _in_account(target, program, files, typed)


def _in_account(target: Target, program: Program, files: str, typed: bool) -> Standing:
    from console.prerequisites import deployed_slices, missing_conductor, unready_secrets

    deployed = deployed_slices(target, program)
    undeployed = [name for name in program.slice_ids if name not in deployed]
    if missing_conductor(target, program):
        return Standing(files=files, undeployed=("conductor", *undeployed))
    now, timeline = datetime.now(UTC), target.reader.timeline()
    entries, pending = timeline.entries, timeline.pending(now)
    return Standing(
        files=files,
        undeployed=tuple(undeployed),
        secrets=tuple(command for _, command in unready_secrets(target, program)),
        typed=typed,
        applied=bool(entries),
        differs=bool(entries) and entries[-1].version != program.version,
        takes_effect=to_text(pending.boundary) if pending else "",
        **_of_datasets(target.reader, timeline, now),
    )


def _of_datasets(reader: MetadataReader, timeline: Timeline, now: datetime) -> dict[str, Any]:
    """The datasets of the active program by their problems."""
    from console.dataset_status import state_word

    active = timeline.active(now)
    if active is None:
        return {}
    program = reader.program(active.version)
    found: dict[str, list[str]] = {"stopped": [], "quiesced": [], "failing": [], "late": [], "new": [], "current": []}
    for flow_id, state in reader.states_of(program.datasets()).items():
        for dataset, table in state.tables.items():
            word = "quiesced" if table.drifts else state_word(program.flows[flow_id], table, now)
            found[word].append(dataset)
    return {word: tuple(sorted(datasets)) for word, datasets in found.items()}
