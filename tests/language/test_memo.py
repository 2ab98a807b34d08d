"""The memo: after any edits, compiling with what earlier compilations found out gives what compiling from nothing gives."""

from __future__ import annotations

import dataclasses
import os
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from language import Diagnostic, ProgramErrors, compile_with_positions
from language.cache.statements import Memo
from language.dialects.duckdb.binding import bind_query
from language.dialects.duckdb.engine import Tables
from language.dialects.duckdb.query import DuckDBQuery
from language.sql.dialect import as_warehouse
from language.sql.typing import TypedQuery
from language.text.diagnostics import source_text
from language.text.statement_texts import chunks_of, statement_texts
from language.text.tokens import split_statements, tokenize
from shared_metadata.contract.declaration import Slice
from shared_metadata.program import Program
from shared_metadata.program.lineage import Lineage
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.source_schemas import ConnectionSchemas, SourceSchemas

STATEMENTS = [
    "CREATE WAREHOUSE lake USING iceberg",
    "CREATE CONNECTION ops TO postgres WITH (secret = 'ops', receipts_schema = 'a; -- no comment')",
    "CREATE CONNECTION crm TO salesforce WITH (secret = 'crm')",
    "INSERT INTO lake.raw FROM ops.public TABLES (orders, customers) EVERY '1 hour'",
    "-- only what changes; no more\nINSERT INTO lake.crm.account EVERY '1 hour' AS SELECT * FROM crm.Account WHERE Name != 'x'",
    (
        "INSERT INTO lake.ops.big EVERY '1 hour' MERGE ON (id) CURSOR changed AS\nSELECT o.*, o.amount * 2 AS twice"
        " FROM ops.public.orders o"
    ),
    "CREATE MATERIALIZED VIEW lake.v.a EVERY '1 hour' REPLACE AS SELECT * FROM lake.raw.orders WHERE amount > 1",
    (
        "CREATE MATERIALIZED VIEW lake.v.b EVERY '1 hour' APPEND PARTITION BY (day) EXPECT some: (total > 0) OR WARN AS\n"
        "SELECT date_trunc('day', changed) AS day, count(*) AS orders, sum(amount) AS total FROM lake.v.a\n"
        "WHERE changed >= batch_start() GROUP BY 1"
    ),
    (
        "CREATE MATERIALIZED VIEW lake.v.c EVERY '1 hour' REPLACE AS\n"
        "WITH x AS (SELECT b.day, max(b.total) AS best FROM lake.v.b b GROUP BY 1)\nSELECT x.*, 'a;b' AS text FROM x"
    ),
    (
        "CREATE MATERIALIZED VIEW lake.v.d EVERY '1 day' MERGE ON (id) AS SELECT c.id, c.name, a.amount FROM lake.raw.customers c"
        " LEFT JOIN lake.v.a a ON a.customer = c.id"
    ),
    "INSERT INTO ops.public.totals EVERY '1 day' MERGE ON (day) AS SELECT day, best FROM lake.v.c",
]
REPLACED = {
    **{"amount": "customer", "amount ": "price ", "SELECT *": "SELECT id, amount, changed, customer", "SELECT ": "SELECT 1 AS one, "},
    **{"lake.v.a": "lake.v.z", "'1 hour'": "'1 day'", "'1 ": "'7 ", "'": "", ";": "", "(": "((", "x.*": "x.best, x.day", "id": "Id"},
    **{"WHERE": "-- ;\nWHERE", "AS ": "\n\n  AS ", "lake": "sea", "SELECT": "SELCT", "a;b": "/* ;", "batch_start": "now"},
    **{"total": "sum", "MERGE ON (id)": "REPLACE", "day": "week", "$": "$$"},
}
CONNECTIONS = ("crm", "ops")
Files = dict[str, list[str]]
Edit = Callable[[Files, dict[str, str], int, int], None]


def _replace(files: Files, types: dict[str, str], one: int, two: int) -> None:
    former, new = list(REPLACED.items())[two % len(REPLACED)]
    _change(files, one, lambda text: text.replace(former, new, 1))


def _undo(files: Files, types: dict[str, str], one: int, two: int) -> None:
    """Somebody takes back what was done to a statement."""
    _change(files, one, lambda _: STATEMENTS[two % len(STATEMENTS)])


def _shift(files: Files, types: dict[str, str], one: int, two: int) -> None:
    _change(files, one, lambda text: ["\n\n" + text, "  " + text, "/* moved; down */ " + text, text.strip()][two % 4])


def _remove(files: Files, types: dict[str, str], one: int, two: int) -> None:
    statements = _pick(files, one)
    statements.pop(two % len(statements))


def _move(files: Files, types: dict[str, str], one: int, two: int) -> None:
    statements = _pick(files, one)
    files.setdefault(f"p{two % 3}.sql", []).insert(two % 5, statements.pop(one % len(statements)))


def _copy(files: Files, types: dict[str, str], one: int, two: int) -> None:
    statements = _pick(files, one)
    files.setdefault(f"p{two % 3}.sql", []).append(statements[two % len(statements)])


