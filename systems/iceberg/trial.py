"""Tries a view of a lake on the machine at hand: what its function does with a batch, over files of a folder, without S3 and Glue."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from shared_metadata.contract.trial import Input, Tried
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Flow, Mode
from shared_metadata.program.intervals import Interval, to_text
from systems.iceberg import expectations, relations
from systems.iceberg.column_types import result_columns
from systems.iceberg.engine import Engine
from systems.iceberg.versions import Read

_FILE_MB = 128


def tried(flow: Flow, inputs: Mapping[str, Input], interval: Interval, folder: Path) -> Tried:
    """See shared_metadata.contract.trial.Tries."""
    place = str(flow.position)
    with engine_over(flow, flow.query, inputs, interval, folder) as engine:
        columns = result_columns(engine.describe(flow.query), place=place)
        made = [file["url"] for file in engine.write(relations.result_query(flow.query, columns), f"{folder}/made")]
        if flow.mode == Mode.MERGE and engine.fetch(relations.has_duplicates(made, columns, flow.key)):
            remedy = "make MERGE ON name a key of the result, or GROUP BY it"
            raise DefinitionError(f"the query gives several rows with the same {', '.join(flow.key)}", place=place, remedy=remedy)
        if not flow.expectations:
            return Tried(columns, made, {})
        rows = relations.rows_of(made, columns)
        found = {result.name: result.failing for result in expectations.evaluate(engine, flow.expectations, rows)}
        if any(found[one.name] for one in flow.expectations if one.action == "QUARANTINE"):
            made = [file["url"] for file in engine.write(expectations.kept(flow.expectations, columns, rows), f"{folder}/kept")]
        return Tried(columns, made, {name: count for name, count in found.items() if count})


@contextlib.contextmanager
def engine_over(flow: Flow, query: str, inputs: Mapping[str, Input], interval: Interval, folder: Path) -> Iterator[Engine]:
    """The engine of a flow's function, for one query of it."""
    read = {name: Read([given.file] if given.file else [], [], given.columns) for name, given in inputs.items()}
    with Engine(None, flow.slice_id, str(flow.position), _FILE_MB, math.inf) as engine:
        engine.only_select(query)
        engine.attach(read, flow.sees_deleted)
        engine.bound(to_text(interval.start), to_text(interval.end))
        engine.confine([given.file for given in inputs.values() if given.file], [f"{folder}/"])
        yield engine
