"""Programs with their lineage, as the compiler would make them of a few words; for tests of drift."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from shared_metadata.program import Column, Connection, Flow, Kind, Mask, Mode, Position, Program, Table, Warehouse
from shared_metadata.program.lineage import ColumnLineage, ColumnRef, ColumnUse, DatasetLineage, Lineage, Use, schema_digest
from shared_metadata.program.schema import Schema, SchemaColumn

HOUR = 3600


def schema(**columns: str) -> Schema:
    """Column ▸ Iceberg type."""
    return Schema(tuple(SchemaColumn(name, kind, True, name) for name, kind in columns.items()))


@dataclass
class Writing:
    """A program being written, a statement a line."""

    flows: dict[str, Flow] = field(default_factory=dict)
    datasets: dict[str, DatasetLineage] = field(default_factory=dict)
    sources: dict[str, Schema] = field(default_factory=dict)
    line: int = 0

    def collect(
        self, source: str, known: Schema, *, key: str = "", cursor: str = "", columns: Mapping[str, str] | None = None,
        flow_id: str = "", mode: Mode = Mode.REPLACE, system: str = "test", seconds: int = HOUR, into: str = "lake.raw",
        name: str = "", masks: Mapping[str, Mask] | None = None,
    ) -> str:  # fmt: skip
        """All columns of 'out.<table>', or `columns` (output ▸ source column); returns the dataset."""
        here = self._here()
        connection, _, table = source.partition(".")
        name = name or f"{into}.{table.rpartition('.')[2].lower()}"
        wanted = columns or {c.name: c.name for c in known.columns}
        kinds = {c.name: c.type for c in known.columns}
        how = dict(masks or {})
        wanted = {o: c for o, c in wanted.items() if how.get(o) != Mask.DROP}
        kinds |= {wanted[o]: "string" for o in how if o in wanted}
        made = tuple(
            ColumnLineage(o, kinds[c], True, (ColumnRef(source, c),), here, "hash" if o in how else "") for o, c in wanted.items()
        )
        uses = [ColumnUse(ColumnRef(source, c), Use.VALUE, here) for c in dict.fromkeys(wanted.values())]
        uses += [ColumnUse(ColumnRef(source, wanted[key]), Use.KEY, here)] if key else []
        uses += [ColumnUse(ColumnRef(source, wanted[cursor]), Use.FILTER, here)] if cursor else []
        flow = Flow(
            flow_id or name, Kind.COLLECT, f"collect.{system}", "lake", seconds,
            (Table(f"{name}:staged", table, signature=schema_digest(known), masks=how),), here, connection=connection, mode=mode,
            key=(key,) if key else (), cursor=cursor, columns=tuple(Column(o, c) for o, c in (columns or {}).items()),
            mask_key="mask" if how else "",
        )  # fmt: skip
        load = replace(
            flow, id=f"{flow.id}:load", kind=Kind.LOAD, slice_id="organize.iceberg", connection="", columns=(), mask_key="",
            tables=(Table(name, inputs=(f"{name}:staged",)),),
        )  # fmt: skip
        for one in (flow, load):
            former = self.flows.get(one.id)
            self.flows[one.id] = replace(former, tables=(*former.tables, *one.tables)) if former else one
        self.sources[source] = known
        self.datasets[name] = DatasetLineage(name, load.id, made, tuple(uses), here)
        return name

    def view(
        self, name: str, reads: Sequence[str], *, uses: Iterable[tuple[str, Use]] = (), query: str = "", mode: Mode = Mode.REPLACE,
        seconds: int = HOUR,
    ) -> str:  # fmt: skip
        """A view of the columns 'dataset.column' in `reads`; what it says is their values, `uses` are others."""
        self._statement(name, Kind.VIEW, "organize.iceberg", [name], reads, uses, query, mode, seconds)
        return name

    def publish(self, name: str, reads: Sequence[str]) -> str:
        result = f"{name}:result"
        self._statement(name, Kind.RESULT, "organize.iceberg", [result], reads, (), "", Mode.REPLACE, HOUR)
        result_flow = self.flows.pop(name)
        self.flows[result] = replace(result_flow, id=result)
        self.flows[name] = Flow(
            name, Kind.PUBLISH, "harness.postgres", "lake", HOUR, (Table(name, inputs=(result,)),), result_flow.position,
            connection=name.split(".")[0],
        )  # fmt: skip
        return name

    def _statement(
        self, name: str, kind: Kind, slice_id: str, made: list[str], reads: Sequence[str],
        uses: Iterable[tuple[str, Use]], query: str, mode: Mode, seconds: int,
    ) -> None:  # fmt: skip
        here = self._here()
        value_uses = [ColumnUse(_ref(read), Use.VALUE, here) for read in reads]
        other = [ColumnUse(_ref(read), use, here) for read, use in uses]
        inputs = tuple(dict.fromkeys(use.column.dataset for use in (*value_uses, *other)))
        columns = tuple(ColumnLineage(_ref(r).column, "long", True, (_ref(r),), here) for r in reads)
        self.flows[name] = Flow(
            name, kind, slice_id, "lake", seconds, tuple(Table(m, inputs=inputs) for m in made), here, query=query, mode=mode
        )
        self.datasets[name] = DatasetLineage(name, name, columns, (*value_uses, *other), here)

    def _here(self) -> Position:
        self.line += 1
        return Position("program.sql", self.line, 1)

    def finish(self, **options: object) -> tuple[Program, Lineage]:
        lineage = Lineage(self.datasets, self.sources)
        here = Position("program.sql", 1, 1)
        names = {f.connection for f in self.flows.values() if f.connection} or {"out"}
        systems = {f.connection: f.slice_id.split(".")[1] for f in self.flows.values() if f.kind == Kind.COLLECT}
        connections = {n: Connection(n, systems.get(n, "test"), {"secret": n, **options}, here) for n in names}
        warehouses = {"lake": Warehouse("lake", "iceberg", {}, here)}
        return Program(connections, warehouses, self.flows, lineage=lineage.version), lineage


def _ref(text: str) -> ColumnRef:
    dataset, _, column = text.rpartition(".")
    return ColumnRef(dataset, column)
