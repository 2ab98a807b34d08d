"""The SQL of one object's rows: as the table's types, and which of them cannot be read so."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from shared_metadata.contract.parquet import rejected_rows
from shared_metadata.contract.parquet.duckdb_session import identifier, literal
from shared_metadata.contract.parquet.exact_values import Value
from shared_metadata.contract.parquet.masking import Hashing
from shared_metadata.contract.projection import BATCH
from shared_metadata.program.schema import Schema, SchemaColumn
from slices.collect.s3.formats.json_lines import spelled
from slices.collect.s3.formats.shape import Shape
from slices.collect.s3.logic import MODIFIED, OBJECT, path_values
from slices.collect.s3.objects import Found

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, eq=False)
class Rows:
    """One object. prefix: of its table.  batch: the interval's start.  filter: the flow's WHERE, over the files' names.

    beside: columns that only the filter reads.  key: columns by which rows are merged.
    """

    found: Found
    prefix: str
    shape: Shape
    schema: Schema
    batch: str
    filter: str = ""
    beside: Sequence[SchemaColumn] = ()
    key: Collection[str] = ()

    def spelled(self, connection: duckdb.DuckDBPyConnection) -> Rows:
        """The same, with keys of JSON as the object's lines spell them."""
        return replace(self, shape=spelled(connection, self.shape)) if self.shape.lines else self

    def strict(self, hashing: Hashing) -> str:
        """All rows; DuckDB fails where one cannot be read."""
        return self._selected(self.shape.relation, hashing, {name: value.strict for name, value in self._values.items()})

    def readable(self, hashing: Hashing) -> str:
        """The rows that can be read."""
        good = f"{self._passing} WHERE ({self._bad}) IS NOT TRUE" if self._bad else self._passing
        return self._selected(good, hashing, {name: value.lenient for name, value in self._values.items()})

    def counted(self) -> str:
        """How many cannot, and one reason; what the file holds that is no row is counted by `counted_broken`, after this."""
        if not self._bad:
            return f"SELECT count(*) FILTER (false), '' FROM {self._passing}"
        return f"SELECT count(*) FILTER ({self._bad}), any_value({self._reason}) FILTER ({self._bad}) FROM {self._passing}"

    def counted_broken(self) -> str:
        return f"SELECT count(*), any_value(place || ' ' || why) FROM {self.shape.skipped}" if self.shape.skipped else "SELECT 0, ''"

    def rejected(self, masked: Collection[str]) -> str:
        """The rows that cannot be read, without masked values; of a masked table nothing is told of what is no row."""
        key = literal(f"{self.found.key}: ")
        found = {name.lower(): (identifier(name), str(kind)) for name, kind in self.shape.columns.items()}
        clear = [column for column in self._columns if column.name not in masked and column.source.lower() in found]
        data = {column.name: found[column.source.lower()] for column in clear}
        data[OBJECT.name] = (literal(self.found.key), "VARCHAR")
        why = f"{key} || 'row ' || {self.shape.row} || ': ' || {self._reason}"
        rows = rejected_rows.select(self.batch, "collect", why, rejected_rows.as_json(data))
        parts = [f"({rows} FROM {self._passing} WHERE {self._bad})"] if self._bad else []
        if self.shape.skipped:
            raw = {OBJECT.name: data[OBJECT.name]} | ({} if masked else {"_line": ("raw", "VARCHAR")})
            broken = rejected_rows.select(self.batch, "collect", f"{key} || place || ': ' || why", rejected_rows.as_json(raw))
            parts.append(f"({broken} FROM {self.shape.skipped})")
        return " UNION ALL ".join(parts)

    # -- the pieces

    def _selected(self, rows: str, hashing: Hashing, values: dict[str, str]) -> str:
        """rows: what stands in FROM, and a WHERE perhaps."""
        read = {c.source.lower(): f"{values[c.name]} AS {identifier(c.source)}" for c in (*self.beside, *self._columns)}
        given = [f"{hashing.value(c.name, identifier(c.source), c.type)} AS {identifier(c.name)}" for c in self._columns]
        given.append(f"TIMESTAMPTZ {literal(self.batch)} AS {BATCH.name}")
        where = f" WHERE ({self.filter}\n)" if self.filter else ""
        return f"SELECT {', '.join(given)} FROM (SELECT {', '.join(read.values())} FROM {rows}){hashing.joined}{where}"

    @property
    def _passing(self) -> str:
        return self.shape.skipping or self.shape.numbered

    @cached_property
    def _columns(self) -> list[SchemaColumn]:
        return [column for column in self.schema.columns if column.source]

    @cached_property
    def _values(self) -> dict[str, Value]:
        there = {name.lower(): Value.of_file(name, str(kind)) for name, kind in self.shape.columns.items()}
        beside = {name: Value.of_text(text) for name, text in path_values(self.prefix, self.found.key).items()}
        known = beside | there
        own = {
            OBJECT.name: Value.exact(literal(self.found.key)),
            MODIFIED.name: Value.exact(f"TIMESTAMPTZ {literal(self.found.moment.isoformat())}"),
        }
        found = {}
        for column in (*self.beside, *self._columns):
            source = column.source.lower()
            found[column.name] = own.get(source) or known.get(source, Value.of_text(None)).as_type(column.type)
            if column.name in self.key:
                found[column.name] = found[column.name].required()
        return found

    @cached_property
    def _bad(self) -> str:
        return " OR ".join(f"({value.misfit})" for value in self._values.values() if value.misfit)

    @cached_property
    def _reason(self) -> str:
        types = {column.name: column.type for column in (*self.beside, *self._columns)}
        reasons = [
            rejected_rows.reason(value.misfit, f"{name} is {'null, or ' * (name in self.key)}no {types[name]}")
            for name, value in self._values.items()
            if value.misfit
        ]
        return f"concat_ws(', ', {', '.join(reasons)})"
