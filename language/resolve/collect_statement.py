"""INSERT INTO a warehouse: a list of a connection's tables, or one query of it."""

from __future__ import annotations

import dataclasses
from typing import Any

from language.forms.resolved import Collect, CollectTable
from language.forms.syntax import CreateConnection, CreateWarehouse, Insert, Part
from language.resolve.called_in import refuse_calls
from language.resolve.clauses import check_clauses, query_of
from language.resolve.collect_query import source_connection, without_connection
from language.resolve.dataset_names import dataset_name, plain, table_name
from language.resolve.left_rows import condition
from language.resolve.masks import check_masks, query_masks, table_masks
from language.resolve.names import Names
from language.resolve.outputs import check_twins
from language.resolve.settings import Collected, check_collects, collect_settings
from language.resolve.warehouse_query import expected_places
from language.sql.dialect import AsWarehouse, as_source, as_warehouse, dialect
from language.sql.projection import Projection
from language.sql.query import SourceQuery
from language.text.diagnostics import Gathering, Problem, Span
from shared_metadata.contract.declaration import Slice


def collect_tables(statement: Insert, warehouse: CreateWarehouse, names: Names) -> Collect | None:
    clauses, listed = statement.clauses, statement.clauses.tables
    if listed is None:
        return None
    if len(statement.target.parts) != 2:
        remedy = f"write {warehouse.name.folded}.schema, as in INSERT INTO lake.crm FROM crm TABLES (Account)"
        raise Problem(statement.target.span, "a list of tables is collected into a schema", remedy)
    first = listed.origin.parts[0]
    connection = names.endpoint(first.folded, first.span)
    if not isinstance(connection, CreateConnection):
        remedy = "collect from a connection; make a MATERIALIZED VIEW over a warehouse's tables"
        raise Problem(listed.origin.span, f"`{first.text}` is a warehouse", remedy)
    collector = names.slice("collect", connection, listed.origin.span)
    organizer = names.slice("organize", warehouse, statement.target.span)
    check_collects(clauses)
    engine = as_warehouse(organizer.capabilities.dialect)
    check_clauses(None, clauses, None, engine, collector)
    masks = table_masks(clauses, listed)
    schema = ".".join([warehouse.name.folded, plain(statement.target.parts[1])])
    tables = []
    with Gathering() as gathering:
        for table in listed.tables:
            source = ".".join(_source_part(part, collector) for part in (*listed.origin.parts[1:], *table.parts))
            collected = Collected(f"`{table.dotted}`", table.span, names.defaults(connection, source))
            own, hidden = gathering(collect_settings, clauses, collector, organizer, collected), masks.get(table.folded, ())
            if own is not None:
                gathering(check_masks, hidden, clauses, own, collector)
            tables.append(CollectTable(f"{schema}.{table_name(table.parts[-1])}", source, table.span, hidden, own))
        gathering.diagnostics[:] = dict.fromkeys(gathering.diagnostics)  # a clause that no table can have is one mistake
    common = tables[0].settings
    assert common is not None  # what has none was raised
    if all(table.settings == common for table in tables):
        tables = [dataclasses.replace(table, settings=None) for table in tables]
    places = expected_places(clauses, engine)
    return Collect(statement, schema, connection, warehouse, collector, organizer, common, tuple(tables), places=places)


def _source_part(part: Part, collector: Slice) -> str:
    if "." in part.text:
        remedy = "collect it by a statement of its own, INSERT INTO … AS SELECT * FROM its table"
        raise Problem(part.span, f"`{part.text}` has a dot in its name", remedy)
    return dialect(collector.capabilities.dialect).fold(part.text, part.quoted)


def collect_query(statement: Insert, warehouse: CreateWarehouse, names: Names) -> Collect:
    clauses = statement.clauses
    dataset = dataset_name(statement.target)
    organizer = names.slice("organize", warehouse, statement.target.span)
    engine = as_warehouse(organizer.capabilities.dialect)
    refuse_calls(query_of(clauses), names)
    query, connection, collector = _source_query(query_of(clauses), names, engine)
    check_collects(clauses)
    read = as_source(query.dialect).collected(query)
    found = read.projection
    if isinstance(found, Problem) and collector.capabilities.queries != "full":
        raise found
    settings = collect_settings(clauses, collector, organizer, _read_by(query, found, connection, names))
    with Gathering() as gathering:
        gathering(check_clauses, query, clauses, settings, engine, collector)
        gathering.beside(check_twins, query)
        masks = gathering(query_masks, query, clauses, read.casts) or ()
        gathering(check_masks, masks, clauses, settings, collector)
    simple = found if isinstance(found, Projection) else Projection("", (), "")
    table = CollectTable(dataset, simple.source, statement.target.span, masks)
    if settings.capture:
        _check_captured(query, found, clauses.spans["capture"])
    edits = (*without_connection(query, connection), *read.edits)
    return Collect(
        statement, dataset, connection, warehouse, collector, organizer, settings, (table,),
        query, edits, simple.columns, simple.filter, read.casts, condition(query, settings, collector),
        expected_places(clauses, engine),
    )  # fmt: skip


def _read_by(query: SourceQuery, found: Projection | Problem, connection: CreateConnection, names: Names) -> Collected:
    """What a query collects: a table's rows, with the names that it gives them, or rows that it computes."""
    source = found.source if isinstance(found, Projection) else ""
    called = {column.source.strip('`"').lower(): column.name for column in found.columns} if isinstance(found, Projection) else {}
    span = query.tables[0].span if query.tables else query.first_word
    return Collected(f"`{span.text}`" if source else "a query that computes", span, names.defaults(connection, source), called)


def _check_captured(query: SourceQuery, found: Projection | Problem, capture: Span) -> None:
    """Raises Problem for a query whose rows the source's log does not tell: it knows rows of tables, and all of them."""
    if isinstance(found, Problem) or not found.source:
        what = "CAPTURE brings rows of one table, and this query computes others"
        raise Problem(capture, what, "collect the table's columns, and do the rest in a view; or name a CURSOR")
    if found.filter:
        where = as_source(query.dialect).leaving(query).where or capture
        raise Problem(where, "CAPTURE brings all rows of a table", "take out the WHERE, and filter in a view; or name a CURSOR")


def _source_query(span: Span, names: Names, engine: AsWarehouse[Any, Any]) -> tuple[SourceQuery, CreateConnection, Slice]:
    """A collect query read in the dialect of the connection that it reads, with that connection and its slice.

    engine: reads a text for the connection in it where no name tells which it is, or that takes no query.
    """
    likely = names.first_named(span, names.connections)
    collector = names.slices.get(f"collect.{likely.system.folded}") if likely else None
    reading = dialect(collector.capabilities.dialect).source if collector is not None else None
    query = (reading or engine).read(span)
    connection = source_connection(query, names)
    collector = names.slice("collect", connection, query.tables[0].span)
    if collector.capabilities.queries == "none":
        raise Problem(query.first_word, f"{collector.id} takes no query", "write FROM connection TABLES (…)")
    if reading is None or collector.capabilities.dialect != query.dialect:
        query = as_source(collector.capabilities.dialect).read(span)
        connection = source_connection(query, names)
    return query, connection, collector
