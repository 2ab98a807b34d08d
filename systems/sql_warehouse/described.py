"""The columns of what a batch brings: as the program was compiled, or as the warehouse types its query; what is refused."""

from __future__ import annotations

from collections.abc import Sequence

from shared_metadata.contract.own_columns import VIEW_BATCH
from shared_metadata.contract.runtime.services import Services
from shared_metadata.contract.work import Work
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Kind, Mode
from shared_metadata.program.schema import SchemaColumn
from systems.sql_warehouse.dialect import STAGING, WarehouseSql, table
from systems.sql_warehouse.session import Session, turn_of
from systems.sql_warehouse.tables import stored


def compiled(work: Work, services: Services) -> tuple[SchemaColumn, ...]:
    """The columns of a query as the program was compiled; none where it was without its sources' schemas."""
    lineage = services.reader.lineage(work.claim.program_version)
    for dataset in lineage.some([work.table.dataset.removesuffix(":result")]) if lineage is not None else ():
        return tuple(SchemaColumn(column.name, column.type, column.nullable) for column in dataset.columns)
    return ()


def asked(sql: WarehouseSql, session: Session, work: Work, query: str) -> tuple[SchemaColumn, ...]:
    """The columns as the warehouse itself types the query: of a table that is made of none of its rows, and dropped again."""
    name = f"shape_{turn_of(work).token('shape').replace('-', '')}"
    shape = table(sql, STAGING, name)
    texts = [
        sql.schema(STAGING),
        f"CREATE TABLE {shape} AS SELECT * FROM ({query}\n) AS r WHERE false",
        sql.columns_of([(STAGING, name)]),
        f"DROP TABLE {shape}",
    ]
    rows = session.rows(session.run("shape", texts), -2)
    for *_, column, word, precision, scale in rows:
        if sql.type_known(str(word), (int(precision or 0), int(scale or 0))) is None:
            raise DefinitionError(
                f"the column {sql.name_known(str(column))} has the type {word}, which Atoll keeps in no table",
                place=work.place,
                remedy=f"CAST it, e.g. CAST({sql.name_known(str(column))} AS VARCHAR)",
            )
    return stored(sql, rows, work.place)[STAGING, name]


def refuse_types(sql: WarehouseSql, columns: Sequence[SchemaColumn], place: str) -> None:
    """Raises DefinitionError for a column of a type that the warehouse cannot keep."""
    for column in columns:
        try:
            sql.type(column.type)
        except KeyError:
            raise DefinitionError(
                f"the column {column.name} has the type {column.type}, which {sql.title} keeps in no table",
                place=place,
                remedy="collect it by a query that makes a text of it, or leave it out",
            ) from None


def refuse_twins(work: Work, twice: int) -> None:
    """twice: how many keys are known to come twice. Raises DefinitionError."""
    if twice:
        raise DefinitionError(
            f"the query gives several rows with the same {', '.join(work.flow.key)}",
            place=work.place,
            remedy="make MERGE ON name a key of the result, or GROUP BY it",
        )


def columns_exist(work: Work, columns: Sequence[SchemaColumn]) -> None:
    """The key and the cursor are columns of the rows, and none is Atoll's own. Raises DefinitionError."""
    flow, known = work.flow, {column.name for column in columns}
    clauses = {"MERGE ON": flow.key if flow.mode == Mode.MERGE else (), "PARTITION BY": flow.partition_by}
    if flow.kind == Kind.LOAD and flow.cursor and flow.mode == Mode.MERGE:
        clauses["CURSOR"] = (flow.cursor,)
    for clause, named in clauses.items():
        for column in named:
            if column not in known:
                raise DefinitionError(
                    f"{clause} names {column}, which is no column of {work.table.dataset}",
                    place=str(flow.position),
                    remedy=f"its columns are {', '.join(sorted(known))}",
                )
    if VIEW_BATCH in known and flow.kind != Kind.RESULT:
        raise DefinitionError(
            f"{work.table.dataset} has a column {VIEW_BATCH}, which is Atoll's own in the tables of a warehouse",
            place=str(flow.position),
            remedy="collect or select it by another name, with AS",
        )
