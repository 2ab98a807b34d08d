"""Commits tables of a batch, in one transaction that holds only under the token of their claim."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from shared_metadata.costs import cost_dollars, unpriced
from shared_metadata.program.intervals import to_text
from shared_metadata.state.records import (
    Claim,
    EventKind,
    LastChange,
    SchemaVersion,
    TableCommit,
    TableOutcome,
    TableStatus,
    Version,
    change_of,
)
from shared_metadata.state.skipped import Skipped
from shared_metadata.store import items, keys
from shared_metadata.store.batch_writer import BatchWriter, stale
from shared_metadata.store.table_actions import Action

TABLES_A_TRANSACTION = 16  # of a commit: a table takes up to six actions, and all of them together one event
STATISTICS_DAYS = 90
STATEMENTS_KEPT = 20  # of those that ran elsewhere for a batch: what an item holds has a limit


class CommitWriter(BatchWriter):
    """Whatever happens in between, a batch's table is committed once."""

    def commit(self, claim: Claim, commits: Sequence[TableCommit], *, completes: Mapping[str, str] | None = None) -> None:
        """Commits tables of a batch: outcome, watermark, cursor, version, schema and event, in one transaction for up to 16 tables.

        completes: datasets of another flow that an empty batch completes as well, e.g. 'lake.crm.account' ▸ 'lake.crm:load' when
        nothing was staged for it; skipped for those that lag behind.
        Committing again what this token has committed changes nothing. Raises StaleToken.
        """
        for at in range(0, len(commits), TABLES_A_TRANSACTION):
            self._commit_some(claim, commits[at : at + TABLES_A_TRANSACTION], completes or {})
        for commit in commits:
            if commit.rows or commit.pointer:
                self._put_statistics(claim, commit)

    def _commit_some(self, claim: Claim, commits: Sequence[TableCommit], completes: Mapping[str, str]) -> None:
        now, tried = self._clock(), False

        def build() -> list[Action]:
            nonlocal tried
            moving = self._moving(claim, commits) if tried and not claim.rerun else commits
            tried = True
            return self._commit_actions(claim, commits, () if claim.rerun else moving, completes, now)

        self._transact(claim, [c.dataset for c in commits], build, (TableStatus.COMMITTED,))

    def _moving(self, claim: Claim, commits: Sequence[TableCommit]) -> list[TableCommit]:
        """The datasets whose watermark this batch moves; a batch that an operator ran ahead of its time moves none.

        Raises StaleToken when a later program version is reprocessing the batch.
        """
        states = self._states(claim.flow, [c.dataset for c in commits])
        if any(c.dataset in states and states[c.dataset].entry > claim.entry for c in commits):
            raise stale(claim)
        return [c for c in commits if c.dataset in states and states[c.dataset].watermark == claim.interval.start]

    def _commit_actions(
        self, claim: Claim, commits: Sequence[TableCommit], moving: Sequence[TableCommit], completes: Mapping[str, str], now: datetime
    ) -> list[Action]:
        make, after, outcomes = self._actions, [], {}
        for commit in commits:
            made, number, schema = self._made(claim, commit)
            outcomes[commit.dataset] = _outcome(claim, made, number)
            if schema is not None:
                after.append(make.schema(schema))
                after.append(make.event(EventKind.SCHEMA_CHANGED, now, claim, commit.dataset, {"schema_version": number}))
            if made.pointer is not None:
                after.append(make.version(claim, made, number))
            if commit.notes:  # of one table one event, however many: a transaction takes a hundred actions
                after.append(make.event(EventKind.EXPECTATION_FAILED, now, claim, commit.dataset, {"failed": list(commit.notes)}))
        passed = self._passed_on(claim, completes, [c.dataset for c in moving if c.pointer is None])
        detail: dict[str, Any] = {"datasets": {c.dataset: c.rows for c in commits}, "end": to_text(claim.interval.end)}
        detail |= {"intervals": claim.intervals} if claim.intervals > 1 else {}
        detail |= {"passed": sorted(passed)} if passed else {}
        after.append(make.event(EventKind.BATCH_COMPLETED, now, claim, commits[0].dataset, detail))
        moved: dict[str, dict[str, str]] = {c.dataset: {c.dataset: c.cursor} for c in moving}
        for dataset, (_, cursor) in passed.items():
            moved[f"{dataset}:staged"][dataset] = cursor
        recorded = [make.outcome(claim, dataset, outcome, moved.get(dataset)) for dataset, outcome in outcomes.items()]
        skipped = self._skipped(claim, [c.dataset for c in moving if c.pointer is not None or claim.again])
        advances = [
            make.advance(claim.flow, claim, c.dataset, c.cursor, _change(c, outcomes[c.dataset]), skipped.get(c.dataset))
            for c in moving
        ]
        advances += [make.advance(flow, claim, dataset, cursor) for dataset, (flow, cursor) in passed.items()]
        return [*recorded, *advances, *after]

    def _made(self, claim: Claim, commit: TableCommit) -> tuple[TableCommit, int, SchemaVersion | None]:
        """What a table's batch has made, the number of the schema that it has, and this schema if it is new."""
        number, schema = self._schema(claim, commit)
        if commit.pointer is None and (former := self._unchanged_again(claim, commit.dataset)):
            return replace(commit, pointer=former.pointer, reads=former.reads), former.schema_version, schema
        return commit, number, schema

    def _skipped(self, claim: Claim, changed: Sequence[str]) -> dict[str, Skipped]:
        """The times for which these datasets have no version once this batch is committed; nothing where it skips nothing."""
        if not changed or (claim.intervals == 1 and not claim.again):
            return {}
        states = self._states(claim.flow, changed)
        former = {name: states[name].skipped if name in states else () for name in changed}
        found = {name: Skipped.after(skipped, claim.interval, claim.intervals) for name, skipped in former.items()}
        return {name: one for name, one in found.items() if one.now != one.former}

    def _unchanged_again(self, claim: Claim, dataset: str) -> Version | None:
        """The version before stands for this batch too, and replaces the one that an earlier program version made for it."""
        return self.reader.version_at(dataset, claim.interval.start) if claim.again and not claim.rerun else None

    def _passed_on(self, claim: Claim, completes: Mapping[str, str], empty: Sequence[str]) -> dict[str, tuple[str, str]]:
        """The other flow's datasets that have nothing to do for this batch: dataset ▸ its flow and its cursor.

        Datasets that are behind, or that a later program version makes, are left out.
        """
        wanted: dict[str, list[str]] = {}
        for dataset in empty:
            target = dataset.removesuffix(":staged")
            if target != dataset and target in completes:
                wanted.setdefault(completes[target], []).append(target)
        return {
            dataset: (flow, table.cursor)
            for flow, state in (self.reader.states_of(wanted) if wanted else {}).items()
            for dataset, table in state.tables.items()
            if table.entry <= claim.entry and table.watermark == claim.interval.start
        }

    def _schema(self, claim: Claim, commit: TableCommit) -> tuple[int, SchemaVersion | None]:
        """The number of the schema version that holds after this commit, and the version itself if it is new."""
        latest = self.reader.latest_schema(commit.dataset) if commit.schema or commit.pointer else None
        schema = commit.schema or (latest.schema if latest else None)
        if schema is None:
            return 0, None
        layout = json.loads(json.dumps(dict(commit.layout))) if commit.schema else latest.layout if latest else {}
        if latest and (latest.schema, latest.layout, latest.signature) == (schema, layout, commit.signature):
            return latest.number, None
        number = (latest.number if latest else 0) + 1
        return number, SchemaVersion(
            commit.dataset, number, schema, layout, commit.signature, claim.program_version, self._origins(claim, commit)
        )

    def _origins(self, claim: Claim, commit: TableCommit) -> Mapping[str, tuple[str, ...]]:
        lineage = self.reader.lineage(claim.program_version) if commit.signature else None
        dataset = lineage.datasets.get(commit.dataset.removesuffix(":result")) if lineage else None
        return {c.name: tuple(map(str, c.inputs)) for c in dataset.columns} if dataset else {}

    def _put_statistics(self, claim: Claim, commit: TableCommit) -> None:
        values = {
            **keys.statistics(claim.flow, claim.interval.start, commit.dataset),
            "dataset": commit.dataset,
            "rows": commit.rows,
            "rejected": commit.rejected,
            "bytes": commit.bytes,
            "seconds": round(commit.seconds, 3),
            "skew": commit.skew,
            "gb_seconds": commit.used.get("lambda_arm64_gb_second", 0.0),
            "cost_dollars": cost_dollars(commit.used),
            **({"unpriced": unpriced(commit.used)} if unpriced(commit.used) else {}),
            "expires": int(self._clock().timestamp()) + STATISTICS_DAYS * 86400,
            **({"engine": commit.engine, "why": commit.why} if commit.engine else {}),
            **({"statements": [dict(one) for one in commit.statements[:STATEMENTS_KEPT]]} if commit.statements else {}),
        }
        self._client.put_item(TableName=self._table, Item=items.to_item(values))


def _outcome(claim: Claim, made: TableCommit, number: int) -> TableOutcome:
    return TableOutcome(
        TableStatus.COMMITTED,
        made.rows,
        made.bytes,
        round(made.seconds, 3),
        number,
        token=claim.token,
        rejected=made.rejected,
        pointer=made.pointer,
        reads=made.reads if made.pointer is not None else {},
    )


def _change(commit: TableCommit, outcome: TableOutcome) -> LastChange | None:
    """The batch's change of a dataset; None for nothing."""
    return change_of(outcome, commit.skew, cost_dollars(commit.used), commit.beyond) if commit.rows or commit.pointer else None
