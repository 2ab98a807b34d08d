"""The SQL of events' rows: as the table's types, and which of them cannot be read so."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from shared_metadata.contract.own_columns import DELETED, unlike
from shared_metadata.contract.parquet import rejected_rows
from shared_metadata.contract.parquet.duckdb_session import identifier, literal
from shared_metadata.contract.parquet.duckdb_types import duckdb_type
from shared_metadata.contract.parquet.exact_values import Value
from shared_metadata.contract.parquet.json_keys import Keys, is_object, keys_of, pointer
from shared_metadata.contract.parquet.masking import Hashing
from shared_metadata.contract.parquet.staged_files import keys_of_rows
from shared_metadata.contract.projection import BATCH
from shared_metadata.program import Flow
from shared_metadata.program.schema import Schema, SchemaColumn
from systems.events.columns import DATA, JSON, Told

if TYPE_CHECKING:
    import duckdb

IS_OBJECT = is_object("d")
BROKEN = "atoll_why"  # why an event is no row at all; null for one that is


class Rows:
    """lines: the relation of `Lines`.  batch: the interval's start.  flow: its WHERE is over the events' own names.

    beside: columns that only the WHERE reads.
    """

    def __init__(self, lines: str, told: Told, schema: Schema, batch: str, flow: Flow, beside: Sequence[SchemaColumn] = ()) -> None:
        self._lines, self._place, self._batch, self._where, where = lines, told.place, batch, flow.filter, flow.filter
        self._deleted = told.deleted
        self._told = {**told.sql, DATA.name: "d"}
        self._own = {column.name: (told.sql[column.name], _type(column)) for column in told.columns}
        self._key, self._keys = keys_of_rows(flow), Keys()
        self._columns = [column for column in schema.columns if column.source]
        # in a WHERE a column has the type that it is collected as, under the name that events have for it
        filtered = {column.source: column for column in (*beside, *self._columns[::-1])} if where else {}
        self._read = {**{f"as {column.name}": column for column in self._columns}, **filtered}

    def look(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Looks how the events spell the keys that are read; comes before all else."""
        self._keys = keys_of(connection, f"(SELECT d FROM {self._lines} WHERE {IS_OBJECT})", "d", self._wanted)

    def strict(self, hashing: Hashing) -> str:
        """All rows; DuckDB fails where one cannot be read."""
        return self._selected("strict", "", hashing)

    def readable(self, hashing: Hashing) -> str:
        """The rows that can be read."""
        return self._selected("lenient", f" WHERE NOT ({self._misfit})", hashing)

    def counted(self) -> str:
        """How many cannot, and one reason."""
        return f"SELECT count(*), any_value({self._reason}) FROM {self._events} WHERE {self._misfit}"

    def rejected(self, masked: Collection[str]) -> str:
        """The rows that cannot be read, without masked values; of a masked table's events that are none only where they stand."""
        own = {name: value for name, value in self._own.items() if name not in masked}
        clear = {
            c.name: (identifier(_at(c.source)), "VARCHAR") for c in self._columns if c.name not in masked and c.name not in self._told
        }
        clear |= {DATA.name: ("coalesce(d, r)", "VARCHAR")} if not masked else {}
        whole = rejected_rows.as_json(own | ({} if masked else {DATA.name: ("coalesce(d, r)", "VARCHAR")}))
        data = f"CASE WHEN {BROKEN} IS NULL THEN {rejected_rows.as_json(own | clear)} ELSE {whole} END"
        why = f"{self._place} || ': ' || {self._reason}"
        selected = rejected_rows.select(self._batch, "collect", why, data)
        return f"SELECT {rejected_rows.NAMES} FROM ({selected} FROM {self._events} WHERE {self._misfit})"

    # -- the pieces

    @cached_property
    def _events(self) -> str:
        """The relation of the events with their keys' values as texts; an event that is none has none of them."""
        if not self._wanted:
            return f"(SELECT *, w AS {BROKEN} FROM {self._lines})"
        spelled = [(name, spelling) for name in self._wanted for spelling in self._keys.of(name)]
        pointers = ", ".join(pointer(spelling) for _, spelling in spelled)
        places = {name: [f"atoll_values[{at}]" for at, (one, _) in enumerate(spelled, 1) if one == name] for name in self._wanted}
        values = ", ".join(f"coalesce({', '.join(found)}) AS {identifier(_at(name))}" for name, found in places.items())
        twice = self._keys.is_twice("d", self._wanted)
        is_row = f"{IS_OBJECT} THEN " + (f"CASE WHEN {twice} THEN 'has a key twice' END" if twice else "NULL")
        why = f"coalesce(w, CASE WHEN {is_row} WHEN json_valid(d) THEN 'is no JSON object' ELSE 'is no JSON' END)"
        judged = f"(SELECT *, {why} AS {BROKEN} FROM {self._lines})"
        values_of = f"json_extract_string(coalesce(x, d), [{pointers}])"
        parsed = f"(SELECT *, CASE WHEN {BROKEN} IS NULL THEN {values_of} END AS atoll_values FROM {judged})"
        return f"(SELECT * EXCLUDE (atoll_values), {values} FROM {parsed})"

    @cached_property
    def _wanted(self) -> list[str]:
        """The events' keys that are read."""
        return list({column.source: None for column in self._read.values() if column.source_type == JSON})

    @cached_property
    def _values(self) -> dict[str, Value]:
        found = {}
        for name, column in self._read.items():
            if column.source_type == JSON:
                found[name] = Value.of_file(_at(column.source), "VARCHAR").as_type(column.type)
            else:
                found[name] = Value(*(self._own.get(column.source) or ("d", "VARCHAR"))).as_type(column.type)
            if column.name in self._key and name.startswith("as "):
                found[name] = found[name].required()
        return found

    def _selected(self, how: str, good: str, hashing: Hashing) -> str:
        failing = unlike(self._values, "atoll_failing")
        read = [f"{getattr(value, how)} AS {identifier(name)}" for name, value in self._values.items()]
        if how == "strict":
            read.append(f"CASE WHEN {BROKEN} IS NOT NULL THEN error('an event cannot be read') END AS {failing}")
        given = [f"{hashing.value(c.name, identifier(f'as {c.name}'), c.type)} AS {identifier(c.name)}" for c in self._columns]
        given.append(f"TIMESTAMPTZ {literal(self._batch)} AS {BATCH.name}")
        if self._deleted:
            gone = unlike(self._values, "atoll_deleted")
            read.append(f"{self._deleted} AS {gone}")
            given.append(f"{gone} AS {DELETED.name}")
        conditions = [f"{failing} IS NULL"] if how == "strict" else []  # so that it is computed
        conditions += [f"({self._where}\n)"] if self._where else []
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return f"SELECT {', '.join(given)} FROM (SELECT {', '.join(read)} FROM {self._events}{good}){hashing.joined}{where}"

    @cached_property
    def _misfit(self) -> str:
        wrong = [f"{BROKEN} IS NOT NULL", *(f"({value.misfit})" for value in self._values.values() if value.misfit)]
        return f"coalesce({' OR '.join(wrong)}, false)"

    @cached_property
    def _reason(self) -> str:
        wrong = {name: value.misfit for name, value in self._values.items() if value.misfit}
        null = {name: "null, or " * (self._read[name].name in self._key) for name in wrong}
        words = {name: f"{self._read[name].name} is {null[name]}no {self._read[name].type}" for name in wrong}
        reasons = {words[name]: rejected_rows.reason(misfit, words[name]) for name, misfit in wrong.items()}
        return f"coalesce({BROKEN}, concat_ws(', ', {', '.join([*reasons.values(), 'NULL'])}))"


def _at(key: str) -> str:
    """The name of a key's column among the events' columns, which it cannot meet."""
    return f"key {key}"


def _type(column: SchemaColumn) -> str:
    return "TIMESTAMP WITH TIME ZONE" if column.type == "timestamptz" else duckdb_type(column.type)
