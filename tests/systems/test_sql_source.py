"""Any database that speaks SQL is read by what it hands in: here DuckDB's own file, which the product does not know as a source."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_metadata.contract.collect import Extracted, ExtractRequest, Window
from shared_metadata.contract.parquet.duckdb_session import identifier, literal
from shared_metadata.contract.parquet.duckdb_types import duckdb_type
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.errors import AtollError, RetryLater, RowError
from shared_metadata.program import BadRows, Flow, Kind, Mode, Position, Table
from shared_metadata.program.intervals import Interval
from shared_metadata.program.schema import SchemaColumn
from systems.sql_source import parts as sql_parts
from systems.sql_source.dialect import KeyRange, Mapped, TableSize, TookTooLong
from systems.sql_source.due_rows import DueRows
from systems.sql_source.extraction import Extraction
from systems.sql_source.horizon import Seen
from systems.sql_source.parts import LINES, Part, key_bounds, parts
from systems.sql_source.relation import ReadColumn, Relation, table_relation

TABLE, START = Table("lake.s.t:staged", "t"), datetime(2026, 1, 1, tzinfo=UTC)
WINDOW = Window(Interval(START, START + timedelta(hours=1)), "", False)
FLOW = Flow("lake.s", Kind.COLLECT, "collect.file", "lake", 3600, (TABLE,), Position("p.sql", 1, 1), "s")
MERGED = replace(FLOW, mode=Mode.MERGE, key=("id",), cursor="id", filter="code <> '7'")
ROWS = 20_000


class FileDialect:
    as_text_remedy = "read it as text"
    of_nothing, first_row = "", "LIMIT 1"

    def within(self, first: int, end: int | None, edges: Sequence[str]) -> list[str]:
        return [f"rowid >= {first}", *([f"rowid < {end}"] if end is not None else [])]

    def any_of(self, condition: str) -> str:
        return f"bool_or({condition})"

    def as_text(self, expression: str) -> str:
        return f"CAST({expression} AS VARCHAR)"

    def joined(self, texts: Sequence[str]) -> str:
        return f"concat_ws(', ', {', '.join(texts)})"

    def document(self, values: Mapping[str, str]) -> str:
        return f"json_object({', '.join(f'{literal(name)}, {value}' for name, value in values.items())})"

    def shown(self, column: str, expression: str, kind: str, misfit: str) -> str:
        return column

    def answer(self, sql: str) -> str:
        return f"query({literal(sql)})"

    def digest(self, values: Sequence[str]) -> str:
        return f"count(*) || ' ' || coalesce(sum(hash({', '.join(values)})), 0)"

    def beside(self, values: Sequence[tuple[str, SchemaColumn]]) -> str:
        return ""

    def held(self, columns: Sequence[SchemaColumn]) -> str:
        return ""

    def read(self, value: str, column: SchemaColumn) -> str:
        return f"CAST({value} AS {duckdb_type(column.type)})"


class FileScan:
    extensions: tuple[str, ...] = ()

    def __init__(self, file: Path, changed: bool = False) -> None:
        self._file, self._changed, self.state, self.closed = file, changed, None, False

    def attach(self, connection: duckdb.DuckDBPyConnection, workers: int) -> None:
        connection.execute(f"ATTACH {literal(str(self._file))} AS source (READ_ONLY)")

    def settle(self, cursor: duckdb.DuckDBPyConnection, asked: str) -> None:
        """Nothing: a transaction of DuckDB's sees one state."""

    def cause(self, error: duckdb.Error, asked: str) -> AtollError:
        is_of_a_row = isinstance(error, duckdb.ConversionException)
        return RowError("a row cannot be read") if is_of_a_row else RetryLater(type(error).__name__)

    def check(self) -> None:
        if self._changed:
            raise RetryLater("it has changed")

    def close(self) -> None:
        self.closed = True


class Number:
    """A cursor of whole numbers."""

    is_time, lowest, highest = False, "", ""

    def __init__(self, column: SchemaColumn, expression: str) -> None:
        self.name, self.expression, self.unmet = column.name, expression, f"{expression} IS NULL"

    def literal(self, value: str) -> str:
        return value


