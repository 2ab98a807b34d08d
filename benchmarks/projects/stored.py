"""A generated program as it is stored: its plan and lineage, about as large as the compiler makes them, without compiling."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.projects.generate import COLUMNS, Generated, View, generate
from shared_metadata.program import Connection, Flow, Kind, Position, Program, Table, Warehouse
from shared_metadata.program.lineage import ColumnLineage, ColumnRef, ColumnUse, DatasetLineage, Lineage, Use, schema_digest
from shared_metadata.program.schema import Schema, SchemaColumn

HOUR = 3600
START = Position("program.sql", 1, 1)
SOURCE = Schema(tuple(SchemaColumn(name, kind, True, name, kind) for name, kind in COLUMNS.items()))


def stored(views: int) -> tuple[Program, Lineage]:
    """So many views over source tables that one flow collects whole; all of an hour."""
    project = generate(views)
    lineage = Lineage(
        {**{_name(source): _loaded(source) for source in project.sources}, **{_name(v.name): _lineage(v) for v in project.views}},
        {f"ops.public.{source}": SOURCE for source in project.sources},
    )
    flows = {flow.id: flow for flow in (*_collect(project, lineage), *(_view(view, lineage) for view in project.views))}
    connections = {"ops": Connection("ops", "postgres", {"secret": "ops"}, START)}
    warehouses = {"lake": Warehouse("lake", "iceberg", {}, START)}
    texts = {f"{view.name}.sql": view.query for view in project.views}
    return Program(connections, warehouses, flows, texts, lineage.version), lineage


def edited(program: Program, view: int) -> Program:
    """The program with another filter in one of its views."""
    name = _name(f"view_{view:05}")
    flow = program.flows[name]
    other = replace(flow, query=flow.query.replace("WHERE ", "WHERE a.quantity < 1000000 AND ", 1))
    return replace(program, flows={**program.flows, name: other})


def _name(short: str) -> str:
    return f"lake.raw.{short}" if short.startswith("source") else f"lake.views.{short}"


def _collect(project: Generated, lineage: Lineage) -> tuple[Flow, Flow]:
    staged = tuple(Table(f"{_name(s)}:staged", f"public.{s}", signature=schema_digest(SOURCE)) for s in project.sources)
    loaded = tuple(Table(_name(s), inputs=(f"{_name(s)}:staged",), signature=_signature(lineage, s)) for s in project.sources)
    collect = Flow("lake.raw", Kind.COLLECT, "collect.postgres", "lake", HOUR, staged, START, connection="ops")
    return collect, Flow("lake.raw:load", Kind.LOAD, "organize.iceberg", "lake", HOUR, loaded, START)


def _view(view: View, lineage: Lineage) -> Flow:
    inputs, place = {name: _name(name) for name in view.inputs}, Position(f"{view.name}.sql", 1, 26)
    table = Table(_name(view.name), inputs=tuple(inputs.values()), signature=_signature(lineage, view.name))
    return Flow(table.dataset, Kind.VIEW, "organize.iceberg", "lake", HOUR, (table,), place, query=view.query.format(**inputs))


def _signature(lineage: Lineage, short: str) -> str:
    return lineage.datasets[_name(short)].signature


def _loaded(source: str) -> DatasetLineage:
    table = f"ops.public.{source}"
    columns = tuple(ColumnLineage(name, kind, True, (ColumnRef(table, name),), START) for name, kind in COLUMNS.items())
    uses = tuple(ColumnUse(ColumnRef(table, name), Use.VALUE, START) for name in COLUMNS)
    return DatasetLineage(_name(source), "lake.raw:load", columns, uses, START)


def _lineage(view: View) -> DatasetLineage:
    """Every column of the first two inputs makes the column of its name; the first's decide over the rows, too."""
    inputs, file = [_name(name) for name in view.inputs[:2]], f"{view.name}.sql"
    columns, uses = [], []
    for number, (name, kind) in enumerate(COLUMNS.items()):
        place, refs = Position(file, 4 + number, 8), tuple(ColumnRef(dataset, name) for dataset in inputs)
        columns.append(ColumnLineage(name, kind, True, refs, place))
        uses += [ColumnUse(ref, Use.VALUE, place) for ref in refs]
    uses += [ColumnUse(ColumnRef(inputs[0], name), Use.FILTER, Position(file, 30, 8)) for name in ("quantity", "price")]
    return DatasetLineage(_name(view.name), _name(view.name), tuple(columns), tuple(uses), Position(file, 1, 26))
