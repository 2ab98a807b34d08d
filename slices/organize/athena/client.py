"""A lake's views that Athena computes, while no function waits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from shared_metadata import naming
from shared_metadata.contract.organize import CheckResult, Committed
from shared_metadata.contract.parquet import rejected_rows
from shared_metadata.contract.parquet.duckdb_session import identifier
from shared_metadata.contract.parquet.duckdb_types import duckdb_type
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.runtime.staging import Staging
from shared_metadata.contract.waiting.statements import Statements
from shared_metadata.contract.work import Work
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Kind, Mode, from_plain
from shared_metadata.program.intervals import to_text
from shared_metadata.program.schema import SchemaColumn
from shared_metadata.program.type_names import field_names, parsed
from slices.organize.athena import logic
from slices.organize.athena.service import Athena
from slices.organize.athena.workgroup import workgroup
from systems.iceberg import rejected, relations
from systems.iceberg.driver import LakeDriver
from systems.iceberg.iceberg_schema import columns_of, iceberg_schema
from systems.iceberg.relations import VIEW_BATCH
from systems.iceberg.staging_table import SCHEMA, StagingTable


class AthenaDriver(LakeDriver):
    """See shared_metadata.contract.organize.Driver.

    A prepared result is the lake's, with 'staging', the tables to forget once it is committed, and 'statements', what has run.
    """

    def refresh(self, work: Work, reads: Mapping[str, Mapping[str, Any]], staging: Staging, deadline: Deadline) -> dict[str, Any]:
        flow, start = work.flow, to_text(work.claim.interval.start)
        batch = "" if flow.kind == Kind.RESULT or flow.mode == Mode.REPLACE else start
        columns = self._result_columns(work)
        self._columns_exist(work, columns)
        stored = (*columns, SchemaColumn(VIEW_BATCH, "timestamptz")) if batch else columns
        into = self._staging_table(work, "rows", stored, staging)
        athena, statements = self._athena(work)
        statements.run("rows", lambda: logic.insert(into, stored, self._query(work, reads), batch))
        rows = self._tables(work).staging().rows(into)
        if flow.mode == Mode.MERGE and flow.kind != Kind.RESULT and rows:
            self._refuse_twins(work, athena.row(statements.run("keys", logic.keys_twice(rows.table, flow.key)).id)[0])
        return {
            "files": rows.files if rows else [],
            "columns": [asdict(column) for column in stored],
            "staging": [(rows.table if rows else into).to_plain()],
            "statements": [ran.to_plain() for ran in statements.ran],
        }

    def check(self, work: Work, prepared: Mapping[str, Any], staging: Staging) -> tuple[list[CheckResult], dict[str, Any]]:
        """Checks the expectations in Athena, over the table that refresh has left."""
        expected, written = work.flow.expectations, StagingTable(*prepared["staging"][0])
        if written.snapshot_id is None:
            return [CheckResult(e.name, e.action, 0, 0) for e in expected], dict(prepared)
        bounds = logic.words(work.flow, {}, to_text(work.claim.interval.start), to_text(work.claim.interval.end))
        failing = {e.name: logic.fails(e, bounds) for e in expected}
        athena, statements = self._athena(work)
        counted = athena.row(statements.run("counts", logic.counts(written, [*failing.values()])).id)
        results = [CheckResult(e.name, e.action, number, counted[0]) for e, number in zip(expected, counted[1:], strict=True)]
        failing = {e.name: failing[e.name] for e in expected if e.action == "QUARANTINE"}
        if not any(r.failing and r.action == "QUARANTINE" for r in results):
            return results, self._with_statements(prepared, statements, [])
        columns = tuple(from_plain(SchemaColumn, column) for column in prepared["columns"])
        own = tuple(c for c in columns if c.name != VIEW_BATCH)
        with_reasons = (*own, SchemaColumn(relations.unlike((c.name for c in own), logic.REASONS), "string"))
        good = self._staging_table(work, "kept", columns, staging)
        bad = self._staging_table(work, "aside", with_reasons, staging)
        statements.run("kept", logic.insert(good, columns, logic.kept(written, columns, [*failing.values()])))
        statements.run("aside", logic.insert(bad, with_reasons, logic.aside(written, own, failing)))
        stay, go = (self._tables(work).staging().rows(table) for table in (good, bad))
        aside = self._as_rejected(work, [file["url"] for file in go.files] if go else [], own, with_reasons)
        document = self._with_statements(prepared, statements, [good, bad])
        rows = sum(file["rows"] for file in aside)
        return results, {**document, "files": stay.files if stay else [], "rejected": aside, "rejected_rows": rows}

    def commit(self, work: Work, prepared: Mapping[str, Any], staging: Staging) -> Committed:
        committed, tables = super().commit(work, prepared, staging), self._tables(work).staging()
        for table in prepared["staging"]:
            tables.forget(StagingTable(*table))
        return replace(committed, statements=tuple(prepared["statements"]))

    def tidy(self) -> None:
        self._lake(f"warehouse {self._warehouse.name}").staging().forget_old(self._services.client("glue"))

    # -- pieces

    def _athena(self, work: Work) -> tuple[Athena, Statements]:
        place = work.place
        database = naming.database(work.flow.warehouse, SCHEMA)
        athena = Athena(self._services.client("athena"), workgroup(work.flow.warehouse), database, place)
        return athena, Statements(athena, work.turn, place)

    def _query(self, work: Work, reads: Mapping[str, Mapping[str, Any]]) -> str:
        flow, interval, lake = work.flow, work.claim.interval, self._tables(work)
        tables = {}
        for dataset, pointer in reads.items():
            snapshot_id = int(pointer["snapshot_id"])
            columns = lake.columns(dataset, snapshot_id)
            tables[dataset] = logic.reading(pointer["table"], snapshot_id, columns, sees_deleted=dataset in flow.sees_deleted)
        return flow.filled(logic.words(flow, tables, to_text(interval.start), to_text(interval.end)))

    def _result_columns(self, work: Work) -> tuple[SchemaColumn, ...]:
        """The columns as the program was compiled. Raises DefinitionError where it was compiled without its sources' schemas."""
        name = work.table.dataset.removesuffix(":result")
        lineage = self._services.reader.lineage(work.claim.program_version)
        for dataset in lineage.some([name]) if lineage is not None else ():
            return tuple(SchemaColumn(c.name, c.type, c.nullable) for c in dataset.columns)
        raise DefinitionError(
            f"the types of the columns of {name} are not known, and Athena writes none without",
            place=str(work.flow.position),
            remedy="look at the sources by `atoll discover`, then apply the program again",
        )

    def _staging_table(self, work: Work, purpose: str, columns: Sequence[SchemaColumn], staging: Staging) -> StagingTable:
        """A table for rows; of those that stay, with the field ids and the partitions of the table that takes them."""
        tables, token, flow = self._tables(work), work.turn.token(f"table {purpose}"), work.flow
        if flow.kind == Kind.RESULT or purpose == "aside":
            location = staging.url(work.table.dataset, f"{purpose}-{token}")
            return tables.staging().make(token, iceberg_schema(columns), (), location)
        tables.fits(work.table.dataset, columns)
        schema = tables.schema_for(work.table.dataset, columns)
        _refuse_other_fields(columns, columns_of(schema), work)
        location = f"{tables.location(work.table.dataset)}/data/{work.claim.interval.start:%Y%m%dT%H%M%SZ}-{token}"
        return tables.staging().make(token, schema, flow.partition_by, location)

    def _as_rejected(
        self, work: Work, urls: Sequence[str], columns: Sequence[SchemaColumn], with_reasons: Sequence[SchemaColumn]
    ) -> list[dict[str, Any]]:
        """The rows that were set aside, as the table of rejected rows has them."""
        folder, batch = self._folder(rejected.beside(work)), to_text(work.claim.interval.start)
        with self._engine(work) as engine:
            engine.confine(urls, [folder + "/"])
            data = rejected_rows.as_json({c.name: (identifier(c.name), duckdb_type(c.type)) for c in columns})
            select = rejected_rows.select(batch, "organize", identifier(with_reasons[-1].name), data)
            return engine.write(f"{select} FROM {relations.rows_of(urls, with_reasons)} AS checked", folder)

    @staticmethod
    def _with_statements(prepared: Mapping[str, Any], ran: Statements, made: Sequence[StagingTable]) -> dict[str, Any]:
        statements = [*prepared["statements"], *(one.to_plain() for one in ran.ran)]
        return {**prepared, "statements": statements, "staging": [*prepared["staging"], *(table.to_plain() for table in made)]}


def _refuse_other_fields(columns: Sequence[SchemaColumn], known: Sequence[SchemaColumn], work: Work) -> None:
    """Raises DefinitionError for a struct whose fields are not the table's in their order: by that, Athena takes one for another."""
    types = {column.name: [*field_names(parsed(column.type))] for column in known}
    for column in columns:
        if [*field_names(parsed(column.type))] != types[column.name]:
            raise DefinitionError(
                f"the fields of {column.name} are not those of the table, in the same order: {', '.join(types[column.name])}",
                place=work.place,
                remedy="CAST it to a ROW with these, or have another engine compute the view: USING duckdb",
            )
