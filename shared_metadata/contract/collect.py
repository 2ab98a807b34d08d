"""The steps of a collect slice: plan ▸ extract* ▸ commit, over what the slice's client knows of its source."""

from __future__ import annotations

import dataclasses
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Protocol

from shared_metadata.contract.declaration import Slice
from shared_metadata.contract.drift.column_likeness import Sampled
from shared_metadata.contract.drift.watch import DriftWatch, StoppedByDrift
from shared_metadata.contract.parquet.masking import NO_HASHING, Hashing, as_masked, hashing
from shared_metadata.contract.runtime.deadline import Context, Deadline
from shared_metadata.contract.runtime.services import Services
from shared_metadata.contract.runtime.staging import Staging
from shared_metadata.contract.steps import Steps
from shared_metadata.contract.taken import NOTHING, Taken, unknown_before, with_taken
from shared_metadata.contract.tasks import turns
from shared_metadata.contract.waiting.turn import NO_TURN, Turn
from shared_metadata.contract.work import Work
from shared_metadata.costs import skew, together
from shared_metadata.errors import DefinitionError, RowError
from shared_metadata.program import BadRows, Connection, Flow, Mask, Mode, Table, from_plain
from shared_metadata.program.intervals import Interval
from shared_metadata.program.masks import only
from shared_metadata.program.schema import Schema
from shared_metadata.state.records import TableCommit


@dataclass(frozen=True)
class Window:
    """What of a table a batch covers.

    cursor: what the batch before left, '' at first: then the whole table as of interval.end is wanted.
    rerun: a backfill: the rows whose cursor lies within the interval, whatever `cursor` says.
    took: of a batch of APPEND that is run again: what it took when it was made (`TablePlan.took`), and is to take again.
    again: later batches were made before this one.
    """

    interval: Interval
    cursor: str
    rerun: bool
    took: Mapping[str, Any] | None = None
    again: bool = False

    @property
    def first(self) -> bool:
        return self.cursor == "" and not self.rerun


@dataclass(frozen=True)
class TablePlan:
    """How to extract one table of one batch.

    parts: JSON-able, one for each extract that may run beside the others; at least one.
    cursor: what to store when the batch commits (JSON text); never '' so that the next batch is not a first one.
    took: what the batch takes, JSON-able, for `Window.took`, with a cursor that is an object; without it no batch of APPEND that was
    made can be run again.  whole: the parts have all rows of the table: what the warehouse has beside them the source has no more.
    """

    parts: tuple[Mapping[str, Any], ...]
    cursor: str
    took: Mapping[str, Any] | None = None
    whole: bool = False


@dataclass(frozen=True)
class Extracted:
    """What one call of extract did: Parquet files written, and where to go on; resume is None when the part is done."""

    # of each {'key', 'rows', 'bytes'}; 'values' where known (of `file_values`); {'key', 'rows'} of 'rejected' rows, set aside,
    # 'there' of their keys, 'left' of keys that the WHERE takes no more (`left_columns`; see Source); 'whole': see TablePlan, no rows
    files: tuple[Mapping[str, Any], ...]
    resume: Mapping[str, Any] | None = None
    statements: tuple[Mapping[str, Any], ...] = ()  # that ran elsewhere for it (waiting.statements.Ran)
    cursor: str | None = None  # what to store instead of the plan's cursor, of a table in one part, where only reading tells it


class Source(Sampled, Protocol):
    """What a collect slice's client.py implements; made as Source(connection, secret) and closed after each step.

    Every column of the schema is in every file, in its order, and after them `_batch` (timestamptz: the interval's start) and,
    if the slice reports deletes or `flow.reports_left`, `_deleted` (boolean); both are in the schema that `schema` returns. Of a
    table that is collected whole its other columns are exactly those that `describe` gives.

    Where `flow.reports_left`, the rows of a window that the WHERE does not take are staged as well, in files of their own, but for
    the first window: of `left_columns`, hashed like the others, and nothing else, since a WHERE may be there to hide the rest. A
    window is then empty only if it has neither rows.
    """

    def schema(self, flow: Flow, table: Table) -> Schema:
        """The table's columns as the flow collects them, without those and those fields that it drops (`table.masks`), with the types
        that values have before they are hashed. Raises DefinitionError for a table or column that is gone."""
        ...

    def plan(self, flow: Flow, table: Table, schema: Schema, window: Window) -> TablePlan | None:
        """None when nothing changed since the window's cursor; never None for window.first. Loads nothing heavy."""
        ...

    def extract(self, request: ExtractRequest, resume: Mapping[str, Any] | None, deadline: Deadline) -> Extracted:
        """Writes Parquet below `request.out` until done or the deadline is near. Called again with `resume`, or, after a crash, with
        the last that was saved; files written after it are forgotten. May raise NotYet, whose token is then what `resume` is."""
        ...


