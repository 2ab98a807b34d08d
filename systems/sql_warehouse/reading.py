"""A view's query over its inputs' tables as they are now: a warehouse without time travel shows no former state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared_metadata.contract.own_columns import DELETED, VIEW_BATCH
from shared_metadata.contract.work import Work
from shared_metadata.errors import DefinitionError
from shared_metadata.program.intervals import to_text
from shared_metadata.program.places import BATCH_END, BATCH_START
from shared_metadata.program.schema import SchemaColumn
from systems.sql_warehouse.dialect import WarehouseSql, names, table
from systems.sql_warehouse.tables import Stored, place_of


def query(sql: WarehouseSql, work: Work, stored: Stored) -> str:
    """The flow's query in the warehouse's words."""
    tables = {name: _reading(sql, work, name, stored) for name in work.table.inputs}
    return work.flow.filled({**tables, **bounds(sql, work)}, sql.spelled)


def _reading(sql: WarehouseSql, work: Work, dataset: str, stored: Stored) -> str:
    """A table without what is Atoll's own, and without rows that are marked as deleted where they are not asked for."""
    schema, name = place_of(dataset)
    columns = stored.get((schema, name))
    if columns is None:
        raise DefinitionError(
            f"{sql.title} shows no table {schema}.{name}, which {dataset} is kept in",
            place=work.place,
            remedy="restore it, or grant USAGE on its schema and SELECT on it to the user of this warehouse",
        )
    kept = [column for column in columns if column.name != VIEW_BATCH]
    hides = any(column.name == DELETED.name for column in columns) and dataset not in work.flow.sees_deleted
    where = f" WHERE NOT coalesce({sql.identifier(DELETED.name)}, false)" if hides else ""
    return f"(SELECT {names(sql, kept)} FROM {table(sql, schema, name)}{where})"


def cast(sql: WarehouseSql, text: str, columns: Sequence[SchemaColumn], batch: str) -> str:
    """A query's rows as the columns' types.  batch: the moment that the hidden batch column holds, '' for none."""
    own = [column for column in columns if column.name != VIEW_BATCH or not batch]
    values = [f"CAST(r.{sql.identifier(c.name)} AS {sql.type(c.type)})" for c in own]
    if batch:
        values.append(sql.moment(batch))
    return f"SELECT {', '.join(values)} FROM ({text}\n) AS r ({names(sql, own)})"


def bounds(sql: WarehouseSql, work: Work) -> Mapping[str, str]:
    """The bounds of the batch, as words for the places of a text."""
    interval = work.claim.interval
    return {BATCH_START: sql.moment(to_text(interval.start)), BATCH_END: sql.moment(to_text(interval.end))}
