"""The resolved form to the plan: one statement becomes one or two flows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from language.called import calls
from language.covering import with_covering
from language.forms.resolved import Collect, CollectTable, Publish, Resolved, ResolvedProgram, View
from language.forms.syntax import Clauses, CreateConnection, CreateWarehouse, Option
from language.resolve.masks import mask_key
from language.sql.edits import placed
from language.sql.query import Places
from language.typed.program import TypedProgram
from shared_metadata.contract.declaration import Slice
from shared_metadata.program import BadRows, Column, Connection, Expectation, Flow, Kind, Program, Table, Warehouse
from shared_metadata.program.lineage import schema_digest, source_in
from shared_metadata.program.masks import by_name
from shared_metadata.program.source_schemas import SourceSchemas

AT_ONCE = "at_once"  # the option of a warehouse that says how many of its tables are at work at once


def plan(
    program: ResolvedProgram,
    sources: Mapping[str, str],
    typed: TypedProgram | None = None,
    slices: Mapping[str, Slice] | None = None,
    schemas: SourceSchemas | None = None,
) -> Program:
    """The plan of a program without mistakes; `sources` are its files' texts, kept in it. `lineage` is left to be filled in.

    typed: where the program was typed; its tables are signed.  slices: by their ids; what a warehouse's plan has of them.
    schemas: of the sources, by connection, where they are known.
    """
    signatures = _Signatures(typed)
    flows = [flow for statement in program.statements for flow in _flows(statement, signatures)]
    flows = with_covering(flows, program.statements, schemas or {})
    return Program(
        connections={name: _connection(statement) for name, statement in program.connections.items()},
        warehouses={name: _warehouse(statement, slices or {}) for name, statement in program.warehouses.items()},
        flows={flow.id: flow for flow in flows},
        sources=dict(sources),
    )


@dataclass(frozen=True)
class _Signatures:
    """Signs tables, where the program was typed."""

    typed: TypedProgram | None

    def of_source(self, connection: str, table: str) -> str:
        schema = source_in(self.typed.sources, f"{connection}.{table}") if self.typed is not None else None
        return schema_digest(schema) if schema is not None else ""

    def of(self, dataset: str) -> str:
        return self.typed.outlines[dataset].signature if self.typed is not None else ""


def _connection(statement: CreateConnection) -> Connection:
    name, system = statement.name.folded, statement.system.folded
    return Connection(name, system, _options(statement.options), statement.name.span.position)


def _warehouse(statement: CreateWarehouse, slices: Mapping[str, Slice]) -> Warehouse:
    name, system, options = statement.name.folded, statement.system.folded, _options(statement.options)
    found, position = slices.get(f"organize.{system}"), statement.name.span.position
    if found is None:
        return Warehouse(name, system, options, position)
    said, able = options.get(AT_ONCE), found.capabilities
    return Warehouse(name, system, options, position, said if isinstance(said, int) else able.at_once, able.widens)


def _options(options: tuple[Option, ...]) -> dict[str, object]:
    return {option.key: option.value for option in options}


def _flows(statement: Resolved, signatures: _Signatures) -> tuple[Flow, ...]:
    if isinstance(statement, Collect):
        return _collect(statement, signatures), _load(statement, signatures)
    return (_view(statement, signatures),) if isinstance(statement, View) else _publish(statement, signatures)


def _collect(statement: Collect, signatures: _Signatures) -> Flow:
    clauses, settings = statement.statement.clauses, statement.settings
    position, connection = statement.statement.target.span.position, statement.connection.name.folded
    return Flow(
        id=statement.id,
        kind=Kind.COLLECT,
        slice_id=statement.collector.id,
        warehouse=statement.warehouse.name.folded,
        interval_seconds=settings.interval_seconds,
        tables=tuple(_staged(table, signatures.of_source(connection, table.source)) for table in statement.tables),
        position=position,
        connection=connection,
        mode=settings.mode,
        key=settings.key,
        cursor=settings.cursor,
        rising=settings.rising,
        capture=settings.capture,
        query=statement.sql,
        columns=statement.columns,
        filter=statement.filter,
        left_out=statement.left_out if not statement.filter and statement.reports_left else "",
        casts=statement.casts,
        mask_key=mask_key(statement),
        bad_rows=_bad_rows(clauses) if statement.collector.capabilities.rejects_rows else None,
    )


def _load(statement: Collect, signatures: _Signatures) -> Flow:
    clauses, settings = statement.statement.clauses, statement.settings
    return Flow(
        id=f"{statement.id}:load",
        kind=Kind.LOAD,
        slice_id=statement.organizer.id,
        warehouse=statement.warehouse.name.folded,
        interval_seconds=settings.interval_seconds,
        tables=tuple(_loaded(table, signatures.of(table.dataset)) for table in statement.tables),
        position=statement.statement.target.span.position,
        mode=settings.mode,
        key=settings.key,
        cursor=settings.cursor if _collected(settings.cursor, statement.columns) else "",
        partition_by=_partition_by(clauses),
        expectations=_expectations(clauses, statement.places),
        bad_rows=_bad_rows(clauses),
        fresh_within_seconds=_fresh(clauses),
    )


def _staged(table: CollectTable, signature: str) -> Table:
    masks = by_name({masked.path: masked.how for masked in table.masks})
    return _with_settings(Table(f"{table.dataset}:staged", table.source, signature=signature, masks=masks), table)


def _loaded(table: CollectTable, signature: str) -> Table:
    return _with_settings(Table(table.dataset, inputs=(f"{table.dataset}:staged",), signature=signature), table)


def _with_settings(table: Table, collected: CollectTable) -> Table:
    """The table with what it has of its own, where the statement's tables differ."""
    own = collected.settings
    return replace(table, mode=own.mode, key=own.key, cursor=own.cursor) if own is not None else table