@dataclass(frozen=True)
class Output:
    """Where one call's Parquet files go: `url('0001.parquet')` for writers that speak S3, `key(…)` for the record of it.

    call: names the call of extract; one that was given up may go on beside its successor, and must not write over its files.
    """

    staging: Staging
    dataset: str
    part: int
    call: str

    def url(self, name: str) -> str:
        return self.staging.url(self.dataset, self._name(name))

    def key(self, name: str) -> str:
        return self.staging.key(self.dataset, self._name(name))

    def _name(self, name: str) -> str:
        return f"part-{self.part:04d}-{self.call}-{name}"


@dataclass(frozen=True)
class ExtractRequest:
    """One part of one table of a batch, the same in every call that works on it; `part` as `Source.plan` gave it.

    hashing: what the statement that writes Parquet has to apply to each value.  turn: for what runs elsewhere.
    """

    flow: Flow
    table: Table
    schema: Schema
    window: Window
    part: Mapping[str, Any]
    out: Output
    hashing: Hashing = NO_HASHING
    turn: Turn = NO_TURN


OpenSource = Callable[[Connection, Mapping[str, Any]], Source]


class CollectSteps(Steps):
    """The handlers of a collect slice."""

    def __init__(self, declaration: Slice, services: Services, open_source: OpenSource) -> None:
        super().__init__(declaration, services)
        self._open = open_source
        self._drift, self._taken = DriftWatch(services), Taken(services.reader)

    def plan_tables(self, works: list[Work]) -> tuple[list[dict[str, Any]], list[TableCommit], dict[str, str]]:
        """Opens the source once for all tables. One that drift stops is recorded as failed here, and fails no execution."""
        self._source, self._stopped = self.open(works[0]), set[str]()
        try:
            states, empty, failed = super().plan_tables(works)
        finally:
            self._source.close()
        for dataset in sorted(self._stopped):
            self.services.writer.fail(works[0].claim, dataset, failed.pop(dataset))
        return states, empty, failed

    def pieces(self, state: Mapping[str, Any]) -> int:
        return max(len(state["parts"]), 1)

    def plan_table(self, work: Work) -> dict[str, Any] | None:
        try:
            flow = self._drift.flow_for(work, self._source)
        except StoppedByDrift:
            self._stopped.add(work.table.dataset)
            raise
        schema = self._source.schema(flow, work.table)
        window = self._window(work)
        plan = None if window.took == NOTHING else self._source.plan(flow, work.table, schema, window)
        unchanged = plan is None
        if plan is None:
            if self._registered(work) == as_masked(schema, work.table) and not window.again:
                return None
            plan = TablePlan((), window.cursor)
        document = {
            "parts": [dict(part) for part in plan.parts],
            "cursor": with_taken(plan.cursor, window.interval, plan.took),
            "unchanged": unchanged,
            "schema": dataclasses.asdict(schema),
            "window_cursor": window.cursor,
            "rerun": window.rerun,
            "took": window.took,
            "whole": plan.whole,
            "planned_at": time.time(),
        }
        self.staging(work).write(document, work.table.dataset, "plan.json")
        return {"parts": list(range(len(plan.parts)))}

    def extract(self, event: Mapping[str, Any], context: Context) -> dict[str, Any]:
        """Works on one part until it is done, the deadline is near or it has to wait; {…, 'done': bool}. The state carries 'part'."""
        return self.take_turn("extract", event, context, self._extract)

    def _extract(self, work: Work, event: Mapping[str, Any], deadline: Deadline) -> dict[str, Any]:
        staging, dataset, number = self.staging(work), work.table.dataset, int(event["part"])
        plan = self._plan(staging, work)
        progress = staging.read(dataset, f"part-{number:04d}.json") or {"files": [], "resume": None, "done": False}
        if not progress["done"]:
            again = work.claim.again
            window = Window(work.claim.interval, plan["window_cursor"], plan.get("rerun", again), plan.get("took"), again)
            schema, out = from_plain(Schema, plan["schema"]), Output(staging, dataset, number, uuid.uuid4().hex[:8])
            part, turn = plan["parts"][number], work.turn
            request = ExtractRequest(work.flow, work.table, schema, window, part, out, self._hashing(work), turn)
            with closing(self.open(work)) as source:
                extracted = source.extract(request, progress["resume"] if turn.resume is None else turn.resume, deadline)
            progress = {
                "files": [*progress["files"], *map(dict, extracted.files)],
                "resume": extracted.resume,
                "done": extracted.resume is None,
                "cursor": extracted.cursor,
                "statements": [*progress.get("statements", ()), *map(dict, extracted.statements)],
                "by": event.get("by"),
                "used": self.used({**event, "used": progress.get("used", {})}, transitions=2),  # Extract and AfterExtract
            }
            staging.write(progress, dataset, f"part-{number:04d}.json")
        return {**event, "done": progress["done"]}

    def commit_table(self, work: Work, state: Mapping[str, Any]) -> TableCommit:
        staging, dataset = self.staging(work), work.table.dataset
        plan = self._plan(staging, work)
        files: list[dict[str, Any]] = []
        sizes, parts = [], list[dict[str, Any]]()
        for number in range(len(plan["parts"])):
            progress = staging.read(dataset, f"part-{number:04d}.json")
            if not progress or not progress["done"]:
                raise DefinitionError(f"part {number} of {dataset} was not extracted", place=work.flow.id)
            parts.append(progress)
            files += progress["files"]
            sizes.append(sum(file["bytes"] for file in progress["files"]))
        rejected, left = _rejected(work, files), [dict(file["left"]) for file in files if file.get("left")]
        whole, there = any(f.get("whole") for f in (plan, *files)), [f["there"] for f in files if "there" in f]
        files = [file for file in files if file["rows"]]
        schema = as_masked(from_plain(Schema, plan["schema"]), work.table)
        rows, size = sum(f["rows"] for f in files), sum(f["bytes"] for f in files)
        if work.flow.mode == Mode.REPLACE:  # without files: the table is empty, unless nothing changed
            changed = bool(files) or not plan.get("unchanged")
        else:  # without files: a batch that is run again loses the rows it had
            changed = bool(files or rejected or left or whole) or work.claim.again or self._registered(work) != schema
        manifest = None
        if changed:
            document = {"files": files, "schema": dataclasses.asdict(schema), "rejected": rejected, "left": left}
            manifest = staging.write_manifest({**document, **({"whole": True, "there": there} if whole else {})}, dataset)
        return TableCommit(
            dataset,
            rows=rows,
            bytes=size,
            seconds=time.time() - plan["planned_at"],
            cursor=next((part["cursor"] for part in parts if part.get("cursor") is not None), plan["cursor"]),
            pointer={"manifest": manifest} if manifest else None,
            schema=schema,
            layout={"format": "parquet"},
            skew=skew(sizes),
            used=together({"state_transition": 1 + len(parts)}, *(part.get("used", {}) for part in parts)),  # Parts, PartDone
            statements=tuple(statement for part in parts for statement in part.get("statements", ())),
            rejected=sum(file["rows"] for file in rejected),
            **turns.told(*parts, state),
        )

    def _window(self, work: Work) -> Window:
        """A batch that is made again goes on from where the one before it ended; one that is run again takes what it took."""
        claim, mode, cursor = work.claim, work.flow.mode, self.cursor(work)
        if not claim.again or mode == Mode.REPLACE:
            return Window(claim.interval, cursor, claim.again, again=claim.again)
        if claim.rerun:
            took = self._taken.of(work, self.state(work)) if mode == Mode.APPEND else None
            return Window(claim.interval, cursor, True, took, True)
        before = self._taken.left_before(work, self.state(work))
        if before is None and mode == Mode.APPEND:
            raise unknown_before(work)
        return Window(claim.interval, cursor if before is None else before, before is None, again=True)

    def open(self, work: Work) -> Source:
        connection = work.program.connections[work.flow.connection]
        place = f"connection {connection.name} ({connection.position})"
        reference = self.declaration.opened_with(connection)
        values = self.services.secret(reference, place=place) if reference else {}
        return self._open(connection, values)

    def _hashing(self, work: Work) -> Hashing:
        """The key is read by extract only, and only for a table that hashes."""
        if not only(Mask.HASH, work.table.masks):
            return NO_HASHING
        place, reference = work.place, work.flow.mask_key
        return hashing(work.table, self.services.secret(reference, place=place), reference, place)

    def _plan(self, staging: Staging, work: Work) -> dict[str, Any]:
        plan = staging.read(work.table.dataset, "plan.json")
        if plan is None:
            raise DefinitionError(f"the plan of {work.table.dataset} is gone", place=work.flow.id)
        return plan

    def _registered(self, work: Work) -> Schema | None:
        latest = self.services.reader.latest_schema(work.table.dataset)
        return latest.schema if latest else None


def _rejected(work: Work, files: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The files of rows that were set aside. Raises RowError when they are more than the program tolerates."""
    found = [dict(file["rejected"]) for file in files if file.get("rejected")]
    bad, good = sum(file["rows"] for file in found), sum(file["rows"] for file in files)
    tolerance = work.flow.bad_rows or BadRows()
    if not tolerance.allow(bad, bad + good):
        raise RowError(
            f"{bad} of {bad + good} rows cannot be read, and TOLERATE {tolerance} allows fewer",
            place=f"{work.flow.position}: {work.table.dataset.removesuffix(':staged')}",
            remedy="mend the rows at the source, or tolerate more; the batch is tried again",
        )
    return found
