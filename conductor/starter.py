"""Runs rounds over the timeline of programs: looks at the flows on the agenda, and starts their due batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from conductor.agenda import RENEWS, Agenda, waiting_for_time
from conductor.environment import Environment
from conductor.executions import Done, Executions, Report, Round
from conductor.known_states import KnownStates
from conductor.places import Places, Recorded
from shared_metadata.aws.later import is_later
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Program
from shared_metadata.state.records import Batch, Event, FlowState
from shared_metadata.state.schedule import DueBatch, due_batches
from shared_metadata.state.timeline import Programs
from shared_metadata.store.writer import MetadataWriter

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

MOST_REFUSALS = 5  # in one call; so many mean a throttle, not contention for a single item
AT_ONCE = 100  # batches, whose records one request brings
Hurried = Callable[[], bool]


class Starter:
    """Runs one round after another; `report` takes a message and its figures, for the log."""

    def __init__(self, writer: MetadataWriter, states: SFNClient, environment: Environment, report: Report) -> None:
        self._writer, self._environment, self._report = writer, environment, report
        self.known, self._agenda = KnownStates(writer.reader), Agenda()
        self._executions = Executions(writer, states, environment, report)

    def start_due(self, now: datetime, hurried: Hurried = lambda: False) -> Round:
        """The clock's round: looks at flows with events since the last one, at flows whose time has come, and now and then at all.

        Where nothing has happened it makes one GetItem and one Query. Starts what is due, oldest first, until it has started
        `max_starts`, `max_running` run, or it is `hurried`; a later round goes on.
        """
        programs = self._programs()
        if programs is None:
            return Round()
        if self._agenda.needs_whole_look(programs, now):
            self._agenda.wake_all(programs, now)
        else:
            events = self._writer.reader.changes(self._agenda.since(now), now, self._agenda.known)
            self._agenda.hear(programs, events, now)
        return self._look(programs, now, hurried)

    def start_after(self, events: Sequence[Event], now: datetime, hurried: Hurried = lambda: False) -> Round:
        """The stream's round: looks at the flows of these events, their readers, and flows that an earlier round has left over."""
        programs = self._programs()
        if programs is None:
            return Round()
        if any(event.kind in RENEWS for event in events):
            self._agenda.wake_all(programs, now)
        self._agenda.wake(self._agenda.neighbours(programs).touched(events), now)
        return self._look(programs, now, hurried)

    def reevaluate_drift(self, program: Program, version: str) -> None:
        """Evaluates all open drift under this program: flows that do not use it go on, flows that use it stand still."""
        self._writer.drifts.reevaluate(self._writer.reader.lineage(version), program, version)

    def _programs(self) -> Programs | None:
        """The timeline's programs; None when none was ever applied."""
        try:
            return self._writer.reader.programs()
        except DefinitionError:
            return None

    def _look(self, programs: Programs, now: datetime, hurried: Hurried) -> Round:
        """Decides by the present states of the flows on the agenda and of their inputs."""
        flows = self._agenda.due(now, self._environment.max_running)
        if not flows:
            return Round()
        neighbours = self._agenda.neighbours(programs)
        states = self._states_under(programs, flows | neighbours.inputs(flows), now)
        due = [batch for batch in due_batches(programs, states, now) if batch.flow in flows]
        if any(batch.covers_several for batch in due):  # a reader far away may need a version in between
            states = self._states_under(programs, neighbours.around(flows), now)
            due = [batch for batch in due_batches(programs, states, now) if batch.flow in flows]
        found, room = Round(due=len(due)), self._environment.max_running - self._agenda.at_work_beside(flows)
        places = Places(programs, due, frozenset(flows), self._agenda.at_work)
        done = dict(zip(due, self._begun(programs, due, now, room, hurried, found, places), strict=True))
        self._agenda.looked(flows, waiting_for_time(programs, states, due, now), done)
        return found

    def _states_under(self, programs: Programs, flows: Iterable[str], now: datetime) -> Mapping[str, FlowState]:
        """The flows' states; where one was quiesced under another program than the active one, all drift is evaluated again first."""
        states = self.known.read(flows, programs)
        marks = {version for state in states.values() for version in state.judged_under}
        entry, program = programs.active(now)
        if not marks or marks == {entry.version}:
            return states
        self.reevaluate_drift(program, entry.version)
        return self.known.read(flows, programs)

    def _begun(
        self, programs: Programs, due: Sequence[DueBatch], now: datetime, room: int, hurried: Hurried, found: Round, places: Places
    ) -> Iterator[Done | None]:
        """The result for each batch, counted in `found`; None where it is left for a later round. room: how many may start."""
        at, missing = 0, set[str]()
        bounded = self._recorded(places.bounded)
        places.known(bounded, now)
        while at < len(due) and (some := self._next(due[at:], found, room, hurried)):
            recorded = {**self._recorded([batch for batch in some if not places.bounds(batch)]), **bounded}
            taken = [places.take(batch, recorded, now) for batch in some]

            def begin(batch: DueBatch | None, recorded: Recorded = recorded) -> Done | None:
                if batch is None or found.later >= MOST_REFUSALS:
                    return None
                return self._one(programs, batch, recorded.get((batch.flow, batch.interval.start)), now, missing)

            for whole, part, done in zip(some, taken, self._map(begin, taken), strict=True):
                if done and part and len(part.datasets) < len(whole.datasets):
                    done = replace(done, partly=True)
                if done:
                    found.add(done.figures)
                yield done
            at += len(some)
        yield from (None for _ in due[at:])

    def _recorded(self, due: Sequence[DueBatch]) -> dict[tuple[str, datetime], Batch]:
        """The records of batches, each with its due tables, or with all where it was begun to go further."""
        wanted: dict[tuple[str, datetime], set[str]] = {}
        for batch in due:
            wanted.setdefault((batch.flow, batch.interval.start), set()).update(batch.datasets)
        reader = self._writer.reader
        found = reader.batches_at(wanted)
        for batch in due:
            known = found.get(key := (batch.flow, batch.interval.start))
            if known and known.interval.end > batch.interval.end and (whole := reader.batch(*key)):
                found[key] = whole
        return found

    def _next(self, left: Sequence[DueBatch], found: Round, room: int, hurried: Hurried) -> Sequence[DueBatch]:
        """The batches to begin next; none where the rest is left for a later round."""
        room -= found.started + found.running
        if found.later >= MOST_REFUSALS:
            self._report("AWS refuses for the moment: the rest of what is due waits for the next call", {"due": found.due})
        elif room <= 0:
            most = self._environment.max_running
            self._report("as many batches run as may at once: the rest of what is due waits for one to end", {"most": most})
        elif found.started >= self._environment.max_starts or hurried():
            self._report("more batches are due than one call starts", {"due": found.due, "started": found.started})
        else:
            return left[: min(AT_ONCE, room, self._environment.max_starts - found.started)]
        return ()

    def _one(self, programs: Programs, batch: DueBatch, recorded: Batch | None, now: datetime, missing: set[str]) -> Done:
        if batch.slice_id in missing:
            return Done(Round(missing=1), now)
        try:
            if batch.advanced:
                self._writer.settle(programs, batch.flow)
            done = self._executions.begin(batch, recorded, now)
        except Exception as error:
            if not is_later(error):
                raise
            return Done(Round(later=1), now)
        if done.figures.missing:
            missing.add(batch.slice_id)
        return done

    def _map(self, begin: Callable[[DueBatch | None], Done | None], batches: Sequence[DueBatch | None]) -> Iterator[Done | None]:
        """Calls concurrently, as far as the environment allows."""
        return self._threads.map(begin, batches) if self._environment.starts_at_once > 1 else map(begin, batches)

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._environment.starts_at_once, "starts")
