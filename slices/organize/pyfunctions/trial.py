"""Tries a view that calls functions in Python on the machine at hand: their code runs as it does in AWS, and twice."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from shared_metadata.contract.trial import Input, Tried
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Call, Flow
from shared_metadata.program.intervals import Interval
from slices.organize.pyfunctions import logic
from slices.organize.pyfunctions.config import FunctionOptions
from slices.organize.pyfunctions.function.process import run
from slices.organize.pyfunctions.project import check
from systems.iceberg import relations, trial


def tried(flow: Flow, inputs: Mapping[str, Input], interval: Interval, folder: Path) -> Tried:
    """See shared_metadata.contract.trial.Tries."""
    check(flow, {})
    known = dict(inputs)
    for call in flow.calls:
        own = folder / logic.folder(call)
        own.mkdir()
        with trial.engine_over(flow, call.query, known, interval, own) as engine:
            given = [file["url"] for file in engine.write(relations.result_query(call.query, call.takes), f"{own}/in")]
        known[call.table] = Input(call.returns, _given_back(flow, call, given, own))
    return trial.tried(flow, known, interval, folder)


def _given_back(flow: Flow, call: Call, given: list[str], own: Path) -> str:
    """The file of what the function gives, '' where it has no row. Raises DefinitionError, also where it gives other rows again."""
    once, again = (_ran(flow, call, given, own / name) for name in ("once", "again"))
    if not pq.read_table(once["file"]).equals(pq.read_table(again["file"])):
        cause = f"{logic.Handler.of(call.options['handler'])} gives other rows for the same ones when it is called again"
        raise DefinitionError(cause, place=str(flow.position), remedy="seed what is random, and take moments from the rows")
    return str(once["file"]) if once["rows"] else ""


def _ran(flow: Flow, call: Call, given: list[str], folder: Path) -> dict[str, Any]:
    folder.mkdir()
    seconds = FunctionOptions.read(call.options, place=call.function).timeout_seconds
    answer = run(logic.job(call, given), folder, seconds, lambda line: print(line, file=sys.stderr), Path.cwd())
    if error := answer.get("error"):
        raise DefinitionError(f"{call.function}: {error['what']}", place=str(flow.position), remedy=error["remedy"])
    return answer
