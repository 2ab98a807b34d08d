"""Runs one statement: brings it into DuckDB's SQL, gives DuckDB the rows of the snapshots that it reads, commits what it inserts."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import duckdb
import pyarrow as pa
from pyiceberg.table import Table
from sqlglot import exp

from doubles.athena.casts import MACROS, coerced
from doubles.athena.errors import QueryCancelled, QueryFailed, unknown
from doubles.athena.expressions import Expressions
from doubles.athena.files import Caller
from doubles.athena.kinds import BIGINT, MOMENTS, becomes, duck, mismatch, of_iceberg, quoted, said
from doubles.athena.lake import Lake, Version
from doubles.athena.queries import Queries
from doubles.athena.scope import Column, Scope, Value
from doubles.athena.sources import Query
from doubles.athena.statement import parsed
from doubles.interrupts import Interrupts

_CODE = re.compile(r"\b([A-Z][A-Z_]{5,}): (.*)", re.DOTALL)


@dataclass
class Figures:
    """What a statement has read and written so far."""

    scanned_bytes: int = 0
    input_rows: int = 0
    output_rows: int = 0
    written_bytes: int = 0


@dataclass
class Outcome:
    """rows: of a SELECT, in Arrow; None of an INSERT.  files: that an INSERT has written."""

    columns: Sequence[Column] = ()
    rows: pa.Table | None = None
    files: Sequence[str] = ()


@dataclass
class Run:
    """A statement that runs.  cutoff: the bytes that it may scan, 0 for any number.  committing: called before it commits."""

    text: str
    database: str
    caller: Caller
    cutoff: int = 0
    committing: Callable[[Table], None] = lambda table: None
    figures: Figures = field(default_factory=Figures)
    why: Exception = field(default_factory=QueryCancelled)

    def __post_init__(self) -> None:
        self._connection = duckdb.connect(config={"threads": 2, "memory_limit": "1GB"})
        self._interrupts = Interrupts(self._connection)
        self.stopped = self._interrupts.asked
        self._lake = Lake(self.caller, self.database)
        self._read: dict[int, Version] = {}

    def stop(self, why: Exception) -> None:
        """Has it end soon, unless it commits already.  why: QueryCancelled or QueryFailed."""
        self.why = why
        self._interrupts.ask()

    def outcome(self) -> Outcome:
        """Raises QueryFailed, QueryCancelled."""
        settings = "SET TimeZone = 'UTC'; SET arrow_lossless_conversion = true; SET enable_progress_bar = false"
        try:
            with self._interrupts.apply():
                self._connection.execute(settings)
                self._connection.execute(MACROS)
                tree = parsed(self.text)
                return self._insert(tree) if isinstance(tree, exp.Insert) else self._select(tree)
        except duckdb.Error as error:
            self.check()
            raise _failure(error) from None
        finally:
            self._interrupts.end()
            self._connection.close()

    def check(self) -> None:
        """Raises why it was stopped, where it was."""
        if self.stopped.is_set():
            raise self.why

    # -- statements

    def _select(self, tree: exp.Expr) -> Outcome:
        query = Queries(self._table).query(tree)
        rows = self._rows(query)
        return Outcome(query.columns, rows)

    def _insert(self, tree: exp.Insert) -> Outcome:
        target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
        if any(part and name not in ("this", "expression", "with_") for name, part in tree.args.items()):
            raise unknown("such an INSERT")
        table = self._lake.table([part.name for part in target.parts])
        names = [part.name.lower() for part in tree.this.expressions] if isinstance(tree.this, exp.Schema) else None
        query = Queries(self._table).query(tree.expression)
        query = _fitting(query, table, names)
        rows = self._rows(query)
        self.check()
        self.committing(table)
        self.figures.written_bytes, files = self._lake.append(table, rows)
        return Outcome([Column("rows", Value("", BIGINT))], None, files)

    def _rows(self, query: Query) -> pa.Table:
        self._load(query.sql)
        self.check()
        has, wanted = described(self._connection, query)
        if has != wanted:
            raise QueryFailed("GENERIC_INTERNAL_ERROR", f"this double of Athena gives {has} where Trino gives {wanted}")
        rows = self._connection.execute(query.sql).to_arrow_table()
        self.figures.output_rows = len(rows)
        return rows

    # -- tables

    def _table(self, node: exp.Table, number: int) -> tuple[str, Sequence[Column], tuple[str, ...]]:
        table = self._lake.table([part.name for part in node.parts])
        version = Version(table, self._snapshot(table, node.args.get("version")))
        self._read[number] = version
        columns = [
            Column(one.name.lower(), Value(f"c{n}", of_iceberg(one.field_type))) for n, one in enumerate(version.schema.fields, 1)
        ]
        return f"FROM t{number}", columns, tuple(table.name())

    def _snapshot(self, table: Table, version: exp.Expr | None) -> int | None:
        if version is None:
            current = table.current_snapshot()
            return current.snapshot_id if current else None
        value = Expressions(Scope(), _no_rows).of(version.expression)
        if version.name.upper() == "VERSION" and becomes(value.kind, BIGINT):
            (found,) = self._connection.execute(f"SELECT {coerced(value, BIGINT)}").fetchone() or (None,)
            if table.snapshot_by_id(found) is None:
                raise QueryFailed("INVALID_ARGUMENTS", f"line 1:1: Iceberg snapshot ID does not exists: {found}")
            return int(found)
        if version.name.upper() == "TIMESTAMP" and value.kind.word in MOMENTS[1:]:
            (moment,) = self._connection.execute(f"SELECT epoch_ms({value.sql})").fetchone() or (None,)
            snapshot = table.snapshot_as_of_timestamp(moment)
            if snapshot is None:
                raise QueryFailed("INVALID_ARGUMENTS", "line 1:1: No version history table at or before that moment")
            return int(snapshot.snapshot_id)
        raise unknown(f"FOR {version.name.upper()} AS OF {said(value.kind)}")

    def _load(self, sql: str) -> None:
        """Brings into DuckDB the columns that the statement names of the tables that it reads."""
        used = {}
        for number, version in self._read.items():
            numbers = sorted({int(found) for found in re.findall(rf"\bs{number}\.c(\d+)\b", sql)})
            used[number] = [(n, version.schema.fields[n - 1].name) for n in numbers]
            self.figures.scanned_bytes += version.bytes_of([name for _, name in used[number]])
            self.figures.input_rows += version.rows
        if 0 < self.cutoff < self.figures.scanned_bytes:
            raise QueryCancelled("Bytes scanned limit was exceeded")
        for number, version in self._read.items():
            self.check()
            self._load_table(number, version, used[number])

    def _load_table(self, number: int, version: Version, columns: Sequence[tuple[int, str]]) -> None:
        if not columns:
            self._connection.execute(f"CREATE TABLE t{number} AS SELECT 1 AS c0 FROM range({version.rows})")
            return
        kinds = {n: duck(of_iceberg(version.schema.fields[n - 1].field_type)) for n, _ in columns}
        listed = ", ".join(f"c{n} {kind}" for n, kind in kinds.items())
        self._connection.execute(f"CREATE TABLE t{number} ({listed})")
        if version.snapshot_id is None or not version.tasks:
            return
        renamed = ", ".join(f"{quoted(name)} AS c{n}" for n, name in columns)
        for batch in version.read([name for _, name in columns]):
            self.check()
            self._connection.register("arrow_rows", pa.Table.from_batches([batch]))
            self._connection.execute(f"INSERT INTO t{number} BY NAME SELECT {renamed} FROM arrow_rows")


def described(connection: duckdb.DuckDBPyConnection, query: Query) -> tuple[list[str], list[str]]:
    """The types of a query's columns, as DuckDB has them and as it should."""
    has = [str(row[1]) for row in connection.execute(f"DESCRIBE {query.sql}").fetchall()]
    listed = ", ".join(f"typeof(CAST(NULL AS {duck(column.value.kind)}))" for column in query.columns)
    return has, [str(kind) for kind in connection.execute(f"SELECT {listed}").fetchone() or ()]


