"""How far a batch of missed intervals goes in a warehouse, as what it reads is recorded: never further than it was asked for."""

from __future__ import annotations

from shared_metadata.contract.batch_input import BatchRequest
from shared_metadata.program import Kind, Mode, Program, Table
from shared_metadata.program.intervals import Interval, ceil, covered, floor, next_interval
from shared_metadata.state.records import Batch, Version
from shared_metadata.store.reader import MetadataReader


def input_intervals(program: Program, table: Table) -> dict[str, int]:
    """The length in seconds of the batches that make each of a table's inputs."""
    producers = program.producers
    return {name: producers[name].interval_seconds for name in table.inputs}


def fitted(wanted: BatchRequest, reader: MetadataReader) -> Interval:
    """A load takes one staged batch at a time; a view that follows what it reads, the intervals that read one version of it."""
    flow = wanted.flow
    if covered(wanted.interval, flow.interval_seconds) == 1:
        return wanted.interval
    if flow.follows:
        return _of_one_version(wanted, reader)
    return _of_one_staged(wanted, reader) if flow.kind == Kind.LOAD and flow.modes != {Mode.REPLACE} else wanted.interval


def _of_one_staged(wanted: BatchRequest, reader: MetadataReader) -> Interval:
    """The same for all tables of a load."""
    interval, producers = wanted.interval, wanted.program.producers
    inputs = [name for table in wanted.flow.tables for name in table.inputs]
    staged: list[Batch | Version | None] = [
        reader.batch(made_by, interval.start, ()) for made_by in {producers[name].id for name in inputs}
    ]
    if not any(staged):  # there is no record of them any more
        staged = [reader.first_version_within(name, interval) for name in inputs]
    return Interval(interval.start, min([interval.end, *(one.interval.end for one in staged if one)]))


def _of_one_version(wanted: BatchRequest, reader: MetadataReader) -> Interval:
    """The first of these intervals with those after it that read the same version of the only input."""
    seconds = wanted.flow.interval_seconds
    ((name, length),) = input_intervals(wanted.program, wanted.flow.tables[0]).items()
    first = next_interval(wanted.interval.start, seconds)
    moment = ceil(first.end, length)
    read = reader.covering_version(name, moment)
    following = reader.next_made(name, max(moment, read.interval.end) if read else moment)
    last = floor(following.start, seconds) if following else wanted.interval.end
    return Interval(first.start, max(first.end, min(last, wanted.interval.end)))