def _collected(column: str, columns: tuple[Column, ...]) -> bool:
    """Whether the column is among those that are collected; none named means all."""
    return not columns or any(known.name == column for known in columns)


def _view(statement: View, signatures: _Signatures) -> Flow:
    clauses, settings, inputs = statement.statement.clauses, statement.settings, tuple(i.dataset for i in statement.inputs)
    return Flow(
        id=statement.dataset,
        kind=Kind.VIEW,
        slice_id=(statement.larger or statement.organizer).id,
        warehouse=statement.warehouse.name.folded,
        interval_seconds=settings.interval_seconds,
        tables=(Table(statement.dataset, inputs=inputs, signature=signatures.of(statement.dataset)),),
        position=statement.statement.target.span.position,
        mode=settings.mode,
        key=settings.key,
        query=statement.sql,
        places=placed(statement.query.span, statement.edits, statement.places),
        partition_by=_partition_by(clauses),
        expectations=_expectations(clauses, statement.places),
        bad_rows=_bad_rows(clauses),
        fresh_within_seconds=_fresh(clauses),
        whole=statement.whole,
        tolerates=_tolerates(clauses),
        sees_deleted=statement.sees_deleted,
        beyond=statement.beyond,
        calls=calls(statement),
    )


def _publish(statement: Publish, signatures: _Signatures) -> tuple[Flow, Flow]:
    clauses, settings, signature = statement.statement.clauses, statement.settings, signatures.of(statement.target)
    position, whole = statement.statement.target.span.position, statement.whole
    dataset = f"{statement.target}:result"
    result = Flow(
        id=dataset,
        kind=Kind.RESULT,
        slice_id=(statement.larger or statement.organizer).id,
        warehouse=statement.warehouse.name.folded,
        interval_seconds=settings.interval_seconds,
        tables=(Table(dataset, inputs=tuple(i.dataset for i in statement.inputs), signature=signature),),
        position=position,
        mode=settings.mode,
        key=settings.key,
        query=statement.sql,
        places=placed(statement.query.span, statement.edits, statement.places),
        expectations=_expectations(clauses, statement.places),
        bad_rows=_bad_rows(clauses) if clauses.quarantines else None,
        whole=whole,
        tolerates=_tolerates(clauses),
        sees_deleted=statement.sees_deleted,
        beyond=statement.beyond,
        calls=calls(statement),
    )
    publish = Flow(
        id=statement.target,
        kind=Kind.PUBLISH,
        slice_id=statement.harness.id,
        warehouse=statement.warehouse.name.folded,
        interval_seconds=settings.interval_seconds,
        tables=(Table(statement.target, inputs=(dataset,), signature=signature),),
        position=position,
        connection=statement.connection.name.folded,
        mode=settings.mode,
        key=settings.key,
        bad_rows=_bad_rows(clauses) if statement.harness.capabilities.rejects_rows else None,
        fresh_within_seconds=_fresh(clauses),
        whole=whole,
    )
    return result, publish


def _partition_by(clauses: Clauses) -> tuple[str, ...]:
    return tuple(part.folded for part in clauses.partition_by)


def _expectations(clauses: Clauses, places: Places) -> tuple[Expectation, ...]:
    return tuple(
        Expectation(e.name.folded, e.predicate.text, e.action, e.name.span.position, placed(e.predicate, (), places))
        for e in clauses.expectations
    )


def _fresh(clauses: Clauses) -> int:
    return clauses.fresh_within.seconds if clauses.fresh_within else 0


def _tolerates(clauses: Clauses) -> dict[str, int]:
    return {".".join(t.dataset.folded): t.stale.seconds for t in clauses.tolerates}


def _bad_rows(clauses: Clauses) -> BadRows | None:
    bad = clauses.bad_rows
    if bad is None:
        return None
    return BadRows(percent=float(bad.text)) if bad.percent else BadRows(rows=int(bad.text))
