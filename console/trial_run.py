"""Runs the tests of a program: compiles what they call, has a view's slice compute it over the given rows, compares."""

from __future__ import annotations

import dataclasses
import re
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from console.again import again
from console.cache import ProjectCache
from console.project import compile_texts, show_errors
from console.trial_rows import columns_named, names_of, staged
from language.forms.trials import Trial
from language.text.diagnostics import Diagnostic, Problem, ProgramErrors, did_you_mean
from shared_metadata.contract.declaration import Slice, declared
from shared_metadata.contract.parquet.given_rows import Cells, GivenRows
from shared_metadata.contract.trial import Input, Tried, Tries
from shared_metadata.errors import AtollError, InputError
from shared_metadata.program import Flow, Kind, Position
from shared_metadata.program.intervals import Interval, floor, from_text, to_text
from shared_metadata.program.places import BATCH_END, BATCH_START
from shared_metadata.program.schema import SchemaColumn
from slices.registry import installed

if TYPE_CHECKING:
    from language.compiler import Compilation

_ANY_MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
_SCHEMA = "atoll_test"  # of the views that stand for calls of functions
_PLACE = re.compile(r"([^\s():]+):(\d+):(\d+)")


@dataclass(frozen=True)
class Outcome:
    """How a test went.

    of: what it tries.  rows: that were made.  said: what is wrong besides rows.  missing, unexpected: rows of `columns` that were not
    made, and that were and should not be.
    """

    trial: Trial
    of: str
    rows: int = 0
    said: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    missing: tuple[Cells, ...] = ()
    unexpected: tuple[Cells, ...] = ()

    @property
    def sound(self) -> bool:
        return not (self.said or self.missing or self.unexpected)


def compiled(
    sources: Mapping[str, str], snapshots: Mapping[str, str] | None, trials: Sequence[Trial], as_json: bool
) -> tuple[Compilation, dict[int, str]]:
    """The program with a view for each call that a test tries, and these views' datasets by the `id` of their test.

    Mistakes of the program end the command.  Raises InputError where the sources' schemas are not known.
    """
    if snapshots is None:
        remedy = f"`{again('atoll discover')}` writes them; a test's rows have the types that they tell"
        raise InputError("schemas/ beside the program has no snapshot, so columns have no types", remedy=remedy)
    cache = ProjectCache(("test", *sources))
    try:
        compilation = compile_texts(sources, snapshots, cache)
    except ProgramErrors as errors:
        show_errors(errors, as_json)
    called = {number: one for number, one in enumerate(trials) if one.call is not None}
    warehouse = next(iter(compilation.program.warehouses), "")
    if not called or not warehouse:
        return compilation, {}
    views = {number: f"{warehouse}.{_SCHEMA}.call_{number}" for number in called}
    texts = {
        views[n]: f"CREATE MATERIALIZED VIEW {views[n]} EVERY '1 day' REPLACE AS SELECT * FROM\n{_said(one)};"
        for n, one in called.items()
    }
    try:
        compilation = compile_texts({**sources, **texts}, snapshots, cache)
    except ProgramErrors as errors:
        at = {views[number]: one for number, one in called.items()}
        show_errors(ProgramErrors([_moved(found, at) for found in errors.diagnostics]), as_json)
    return compilation, {id(one): views[number] for number, one in called.items()}


def _said(one: Trial) -> str:
    assert one.call is not None
    return one.call.text


def _moved(found: Diagnostic, at: Mapping[str, Trial]) -> Diagnostic:
    """A mistake in a view that stands for a call, or in what that calls, where the test has the call."""
    called = tuple(_PLACE.sub(lambda place: _place_moved(place, at), places) for places in found.called)
    one = at.get(found.file)
    if one is None or one.call is None:
        return dataclasses.replace(found, called=called)
    line, column = _there(found.line, found.column, one.call.position)
    source_line = one.call.source.line(line)
    return dataclasses.replace(found, file=one.call.position.file, line=line, column=column, source_line=source_line, called=called)


def _place_moved(place: re.Match[str], at: Mapping[str, Trial]) -> str:
    one = at.get(place[1])
    if one is None or one.call is None:
        return place[0]
    line, column = _there(int(place[2]), int(place[3]), one.call.position)
    return f"{one.call.position.file}:{line}:{column}"


def _there(line: int, column: int, call: Position) -> tuple[int, int]:
    """The line and column in the test, for those in a view that has the call from its second line on."""
    return call.line + max(line - 2, 0), column + (call.column - 1 if line <= 2 else 0)


def run(one: Trial, compilation: Compilation, calls: Mapping[int, str], problems: list[Diagnostic]) -> Outcome | None:
    """How the test goes; None where it is itself wrong, which is added to `problems`."""
    try:
        return _run(one, compilation, calls.get(id(one)) or ".".join(one.target.folded))
    except Problem as problem:
        problems += problem.diagnostics
        return None


