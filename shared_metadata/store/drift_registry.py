"""Records drift: one record for a change however often it is seen, and the marks of the datasets that it quiesces.

Every write holds only under the revision of the item that lists what is open, so that two workers that see the same change make one
record. A change, its record, its event and the marks of up to MARKS_AT_ONCE datasets are one transaction; the marks of further ones
follow before the caller goes on, and are written again by any caller that finds them missing.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError

from shared_metadata.aws.later import Refusal, is_contended, pauses, refusal, refused_record
from shared_metadata.drift.changes import DriftChange, flows_of, impact, is_still
from shared_metadata.program import Kind, Mode, Program
from shared_metadata.program.intervals import to_text
from shared_metadata.program.lineage import Lineage
from shared_metadata.state.records import EventKind, Quiesce, TableState
from shared_metadata.store import keys
from shared_metadata.store.actions import NOTIFYING, Actions
from shared_metadata.store.drift_records import Drift, DriftReader, Register
from shared_metadata.store.table_actions import Action
from shared_metadata.store.table_reader import Clock, utc_now
from shared_metadata.store.writes import given_up, written

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MARKS_AT_ONCE = 80  # of the 100 actions of a transaction
PLACE = "the records of drift"
T = TypeVar("T")
LineageOf = Callable[[], Lineage | None]
SOURCE_IS_BACK = "the source is as it was"
NOT_EXPECTED = "the program does not expect it any more"


class DriftRegistry(DriftReader):
    """Opens, adapts and resolves drift, with the marks on the flows."""

    def __init__(self, client: DynamoDBClient, table: str, clock: Clock = utc_now) -> None:
        super().__init__(client, table)
        self._clock, self._actions = clock, Actions(table)

    def settle(
        self, table: str, changes: Sequence[DriftChange], known: LineageOf, program: Program, version: str, seen_by: str
    ) -> list[Drift]:
        """Reconciles the table's open drift with `changes`, and returns it.

        Costs one read where nothing is open and nothing changed. New drift is opened before old drift is resolved, so that a flow
        that both quiesce never runs in between. known: the program's lineage, asked for only when something is resolved.
        """

        def once() -> list[Drift]:
            register = self._register()
            open_now = {drift.change.identity: drift for drift in self._drifts(register.numbers(table))}
            found = []
            for change in changes:
                seen = open_now.pop(change.identity, None)
                found.append(
                    self._adapt(register, seen, change, program, version)
                    if seen
                    else self._open(register, change, program, version, seen_by)
                )
            for gone in open_now.values():
                lineage = known()
                expected = lineage is not None and is_still(gone.change, lineage)
                self._resolve(register, gone, program, SOURCE_IS_BACK if expected else NOT_EXPECTED)
            return found

        return self._tried(once)

    def reevaluate(self, lineage: Lineage | None, program: Program, version: str) -> None:
        """Evaluates all open drift under another program: resolves what it does not expect, marks and frees flows."""

        def once() -> None:
            register = self._register()
            for drift in self._drifts(sorted(map(int, register.open))):
                if lineage is None or not is_still(drift.change, lineage):
                    self._resolve(register, drift, program, NOT_EXPECTED)
                else:
                    self._adapt(register, drift, impact(drift.change, lineage, program), program, version)

        self._tried(once)

    def claim_notification(self, number: int) -> bool:
        """Claims the right to notify of a drift for `NOTIFYING`; returns True for one caller only."""
        now, names = self._clock(), {"#until": "telling_until"}
        values = {":now": to_text(now), ":until": to_text(now + NOTIFYING)}
        free = "(attribute_not_exists(#until) OR #until <= :now)"
        condition = f"attribute_exists(pk) AND attribute_not_exists(notified_at) AND {free}"
        return written(self._client, self._actions.update(keys.drift(number), "SET #until = :until", condition, names, values))

    def notified(self, number: int) -> None:
        """Marks the notification as sent."""
        sent = {":now": to_text(self._clock())}
        written(self._client, self._actions.update(keys.drift(number), "SET notified_at = :now REMOVE telling_until", "", {}, sent))

    def release_notification(self, number: int) -> None:
        """Releases the claim on the notification."""
        written(self._client, self._actions.update(keys.drift(number), "REMOVE telling_until", "", {}, {}))

    # -- one change

    def _open(self, register: Register, change: DriftChange, program: Program, version: str, seen_by: str) -> Drift:
        number, flows = register.last + 1, flows_of(program, change.quiesces)
        marks = self._marks(number, flows, version)
        drift = Drift(number, change, self._clock(), seen_by, version, tuple(flows))
        record = {
            **keys.drift(number),
            "number": number,
            "change": _change_json(change),
            "first_seen": to_text(drift.first_seen),
            "seen_by": seen_by,
            "program": version,
            "flows": list(flows),
        }
        put = self._actions.put(record, "attribute_not_exists(pk)")
        opened = {**register.open, str(number): [change.table, change.identity]}
        kind = EventKind.FLOW_QUIESCED if flows else EventKind.SOURCE_CHANGED
        event = self._event(kind, drift, register.revision, flows)
        self._send(register, Register(register.revision + 1, number, opened), [put, event], marks)
        return drift

    def _adapt(self, register: Register, drift: Drift, change: DriftChange, program: Program, version: str) -> Drift:
        """Updates the drift record where it differs from the change; usually writes nothing."""
        flows = flows_of(program, change.quiesces)
        marks = self._marks(drift.number, flows, version)
        freed = sorted(set(drift.flows) - set(flows))
        unmarks = self._unmarks(drift.number, {*drift.flows, *flows}, flows)
        if not marks and not unmarks and change == drift.change and version == drift.program:
            return drift
        names = {"#c": "change", "#p": "program", "#f": "flows"}
        values = {":c": _change_json(change), ":p": version, ":f": list(flows)}
        update = self._actions.update(
            keys.drift(drift.number), "SET #c = :c, #p = :p, #f = :f", "attribute_exists(pk)", names, values
        )
        events = []
        if added := sorted(set(flows) - set(drift.flows)):
            events.append(self._event(EventKind.FLOW_QUIESCED, drift, register.revision, added))
        if freed:
            events.append(self._event(EventKind.FLOW_RESUMED, drift, register.revision, freed))
        self._send(register, dataclasses.replace(register, revision=register.revision + 1), [update, *events], [*marks, *unmarks])
        return dataclasses.replace(drift, change=change, program=version, flows=tuple(flows))

    def _resolve(self, register: Register, drift: Drift, program: Program, why: str) -> None:
        names = {"#r": "resolved_at", "#w": "resolution"}
        values = {":r": to_text(self._clock()), ":w": why}
        update = self._actions.update(keys.drift(drift.number), "SET #r = :r, #w = :w", "attribute_exists(pk)", names, values)
        kind = EventKind.FLOW_RESUMED if drift.flows else EventKind.SOURCE_CHANGED
        event = self._event(kind, drift, register.revision, drift.flows, resolution=why)
        unmarks = self._unmarks(drift.number, drift.flows)
        left = {number: entry for number, entry in register.open.items() if number != str(drift.number)}
        first, more = unmarks[:-MARKS_AT_ONCE], unmarks[-MARKS_AT_ONCE:]
        for at in range(0, len(first), MARKS_AT_ONCE):  # the drift stays open until the last are freed
            self._transact(first[at : at + MARKS_AT_ONCE])
        refills = self._refills(drift, program)
        self._send(register, Register(register.revision + 1, register.last, left), [update, event, *refills], more)

    def _refills(self, drift: Drift, program: Program) -> list[Action]:
        """Marks tables whose rows were collected without the column: the next batch of a MERGE collects the whole table."""
        makers, actions = program.producers, []
        for staged in sorted({f"{column.dataset}:staged" for column in drift.change.nulls} - set(drift.change.quiesces)):
            flow = makers.get(staged)
            if flow and flow.kind == Kind.COLLECT and flow.of(staged).mode == Mode.MERGE:
                names, key = {"#t": "table", "#c": "cursor"}, keys.state(flow.id, staged)
                actions.append(self._actions.update(key, "SET #t.#c = :c", "attribute_exists(#t)", names, {":c": ""}))
        return actions[: 100 - MARKS_AT_ONCE - 3]

    # -- marks

    def _marks(self, number: int, flows: Mapping[str, Sequence[str]], version: str) -> list[Action]:
        """The marks that datasets lack, or that were made under another program."""
        found = []
        for flow, state in self.reader.states_of(flows).items():
            for dataset, table in state.tables.items():
                known = next((mark for mark in table.quiesced if mark.drift == number), None)
                if known is None or known.program != version:
                    since = known.since if known else table.watermark
                    found.append(self._mark(flow, dataset, Quiesce(number, since, version)))
        return found

    def _unmarks(self, number: int, flows: Iterable[str], but: Mapping[str, Collection[str]] | None = None) -> list[Action]:
        """Removes a drift's marks from all datasets of flows, except for those of a flow in `but`."""
        return [
            self._unmark(flow, dataset, table, number)
            for flow, state in sorted(self.reader.flow_states(flows).items())
            for dataset, table in state.tables.items()
            if number in table.drifts and dataset not in (but or {}).get(flow, ())
        ]

    def _mark(self, flow: str, dataset: str, mark: Quiesce) -> Action:
        names, values = {"#q": keys.quiesce_mark(mark.drift)}, {":q": {**vars(mark), "since": to_text(mark.since)}}
        return self._actions.update(keys.state(flow, dataset), "SET #q = :q", "attribute_exists(pk)", names, values)

    def _unmark(self, flow: str, dataset: str, table: TableState, number: int) -> Action:
        """Removes a mark; attempts that failed while the source was wrong no longer count."""
        names, expression, values = {"#q": keys.quiesce_mark(number)}, "REMOVE #q", dict[str, Any]()
        if table.attempts:
            names |= {"#t": "table", "#a": "attempts", "#f": "forgiven", "#l": "dead_letter"}
            expression, values = "SET #t.#f = if_not_exists(#t.#a, :zero) REMOVE #t.#l, #q", {":zero": 0}
        return self._actions.update(keys.state(flow, dataset), expression, "attribute_exists(#q)", names, values)

    # -- writing

    def _event(self, kind: EventKind, drift: Drift, revision: int, flows: Iterable[str], **more: str) -> Action:
        now, change = self._clock(), drift.change
        detail = {"drift": drift.number, "change": change.kind.value, "table": change.table, "column": change.column}
        values = {
            **keys.event(now, f"drift#{drift.number}#{kind.value}#{revision}"),
            "kind": kind.value,
            "at": to_text(now),
            "flow": drift.seen_by,
            "detail": {**detail, "flows": list(flows), **more},
        }
        return self._actions.put(values)

    def _send(self, register: Register, new: Register, actions: list[Action], marks: list[Action]) -> None:
        """Sends one transaction under the register's revision, then the marks that it had no room for."""
        values: dict[str, Any] = {":r": new.revision, ":l": new.last, ":o": new.open, ":former": register.revision}
        condition = "#r = :former"
        if register.revision == 0:
            condition = "attribute_not_exists(#r)"
            del values[":former"]
        names = {"#r": "revision", "#l": "last", "#o": "open"}
        lock = self._actions.update(keys.open_drifts(), "SET #r = :r, #l = :l, #o = :o", condition, names, values)
        self._transact([lock, *actions, *marks[:MARKS_AT_ONCE]])
        register.revision, register.last, register.open = new.revision, new.last, new.open
        for at in range(MARKS_AT_ONCE, len(marks), MARKS_AT_ONCE):
            self._transact(marks[at : at + MARKS_AT_ONCE])

    def _transact(self, actions: list[Action]) -> None:
        self._client.transact_write_items(TransactItems=actions)  # type: ignore[arg-type]

    def _tried(self, once: Callable[[], T]) -> T:
        """Repeats from the start while other writers touch the same items."""
        last = Refusal.LATER
        for pause in pauses():
            try:
                return once()
            except ClientError as error:
                last = refusal(error)
                if last != Refusal.CONDITION and not is_contended(error):
                    raise refused_record(error, PLACE) from None
                time.sleep(pause)
        raise given_up(last, PLACE)


def _change_json(change: DriftChange) -> str:
    return json.dumps(dataclasses.asdict(change), sort_keys=True)
