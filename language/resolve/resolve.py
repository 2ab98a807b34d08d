"""Syntax to the resolved form: each statement's stage, slices, settings, and the tables behind its names."""

from __future__ import annotations

from collections.abc import Callable

from language.cache.statements import Memo
from language.cache.workers import ALONE, Crew
from language.dialects.duckdb.query import DuckDBQuery, parse_warehouse_query, read_ahead
from language.forms.resolved import Collect, CollectTable, Edits, Input, Publish, Resolved, ResolvedProgram, Settings, View
from language.forms.syntax import Clauses, CreateConnection, CreateView, CreateWarehouse, Insert, Name, Part, Syntax
from language.resolve.collect_query import source_connection, without_connection
from language.resolve.left_rows import condition
from language.resolve.masks import check_masks, query_masks, table_masks
from language.resolve.name_lengths import check_lengths
from language.resolve.names import Names, Undeclared, dataset_name, plain, table_name
from language.resolve.outputs import check_output, check_twins
from language.resolve.settings import (
    check_bad_rows,
    check_no_lag,
    check_tolerates,
    collect_settings,
    publish_settings,
    refuse_clauses,
    refuse_twins,
    view_settings,
)
from language.resolve.source_queries import collected_query, parse_source_query
from language.resolve.warehouse_query import read_datasets
from language.sql.parsed import ParsedQuery, Query, source_name
from language.sql.projection import Projection
from language.text.diagnostics import Diagnostic, Gathering, Problem, Span
from language.text.nesting import too_deep
from language.text.tokens import DIALECT
from shared_metadata.contract.declaration import Slice


def resolve(
    syntax: Syntax, names: Names, problems: list[Diagnostic], memo: Memo | None = None, crew: Crew = ALONE
) -> ResolvedProgram:
    """The program's statements resolved; what is wrong with them is added to `problems`, their targets to `broken`."""
    failed: set[tuple[str, ...]] = set()
    flows = [statement for statement in syntax.statements if isinstance(statement, (Insert, CreateView))]
    if memo is not None:
        memo.among(names)

    def resolved(number: int) -> Resolved | None:
        statement = flows[number]
        found = memo.resolved(statement) if memo is not None else None
        if found is not None:
            return found
        try:
            found = _statement(statement, names)
            check_lengths(found)
        except (Problem, Undeclared, RecursionError) as error:
            found = None
            failed.add(statement.target.folded)
            if isinstance(error, Problem):
                problems.extend(error.diagnostics)
            elif isinstance(error, RecursionError):
                problems.append(too_deep(statement.span).diagnostic)
        if memo is not None and found is not None:
            memo.keep_resolved(found)
        return found

    numbers = range(len(flows))
    unknown = [flows[number] for number in crew.share(numbers) if memo is None or not memo.knows_resolved(flows[number])]
    read_ahead(statement.clauses.query for statement in unknown if _reads_a_warehouse(statement, names))
    statements = tuple(found for found in crew.each(numbers, resolved) if found is not None)
    names.broken |= failed
    return ResolvedProgram(names.connections, names.warehouses, statements)


def _reads_a_warehouse(statement: Insert | CreateView, names: Names) -> bool:
    """Whether its query will be read by the warehouse's engine, as far as its first name tells."""
    return isinstance(statement, CreateView) or statement.target.parts[0].folded in names.connections


def _statement(statement: Insert | CreateView, names: Names) -> Resolved:
    first = statement.target.parts[0]
    endpoint = names.endpoint(first.folded, first.span)
    if isinstance(statement, CreateView):
        return _view(statement, endpoint, names)
    if isinstance(endpoint, CreateConnection):
        return _publish(statement, endpoint, names)
    return _collect_tables(statement, endpoint, names) or _collect_query(statement, endpoint, names)


def _view(statement: CreateView, endpoint: CreateConnection | CreateWarehouse, names: Names) -> View:
    clauses, span = statement.clauses, statement.target.span
    if isinstance(endpoint, CreateConnection):
        cause = f"a view stands in a warehouse, and `{endpoint.name.folded}` is a connection"
        raise Problem(span, cause, "create it in a warehouse, and publish it with INSERT INTO the connection")
    dataset = dataset_name(statement.target)
    organizer = names.slice("organize", endpoint, span)
    settings, query, (warehouse, inputs, edits) = _warehouse_query(clauses, view_settings, organizer, names)
    if warehouse is not None and warehouse is not endpoint:
        cause = f"a view in `{endpoint.name.folded}` cannot read `{warehouse.name.folded}`"
        raise Problem(inputs[0].span, cause, f"create the view in `{warehouse.name.folded}`")
    return View(statement, dataset, endpoint, organizer, settings, query, inputs, edits)


def _publish(statement: Insert, connection: CreateConnection, names: Names) -> Publish:
    clauses, target = statement.clauses, statement.target
    if clauses.tables is not None:
        remedy = "INSERT INTO a connection publishes a query: write AS SELECT …"
        raise Problem(clauses.tables.span, "TABLES (…) is for collecting into a warehouse", remedy)
    if len(target.parts) < 2:
        remedy = f"write {target.dotted}.table, or {target.dotted}.schema.table"
        raise Problem(target.span, f"`{target.dotted}` names no table of the connection", remedy)
    refuse_clauses(clauses, "publishing", "cursor", "partition_by", "masks")
    harness = names.slice("harness", connection, target.span)
    _check_reads_warehouse(_query(clauses), names)
    settings, query, (warehouse, inputs, edits) = _warehouse_query(clauses, publish_settings, harness, names, harness)
    if warehouse is None:
        remedy = "name a table in FROM, as in lake.ops.flights"
        raise Problem(query.first_word, "this query reads no table", remedy)
    organizer = names.slice("organize", warehouse, target.span)
    return Publish(statement, _outside(target), connection, warehouse, organizer, harness, settings, query, inputs, edits)