def _run(one: Trial, compilation: Compilation, dataset: str) -> Outcome:
    flow = _flow(one, compilation, dataset)
    of = dataset if one.call is None else " ".join(one.call.text.split())
    tries: Tries = declared(_slice(one, flow, compilation).tries)
    inputs = {name: _columns(compilation, name) for name in flow.tables[0].inputs}
    for given in one.given:
        if (name := ".".join(given.dataset.folded)) not in inputs:
            remedy = did_you_mean(name, inputs) + (f"it reads {', '.join(inputs)}" if inputs else "it reads no table")
            raise Problem(given.dataset.span, f"`{of}` does not read `{name}`", remedy)
    known = {expectation.name: expectation for expectation in flow.expectations}
    for part in one.fails:
        if part.folded not in known:
            remedy = did_you_mean(part.folded, known) + (f"it has {', '.join(known)}" if known else "it has none")
            raise Problem(part.span, f"`{of}` has no expectation `{part.folded}`", remedy)
    with tempfile.TemporaryDirectory() as folder, GivenRows(Path(folder)) as rows:
        files = {".".join(g.dataset.folded): staged(g.rows, inputs[".".join(g.dataset.folded)], rows) for g in one.given}
        given_to = {name: Input(columns, files.get(name, "")) for name, columns in inputs.items()}
        try:
            made = tries(flow, given_to, _batch(one, flow), Path(folder))
        except AtollError as error:
            return Outcome(one, of, said=(f"{error.what}; {error.remedy}" if error.remedy else error.what,))
        found = list(rows.read(made.files, made.columns))
        outcome = Outcome(one, of, len(found), _of_expectations(one, flow, made))
        return _compared(one, outcome, made, rows)


def _compared(one: Trial, outcome: Outcome, made: Tried, rows: GivenRows) -> Outcome:
    if one.expected is None:
        return outcome
    names = names_of(one.expected, rows)
    columns = columns_named(names, made.columns, one.expected) if names is not None else made.columns
    file = staged(one.expected, columns, rows)
    wanted = Counter(map(tuple, rows.read([file] if file else [], columns)))
    there = Counter(map(tuple, rows.read(made.files, columns)))
    missing, unexpected = tuple((wanted - there).elements()), tuple((there - wanted).elements())
    return dataclasses.replace(outcome, columns=tuple(c.name for c in columns), missing=missing, unexpected=unexpected)


def _of_expectations(one: Trial, flow: Flow, made: Tried) -> tuple[str, ...]:
    fails = {part.folded for part in one.fails}
    said = []
    for expectation in flow.expectations:
        count, name = made.failing.get(expectation.name, 0), expectation.name
        if count and name not in fails:
            said.append(
                f"rows that do not meet `{name}` ({expectation.action}): {count}; EXPECT {name} FAILS says that it should be so"
            )
        elif not count and name in fails:
            said.append(f"each row meets `{name}`, which the test says FAILS")
    return tuple(said)


def _flow(one: Trial, compilation: Compilation, dataset: str) -> Flow:
    flows = compilation.program.flows
    found = flows.get(f"{dataset}:result") or flows.get(dataset)
    if found is not None and found.kind in (Kind.VIEW, Kind.RESULT):
        return found
    tried = {
        table.dataset.removesuffix(":result")
        for flow in flows.values()
        if flow.kind in (Kind.VIEW, Kind.RESULT)
        for table in flow.tables
    }
    remedy = did_you_mean(dataset, tried) + "a test is of a view, of what is published, or of a call of a function"
    raise Problem(one.target.span, f"no query in a warehouse makes `{dataset}`", remedy)


def _slice(one: Trial, flow: Flow, compilation: Compilation) -> Slice:
    """The slice whose engine reads the flow's query. Raises Problem where that is not on this machine."""
    system = compilation.program.warehouses[flow.warehouse].system
    found = installed()[f"organize.{system}" if flow.beyond is not None else flow.slice_id]
    if not found.tries:
        able = ", ".join(sorted(s.engine for s in installed().values() if s.tries and s.engine and s.works_in == system))
        remedy = f"`atoll translate --to {able}` writes it over, if it is small enough for that" if able else "test what it reads"
        raise Problem(one.target.span, f"the query is computed by {found.title}, which is not on this machine", remedy)
    return found


def _columns(compilation: Compilation, dataset: str) -> tuple[SchemaColumn, ...]:
    assert compilation.lineage is not None  # compiled with snapshots
    return tuple(SchemaColumn(c.name, c.type, c.nullable) for c in compilation.lineage.datasets[dataset].columns)


def _batch(one: Trial, flow: Flow) -> Interval:
    length = timedelta(seconds=flow.interval_seconds)
    if one.moment is None:
        said = (*(expectation.places for expectation in flow.expectations), *(call.places for call in flow.calls))
        places = (*flow.places, *(place for each in said for place in each))
        if any(place.means in (BATCH_START, BATCH_END) for place in places):
            remedy = f"add AT '{to_text(_ANY_MOMENT)}', the batch's start"
            raise Problem(one.target.span, "the query says batch_start() or batch_end(), and the test no batch", remedy)
        start = floor(_ANY_MOMENT, flow.interval_seconds)
        return Interval(start, start + length)
    text, span = one.moment
    try:
        start = from_text(text)
        begin, end = floor(start, flow.interval_seconds), start + length
    except (ValueError, OverflowError):
        raise Problem(span, f"{span.text} is no moment", "write it as in '2026-01-01T00:00:00Z'") from None
    if begin != start:
        raise Problem(span, f"no batch of {flow.interval_seconds // 60} minutes begins at {span.text}", f"write '{to_text(begin)}'")
    return Interval(start, end)
