"""Turns the lines of a tap into Parquet on S3: its messages as they came, read by DuckDB with the types given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared_metadata.contract.collect import ExtractRequest
from shared_metadata.contract.parquet.duckdb_session import identifier, literal
from shared_metadata.contract.parquet.typed_files import TypedFiles
from shared_metadata.errors import DefinitionError, RowError
from systems.singer.messages import STDOUT, not_json
from systems.singer.process import MOST_LINE_BYTES

if TYPE_CHECKING:
    import duckdb


class Pages(TypedFiles):
    """Writes the Parquet files of one part, each of a local file of lines.

    part: {'fields', 'cut', 'deleted'} of the plan.  cut: {'field', 'day', 'lower', 'upper'}, {} for all rows; deleted: SQL.
    """

    def __init__(self, aws: Any, request: ExtractRequest, place: str) -> None:
        super().__init__(aws, request, request.part["fields"], place=place, deleted=request.part["deleted"])
        self._cut, self._filter, self._at = request.part["cut"], request.flow.filter, place

    def _open(self) -> duckdb.DuckDBPyConnection:
        """Opens DuckDB so that rows stay in their order: of two with one key and one moment, a MERGE takes the later one."""
        if self._connection is None:
            super()._open().execute("SET preserve_insertion_order = true")
        return super()._open()

    def taken(self, read: Callable[[str], str]) -> str:
        conditions = [condition_of(self._cut, read), self._filtered(read)]
        return " AND ".join(condition for condition in conditions if condition)

    def _filtered(self, read: Callable[[str], str]) -> str:
        """The program's WHERE, over the typed values of all fields."""
        if not self._filter:
            return ""
        values, names = ", ".join(map(read, self._types)), ", ".join(map(identifier, self._types))
        return f"(SELECT ({self._filter}\n) FROM (VALUES ({values})) AS atoll_row({names}))"

    def of_lines(self, file: Path, number: int, first_line: int) -> dict[str, Any]:
        """Writes a Parquet file as `write`.  first_line: of the tap's output, for errors."""

        def source(types: Mapping[str, str]) -> str:
            kind = "STRUCT(" + ", ".join(f"{identifier(name)} {kind}" for name, kind in types.items()) + ")"
            fields = ", ".join(f"r.{identifier(name)}" for name in types)
            options = "format='newline_delimited', auto_detect=false, compression='uncompressed'"
            columns = f"maximum_object_size={MOST_LINE_BYTES}, columns={{'record': {literal(kind)}}}"
            read = f"read_json({literal(str(file))}, {options}, {columns})"
            return f"(SELECT {fields} FROM (SELECT record AS r FROM {read}))"

        try:
            return self.write(source, number, [file])
        except RowError:
            if not (bad := not_json(file.read_bytes())):
                raise
            what = f"line {first_line + bad - 1:,} of what the tap writes, or one near it, is no JSON"
            raise DefinitionError(what, place=self._at, remedy=STDOUT) from None


def condition_of(cut: Mapping[str, Any], read: Callable[[str], str]) -> str:
    """SQL of the rows that a batch takes; one without a cursor is always taken, since no other batch would."""
    if not cut:
        return ""
    value, lower, upper = read(cut["field"]), f"TIMESTAMPTZ {literal(cut['lower'] or '')}", f"TIMESTAMPTZ {literal(cut['upper'])}"
    value = f"CAST(CAST({value} AS DATE) AS TIMESTAMPTZ)" if cut["day"] else f"CAST({value} AS TIMESTAMPTZ)"
    lower = f"date_trunc('day', {lower})" if cut["day"] else lower  # a day goes on after the moment at which a batch has read it
    return f"({f'{value} >= {lower} AND ' if cut['lower'] else ''}{value} < {upper}) IS NOT FALSE"