def _warehouse_query(
    clauses: Clauses, settings_of: Callable[[Clauses, Slice], Settings], runs: Slice, names: Names, harness: Slice | None = None
) -> tuple[Settings, DuckDBQuery, tuple[CreateWarehouse | None, tuple[Input, ...], Edits]]:
    """The statement's settings, its query, and what that reads."""
    with Gathering() as gathering:
        settings = gathering(settings_of, clauses, runs)
        query = gathering(parse_warehouse_query, _query(clauses))
        gathering(_check_output, query, clauses, settings, harness)
        if query is not None:
            gathering.beside(check_twins, query)
        read = gathering(read_datasets, query, names) if query is not None else None
        if read is not None:
            gathering(check_tolerates, clauses, read[1])
    assert settings is not None and query is not None and read is not None  # else the gathering raised
    return settings, query, read


def _check_reads_warehouse(span: Span, names: Names) -> None:
    """Raises Problem where there is no warehouse that a published query could read."""
    if names.warehouses:
        return
    if names.broken:
        raise Undeclared
    raise Problem(span, "there is no warehouse to read", "declare one, as in CREATE WAREHOUSE lake USING iceberg;")


def _outside(target: Name) -> str:
    """A target's name at its connection: folded like an unquoted name there, kept where it is quoted."""
    for part in target.parts:
        if not part.text.replace("$", "_").isidentifier():
            remedy = "use letters, digits and _; a database can show its table under such a name as a view"
            raise Problem(part.span, f"`{part.text}` cannot be published to", remedy)
    return ".".join(part.text if part.quoted else part.folded for part in target.parts)


def _collect_tables(statement: Insert, warehouse: CreateWarehouse, names: Names) -> Collect | None:
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
    check_no_lag(clauses)
    settings = collect_settings(clauses, collector, organizer)
    _check_output(None, clauses, settings, collector)
    masks = table_masks(clauses, listed)
    check_masks([each for found in masks.values() for each in found], clauses, settings, collector)
    schema = ".".join([warehouse.name.folded, plain(statement.target.parts[1])])
    tables = tuple(
        CollectTable(
            f"{schema}.{table_name(table.parts[-1])}",
            ".".join(_source_part(part, collector) for part in (*listed.origin.parts[1:], *table.parts)),
            table.span,
            masks.get(table.folded, ()),
        )
        for table in listed.tables
    )
    return Collect(statement, schema, connection, warehouse, collector, organizer, settings, tables)


def _source_part(part: Part, collector: Slice) -> str:
    if "." in part.text:
        remedy = "collect it by a statement of its own, INSERT INTO … AS SELECT * FROM its table"
        raise Problem(part.span, f"`{part.text}` has a dot in its name", remedy)
    return source_name(part.text, part.quoted, collector.capabilities.dialect)


def _collect_query(statement: Insert, warehouse: CreateWarehouse, names: Names) -> Collect:
    clauses = statement.clauses
    dataset = dataset_name(statement.target)
    query, connection, collector = _source_query(_query(clauses), names)
    organizer = names.slice("organize", warehouse, statement.target.span)
    check_no_lag(clauses)
    settings = collect_settings(clauses, collector, organizer)
    read = collected_query(query)
    found = read.projection
    if isinstance(found, Problem) and collector.capabilities.queries != "full":
        raise found
    with Gathering() as gathering:
        gathering(_check_output, query, clauses, settings, collector)
        gathering.beside(check_twins, query)
        masks = gathering(query_masks, query, clauses, read.casts) or ()
        gathering(check_masks, masks, clauses, settings, collector)
    simple = found if isinstance(found, Projection) else Projection("", (), "")
    table = CollectTable(dataset, simple.source, statement.target.span, masks)
    edits = (*without_connection(query, connection), *read.edits)
    return Collect(
        statement, dataset, connection, warehouse, collector, organizer, settings, (table,),
        query, edits, simple.columns, simple.filter, read.casts, condition(query, settings, collector),
    )  # fmt: skip


def _source_query(span: Span, names: Names) -> tuple[ParsedQuery, CreateConnection, Slice]:
    """A collect query read in the dialect of the connection that it reads, with that connection and its slice."""
    likely = names.first_named(span, names.connections)
    collector = names.slices.get(f"collect.{likely.system.folded}") if likely else None
    query = parse_source_query(span, collector.capabilities.dialect if collector else DIALECT)
    connection = source_connection(query, names)
    collector = names.slice("collect", connection, query.tables[0].span)
    if collector.capabilities.queries == "none":
        raise Problem(query.first_word, f"{collector.id} takes no query", "write FROM connection TABLES (…)")
    if collector.capabilities.dialect != query.dialect:
        query = parse_source_query(span, collector.capabilities.dialect)
        connection = source_connection(query, names)
    return query, connection, collector


def _check_output(query: Query | None, clauses: Clauses, settings: Settings | None, outside: Slice | None = None) -> None:
    with Gathering() as gathering:
        gathering(refuse_twins, clauses.partition_by)
        gathering(check_bad_rows, clauses, outside)
        gathering(check_output, query, clauses, settings)


def _query(clauses: Clauses) -> Span:
    assert clauses.query is not None  # the parser refuses a statement with neither query nor tables
    return clauses.query