class Asking:
    def __init__(self, session: duckdb.DuckDBPyConnection) -> None:
        self._session, self.slow = session, False

    def first(self, sql: str) -> Sequence[Any] | None:
        if self.slow:
            raise TookTooLong
        return self._session.execute(sql).fetchone()


DIALECT = FileDialect()
WHOLE = Mapped("long", lambda column: column)
CODE = Mapped("int", lambda c: f"CAST({c} AS INTEGER)", lambda c: f"({c} IS NOT NULL AND TRY_CAST({c} AS INTEGER) IS NULL)")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Codes are numbers, but for one; five are 7."""
    path = tmp_path / "source.db"
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"CREATE TABLE t AS SELECT i AS id, CAST(i % {ROWS // 5} AS VARCHAR) AS code FROM range({ROWS}) s (i)")
        connection.execute("UPDATE t SET code = 'seven' WHERE id = 4711")
    return path


def relation(flow: Flow) -> Relation:
    columns = [ReadColumn(name, identifier(name), "", False, mapped) for name, mapped in (("id", WHOLE), ("code", CODE))]
    return table_relation(flow, "source.main.t", columns, TableSize(-(-ROWS // LINES), ROWS * 20, ROWS))


def extract(
    folder: Path, flow: Flow, part: Part, scan: FileScan, resume: Mapping[str, Any] | None = None, seconds: int = 900
) -> Extracted:
    out = SimpleNamespace(url=lambda name: str(folder / name), key=lambda name: name)
    request = ExtractRequest(flow, TABLE, relation(flow).schema, WINDOW, part.to_plain(), out)  # type: ignore[arg-type]
    return Extraction(request, Deadline(time.monotonic() + seconds), DIALECT, None, lambda *_: scan).run(resume)


def read(folder: Path, keys: Sequence[str], columns: str) -> list[tuple[Any, ...]]:
    files = ", ".join(literal(str(folder / key)) for key in keys)
    return duckdb.sql(f"SELECT {columns} FROM read_parquet([{files}]) ORDER BY 1").fetchall()


def whole(flow: Flow, where: str = "") -> Part:
    (part,) = parts(relation(flow), where, 1, 1, tell_left=bool(where))
    return part


def test_a_table_is_read_in_chunks_and_what_cannot_be_read_is_set_aside(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_parts, "chunk_positions", lambda *_: 2 * LINES)
    flow, scan = replace(FLOW, bad_rows=BadRows(1)), FileScan(file)
    done = extract(tmp_path, flow, whole(flow), scan)
    assert done.resume is None and len(done.files) > 3 and scan.closed
    rows = read(tmp_path, [found["key"] for found in done.files if found["rows"]], "id, code, epoch(_batch)")
    assert [row[0] for row in rows] == [number for number in range(ROWS) if number != 4711]
    assert rows[8] == (8, 8, START.timestamp()) and sum(found["rows"] for found in done.files) == ROWS - 1
    (aside,) = [found["rejected"] for found in done.files if "rejected" in found]
    assert read(tmp_path, [aside["key"]], "reason, data") == [("code is no int", '{"id":4711,"code":"seven"}')]


def test_a_row_that_cannot_be_read_is_an_error_that_names_its_column(file: Path, tmp_path: Path) -> None:
    with pytest.raises(RowError, match=r"t: code \(int\) cannot hold a value.*or read it as text"):
        extract(tmp_path, FLOW, whole(FLOW), FileScan(file))


def test_a_call_without_time_goes_on_from_its_token(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_parts, "chunk_positions", lambda *_: 2 * LINES)
    flow = replace(FLOW, filter="code <> 'seven'")
    calls = [extract(tmp_path, flow, whole(flow), FileScan(file), seconds=1)]
    while calls[-1].resume:
        calls.append(extract(tmp_path, flow, whole(flow), FileScan(file), calls[-1].resume, seconds=1))
    keys = [found["key"] for call in calls for found in call.files if found["rows"]]
    assert len(calls) > 2 and [row[0] for row in read(tmp_path, keys, "id")] == [n for n in range(ROWS) if n != 4711]


def test_what_was_read_of_several_states_does_not_count(file: Path, tmp_path: Path) -> None:
    flow = replace(FLOW, filter="code <> 'seven'")
    with pytest.raises(RetryLater, match="it has changed"):
        extract(tmp_path, flow, whole(flow), FileScan(file, changed=True))


def test_a_source_to_which_duckdb_does_not_come_is_closed(tmp_path: Path) -> None:
    scan = FileScan(tmp_path / "nowhere" / "source.db")
    with pytest.raises(duckdb.IOException):
        extract(tmp_path, FLOW, whole(FLOW), scan)
    assert scan.closed


def test_a_window_takes_what_is_new_and_tells_of_what_left_the_filter(file: Path, tmp_path: Path) -> None:
    looking = SimpleNamespace(seen=lambda: Seen(1, 1))
    with duckdb.connect() as session:
        session.execute(f"ATTACH {literal(str(file))} AS source (READ_ONLY)")
        asking = Asking(session)
        due = DueRows(asking, DIALECT, looking, timedelta(0), lambda column, sql, _: Number(column, sql), None)
        first = due.bounds(MERGED, relation(MERGED), WINDOW)
        assert first and first.whole
        later = replace(WINDOW, cursor=first.cursor)
        assert due.bounds(MERGED, relation(MERGED), later) is None
        asking.slow = True  # whether something is due is taken for granted, but not how far the batch reads
        with pytest.raises(AtollError, match="could not be looked through"):
            due.bounds(MERGED, relation(MERGED), later)
    done = extract(tmp_path, MERGED, whole(MERGED, f"id < {2 * LINES}"), FileScan(file))
    rows = read(tmp_path, [found["key"] for found in done.files if found["rows"]], "id")
    assert [number for (number,) in rows] == [number for number in range(2 * LINES) if number % (ROWS // 5) != 7]
    left = [found["left"]["key"] for found in done.files if "left" in found]
    assert [number for (number,) in read(tmp_path, left, "id")] == [
        number for number in range(2 * LINES) if number % (ROWS // 5) == 7
    ]


def test_rows_with_the_value_at_which_a_batch_ended_come_again_when_others_have_it_too(tmp_path: Path) -> None:
    looking = SimpleNamespace(seen=lambda: Seen(1, 1))
    flow = replace(MERGED, filter="", cursor="code", key=("id",))
    columns = [ReadColumn(name, name, "", False, WHOLE) for name in ("id", "code")]
    equal = table_relation(flow, "t", columns, TableSize())
    with duckdb.connect(tmp_path / "source.db") as session:
        session.execute("CREATE TABLE t AS SELECT unnest([1, 2]) AS id, unnest([4, 5]) AS code")
        due = DueRows(Asking(session), DIALECT, looking, timedelta(0), lambda column, sql, rising: Number(column, sql), None)
        read, cursor = [], ""
        # A row comes, one goes for another, and nothing happens.
        for change in ("", "INSERT INTO t VALUES (3, 5)", "UPDATE t SET id = 4 WHERE id = 2", "", ""):
            session.execute(change or "SELECT 1")
            bounds = due.bounds(flow, equal, replace(WINDOW, cursor=cursor))
            cursor = bounds.cursor if bounds else cursor
            found = session.execute(f"SELECT id FROM t WHERE {bounds.where} ORDER BY 1") if bounds else None
            read.append([number for (number,) in found.fetchall()] if found else None)
    assert read == [[1, 2], [2, 3], [3, 4], None, None]


@given(
    first=st.integers(-(2**63), 2**64),
    count=st.integers(1, 2**64),
    pages=st.integers(1, 9),
    cuts=st.lists(st.integers(1, 9 * LINES - 1), max_size=5),
    keys=st.lists(st.integers(-(2**65), 2**66), min_size=1),
)
def test_every_key_lies_in_exactly_one_range_also_one_that_came_since(
    first: int, count: int, pages: int, cuts: list[int], keys: list[int]
) -> None:
    part = Part("t", ("k",), ("c0",), (), 0, pages, True, 1, 1, pages=pages, keys=KeyRange("k", first, count))
    edges = [0, *sorted({cut for cut in cuts if cut < pages * LINES})]
    ranges = [key_bounds(part, low, high) for low, high in zip(edges, [*edges[1:], None], strict=True)]
    for key in (*keys, first, first + count - 1):
        assert sum(all(eval(condition, {"k": key}) for condition in bounds) for bounds in ranges) == 1
