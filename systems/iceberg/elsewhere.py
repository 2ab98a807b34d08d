"""The driver of a lake whose views an engine elsewhere computes: staging tables, and what is done with their rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from shared_metadata.contract import set_aside
from shared_metadata.contract.organize import CheckResult, Committed
from shared_metadata.contract.parquet import rejected_rows
from shared_metadata.contract.parquet.duckdb_session import identifier
from shared_metadata.contract.parquet.duckdb_types import duckdb_type
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.runtime.staging import Staging
from shared_metadata.contract.waiting.statements import Statements
from shared_metadata.contract.work import Work
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Kind
from shared_metadata.program.intervals import to_text
from shared_metadata.program.schema import SchemaColumn
from shared_metadata.program.type_names import field_names, parsed
from systems.iceberg import relations
from systems.iceberg.computing import HERE, ComputingDriver
from systems.iceberg.iceberg_schema import columns_of, iceberg_schema
from systems.iceberg.staging_table import StagingTable


class ElsewhereDriver(ComputingDriver):
    """All of shared_metadata.contract.organize.Driver but `refreshed` and `checked`, which are what `refresh` and `check` are in the
    engine itself.

    A prepared result is the lake's, with 'staging', the tables to forget once it is committed, and 'statements', what has run; of a
    flow with the engine 'auto' with 'computed', by which engine and why.
    title: what the engine is called.  struct: its word for a struct.
    """

    title: str
    struct: str

    def refresh(self, work: Work, reads: Mapping[str, Mapping[str, Any]], staging: Staging, deadline: Deadline) -> dict[str, Any]:
        if work.flow.beyond is None:
            return self.refreshed(work, reads, staging, deadline)
        here, why = self._choice(work, reads)
        if here:
            return {**self.computed(work, reads, staging), "staging": [], "statements": [], "computed": [HERE, why]}
        prepared = self.refreshed(replace(work, flow=work.flow.at_large), reads, staging, deadline)
        return {**prepared, "computed": [self.title, why]}

    def check(self, work: Work, prepared: Mapping[str, Any], staging: Staging) -> tuple[list[CheckResult], dict[str, Any]]:
        if work.flow.beyond is None:
            return self.checked(work, prepared, staging)
        if prepared["computed"][0] == HERE:
            return super().check(work, prepared, staging)
        return self.checked(replace(work, flow=work.flow.at_large), prepared, staging)

    def refreshed(self, work: Work, reads: Mapping[str, Mapping[str, Any]], staging: Staging, deadline: Deadline) -> dict[str, Any]:
        raise NotImplementedError

    def checked(self, work: Work, prepared: Mapping[str, Any], staging: Staging) -> tuple[list[CheckResult], dict[str, Any]]:
        raise NotImplementedError

    def _choice(self, work: Work, reads: Mapping[str, Mapping[str, Any]]) -> tuple[bool, str]:
        """Whether DuckDB computes it in the function, and why: the same at each attempt, for inputs are read at their versions."""
        return self._fits(work, reads, int(self._config.larger_from_gb * 10**9))

    def commit(self, work: Work, prepared: Mapping[str, Any], staging: Staging) -> Committed:
        committed, tables = super().commit(work, prepared, staging), self._tables(work).staging()
        for table in prepared["staging"]:
            tables.forget(StagingTable(*table))
        engine, why = prepared.get("computed", ("", ""))
        return replace(committed, statements=tuple(prepared["statements"]), engine=engine, why=why)

    def tidy(self) -> None:
        self._lake(f"warehouse {self._warehouse.name}").staging().forget_old(self._services.client("glue"))

    # -- pieces

    def _place_of(self, work: Work, purpose: str, token: str, staging: Staging) -> str:
        """Where a staging table is put: below the table that takes its rows, or below what is staged to be published."""
        if work.flow.kind == Kind.RESULT or purpose == "aside":
            return staging.url(work.table.dataset, f"{purpose}-{token}")
        return f"{self._tables(work).location(work.table.dataset)}/data/{work.claim.interval.start:%Y%m%dT%H%M%SZ}-{token}"

    def _result_columns(self, work: Work) -> tuple[SchemaColumn, ...]:
        """The columns as the program was compiled. Raises DefinitionError where it was compiled without its sources' schemas."""
        name = work.table.dataset.removesuffix(":result")
        lineage = self._services.reader.lineage(work.claim.program_version)
        for dataset in lineage.some([name]) if lineage is not None else ():
            return tuple(SchemaColumn(c.name, c.type, c.nullable) for c in dataset.columns)
        raise DefinitionError(
            f"the types of the columns of {name} are not known, and {self.title} writes none without",
            place=str(work.flow.position),
            remedy="look at the sources by `atoll discover`, then apply the program again",
        )

    def _staging_table(self, work: Work, purpose: str, columns: Sequence[SchemaColumn], staging: Staging) -> StagingTable:
        """A table for rows; of those that stay, with the field ids and the partitions of the table that takes them."""
        tables, token, flow = self._tables(work), work.turn.token(f"table {purpose}"), work.flow
        location = self._place_of(work, purpose, token, staging)
        if flow.kind == Kind.RESULT or purpose == "aside":
            return tables.staging().make(token, iceberg_schema(columns), (), location)
        tables.fits(work.table.dataset, columns)
        schema = tables.schema_for(work.table.dataset, columns)
        self._refuse_other_fields(columns, columns_of(schema), work)
        return tables.staging().make(token, schema, flow.partition_by, location)

    def _as_rejected(
        self, work: Work, urls: Sequence[str], columns: Sequence[SchemaColumn], with_reasons: Sequence[SchemaColumn]
    ) -> list[dict[str, Any]]:
        """The rows that were set aside, as the table of rejected rows has them."""
        folder, batch = self._folder(set_aside.beside(work)), to_text(work.claim.interval.start)
        with self._engine(work) as engine:
            engine.confine(urls, [folder + "/"])
            data = rejected_rows.as_json({c.name: (identifier(c.name), duckdb_type(c.type)) for c in columns})
            select = rejected_rows.select(batch, "organize", identifier(with_reasons[-1].name), data)
            return engine.write(f"{select} FROM {relations.rows_of(urls, with_reasons)} AS checked", folder)

    @staticmethod
    def _with_statements(prepared: Mapping[str, Any], ran: Statements, made: Sequence[StagingTable]) -> dict[str, Any]:
        statements = [*prepared["statements"], *(one.to_plain() for one in ran.ran)]
        return {**prepared, "statements": statements, "staging": [*prepared["staging"], *(table.to_plain() for table in made)]}

    def _refuse_other_fields(self, columns: Sequence[SchemaColumn], known: Sequence[SchemaColumn], work: Work) -> None:
        """Raises DefinitionError for a struct whose fields are not the table's, in the same order, by which engines know them."""
        types = {column.name: [*field_names(parsed(column.type))] for column in known}
        for column in columns:
            if [*field_names(parsed(column.type))] != types[column.name]:
                raise DefinitionError(
                    f"the fields of {column.name} are not those of the table, in the same order: {', '.join(types[column.name])}",
                    place=work.place,
                    remedy=f"CAST it to a {self.struct} with these, or have another engine compute the view: USING duckdb",
                )