def _rename_file(files: Files, types: dict[str, str], one: int, two: int) -> None:
    statements = _pick(files, one)
    del files[next(name for name, found in files.items() if found is statements)]
    files.setdefault(f"q{two % 3}.sql", []).extend(statements)


def _retype(files: Files, types: dict[str, str], one: int, two: int) -> None:
    column = sorted(name for name in types if name not in CONNECTIONS)[one % 4]
    types[column] = ["long", "string", "double", "timestamp", ""][two % 5]


def _forget(files: Files, types: dict[str, str], one: int, two: int) -> None:
    """The snapshot of a connection gets lost, or is found again."""
    name = CONNECTIONS[two % 2]
    types[name] = "" if types[name] else "known"


def _redeclare(files: Files, types: dict[str, str], one: int, two: int) -> None:
    """Another system behind the same name, whose slices can do other things."""
    former, new = [("iceberg", "archive"), ("archive", "iceberg"), ("postgres", "salesforce"), ("salesforce", "postgres")][two % 4]
    for statements in files.values():
        statements[:] = [text.replace(former, new) if text.startswith("CREATE") else text for text in statements]


EDITS: list[Edit] = [
    _forget,
    _redeclare,
    _replace,
    _replace,
    _replace,
    _undo,
    _undo,
    _shift,
    _remove,
    _move,
    _copy,
    _rename_file,
    _retype,
]
edits = st.lists(st.tuples(st.sampled_from(EDITS), st.integers(0, 1000), st.integers(0, 1000)), min_size=1, max_size=8)


def _pick(files: Files, number: int) -> list[str]:
    filled = [statements for _, statements in sorted(files.items()) if statements]
    return filled[number % len(filled)]


def _change(files: Files, number: int, change: Callable[[str], str]) -> None:
    statements = _pick(files, number)
    at = number // 3 % len(statements)
    statements[at] = change(statements[at])


def _schemas(types: Mapping[str, str]) -> SourceSchemas:
    """Of the table orders, and whether there is a snapshot of each connection; a column whose type is '' is not there."""
    kinds = {name: kind for name, kind in types.items() if kind and name not in CONNECTIONS}
    columns = tuple(SchemaColumn(name, kind, True, name, "bigint") for name, kind in kinds.items())
    names = (SchemaColumn("id", "long", False, "id", "bigint"), SchemaColumn("name", "string", True, "name", "text"))
    account = (SchemaColumn("id", "string", False, "Id", "id"), SchemaColumn("name", "string", True, "Name", "string"))
    target = (SchemaColumn("day", "timestamp", False, "day", "timestamp"), SchemaColumn("best", "double", True, "best", "float8"))
    tables = {"public.orders": Schema(columns), "public.customers": Schema(names), "public.totals": Schema(target)}
    ops = ConnectionSchemas("ops", "postgres", tables)
    crm = ConnectionSchemas("crm", "salesforce", {"Account": Schema(account)})
    return {snapshot.connection: snapshot for snapshot in (ops, crm) if types[snapshot.connection]}


def _compile(
    files: Files, types: Mapping[str, str], slices: Mapping[str, Slice], memo: Memo | None
) -> tuple[Program, Lineage | None] | tuple[Diagnostic, ...]:
    sources = {name: "".join(f"{statement};\n" for statement in statements) for name, statements in files.items()}
    try:
        found = compile_with_positions(sources, slices, _schemas(types), memo)
    except ProgramErrors as errors:
        return errors.diagnostics
    return found.program, found.lineage


def _project() -> tuple[Files, dict[str, str]]:
    types = {"id": "long", "amount": "double", "customer": "long", "changed": "timestamp", "ops": "known", "crm": "known"}
    return {"p0.sql": STATEMENTS[:6], "p1.sql": STATEMENTS[6:]}, types


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits)
def test_after_any_edits_the_memo_gives_what_compiling_from_nothing_gives(
    slices: Mapping[str, Slice], edits: list[tuple[Edit, int, int]]
) -> None:
    files, types = _project()
    kept = b""
    for edit, one, two in [(_shift, 0, 3), *edits]:
        if any(files.values()):
            edit(files, types, one, two)
        memo = Memo(kept)
        assert _compile(files, types, slices, memo) == _compile(files, types, slices, None)
        kept = memo.to_bytes()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits)
def test_three_processes_compile_what_one_compiles(
    slices: Mapping[str, Slice], monkeypatch: pytest.MonkeyPatch, edits: list[tuple[Edit, int, int]]
) -> None:
    files, types = _project()
    for edit, one, two in edits:
        if any(files.values()):
            edit(files, types, one, two)
    with monkeypatch.context() as patch:
        patch.setattr("language.cache.workers.processors", lambda: 3)
        patch.setattr("language.cache.workers.SHARE", 1)
        together = Memo()
        assert _compile(files, types, slices, together) == _compile(files, types, slices, None)
    again = Memo(together.to_bytes())
    assert _compile(files, types, slices, again) == _compile(files, types, slices, None)