def _no_rows(node: exp.Expr, scope: Scope) -> tuple[str, Sequence[Column]]:
    raise unknown("a query after AS OF")


def _fitting(query: Query, table: Table, names: Sequence[str] | None) -> Query:
    """The query with its columns as those of the table. Trino brings them only to what they become by themselves."""
    known = {one.name.lower(): of_iceberg(one.field_type) for one in table.schema().fields}
    wanted = [*known] if names is None else [*names]
    for name in wanted:
        if name not in known:
            raise QueryFailed("COLUMN_NOT_FOUND", f"line 1:1: Insert column name does not exist in target table: {name}")
    given = [column.value.kind for column in query.columns]
    if len(given) != len(wanted) or not all(becomes(kind, known[name]) for kind, name in zip(given, wanted, strict=True)):
        types = [", ".join(map(said, kinds)) for kinds in ([known[name] for name in wanted], given)]
        raise mismatch(f"line 1:1: Insert query has mismatched column types: Table: [{types[0]}], Query: [{types[1]}]")
    places = {name: (f"s0.c{number}", kind) for number, (name, kind) in enumerate(zip(wanted, given, strict=True), 1)}
    sqls, columns = [], []
    for number, column in enumerate(table.schema().fields, 1):
        name, kind = column.name.lower(), of_iceberg(column.field_type, fold=False)  # a field of another name would be lost
        sql = coerced(Value(*places[name]), kind) if name in places else f"CAST(NULL AS {duck(kind)})"
        sqls.append(f"{sql} AS c{number}")
        columns.append(Column(name, Value(f"c{number}", kind)))
    return Query(f"SELECT {', '.join(sqls)} FROM ({query.sql}) AS s0", columns)


def _failure(error: duckdb.Error) -> QueryFailed:
    """DuckDB's error in Trino's words, as far as they are known."""
    text = str(error)
    found = _CODE.search(text)
    if isinstance(error, duckdb.InvalidInputException) and found:
        return QueryFailed(found[1], found[2])
    if "must appear in the GROUP BY" in text or "cannot contain aggregates" in text:
        return QueryFailed(
            "EXPRESSION_NOT_AGGREGATE", "line 1:1: a column must be an aggregate expression or appear in GROUP BY clause"
        )
    if "must be a constant" in text or "constant parameters" in text:
        return unknown("an argument that is no constant here")
    if isinstance(error, duckdb.OutOfRangeException):
        return QueryFailed("NUMERIC_VALUE_OUT_OF_RANGE", text.splitlines()[0])
    if isinstance(error, duckdb.ConversionException):
        code = "NUMERIC_VALUE_OUT_OF_RANGE" if "out of range" in text or "overflow" in text.lower() else "INVALID_CAST_ARGUMENT"
        return QueryFailed(code, text.splitlines()[0])
    if "More than one row returned by a subquery" in text:
        return QueryFailed("SUBQUERY_MULTIPLE_ROWS", "Scalar sub-query has returned multiple rows")
    return QueryFailed("GENERIC_INTERNAL_ERROR", f"this double of Athena could not run the query: {text.splitlines()[0]}")
