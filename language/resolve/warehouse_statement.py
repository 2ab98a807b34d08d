"""CREATE MATERIALIZED VIEW, and INSERT INTO a connection: what a query in a warehouse makes."""

from __future__ import annotations

from collections.abc import Callable

from language.forms.resolved import Call, Edits, Input, Publish, Settings, View
from language.forms.syntax import Clauses, CreateConnection, CreateView, CreateWarehouse, Insert, Name
from language.resolve.called_in import code_called
from language.resolve.clauses import check_clauses, query_of
from language.resolve.code_calls import resolved_calls, runs_code, with_inputs
from language.resolve.dataset_names import dataset_name
from language.resolve.inlining import inlined_query
from language.resolve.names import Names, Undeclared
from language.resolve.outputs import check_twins
from language.resolve.settings import check_tolerates, publish_settings, refuse_clauses, view_settings
from language.resolve.warehouse_query import expected_places, read_datasets, read_places
from language.sql.dialect import as_warehouse
from language.sql.query import Places, WarehouseQuery
from language.text.diagnostics import Gathering, Problem, Span
from shared_metadata.contract.declaration import Slice

Read = tuple[CreateWarehouse | None, tuple[Input, ...], Edits]


def view(statement: CreateView, endpoint: CreateConnection | CreateWarehouse, names: Names) -> View:
    clauses, span = statement.clauses, statement.target.span
    if isinstance(endpoint, CreateConnection):
        cause = f"a view stands in a warehouse, and `{endpoint.name.folded}` is a connection"
        raise Problem(span, cause, "create it in a warehouse, and publish it with INSERT INTO the connection")
    dataset = dataset_name(statement.target)
    organizer, larger = _computes(endpoint, clauses, names, span)
    settings, query, (warehouse, inputs, edits), places, calls = _warehouse_query(
        clauses, view_settings, organizer, names, (endpoint, organizer)
    )
    if warehouse is not None and warehouse is not endpoint:
        cause = f"a view in `{endpoint.name.folded}` cannot read `{warehouse.name.folded}`"
        raise Problem(inputs[0].span if inputs else query.span, cause, f"create the view in `{warehouse.name.folded}`")
    return View(statement, dataset, endpoint, organizer, settings, query, inputs, edits, places, larger=larger, calls=calls)


def publish(statement: Insert, connection: CreateConnection, names: Names) -> Publish:
    clauses, target = statement.clauses, statement.target
    if clauses.tables is not None:
        remedy = "INSERT INTO a connection publishes a query: write AS SELECT …"
        raise Problem(clauses.tables.span, "TABLES (…) is for collecting into a warehouse", remedy)
    if len(target.parts) < 2:
        remedy = f"write {target.dotted}.table, or {target.dotted}.schema.table"
        raise Problem(target.span, f"`{target.dotted}` names no table of the connection", remedy)
    refuse_clauses(clauses, "publishing", "cursor", "capture", "partition_by", "masks")
    harness = names.slice("harness", connection, target.span)
    likely = _check_reads_warehouse(query_of(clauses), names)
    organizer, _ = _computes(likely, clauses, names, target.span)
    settings, query, (warehouse, inputs, edits), places, calls = _warehouse_query(
        clauses, publish_settings, harness, names, (likely, organizer), harness
    )
    if warehouse is None:
        remedy = "name a table in FROM, as in lake.ops.flights"
        raise Problem(query.first_word, "this query reads no table", remedy)
    organizer, larger = _computes(warehouse, clauses, names, target.span)
    named = (statement, _outside(target), connection, warehouse, organizer, harness)
    return Publish(*named, settings, query, inputs, edits, places, larger=larger, calls=calls)


def _computes(warehouse: CreateWarehouse, clauses: Clauses, names: Names, span: Span) -> tuple[Slice, Slice | None]:
    """The slice that computes a statement's query, and where that says 'auto' the one for what is large."""
    if called := code_called(query_of(clauses), names):
        return runs_code(called, warehouse, clauses, names), None
    return names.organizer(warehouse, clauses.engine, span), names.larger(warehouse, clauses.engine, span)


def _warehouse_query(
    clauses: Clauses,
    settings_of: Callable[[Clauses, Slice], Settings],
    runs: Slice,
    names: Names,
    likely: tuple[CreateWarehouse, Slice],
    harness: Slice | None = None,
) -> tuple[Settings, WarehouseQuery, Read, Places, tuple[Call, ...]]:
    """The statement's settings, its query, what that reads, its places and calls.  likely: what it reads, and what computes there."""
    warehouse, organizer = likely
    engine = as_warehouse(organizer.capabilities.dialect)
    with Gathering() as gathering:
        settings = gathering(settings_of, clauses, runs)
        found = gathering(inlined_query, query_of(clauses), names, organizer.capabilities.dialect, warehouse.name.folded)
        query = gathering(engine.read, found[0]) if found is not None else None
        calls = gathering(resolved_calls, found[1], names, organizer.capabilities.dialect) if found is not None else ()
        gathering(check_clauses, query, clauses, settings, engine, harness)
        if query is not None:
            gathering.beside(check_twins, query)
        read = gathering(read_datasets, query, names) if query is not None else None
        if read is not None and calls is not None:
            read = read[0], with_inputs(read[1], calls), read[2]
            gathering(check_tolerates, clauses, read[1])
    assert settings is not None and query is not None and read is not None and calls is not None  # else the gathering raised
    in_fact, _ = _computes(read[0], clauses, names, query.span) if read[0] is not None else (organizer, None)
    if (
        read[0] is not None and in_fact.capabilities.dialect != query.dialect
    ):  # another warehouse's name stands first, in a comment, say
        return _warehouse_query(clauses, settings_of, runs, names, (read[0], in_fact), harness)
    return settings, query, read, (*read_places(query), *expected_places(clauses, engine)), calls


def _check_reads_warehouse(span: Span, names: Names) -> CreateWarehouse:
    """The warehouse that a published query likely reads. Raises Problem where there is none that it could."""
    likely = likely_warehouse(span, names)
    if likely is not None:
        return likely
    if names.broken:
        raise Undeclared
    raise Problem(span, "there is no warehouse to read", "declare one, as in CREATE WAREHOUSE lake USING iceberg;")


def likely_warehouse(query: Span, names: Names) -> CreateWarehouse | None:
    """The first that the query names; or any."""
    return names.first_named(query, names.warehouses) or next(iter(names.warehouses.values()), None)


def _outside(target: Name) -> str:
    """A target's name at its connection: folded like an unquoted name there, kept where it is quoted."""
    for part in target.parts:
        if not part.text.replace("$", "_").isidentifier():
            remedy = "use letters, digits and _; a database can show its table under such a name as a view"
            raise Problem(part.span, f"`{part.text}` cannot be published to", remedy)
    return ".".join(part.text if part.quoted else part.folded for part in target.parts)
