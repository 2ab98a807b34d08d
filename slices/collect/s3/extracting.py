"""Writes the rows of a part's objects as Parquet, a group of objects at a time, until done or the deadline is near.

A resume token says how many of the part's objects are done. Each call does one group at least.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from shared_metadata.contract.collect import Extracted, ExtractRequest
from shared_metadata.contract.parquet import rejected_rows
from shared_metadata.contract.parquet.duckdb_session import literal, open_duckdb
from shared_metadata.contract.parquet.staged_files import copied, keys_of_rows, meant, with_keys
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.taken import LEFT_AS_IT_IS
from shared_metadata.errors import DefinitionError, RowError
from shared_metadata.program.intervals import to_text
from shared_metadata.program.schema import SchemaColumn
from slices.collect.s3.config import Config
from slices.collect.s3.files import Files, Gone
from slices.collect.s3.formats.choice import format_of
from slices.collect.s3.formats.shape import GZIP, Shape, Unreadable
from slices.collect.s3.logic import in_files, path_values
from slices.collect.s3.objects import Bucket, Found
from slices.collect.s3.rows import Rows
from slices.collect.s3.sampling import HEAD_BYTES

if TYPE_CHECKING:
    import duckdb

GROUP_OBJECTS, GROUP_BYTES = 200, 256 << 20
TOLERATE = "mend the file and put it there again, or set such rows aside with TOLERATE … BAD ROWS"


class Extraction:
    """One call. aws: the boto3 session that Parquet is written with.  prefix: of the table."""

    def __init__(
        self, request: ExtractRequest, bucket: Bucket, config: Config, prefix: str, objects: Sequence[Found], aws: Any
    ) -> None:
        self._request, self._objects, self._prefix, self._aws = request, objects, prefix, aws
        self._place, self._format = str(request.flow.position), format_of(config)
        self._files = Files(bucket, self._place)
        self._keys, self._batch = keys_of_rows(request.flow), to_text(request.window.interval.start)
        self._beside = tuple(SchemaColumn(**column) for column in request.part["beside"])

    def run(self, resume: Mapping[str, Any] | None, deadline: Deadline) -> Extracted:
        """Raises Gone for an object that is not what it was when it was listed; DefinitionError where nothing else will do."""
        try:
            return self._run_groups(resume, deadline)
        except Gone as gone:
            if self._request.window.took is None:
                raise
            raise DefinitionError(f"{gone.what}, and its rows would be lost", place=self._place, remedy=LEFT_AS_IT_IS) from None

    def _run_groups(self, resume: Mapping[str, Any] | None, deadline: Deadline) -> Extracted:
        done, written = int(resume["done"]) if resume else 0, list[Mapping[str, Any]]()
        if done >= len(self._objects):
            return Extracted(())
        with open_duckdb(self._aws, extensions=self._format.extensions) as connection:
            connection.execute("SET preserve_insertion_order = true")
            self._files.attach(connection)
            self._request.hashing.prepare(connection)
            seconds, started = 0.0, time.monotonic()
            while done < len(self._objects) and (not written or (deadline.seconds_left - seconds > 0 and not deadline.near)):
                end = self._end_of_group(done, hurried=deadline.near)
                written.append(self._group(connection, done, end))
                done, seconds, started = end, time.monotonic() - started, time.monotonic()
        return Extracted(tuple(written), {"done": done} if done < len(self._objects) else None)

    def _end_of_group(self, first: int, *, hurried: bool) -> int:
        end, size, most = first, 0, 1 if hurried else GROUP_OBJECTS
        while end < len(self._objects) and end - first < most and (end == first or size < GROUP_BYTES):
            size, end = size + self._objects[end].size, end + 1
        return end

    def _group(self, connection: duckdb.DuckDBPyConnection, first: int, end: int) -> dict[str, Any]:
        """Some objects into a file; only where a value does not fit, and that is tolerated, the bad rows into another."""
        name = f"{first:08d}"
        rows = [self._rows(connection, found) for found in self._objects[first:end] if found.size]
        if not rows:
            return {"key": self._request.out.key(f"{name}.parquet"), "rows": 0, "bytes": 0, "values": {}}
        try:
            return with_keys(self._strict(connection, rows, f"{name}.parquet"), self._keys, self._place)
        except RowError as error:
            rows = [self._looked_through(connection, one) for one in rows]
            bad = {one: found for one in rows if (found := self._bad(connection, one))}
            if not bad and not all(one.shape.lines for one in rows):
                raise
            if not bad:  # DuckDB's own reader of JSON takes a mark of the byte order, and other line ends, for none
                return with_keys(self._readable(connection, rows, f"{name}.parquet"), self._keys, self._place)
            if self._request.flow.bad_rows is None:
                where = "; ".join(f"{one.found.key}: {reason}" for one, (_, reason) in list(bad.items())[:3])
                more = f" and in {len(bad) - 3} objects more" if len(bad) > 3 else ""
                raise RowError(f"rows cannot be read: {where}{more}", place=self._place, remedy=TOLERATE) from error
        written = self._readable(connection, rows, f"{name}.parquet")
        aside = " UNION ALL ".join(one.rejected(self._request.table.masks) for one in bad)
        rejected = self._copy(connection, f"SELECT {rejected_rows.NAMES} FROM ({aside})", f"{name}-rejected.parquet", values=False)
        return {**written, "rejected": {"key": rejected["key"], "rows": rejected["rows"]}}

    def _strict(self, connection: duckdb.DuckDBPyConnection, rows: Sequence[Rows], name: str) -> dict[str, Any]:
        """All rows. Where one has no value in a column, other spellings of keys are looked for, and the rows read once more."""
        written = self._copy(connection, _together(one.strict(self._request.hashing) for one in rows), name)
        nulls = (written["values"].get(column.name, [1])[0] for column in self._request.schema.columns)  # of lists nothing is told
        if not self._request.flow.filter and not any(nulls):
            return written
        again = [one.spelled(connection) for one in rows]
        if all(one.shape is other.shape for one, other in zip(rows, again, strict=True)):
            return written
        return self._copy(connection, _together(one.strict(self._request.hashing) for one in again), name)

    def _readable(self, connection: duckdb.DuckDBPyConnection, rows: Sequence[Rows], name: str) -> dict[str, Any]:
        return self._copy(connection, _together(one.readable(self._request.hashing) for one in rows), name)

    def _rows(self, connection: duckdb.DuckDBPyConnection, found: Found) -> Rows:
        import duckdb

        url = self._files.add(found)
        head = self._files.read(found, 0, min(found.size, HEAD_BYTES))
        if not self._format.exact and head.startswith(GZIP) and not self._files.is_whole_gzip(found):
            remedy = "put a whole one in its place: of what was cut off nothing is known"
            raise DefinitionError(f"{found.key} ends before its gzip does, or is damaged", place=self._place, remedy=remedy)
        try:
            shape = self._format.shape(connection, url, head, in_files((*self._beside, *self._request.schema.columns)))
        except (duckdb.Error, Unreadable) as error:
            self._files.check()
            why = str(error) if isinstance(error, Unreadable) else type(error).__name__
            what = f"{found.key} cannot be read as {self._format.name}: {why}"
            remedy = "remove the object or put a whole one in its place; `format` of the connection says what the objects are"
            raise DefinitionError(what, place=self._place, remedy=remedy) from None
        self._check_columns(found, shape)
        return Rows(
            found, self._prefix, shape, self._request.schema, self._batch, self._request.flow.filter, self._beside, self._keys
        )

    def _check_columns(self, found: Found, shape: Shape) -> None:
        """Raises DefinitionError for an object with none of the columns: its first line is no header, or cut by another sign."""
        there = {name.lower() for name in shape.columns} | path_values(self._prefix, found.key).keys()
        wanted = in_files(self._request.schema.columns)
        if shape.columns and wanted and there.isdisjoint(name.lower() for name in wanted):
            what = f"{found.key} has none of the columns that are read: {', '.join(wanted[:3])}{' …' if wanted[3:] else ''}"
            remedy = "correct its header, or what separates its columns, and put it there again; or remove it"
            raise DefinitionError(what, place=self._place, remedy=remedy)

    def _looked_through(self, connection: duckdb.DuckDBPyConnection, rows: Rows) -> Rows:
        """The same, where DuckDB has now said what of it is no row."""
        rows = rows.spelled(connection)
        if rows.shape.ends and not self._run(connection, rows.shape.ends)[0][0]:
            remedy = "put a whole file in its place: what such a row is, and which rows it holds, nobody can tell"
            raise RowError(f"{rows.found.key} ends within quotes", place=self._place, remedy=remedy)
        self._run(connection, rows.counted())
        name = rows.shape.table
        told = not name or self._run(connection, f"FROM duckdb_tables() WHERE table_name = {literal(name)}")
        return rows if told else replace(rows, shape=replace(rows.shape, skipped=""))

    def _bad(self, connection: duckdb.DuckDBPyConnection, rows: Rows) -> tuple[int, str] | None:
        """How many rows of an object cannot be read, and why the first cannot; None where all can."""
        ((count, reason),) = self._run(connection, rows.counted())
        ((broken, why),) = self._run(connection, rows.counted_broken())
        return (int(count) + int(broken), str(reason or why)) if count or broken else None

    def _copy(self, connection: duckdb.DuckDBPyConnection, query: str, name: str, *, values: bool = True) -> dict[str, Any]:
        schema = self._request.schema if values else None
        return copied(partial(self._run, connection), self._request.out, query, name, schema)

    def _run(self, connection: duckdb.DuckDBPyConnection, sql: str) -> list[Any]:
        """The whole answer, since what was skipped is only told then.

        Raises what reading an object has raised, or else as `meant` says.
        """
        import duckdb

        try:
            return connection.execute(sql).fetchall()
        except duckdb.Error as error:
            self._files.check()
            raise meant(error, self._request, "rows", TOLERATE) from None


def _together(queries: Iterable[str]) -> str:
    return " UNION ALL ".join(queries)
