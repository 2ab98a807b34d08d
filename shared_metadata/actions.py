"""The writes of the metadata layer as DynamoDB wants them: updates and puts with their conditions; builds them, sends none."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from shared_metadata import items, keys
from shared_metadata.freshness import LateDataset
from shared_metadata.intervals import Interval, to_text
from shared_metadata.notices import TELLING
from shared_metadata.reader import schema_json
from shared_metadata.records import (
    Batch,
    Claim,
    DeadLetter,
    EventKind,
    LastChange,
    Moved,
    SchemaVersion,
    Skipped,
    TableCommit,
    TableOutcome,
    TableState,
    TableStatus,
    Version,
)

Action = dict[str, Any]
EVENT_DAYS = 90  # of batches; what they say stands in the batch's own record, which stays
ERROR_CHARACTERS = 500  # of up to some hundred tables in an item of at most 400 KB


class Actions:
    """Actions on one metadata table."""

    def __init__(self, table: str) -> None:
        self._table = table

    def new_batch(self, claim: Claim, worker: Mapping[str, Any]) -> Action:
        values = {
            **keys.batch(claim.flow, claim.interval.start),
            "flow": claim.flow,
            "start": to_text(claim.interval.start),
            "end": to_text(claim.interval.end),
            "token": claim.token,
            "datasets": sorted(claim.datasets),
            "program_version": claim.program_version,
            "outcomes": {},
            "workers": {dataset: dict(worker) for dataset in claim.datasets},
            "pins": {},
        }
        return self.put(values, "attribute_not_exists(pk)")

    def take_over(self, claim: Claim, worker: Mapping[str, Any], datasets: Sequence[str], former: Batch, expected: int) -> Action:
        """Hands `datasets` of a batch to a worker, if its highest token is still `expected`.

        What the batch of another program version, or with another end, was to read is forgotten.
        """
        names = {"#token": "token", "#end": "end", "#datasets": "datasets", "#o": "outcomes", "#w": "workers"}
        names |= {f"#d{number}": dataset for number, dataset in enumerate(datasets)}
        given = "".join(f", #w.#d{number}=:w" for number in range(len(datasets)))
        forgotten = ",".join(f"#o.#d{number}" for number in range(len(datasets)))
        values = {
            ":token": claim.token,
            ":former": expected,
            ":end": to_text(claim.interval.end),
            ":datasets": sorted({*former.datasets, *claim.datasets}),
            ":program": claim.program_version,
            ":w": dict(worker),
        }
        sets = f"SET #token = :token, #end = :end, #datasets = :datasets, program_version = :program{given}"
        if (former.program_version, former.interval) != (claim.program_version, claim.interval):
            sets, values = f"{sets}, pins = :none", {**values, ":none": {}}
        expression = f"{sets} REMOVE {forgotten}"  # of at most 4 KB
        return self.update(keys.batch(claim.flow, claim.interval.start), expression, "#token = :former", names, values)

    def lease(self, claim: Claim, until: datetime) -> Action:
        """Sets the leases of a claim's tables, if it is the last claim of each."""
        names, numbers = {"#workers": "workers", "#token": "token", "#lease": "lease_until"}, range(len(claim.datasets))
        names |= {f"#d{number}": dataset for number, dataset in enumerate(claim.datasets)}
        sets = ", ".join(f"#workers.#d{number}.#lease = :until" for number in numbers)
        condition = " AND ".join(f"#workers.#d{number}.#token = :token" for number in numbers)
        values = {":until": to_text(until), ":token": claim.token}
        return self.update(keys.batch(claim.flow, claim.interval.start), f"SET {sets}", condition, names, values)

    def end_lease(self, flow: str, start: datetime, dataset: str, owner: str, now: datetime) -> Action:
        names = {"#workers": "workers", "#d": dataset, "#owner": "owner", "#lease": "lease_until"}
        values = {":owner": owner, ":now": to_text(now)}
        condition = "#workers.#d.#owner = :owner"
        return self.update(keys.batch(flow, start), "SET #workers.#d.#lease = :now", condition, names, values)

    def outcome(self, claim: Claim, outcomes: Mapping[str, TableOutcome], moved: Mapping[str, str] | None = None) -> Action:
        """Records how tables ended, if the claim is the last of each and none is recorded: a failed one may still be committed.

        moved: the cursors of the datasets whose watermark moves in the same transaction.
        """
        names = {"#token": "token", "#workers": "workers", "#outcomes": "outcomes", "#status": "status"}
        values: dict[str, Any] = {":token": claim.token, ":failed": TableStatus.FAILED.value, ":done": TableStatus.COMMITTED.value}
        sets: list[str] = []
        conditions: list[str] = []
        used: set[str] = set()
        for number, (dataset, outcome) in enumerate(outcomes.items()):
            names[f"#d{number}"], values[f":o{number}"] = dataset, items.outcome_values(outcome)
            sets.append(f"#outcomes.#d{number} = :o{number}")
            free = f"attribute_not_exists(#outcomes.#d{number})"
            if outcome.status == TableStatus.COMMITTED:
                free, used = f"({free} OR #outcomes.#d{number}.#status = :failed)", used | {":failed", "#status"}
            conditions.append(f"#workers.#d{number}.#token = :token AND {free}")
        for number, (dataset, cursor) in enumerate((moved or {}).items()):
            names[f"#m{number}"], values[f":m{number}"] = f"{items.MOVED}{dataset}", vars(Moved(cursor, claim.entry))
            sets.append(f"#m{number} = :m{number}")
        for unused in {":failed", ":done", "#status"} - used:
            (names if unused[0] == "#" else values).pop(unused)
        key = keys.batch(claim.flow, claim.interval.start)
        return self.update(key, "SET " + ", ".join(sets), " AND ".join(conditions), names, values)

    def pin(self, claim: Claim, dataset: str, ends: Mapping[str, str]) -> Action:
        """Keeps which versions a table's batch reads, if the claim is the last and none are kept."""
        names = {"#workers": "workers", "#token": "token", "#d": dataset}
        condition = "#workers.#d.#token = :token AND attribute_not_exists(pins.#d)"
        key = keys.batch(claim.flow, claim.interval.start)
        return self.update(key, "SET pins.#d = :ends", condition, names, {":token": claim.token, ":ends": dict(ends)})

    def move(self, flow: str, dataset: str, held: TableState, standing: TableState) -> Action:
        """Stores where a table stands along the timeline, if it still is where it was when that was found out."""
        names = {"#tables": "tables", "#watermark": "watermark", "#d": dataset}
        values = {":held": to_text(held.watermark), ":state": items.state_values(standing)}
        condition = "#tables.#d.#watermark = :held"
        return self.update(keys.flow_state(flow), "SET #tables.#d = :state", condition, names, values)

    def advance(
        self,
        flow: str,
        claim: Claim,
        cursors: Mapping[str, str],
        changes: Mapping[str, LastChange] | None = None,
        skipped: Skipped | None = None,
    ) -> Action:
        """Moves tables of a flow from the start of the claim's interval to its end, with their new cursors.

        Not where a later program version has moved them already: then this batch is made again.
        changes: what the batch did, of the tables that it changed.  skipped: where it skips something.
        """
        interval, again_until = claim.interval, claim.again_until
        left = again_until if again_until and again_until > interval.end else None
        names = {"#tables": "tables", "#watermark": "watermark", "#entry": "entry"}
        values: dict[str, Any] = {":start": to_text(interval.start), ":entry": claim.entry}
        sets, conditions = [], []
        for number, (dataset, cursor) in enumerate(cursors.items()):
            names[f"#d{number}"] = dataset
            values[f":s{number}"] = items.state_values(TableState(interval.end, cursor, entry=claim.entry, again_until=left))
            sets.append(f"#tables.#d{number} = :s{number}")
            standing = f"#tables.#d{number}"
            earlier = f"(attribute_not_exists({standing}.#entry) OR {standing}.#entry <= :entry)"
            conditions.append(f"{standing}.#watermark = :start AND {earlier}")
            if changes and dataset in changes:
                names[f"#l{number}"], values[f":l{number}"] = items.last(dataset), items.last_text(changes[dataset])
                sets.append(f"#l{number} = :l{number}")
        if skipped:
            sets.append("skipped = :skipped")
            conditions.append("skipped = :before" if skipped.former else "attribute_not_exists(skipped)")
            values[":skipped"] = items.interval_texts(skipped.now)
            values |= {":before": items.interval_texts(skipped.former)} if skipped.former else {}
        return self.update(keys.flow_state(flow), "SET " + ", ".join(sets), " AND ".join(conditions), names, values)

    def failed_attempt(
        self,
        flow: str,
        interval: Interval,
        dataset: str,
        error: str,
        attempts: int,
        retry_at: datetime,
        letter: DeadLetter | None = None,
        forgiven: int | None = None,
    ) -> Action:
        """Counts a failed attempt at the table's next batch, if `attempts` were counted before; with `letter` it was the last.

        forgiven: how many of the attempts do not count, where that changes.
        """
        values = {
            ":start": to_text(interval.start),
            ":attempts": attempts + 1,
            ":former": attempts,
            ":retry": to_text(retry_at),
            ":error": error[:ERROR_CHARACTERS],
        }
        names = {"#t": "tables", "#d": dataset, "#w": "watermark", "#a": "attempts", "#r": "retry_at", "#e": "error"}
        counted = "(#t.#d.#a = :former OR attribute_not_exists(#t.#d.#a))" if attempts == 0 else "#t.#d.#a = :former"
        sets = "SET #t.#d.#a = :attempts, #t.#d.#r = :retry, #t.#d.#e = :error"
        if letter:
            names["#l"], values[":letter"] = "dead_letter", {"at": to_text(letter.at), "execution": letter.execution}
            sets += ", #t.#d.#l = :letter"
        if forgiven is not None:
            names["#f"], values[":forgiven"] = "forgiven", forgiven
            sets += ", #t.#d.#f = :forgiven"
        return self.update(keys.flow_state(flow), sets, f"#t.#d.#w = :start AND {counted}", names, values)

    def redrive(self, flow: str, tables: Mapping[str, TableState]) -> Action:
        """Forgives tables their attempts, so that they are due at once, if each of them still stands as in `tables`."""
        names = {"#t": "tables", "#w": "watermark", "#a": "attempts", "#f": "forgiven", "#r": "retry_at", "#l": "dead_letter"}
        values: dict[str, Any] = {}
        sets, removes, conditions = [], [], []
        for n, (dataset, state) in enumerate(tables.items()):
            names[f"#d{n}"], table = dataset, f"#t.#d{n}"
            values |= {f":w{n}": to_text(state.watermark), f":a{n}": state.attempts, f":f{n}": state.forgiven}
            sets.append(f"{table}.#f = :a{n}")
            removes.append(f"{table}.#r, {table}.#l")
            forgiven = f"({table}.#f = :f{n} OR attribute_not_exists({table}.#f))"
            conditions.append(f"{table}.#w = :w{n} AND {table}.#a = :a{n} AND {forgiven}")
        expression = f"SET {', '.join(sets)} REMOVE {', '.join(removes)}"
        return self.update(keys.flow_state(flow), expression, " AND ".join(conditions), names, values)

    def telling(self, flow: str, dataset: str, letter: DeadLetter, now: datetime) -> Action:
        """Keeps until when somebody tells people of a dead letter, if nobody has, nor is at it."""
        letter_path = "#t.#d.#l"
        names = {"#t": "tables", "#d": dataset, "#l": "dead_letter", "#at": "at", "#told": "told_at", "#until": "telling_until"}
        values = {":at": to_text(letter.at), ":now": to_text(now), ":until": to_text(now + TELLING)}
        free = f"(attribute_not_exists({letter_path}.#until) OR {letter_path}.#until <= :now)"
        condition = f"{letter_path}.#at = :at AND attribute_not_exists({letter_path}.#told) AND {free}"
        return self.update(keys.flow_state(flow), f"SET {letter_path}.#until = :until", condition, names, values)

    def told(self, flow: str, dataset: str, letter: DeadLetter, moment: datetime | None) -> Action:
        """Keeps when people were told of a dead letter; None: that nobody has told them after all."""
        names = {"#t": "tables", "#d": dataset, "#l": "dead_letter", "#at": "at", "#until": "telling_until"}
        values, expression = {":at": to_text(letter.at)}, "REMOVE #t.#d.#l.#until"
        if moment is not None:
            names, values = {**names, "#told": "told_at"}, {**values, ":told": to_text(moment)}
            expression = f"SET #t.#d.#l.#told = :told {expression}"
        return self.update(keys.flow_state(flow), expression, "#t.#d.#l.#at = :at", names, values)

    def schema(self, schema: SchemaVersion) -> Action:
        values = {
            **keys.schema(schema.dataset, schema.number),
            "dataset": schema.dataset,
            "number": schema.number,
            "schema": schema_json(schema.schema),
            "layout": json.dumps(schema.layout),
            "signature": schema.signature,
            "program_version": schema.program_version,
            "origins": json.dumps(schema.origins),
        }
        return self.put(values, "attribute_not_exists(pk)")

    def version(self, claim: Claim, commit: TableCommit, schema_version: int) -> Action:
        pointer = commit.pointer or {}
        made = Version(commit.dataset, claim.interval, pointer, commit.rows, schema_version, claim.token, commit.reads)
        return self.put(items.version_values(made))

    def event(self, kind: EventKind, now: datetime, claim: Claim, what: str, detail: Mapping[str, Any]) -> Action:
        start = to_text(claim.interval.start)
        values = {
            **keys.event(now, f"{claim.flow}#{start}#{claim.token}#{kind.value}#{what}"),
            "kind": kind.value,
            "at": to_text(now),
            "flow": claim.flow,
            "detail": {**detail, "start": start, "token": claim.token},
            "expires": int(now.timestamp()) + EVENT_DAYS * 86400,
        }
        return self.put(values)

    def lost(self, flow: str, interval: Interval, dataset: str, error: str, attempts: int, now: datetime) -> Action:
        """The event that an execution ended without recording an outcome, the so manieth attempt."""
        start, kind = to_text(interval.start), EventKind.BATCH_LOST.value
        values = {
            **keys.event(now, f"{flow}#{start}#{kind}#{dataset}#{attempts}"),
            "kind": kind,
            "at": to_text(now),
            "flow": flow,
            "detail": {"dataset": dataset, "start": start, "attempts": attempts, "error": error[:ERROR_CHARACTERS]},
            "expires": int(now.timestamp()) + EVENT_DAYS * 86400,
        }
        return self.put(values)

    def dead(self, flow: str, interval: Interval, dataset: str, error: str, attempts: int, letter: DeadLetter) -> Action:
        """The event that a batch is not tried again by itself."""
        start, kind = to_text(interval.start), EventKind.BATCH_DEAD.value
        detail = {"dataset": dataset, "start": start, "end": to_text(interval.end), "attempts": attempts}
        values = {
            **keys.event(letter.at, f"{flow}#{start}#{kind}#{dataset}#{attempts}"),
            "kind": kind,
            "at": to_text(letter.at),
            "flow": flow,
            "detail": {**detail, "error": error[:ERROR_CHARACTERS], "execution": letter.execution},
        }
        return self.put(values)

    def redriven(self, flow: str, tables: Mapping[str, TableState], now: datetime) -> Action:
        """The event that an operator wants dead batches to be tried again."""
        kind = EventKind.BATCH_REDRIVEN.value
        first = next(iter(tables))
        values = {
            **keys.event(now, f"{flow}#{kind}#{first}#{tables[first].attempts}"),
            "kind": kind,
            "at": to_text(now),
            "flow": flow,
            "detail": {"datasets": {dataset: to_text(state.watermark) for dataset, state in tables.items()}},
        }
        return self.put(values)

    def late(self, late: LateDataset) -> Action:
        """The event of a broken promise, under a key of its own, unless it is there."""
        values = {
            ":kind": EventKind.DATASET_LATE.value,
            ":at": to_text(late.since),
            ":flow": late.flow,
            ":detail": {"dataset": late.dataset, "complete_through": to_text(late.watermark)},
        }
        names = {"#kind": "kind", "#at": "at", "#flow": "flow", "#detail": "detail"}
        key = keys.event(late.since, f"{late.flow}#{EventKind.DATASET_LATE.value}#{late.dataset}")
        sets = "SET #kind = :kind, #at = :at, #flow = :flow, #detail = :detail"
        return self.update(key, sets, "attribute_not_exists(pk)", names, values)

    def update(self, key: keys.Key, expression: str, condition: str, names: Mapping[str, str], values: Mapping[str, Any]) -> Action:
        return {
            "Update": {
                "TableName": self._table,
                "Key": items.to_item(key),
                "UpdateExpression": expression,
                "ConditionExpression": condition,
                "ExpressionAttributeNames": dict(names),
                "ExpressionAttributeValues": items.to_item(values),
            }
        }

    def put(self, values: Mapping[str, Any], condition: str = "", **more: Any) -> Action:
        conditional = {"ConditionExpression": condition} if condition else {}
        return {"Put": {"TableName": self._table, "Item": items.to_item(values), **conditional, **more}}
