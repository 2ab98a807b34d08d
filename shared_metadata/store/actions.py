"""Builds the writes of batches, states and versions for DynamoDB, updates and puts with their conditions; sends none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from shared_metadata.program.intervals import Interval, to_text
from shared_metadata.state.records import (
    Batch,
    Claim,
    DeadLetter,
    LastChange,
    Moved,
    SchemaVersion,
    TableCommit,
    TableOutcome,
    TableState,
    TableStatus,
    Version,
    Wait,
    Worker,
)
from shared_metadata.state.skipped import Skipped
from shared_metadata.store import items, keys
from shared_metadata.store.expressions import setting
from shared_metadata.store.formats import schema_json
from shared_metadata.store.table_actions import ERROR_CHARACTERS, Action, EventActions

# The lease of a notification; if it isn't marked as sent by then, another caller may send it.
NOTIFYING = timedelta(minutes=2)


def _shared(claim: Claim) -> dict[str, str]:
    return items.shared_values(claim.flow, claim.interval, claim.program_version)


class Actions(EventActions):
    """Actions on the metadata table."""

    def share(self, claim: Claim, former: Batch | None) -> Action:
        """Writes what the tables of a claim's batch share, if it is as in `former`, or missing: it may have aged meanwhile."""
        values = {**keys.batch(claim.flow, claim.interval.start), **_shared(claim)}
        if former is None:
            return self.put(values, "attribute_not_exists(pk)")
        names, held = {"#end": "end"}, {":end": to_text(former.interval.end), ":program": former.program_version}
        more = {"ExpressionAttributeNames": names, "ExpressionAttributeValues": items.to_item(held)}
        return self.put(values, "attribute_not_exists(pk) OR (#end = :end AND program_version = :program)", **more)

    def take(self, claim: Claim, worker: Worker, dataset: str, former: Worker | None) -> Action:
        """Hands a table of a batch to a worker, if its last one still is `former`."""
        taken = {**_shared(claim), "dataset": dataset, "worker": items.worker_values(worker)}
        values: dict[str, Any]
        sets, names, values = setting(taken)
        names["#outcome"] = "outcome"
        condition = "attribute_not_exists(#worker)"
        if former:
            condition, names["#token"], values[":former"] = "#worker.#token = :former", "token", former.token
        key = keys.batch_table(claim.flow, claim.interval.start, dataset)
        return self.update(key, f"{sets} REMOVE #outcome", condition, names, values)

    def lease(self, claim: Claim, dataset: str, until: datetime, waits: Wait | None = None, *, waited: bool = False) -> Action:
        """Sets the lease of a table, if the claim is its last one.

        waits: what is waited for from now on.  waited: whether something was until now.
        """
        names = {"#worker": "worker", "#token": "token", "#lease": "lease_until"}
        values: dict[str, Any] = {":until": to_text(until), ":token": claim.token}
        expression = "SET #worker.#lease = :until"
        if waits or waited:
            names["#waits"] = "waits"
            expression += ", #worker.#waits = :waits" if waits else " REMOVE #worker.#waits"
            values |= {":waits": items.wait_values(waits)} if waits else {}
        key = keys.batch_table(claim.flow, claim.interval.start, dataset)
        return self.update(key, expression, "#worker.#token = :token", names, values)

    def end_lease(self, flow: str, start: datetime, dataset: str, owner: str, now: datetime) -> Action:
        names = {"#worker": "worker", "#owner": "owner", "#lease": "lease_until"}
        values = {":owner": owner, ":now": to_text(now)}
        key = keys.batch_table(flow, start, dataset)
        return self.update(key, "SET #worker.#lease = :now", "#worker.#owner = :owner", names, values)

    def outcome(self, claim: Claim, dataset: str, outcome: TableOutcome, moved: Mapping[str, str] | None = None) -> Action:
        """Records how a table ended, if the claim is its last one and nothing is recorded: a failed one may still be committed.

        moved: the cursors of the datasets whose watermark the same transaction moves: its own, and the one that it completes.
        """
        names = {"#worker": "worker", "#token": "token", "#outcome": "outcome"}
        values: dict[str, Any] = {":token": claim.token, ":outcome": items.outcome_values(outcome)}
        free = "attribute_not_exists(#outcome)"
        if outcome.status == TableStatus.COMMITTED:
            free, names["#status"], values[":failed"] = f"({free} OR #outcome.#status = :failed)", "status", TableStatus.FAILED.value
        sets = ["#outcome = :outcome"]
        for number, (name, cursor) in enumerate((moved or {}).items()):
            names[f"#m{number}"], values[f":m{number}"] = f"{items.MOVED}{name}", vars(Moved(cursor, claim.entry))
            sets.append(f"#m{number} = :m{number}")
        key = keys.batch_table(claim.flow, claim.interval.start, dataset)
        return self.update(key, f"SET {', '.join(sets)}", f"#worker.#token = :token AND {free}", names, values)

    def pin(self, claim: Claim, dataset: str, ends: Mapping[str, str], instead: Mapping[str, str] | None = None) -> Action:
        """Records which versions a table's batch reads, if the claim is its last one and none are recorded.

        Those of a batch of another program version, or with another end, do not count, nor do those in `instead`.
        """
        names = {"#worker": "worker", "#token": "token", "#pins": "pins", "#program": "program", "#end": "end"}
        program, end = claim.program_version, to_text(claim.interval.end)
        values: dict[str, Any] = {
            ":token": claim.token,
            ":program": program,
            ":end": end,
            ":pins": {"program": program, "end": end, "ends": dict(ends)},
        }
        free = "attribute_not_exists(#pins) OR #pins.#program <> :program OR #pins.#end <> :end"
        if instead is not None:
            free, names["#ends"], values[":instead"] = f"{free} OR #pins.#ends = :instead", "ends", dict(instead)
        key = keys.batch_table(claim.flow, claim.interval.start, dataset)
        return self.update(key, "SET #pins = :pins", f"#worker.#token = :token AND ({free})", names, values)

    def move(self, flow: str, dataset: str, held: TableState, standing: TableState) -> Action:
        """Stores a table's state along the timeline, if the stored one is as it was read."""
        names = {"#t": "table", "#w": "watermark"}
        values: dict[str, Any] = {":held": to_text(held.watermark), ":state": items.state_values(standing)}
        expression = "SET #t = :state"
        if standing.skipped != held.skipped:
            expression += ", skipped = :skipped" if standing.skipped else " REMOVE skipped"
            values |= {":skipped": items.interval_texts(standing.skipped)} if standing.skipped else {}
        return self.update(keys.state(flow, dataset), expression, "#t.#w = :held", names, values)

    def advance(
        self,
        flow: str,
        claim: Claim,
        dataset: str,
        cursor: str,
        change: LastChange | None = None,
        skipped: Skipped | None = None,
    ) -> Action:
        """Moves a dataset of a flow from the start of the claim's interval to its end, with its new cursor.

        Not where a later program version has moved it already: then this batch is made again.
        change: what the batch changed of it, if anything.  skipped: where it skips something.
        """
        interval, again_until = claim.interval, claim.again_until
        left = again_until if again_until and again_until > interval.end else None
        state = TableState(interval.end, cursor, entry=claim.entry, again_until=left)
        names = {"#t": "table", "#w": "watermark", "#entry": "entry"}
        values: dict[str, Any] = {":start": to_text(interval.start), ":entry": claim.entry, ":state": items.state_values(state)}
        sets, condition = ["#t = :state"], "#t.#w = :start AND (attribute_not_exists(#t.#entry) OR #t.#entry <= :entry)"
        if change:
            names["#last"], values[":last"] = "last", items.last_text(change)
            sets.append("#last = :last")
        if skipped:
            condition += " AND skipped = :before" if skipped.former else " AND attribute_not_exists(skipped)"
            values |= {":before": items.interval_texts(skipped.former)} if skipped.former else {}
            values |= {":skipped": items.interval_texts(skipped.now)} if skipped.now else {}
            sets += ["skipped = :skipped"] if skipped.now else []
        gone = " REMOVE skipped" if skipped and not skipped.now else ""
        return self.update(keys.state(flow, dataset), f"SET {', '.join(sets)}{gone}", condition, names, values)

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

        forgiven: how many attempts do not count, where that changes.
        """
        values = {
            ":start": to_text(interval.start),
            ":attempts": attempts + 1,
            ":former": attempts,
            ":retry": to_text(retry_at),
            ":error": error[:ERROR_CHARACTERS],
        }
        names = {"#t": "table", "#w": "watermark", "#a": "attempts", "#r": "retry_at", "#e": "error"}
        counted = "(#t.#a = :former OR attribute_not_exists(#t.#a))" if attempts == 0 else "#t.#a = :former"
        sets = "SET #t.#a = :attempts, #t.#r = :retry, #t.#e = :error"
        if letter:
            names["#l"], values[":letter"] = "dead_letter", {"at": to_text(letter.at), "execution": letter.execution}
            sets += ", #t.#l = :letter"
        if forgiven is not None:
            names["#f"], values[":forgiven"] = "forgiven", forgiven
            sets += ", #t.#f = :forgiven"
        return self.update(keys.state(flow, dataset), sets, f"#t.#w = :start AND {counted}", names, values)

    def redrive(self, flow: str, dataset: str, state: TableState) -> Action:
        """Resets the count of a table's attempts, so that it is due at once, if it still stands as in `state`."""
        names = {"#t": "table", "#w": "watermark", "#a": "attempts", "#f": "forgiven", "#r": "retry_at", "#l": "dead_letter"}
        values = {":w": to_text(state.watermark), ":a": state.attempts, ":f": state.forgiven}
        condition = "#t.#w = :w AND #t.#a = :a AND (#t.#f = :f OR attribute_not_exists(#t.#f))"
        return self.update(keys.state(flow, dataset), "SET #t.#f = :a REMOVE #t.#r, #t.#l", condition, names, values)

    def notifying(self, flow: str, dataset: str, letter: DeadLetter, now: datetime) -> Action:
        """Claims the right to send a dead letter's notification, unless it was sent or is being sent."""
        names = {"#t": "table", "#l": "dead_letter", "#at": "at", "#told": "told_at", "#until": "telling_until"}
        values = {":at": to_text(letter.at), ":now": to_text(now), ":until": to_text(now + NOTIFYING)}
        free = "(attribute_not_exists(#t.#l.#until) OR #t.#l.#until <= :now)"
        condition = f"#t.#l.#at = :at AND attribute_not_exists(#t.#l.#told) AND {free}"
        return self.update(keys.state(flow, dataset), "SET #t.#l.#until = :until", condition, names, values)

    def notified(self, flow: str, dataset: str, letter: DeadLetter, moment: datetime | None) -> Action:
        """Records when the notification was sent; None releases the claim."""
        names = {"#t": "table", "#l": "dead_letter", "#at": "at", "#until": "telling_until"}
        values, expression = {":at": to_text(letter.at)}, "REMOVE #t.#l.#until"
        if moment is not None:
            names, values = {**names, "#told": "told_at"}, {**values, ":told": to_text(moment)}
            expression = f"SET #t.#l.#told = :told {expression}"
        return self.update(keys.state(flow, dataset), expression, "#t.#l.#at = :at", names, values)

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
        return self.remade(made)

    def remade(self, version: Version, condition: str = "", values: Mapping[str, Any] | None = None) -> Action:
        """Writes a version over the one that is there, if any, which keeps what it knows of those after it (aged.py)."""
        key = keys.version(version.dataset, version.interval.end)
        fields = {name: value for name, value in items.version_values(version).items() if name not in key}
        sets, names, given = setting(fields)
        return self.update(key, sets, condition, names, {**given, **(values or {})})
