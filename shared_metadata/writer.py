"""Writes the metadata layer: claim, commit and fail a batch; store and activate a program.

The commit protocol: `claim` is a conditional write that raises the batch's fencing token; `commit` is one TransactWriteItems
that holds only under the newest token. Whatever happens in between, a batch's table is committed once.
"""

from __future__ import annotations

import json
import random
import time
import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared_metadata import items, keys
from shared_metadata.errors import AlreadyCommitted, RetryLater, StaleToken
from shared_metadata.intervals import Interval, floor, to_text
from shared_metadata.program import Program
from shared_metadata.reader import Clock, MetadataReader, schema_json, utc_now
from shared_metadata.records import Batch, Claim, EventKind, TableCommit, TableOutcome, TableStatus

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PART_BYTES = 300_000  # an item may have 400 KB
TABLES_A_TRANSACTION = 20  # 100 actions and 4 KB of expression are DynamoDB's limits; a table takes up to three actions
CONFLICT_TRIES = 8
STATISTICS_DAYS = 90
RETRY_SECONDS = (15, 60, 300, 1800)


class MetadataWriter:
    """Most code needs only a MetadataReader; this one is for the steps of a batch and for `atoll apply`."""

    def __init__(self, client: DynamoDBClient, table: str, clock: Clock = utc_now) -> None:
        self._client, self._table, self._clock = client, table, clock
        self.reader = MetadataReader(client, table)

    def claim(
        self,
        flow: str,
        interval: Interval,
        datasets: Sequence[str],
        *,
        program_version: str,
        owner: str,
        lease_seconds: int,
        rerun: bool = False,
    ) -> Claim:
        """The right to run `datasets` of a batch, or those of them that are not committed yet.

        rerun: run committed tables again (a backfill). Raises AlreadyCommitted, or RetryLater while another owner's lease runs.
        """
        now, former = self._clock(), self.reader.batch(flow, interval.start)
        todo = tuple(datasets) if rerun else _uncommitted(former, datasets)
        if not todo:
            raise AlreadyCommitted(f"batch {interval} is committed", place=flow)
        if former and former.owner != owner and _running(former, todo) and former.lease_until > now:
            raise RetryLater(
                f"batch {interval} is being run by {former.owner} until {to_text(former.lease_until)}",
                place=flow,
                remedy="wait for it to end; a crashed worker's claim lapses at that time",
                after_seconds=(former.lease_until - now).total_seconds(),
            )
        token = former.token + 1 if former else 1
        outcomes = {name: _plain(o) for name, o in (former.outcomes if former else {}).items() if name not in todo}
        values = {
            **keys.batch(flow, interval.start),
            "flow": flow,
            "start": to_text(interval.start),
            "end": to_text(interval.end),
            "token": token,
            "datasets": sorted({*todo, *(former.datasets if former else ())}),
            "program_version": program_version,
            "owner": owner,
            "lease_until": to_text(now + timedelta(seconds=lease_seconds)),
            "outcomes": outcomes,
        }
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(pk)"}
        if former:
            condition = {
                "ConditionExpression": "#token = :former",
                "ExpressionAttributeNames": {"#token": "token"},
                "ExpressionAttributeValues": items.to_item({":former": former.token}),
            }
        try:
            self._client.put_item(TableName=self._table, Item=items.to_item(values), **condition)
        except ClientError as error:
            if _code(error) != "ConditionalCheckFailedException":
                raise
            raise RetryLater(f"batch {interval} was claimed by another worker just now", place=flow) from error
        return Claim(flow, interval, token, todo, program_version, rerun)

    def renew(self, claim: Claim, lease_seconds: int) -> None:
        """Extends the lease. Raises StaleToken when another worker has claimed the batch."""
        until = to_text(self._clock() + timedelta(seconds=lease_seconds))
        try:
            self._client.update_item(
                TableName=self._table,
                Key=items.to_item(keys.batch(claim.flow, claim.interval.start)),
                UpdateExpression="SET lease_until = :until",
                ConditionExpression="#token = :token",
                ExpressionAttributeNames={"#token": "token"},
                ExpressionAttributeValues=items.to_item({":until": until, ":token": claim.token}),
            )
        except ClientError as error:
            if _code(error) != "ConditionalCheckFailedException":
                raise
            raise _stale(claim) from error

    def commit(self, claim: Claim, commits: Sequence[TableCommit], *, passes: Mapping[str, str] | None = None) -> None:
        """Commits tables of a batch: outcome, watermark, cursor, version, schema and event, in one transaction for up to 20 tables.

        passes: datasets of another flow that an empty batch completes as well, e.g. 'lake.crm.account' ▸ 'lake.crm:load' when
        nothing was staged for it; skipped for those that lag behind.
        Committing again what this token has committed changes nothing. Raises StaleToken.
        """
        for at in range(0, len(commits), TABLES_A_TRANSACTION):
            self._commit_some(claim, commits[at : at + TABLES_A_TRANSACTION], passes or {})
        for commit in commits:
            if commit.rows or commit.pointer:
                self._put_statistics(claim, commit)

    def fail(self, claim: Claim, dataset: str, error: str) -> None:
        """Records that one table of the batch failed; the conductor tries again after a while. Raises StaleToken."""
        now = self._clock()
        outcome = TableOutcome(TableStatus.FAILED, error=error[:1000], token=claim.token)
        actions = [self._outcome(claim, {dataset: outcome})]
        if not claim.rerun:
            actions.append(self._failed_attempt(claim.flow, claim.interval, dataset, error, now))
        detail = {"dataset": dataset, "error": error[:1000]}
        actions.append(self._event(EventKind.BATCH_FAILED, now, claim, dataset, detail))
        self._transact(claim, actions, {dataset: None})

    def record_lost(self, flow: str, interval: Interval, datasets: Sequence[str], error: str) -> None:
        """Counts a failed attempt for an execution that ended without recording an outcome; nothing if the batch went on."""
        for dataset in datasets:
            try:
                action = self._failed_attempt(flow, interval, dataset, error, self._clock())
                self._client.update_item(**action["Update"])
            except ClientError as failure:
                if _code(failure) != "ConditionalCheckFailedException":
                    raise

    def put_program(self, program: Program) -> None:
        """Stores a program version; storing it again changes nothing."""
        body = zlib.compress(program.to_json().encode(), 9)
        for number, at in enumerate(range(0, len(body), PART_BYTES)):
            key = keys.program_part(program.version, number)
            self._client.put_item(TableName=self._table, Item=items.to_item({**key, "body": body[at : at + PART_BYTES]}))

    def activate(self, program: Program, *, former_version: str) -> None:
        """Makes a stored program the active one, in one conditional write, and opens the state of its flows.

        A new dataset starts at the interval that ended last before now. Raises RetryLater when `former_version` is not active.
        """
        now = self._clock()
        self._open_states(program, now)
        values = {**keys.active_program(), "version": program.version, "at": to_text(now), "former": former_version}
        condition = "attribute_not_exists(version)" if not former_version else "version = :former"
        put: dict[str, Any] = {
            "TableName": self._table,
            "Item": items.to_item(values),
            "ConditionExpression": condition,
        }
        if former_version:
            put["ExpressionAttributeValues"] = items.to_item({":former": former_version})
        event = {
            **keys.event(now, f"program#{program.version}"),
            "kind": EventKind.PROGRAM_ACTIVATED.value,
            "at": to_text(now),
            "flow": "",
            "detail": {"version": program.version, "former": former_version},
        }
        actions = [{"Put": put}, {"Put": {"TableName": self._table, "Item": items.to_item(event)}}]
        try:
            self._client.transact_write_items(TransactItems=actions)  # type: ignore[arg-type]
        except ClientError as error:
            if _code(error) != "TransactionCanceledException":
                raise
            raise RetryLater(
                "another program was activated meanwhile", remedy="look at it with `atoll status`, then apply again"
            ) from error

    def put_installed_slice(self, slice_id: str, values: Mapping[str, Any]) -> None:
        self._client.put_item(TableName=self._table, Item=items.to_item({**keys.installed_slice(slice_id), **values}))

    # -- the pieces of a transaction

    def _commit_some(self, claim: Claim, commits: Sequence[TableCommit], passes: Mapping[str, str]) -> None:
        now = self._clock()
        schemas = {c.dataset: self._new_schema(c) for c in commits}
        outcomes = {
            c.dataset: TableOutcome(
                TableStatus.COMMITTED, c.rows, c.bytes, round(c.seconds, 3), schemas[c.dataset][0], token=claim.token
            )
            for c in commits
        }
        actions = [self._outcome(claim, outcomes)]
        if not claim.rerun:
            actions.append(self._advance(claim, commits))
            actions += self._pass_on(claim, passes, [c.dataset for c in commits])
        for commit in commits:
            number, is_new = schemas[commit.dataset]
            if is_new:
                actions.append(self._schema(commit, number))
                actions.append(self._event(EventKind.SCHEMA_CHANGED, now, claim, commit.dataset, {"schema_version": number}))
            if commit.pointer is not None:
                actions.append(self._version(claim, commit, number))
            for note in commit.notes:
                actions.append(self._event(EventKind.EXPECTATION_FAILED, now, claim, f"{commit.dataset}#{note.get('name')}", note))
        detail = {"datasets": {c.dataset: c.rows for c in commits}, "end": to_text(claim.interval.end)}
        actions.append(self._event(EventKind.BATCH_COMPLETED, now, claim, commits[0].dataset, detail))
        self._transact(claim, actions, outcomes)

    def _outcome(self, claim: Claim, outcomes: Mapping[str, TableOutcome]) -> dict[str, Any]:
        names, values = {"#token": "token", "#outcomes": "outcomes", "#status": "status"}, {":token": claim.token}
        sets, conditions = [], ["#token = :token"]
        for number, (dataset, outcome) in enumerate(outcomes.items()):
            names[f"#d{number}"], values[f":o{number}"] = dataset, _plain(outcome)  # type: ignore[assignment]
            sets.append(f"#outcomes.#d{number} = :o{number}")
            conditions.append(f"(attribute_not_exists(#outcomes.#d{number}) OR #outcomes.#d{number}.#status <> :done)")
        return self._update(
            keys.batch(claim.flow, claim.interval.start),
            "SET " + ", ".join(sets),
            " AND ".join(conditions),
            names,
            {**values, ":done": TableStatus.COMMITTED.value},
        )

    def _advance(self, claim: Claim, commits: Sequence[TableCommit]) -> dict[str, Any]:
        names = {"#tables": "tables", "#watermark": "watermark"}
        values: dict[str, Any] = {":start": to_text(claim.interval.start)}
        sets, conditions = [], []
        for number, commit in enumerate(commits):
            names[f"#d{number}"] = commit.dataset
            values[f":s{number}"] = {"watermark": to_text(claim.interval.end), "cursor": commit.cursor}
            sets.append(f"#tables.#d{number} = :s{number}")
            conditions.append(f"#tables.#d{number}.#watermark = :start")
        return self._update(keys.flow_state(claim.flow), "SET " + ", ".join(sets), " AND ".join(conditions), names, values)

    def _pass_on(self, claim: Claim, passes: Mapping[str, str], committed: Sequence[str]) -> list[dict[str, Any]]:
        """Advances another flow's datasets that have nothing to do for this batch, where they are not behind."""
        wanted: dict[str, list[str]] = {}
        for dataset in committed:
            target = dataset.removesuffix(":staged")
            if target != dataset and target in passes:
                wanted.setdefault(passes[target], []).append(target)
        states = self.reader.flow_states(list(wanted))
        actions = []
        for flow, datasets in wanted.items():
            if flow not in states:
                continue
            tables = states[flow].tables
            ready = [d for d in datasets if d in tables and tables[d].watermark == claim.interval.start]
            if ready:
                passing = Claim(flow, claim.interval, claim.token, tuple(ready), claim.program_version)
                actions.append(self._advance(passing, [TableCommit(d, cursor=tables[d].cursor) for d in ready]))
        return actions

    def _failed_attempt(self, flow: str, interval: Interval, dataset: str, error: str, now: datetime) -> dict[str, Any]:
        state = self.reader.flow_states([flow]).get(flow)
        attempts = (state.tables[dataset].attempts if state and dataset in state.tables else 0) + 1
        wait_seconds = RETRY_SECONDS[min(attempts, len(RETRY_SECONDS)) - 1]
        values = {
            ":start": to_text(interval.start),
            ":attempts": attempts,
            ":former": attempts - 1,
            ":zero": 0,
            ":retry": to_text(now + timedelta(seconds=wait_seconds)),
            ":error": error[:1000],
        }
        names = {"#t": "tables", "#d": dataset, "#w": "watermark", "#a": "attempts", "#r": "retry_at", "#e": "error"}
        return self._update(
            keys.flow_state(flow),
            "SET #t.#d.#a = :attempts, #t.#d.#r = :retry, #t.#d.#e = :error",
            "#t.#d.#w = :start AND (#t.#d.#a = :former OR (attribute_not_exists(#t.#d.#a) AND :former = :zero))",
            names,
            values,
        )

    def _new_schema(self, commit: TableCommit) -> tuple[int, bool]:
        """The number of the schema version that holds after this commit, and whether it is new."""
        latest = self.reader.latest_schema(commit.dataset) if commit.schema or commit.pointer else None
        if commit.schema is None:
            return (latest.number if latest else 0), False
        if latest and schema_json(latest.schema) == schema_json(commit.schema) and latest.layout == commit.layout:
            return latest.number, False
        return (latest.number if latest else 0) + 1, True

    def _schema(self, commit: TableCommit, number: int) -> dict[str, Any]:
        values = {
            **keys.schema(commit.dataset, number),
            "dataset": commit.dataset,
            "number": number,
            "schema": schema_json(commit.schema),
            "layout": json.dumps(dict(commit.layout)),
        }
        return {
            "Put": {
                "TableName": self._table,
                "Item": items.to_item(values),
                "ConditionExpression": "attribute_not_exists(pk)",
            }
        }

    def _version(self, claim: Claim, commit: TableCommit, schema_version: int) -> dict[str, Any]:
        values = {
            **keys.version(commit.dataset, claim.interval.end),
            "dataset": commit.dataset,
            "start": to_text(claim.interval.start),
            "end": to_text(claim.interval.end),
            "pointer": dict(commit.pointer or {}),
            "rows": commit.rows,
            "schema_version": schema_version,
            "token": claim.token,
            "reads": dict(commit.reads),
        }
        return {"Put": {"TableName": self._table, "Item": items.to_item(values)}}

    def _event(self, kind: EventKind, now: datetime, claim: Claim, what: str, detail: Mapping[str, Any]) -> dict[str, Any]:
        start = to_text(claim.interval.start)
        values = {
            **keys.event(now, f"{claim.flow}#{start}#{claim.token}#{kind.value}#{what}"),
            "kind": kind.value,
            "at": to_text(now),
            "flow": claim.flow,
            "detail": {**detail, "start": start, "token": claim.token},
        }
        return {"Put": {"TableName": self._table, "Item": items.to_item(values)}}

    def _update(
        self, key: keys.Key, expression: str, condition: str, names: Mapping[str, str], values: Mapping[str, Any]
    ) -> dict[str, Any]:
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

    def _transact(self, claim: Claim, actions: list[dict[str, Any]], outcomes: Mapping[str, TableOutcome | None]) -> None:
        for attempt in range(CONFLICT_TRIES):
            try:
                self._client.transact_write_items(TransactItems=actions)  # type: ignore[arg-type]
                return
            except ClientError as error:
                if _code(error) not in ("TransactionCanceledException", "TransactionInProgressException"):
                    raise
                reasons = [r.get("Code", "") for r in error.response.get("CancellationReasons", [])]
                if "ConditionalCheckFailed" in reasons:
                    if self._done(claim, outcomes):
                        return
                    raise _stale(claim) from error
                time.sleep(random.uniform(0, 0.05 * 2**attempt))
        raise RetryLater("the metadata table stayed contended", place=claim.flow)

    def _done(self, claim: Claim, outcomes: Mapping[str, TableOutcome | None]) -> bool:
        """Whether this very token has committed all of them before: the answer to that write was lost."""
        batch = self.reader.batch(claim.flow, claim.interval.start)
        recorded = batch.outcomes if batch else {}
        return all(
            name in recorded and recorded[name].token == claim.token and recorded[name].status == TableStatus.COMMITTED
            for name in outcomes
        )

    def _put_statistics(self, claim: Claim, commit: TableCommit) -> None:
        values = {
            **keys.statistics(claim.flow, claim.interval.start, commit.dataset),
            "dataset": commit.dataset,
            "rows": commit.rows,
            "bytes": commit.bytes,
            "seconds": round(commit.seconds, 3),
            "expires": int(self._clock().timestamp()) + STATISTICS_DAYS * 86400,
        }
        self._client.put_item(TableName=self._table, Item=items.to_item(values))

    def _open_states(self, program: Program, now: datetime) -> None:
        states = self.reader.flow_states(list(program.flows))
        for flow in program.flows.values():
            known = states[flow.id].tables if flow.id in states else {}
            start = floor(now, flow.interval_seconds) - timedelta(seconds=flow.interval_seconds)
            fresh = {t.dataset: {"watermark": to_text(start)} for t in flow.tables if t.dataset not in known}
            if not known:
                self._put_state(flow.id, fresh)
            for dataset, state in fresh.items() if known else ():
                self._add_state(flow.id, dataset, state)

    def _put_state(self, flow: str, tables: Mapping[str, Any]) -> None:
        values = {**keys.flow_state(flow), "flow": flow, "tables": dict(tables)}
        try:
            self._client.put_item(TableName=self._table, Item=items.to_item(values), ConditionExpression="attribute_not_exists(pk)")
        except ClientError as error:
            if _code(error) != "ConditionalCheckFailedException":
                raise

    def _add_state(self, flow: str, dataset: str, state: Mapping[str, Any]) -> None:
        update = self._update(
            keys.flow_state(flow),
            "SET #t.#d = :state",
            "attribute_not_exists(#t.#d)",
            {"#t": "tables", "#d": dataset},
            {":state": dict(state)},
        )
        try:
            self._client.update_item(**update["Update"])
        except ClientError as error:
            if _code(error) != "ConditionalCheckFailedException":
                raise


def _uncommitted(batch: Batch | None, datasets: Sequence[str]) -> tuple[str, ...]:
    outcomes = batch.outcomes if batch else {}
    return tuple(d for d in datasets if d not in outcomes or outcomes[d].status != TableStatus.COMMITTED)


def _running(batch: Batch, datasets: Sequence[str]) -> bool:
    return any(d in batch.datasets and d not in batch.outcomes for d in datasets)


def _plain(outcome: TableOutcome) -> dict[str, Any]:
    return {name: (str(value) if name == "status" else value) for name, value in vars(outcome).items()}


def _stale(claim: Claim) -> StaleToken:
    return StaleToken(
        f"token {claim.token} of batch {claim.interval} is stale: another worker owns it or its table is committed",
        place=claim.flow,
        remedy="nothing: the other worker's result stands",
    )


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
