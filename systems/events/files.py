"""Writes gathered events as Parquet files of a batch's part, and sets aside those that cannot be read, where that is tolerated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from shared_metadata.contract.parquet.staged_files import copied, keys_of_rows, meant, with_keys
from shared_metadata.errors import RowError
from shared_metadata.program.intervals import to_text
from shared_metadata.program.schema import SchemaColumn
from systems.events.columns import Told
from systems.events.lines import Lines
from systems.events.rows import Rows

if TYPE_CHECKING:
    import duckdb

    from shared_metadata.contract.collect import ExtractRequest

GROUP_BYTES, GROUP_EVENTS = 128 << 20, 500_000
TOLERATE = "correct who sends them, or set such rows aside with TOLERATE … BAD ROWS"


class EventFiles:
    """The files of one call. name: of the stream, for errors.  beside: columns that only the flow's WHERE reads."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, request: ExtractRequest, told: Told, name: str, beside: Sequence[SchemaColumn]
    ) -> None:
        self._connection, self._request, self._told, self._name, self._beside = connection, request, told, name, beside
        self.written = list[Mapping[str, Any]]()
        request.hashing.prepare(connection)

    def write_many(self, lines: Lines) -> None:
        """Writes what is gathered once it is much."""
        if lines.bytes >= GROUP_BYTES or lines.count >= GROUP_EVENTS:
            self.write(lines)

    def write(self, lines: Lines) -> None:
        """What is gathered into a file; only where a value does not fit, and that is tolerated, the bad rows into another."""
        if not lines.count:
            return
        request, name = self._request, f"{len(self.written):06d}"
        start = to_text(request.window.interval.start)
        rows = Rows(lines.relation(), self._told, request.schema, start, request.flow, self._beside)
        rows.look(self._connection)
        try:
            written = self._copy(rows.strict(request.hashing), f"{name}.parquet")
            self.written.append(with_keys(written, keys_of_rows(request.flow), str(request.flow.position)))
        except RowError as error:
            ((count, reason),) = self._run(rows.counted())
            if not count:
                raise
            if request.flow.bad_rows is None:
                what = f"{count} events of {self._name} cannot be read: {reason}"
                raise RowError(what, place=str(request.flow.position), remedy=TOLERATE) from error
            written = self._copy(rows.readable(request.hashing), f"{name}.parquet")
            aside = self._copy(rows.rejected(request.table.masks), f"{name}-rejected.parquet", values=False)
            self.written.append({**written, "rejected": {"key": aside["key"], "rows": aside["rows"]}})
        lines.clear()

    def _copy(self, query: str, name: str, *, values: bool = True) -> dict[str, Any]:
        return copied(self._run, self._request.out, query, name, self._request.schema if values else None)

    def _run(self, sql: str) -> list[Any]:
        """Raises as `meant` says."""
        import duckdb

        try:
            return self._connection.execute(sql).fetchall()
        except duckdb.Error as error:
            raise meant(error, self._request, "events", TOLERATE) from None