def test_what_a_process_that_died_did_not_do_is_done_by_the_first(
    slices: Mapping[str, Slice], monkeypatch: pytest.MonkeyPatch
) -> None:
    files, types = _project()
    expected = _compile(files, types, slices, None)
    monkeypatch.setattr("language.cache.workers.processors", lambda: 3)
    monkeypatch.setattr("language.cache.workers.SHARE", 1)
    first = os.getpid()

    def dies_elsewhere(query: DuckDBQuery, tables: Tables) -> TypedQuery:
        return bind_query(query, tables) if os.getpid() == first else os._exit(1)

    dying = dataclasses.replace(as_warehouse("duckdb"), type=dies_elsewhere)
    monkeypatch.setattr("language.typed.program.as_warehouse", lambda name: dying)
    assert _compile(files, types, slices, Memo()) == expected


def test_the_project_of_this_test_compiles(slices: Mapping[str, Slice]) -> None:
    files, types = _project()
    found = _compile(files, types, slices, None)
    assert isinstance(found[0], Program) and found[1] is not None


def test_what_did_not_change_is_neither_parsed_nor_typed_again(slices: Mapping[str, Slice], monkeypatch: pytest.MonkeyPatch) -> None:
    files, types = _project()
    memo = Memo()
    former = _compile(files, types, slices, memo)
    monkeypatch.setattr("sqlglot.parse_one", None)
    monkeypatch.setattr("sqlglot.Dialect.tokenize", None)
    monkeypatch.setattr("language.dialects.duckdb.engine.engine", None)
    again = Memo(memo.to_bytes())
    assert _compile(files, types, slices, again) == former
    assert not again.changed


def test_a_changed_filter_leaves_the_views_readers_as_they_are(slices: Mapping[str, Slice], monkeypatch: pytest.MonkeyPatch) -> None:
    files, types = _project()
    memo = Memo()
    _compile(files, types, slices, memo)
    files["p1.sql"] = [statement.replace("amount > 1", "amount > 2") for statement in files["p1.sql"]]
    typed: list[str] = []
    noting = dataclasses.replace(as_warehouse("duckdb"), type=_noting(typed))
    monkeypatch.setattr("language.typed.program.as_warehouse", lambda name: noting)
    _compile(files, types, slices, Memo(memo.to_bytes()))
    assert typed == ["SELECT * FROM lake.raw.orders WHERE amount > 2"]


def test_what_was_left_untyped_for_a_mistake_told_elsewhere_is_not_taken_for_sound(slices: Mapping[str, Slice]) -> None:
    """Of a connection without a snapshot only the first statement says so."""
    files, types = _project()
    types["ops"] = ""
    memo = Memo()
    assert len(_compile(files, types, slices, memo)) == 1
    files["p0.sql"].remove(STATEMENTS[3])
    files["p1.sql"].clear()
    assert _compile(files, types, slices, Memo(memo.to_bytes())) == _compile(files, types, slices, None)


def _noting(typed: list[str]) -> Callable[[DuckDBQuery, Tables], TypedQuery]:
    def noted(query: DuckDBQuery, tables: Tables) -> TypedQuery:
        typed.append(query.span.text)
        return bind_query(query, tables)

    return noted


class _Evil:
    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch {self.file}",)


@pytest.mark.parametrize("inside", [False, True])
def test_bytes_of_another_make_nothing_run(tmp_path: Path, slices: Mapping[str, Slice], inside: bool) -> None:
    files, types = _project()
    memo = Memo()
    former = _compile(files, types, slices, memo)
    evil = pickle.dumps(_Evil(tmp_path / "ran"))
    entries = {key: (evil, *entry[1:]) for key, entry in pickle.loads(memo.to_bytes()).items()}
    found = _compile(files, types, slices, Memo(pickle.dumps(entries) if inside else evil))
    assert found == former and not (tmp_path / "ran").exists()


@pytest.mark.parametrize("data", [b"", b"nonsense", pickle.dumps([1]), pickle.dumps({"a": 1}), pickle.dumps({"a": (1,) * 20})])
def test_bytes_that_are_no_memo_count_as_nothing(slices: Mapping[str, Slice], data: bytes) -> None:
    files, types = _project()
    assert _compile(files, types, slices, Memo(data)) == _compile(files, types, slices, None)


PIECES = ["a", " ", ";", "'", '"', "--", "\n", "/*", "*/", "$$", "$t$", "e'", "\\", "CREATE", "VIEW", "INSERT", "INTO", "{#"]


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=24).map("".join))
def test_texts_cut_at_semicolons_have_the_tokens_of_the_whole_file(text: str) -> None:
    source = source_text("p.sql", text)
    cut = [chunks_of(piece) for piece in statement_texts(source)]
    if None not in cut:
        chunks = [chunk for found in cut if found is not None for chunk in found]
        whole = split_statements(tokenize(source))
        assert [(list(chunk.tokens), chunk.end) for chunk in chunks] == [(list(chunk.tokens), chunk.end) for chunk in whole]
