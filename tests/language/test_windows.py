"""Rows that a cursor's windows would miss: what is no cursor, and what lets rows leave or come late, each refused at `check`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from language import ProgramErrors
from language.compiler import compile_sources
from language.dialects.postgres import catalogue
from language.dialects.postgres.kinds import Kind
from shared_metadata.contract.declaration import Slice
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.source_schemas import ConnectionSchemas
from slices.registry import installed

HEAD = (
    "CREATE WAREHOUSE lake USING iceberg;\nCREATE CONNECTION ops TO postgres WITH (secret = 'ops');\n"
    "CREATE CONNECTION my TO mysql WITH (secret = 'my');\n"
)
TYPES = {
    "id": "bigint", "u": "timestamp with time zone", "d": "date", "words": "text", "tags": "text[]", "doc": "jsonb",
    "small": "smallint", "n": "numeric(10,2)", "n0": "numeric", "f": "double precision", "at": "timestamp(3) without time zone",
    "t": "time without time zone", "tz": "time with time zone", "iv": "interval", "ok": "boolean", "k": "uuid", "mood": "public.mood",
    "ids": "integer[]", "r": "int4range", "b": "bytea", "m": "money",
}  # fmt: skip
MYSQL = {
    "id": "bigint unsigned", "u": "datetime(6)", "ts": "timestamp", "d": "date", "n": "decimal(10,2)", "f": "float",
    "flag": "tinyint(1)", "y": "year", "w": "varchar(20)", "t": "time", "e": "enum('a')", "k": "uuid", "j": "json", "b": "bit(4)",
}  # fmt: skip
RISING = {"postgres": {"id", "u", "d", "small", "n", "n0", "f", "at"}, "mysql": {"id", "u", "ts", "d", "n", "f"}}
# PostgreSQL's types, by their own catalogue: numbers and times. A time of day, an interval and what has no order of change are none.
RISING_TYPES = {"int2", "int4", "int8", "numeric", "float4", "float8", "oid", "xid8", "pg_lsn", "date", "timestamp", "timestamptz"}
NO_CURSORS = (
    "1", "NULL", "NULL::bigint", "now()", "coalesce(u, now())", "coalesce(u, 'now')", "random()", "age(u)", "current_timestamp",
    "'today'::date", "nextval('s')",
)  # fmt: skip
# Each by which a row leaves the result, or comes into it when its window was read, though nobody changed it.
LEAVING_OR_LATE = (
    "id, u FROM ops.t WHERE u < now() - interval '1 hour'", "id, u FROM ops.t WHERE d < 'today'", "id, u FROM ops.t LIMIT 3",
    "DISTINCT ON (d) id, u FROM ops.t ORDER BY d, u", "DISTINCT id, u FROM ops.t", "max(id) AS id, u FROM ops.t GROUP BY u",
    "a.id, a.u FROM ops.t a JOIN ops.t b ON a.id = b.small", "id, u FROM ops.t TABLESAMPLE SYSTEM (10)",
    "a.id, a.u FROM ops.t a LEFT JOIN ops.t b ON a.id = b.id AND b.u > now()",
    "a.id, a.u FROM ops.t a LEFT JOIN ops.t b ON a.id = b.id AND b.d > 'today'",
    "id, u FROM ops.t WHERE id NOT IN (SELECT small FROM ops.t)", "id, u FROM ops.t WHERE public.f(id)",
    "id, u FROM ops.t WHERE to_tsvector(words) @@ to_tsquery('english', 'run')",
    "id, u FROM ops.t WHERE random() < 0.5", "id, u FROM ops.t, LATERAL unnest(tags)", "id, u FROM ops.t OFFSET 1",
)  # fmt: skip
SEVERAL = (
    "unnest(tags)",
    "jsonb_array_elements(doc)",
    "generate_series(1, small)",
    "(regexp_matches(words, 'x'))[1]",
    "unnest(tags) || 'a'",
)
CHANGING = ("now()", "random()", "nextval('s')", "'today'::date", "d - 'today'", "current_user::text", "age(u)", "txid_current()")
PURE = ("upper(words)", "public.f(id)::int", "current_database()::text", "d - '2026-01-01'", "age(u, at)", "md5(words)")
MERGE, APPEND = "MERGE ON (id) CURSOR u", "APPEND CURSOR u"


@pytest.fixture(scope="module")
def slices() -> Mapping[str, Slice]:
    """The slices as they are: what can be a cursor is theirs to declare."""
    return installed()


def schemas() -> dict[str, ConnectionSchemas]:
    """Columns as `discover` writes them; all that counts here is what their source calls their types."""

    def table(types: Mapping[str, str]) -> Schema:
        kinds = {"tinyint(1)": "boolean", "boolean": "boolean"}
        return Schema(tuple(SchemaColumn(n, kinds.get(kind, "string"), source=n, source_type=kind) for n, kind in types.items()))

    return {
        "ops": ConnectionSchemas("ops", "postgres", {"t": table(TYPES)}),
        "my": ConnectionSchemas("my", "mysql", {"t": table(MYSQL)}),
    }


def refusals(statements: Sequence[str], slices: Mapping[str, Slice], known: bool) -> dict[int, str]:
    """Of a program of these statements, a line each, the first mistake of each, by its number. known: with a snapshot."""
    text = HEAD + "".join(f"INSERT INTO lake.c.x{i} EVERY '1 hour' {each};\n" for i, each in enumerate(statements))
    try:
        compile_sources({"p.sql": text}, slices, schemas() if known else None)
    except ProgramErrors as errors:
        found: dict[int, str] = {}
        for diagnostic in errors.diagnostics:
            found.setdefault(diagnostic.line - 1 - HEAD.count("\n"), f"{diagnostic.cause} | {diagnostic.remedy}")
        return found
    return {}


def all_refused(statements: list[str], slices: Mapping[str, Slice], known: bool = True) -> list[str]:
    found = refusals(statements, slices, known)
    assert [statement for i, statement in enumerate(statements) if i not in found] == []
    return list(found.values())


def none_refused(statements: list[str], slices: Mapping[str, Slice], known: bool = True) -> None:
    assert refusals(statements, slices, known) == {}


@pytest.mark.parametrize("mode", ["MERGE ON (id)", "APPEND"])
@pytest.mark.parametrize(("connection", "system", "types"), [("ops", "postgres", TYPES), ("my", "mysql", MYSQL)])
def test_a_cursor_is_of_a_type_whose_values_rise(
    mode: str, connection: str, system: str, types: Mapping[str, str], slices: Mapping[str, Slice]
) -> None:
    def statement(name: str) -> str:
        return f"{mode} CURSOR c AS SELECT id, {name} AS c FROM {connection}.t"

    none_refused([statement(name) for name in RISING[system]], slices)
    said = all_refused([statement(name) for name in types if name not in RISING[system]], slices)
    assert all("do not rise" in each and "name another CURSOR" in each for each in said)


@pytest.mark.parametrize("mode", ["MERGE ON (id)", "APPEND"])
def test_texts_and_uuids_rise_where_the_program_says_so(mode: str, slices: Mapping[str, Slice]) -> None:
    said = [name for name, kind in TYPES.items() if kind in ("text", "uuid", "character(26)", "character varying(26)")]
    assert len(said) > 1
    rising = "{} CURSOR c RISING AS SELECT id, {} AS c FROM {}"
    none_refused([rising.format(mode, name, "ops.t") for name in (*said, *RISING["postgres"])], slices)
    plain = [f"{mode} CURSOR c AS SELECT id, {name} AS c FROM ops.t" for name in said]
    assert all("write CURSOR c RISING" in each for each in all_refused(plain, slices))
    others = [rising.format(mode, name, "ops.t") for name in TYPES if name not in (*said, *RISING["postgres"])]
    assert all("do not rise" in each and "RISING" not in each for each in all_refused(others, slices))
    (mysql,) = all_refused([rising.format(mode, "id", "my.t")], slices)
    assert "collect.mysql takes no RISING" in mysql and "remove RISING" in mysql


def test_of_all_types_of_postgresql_numbers_and_times_rise(slices: Mapping[str, Slice]) -> None:
    can = slices["collect.postgres"].capabilities
    rising = {name for name, kind in catalogue.types().items() if kind.kind != "p" and can.may_be_cursor(str(Kind(name)))}
    assert rising == RISING_TYPES & set(catalogue.types())


@pytest.mark.parametrize("mode", ["MERGE ON (id)", "APPEND"])
def test_a_cursor_reads_its_rows_and_neither_the_moment_nor_chance(mode: str, slices: Mapping[str, Slice]) -> None:
    said = all_refused([f"{mode} CURSOR c AS SELECT id, {each} AS c FROM ops.t" for each in NO_CURSORS], slices)
    assert all("reads no column" in each or "something else each time" in each for each in said)
    none_refused(
        [f"{mode} CURSOR c AS SELECT id, {e} AS c FROM ops.t" for e in ("id + 1", "coalesce(u, at)", "date_trunc('day', u)")], slices
    )


@pytest.mark.parametrize("mode", [MERGE, APPEND])
def test_what_lets_rows_leave_or_come_late_is_refused_in_merge_and_append_alike(mode: str, slices: Mapping[str, Slice]) -> None:
    all_refused([f"{mode} AS SELECT {query}" for query in LEAVING_OR_LATE], slices)


def test_a_where_of_rows_alone_is_right(slices: Mapping[str, Slice]) -> None:
    wheres = (
        "small > 1",
        "words LIKE 'today%'",
        "to_tsvector('english', words) @@ to_tsquery('english', 'run')",
        "age(u, at) > '1 day'",
    )
    none_refused([f"{mode} AS SELECT id, u FROM ops.t WHERE {where}" for mode in (MERGE, APPEND) for where in wheres], slices)


def test_what_reads_the_whole_result_may_have_it(slices: Mapping[str, Slice]) -> None:
    """An APPEND without a cursor keeps the whole answer of each batch."""
    none_refused([f"{mode} AS SELECT {query}" for mode in ("REPLACE", "APPEND") for query in LEAVING_OR_LATE], slices)


def test_what_makes_several_rows_of_one_is_refused_where_each_can_leave(slices: Mapping[str, Slice]) -> None:
    said = all_refused([f"{MERGE} AS SELECT id, u, {each} AS x FROM ops.t" for each in SEVERAL], slices)
    assert all("cannot tell that it left" in each for each in said)
    none_refused([f"{mode} AS SELECT id, u, {each} AS x FROM ops.t" for mode in (APPEND, "REPLACE") for each in SEVERAL], slices)


@pytest.mark.parametrize("mode", [MERGE, APPEND, "REPLACE"])
def test_a_column_is_a_function_of_the_inputs(mode: str, slices: Mapping[str, Slice]) -> None:
    said = all_refused([f"{mode} AS SELECT id, u, {each} AS x FROM ops.t" for each in CHANGING], slices)
    assert all("something else each time" in each and "batch_end()" in each for each in said)
    none_refused([f"{mode} AS SELECT id, u, {each} AS x FROM ops.t" for each in PURE], slices)


def test_no_volatile_function_of_postgresql_makes_a_column(slices: Mapping[str, Slice]) -> None:
    rows = catalogue._catalogue()["functions"]
    volatile = sorted({row[0] for row in rows if row[-1] == "v"} - {row[0] for row in rows if row[-1] != "v"})
    assert len(volatile) > 100
    all_refused([f"REPLACE AS SELECT id, {name}() AS x FROM ops.t" for name in volatile], slices, known=False)


@pytest.mark.parametrize("mode", ["MERGE ON (id)", "REPLACE"])
def test_soql_asks_for_the_fields_and_the_moments_of_one_object(mode: str, slices: Mapping[str, Slice]) -> None:
    def refused(where: str) -> str:
        text = f"CREATE WAREHOUSE lake USING iceberg; CREATE CONNECTION crm TO salesforce WITH (secret = 'crm');\n{mode_of(where)}"
        try:
            compile_sources({"p.sql": text}, slices)
        except ProgramErrors as errors:
            (found,) = errors.diagnostics
            assert found.column == mode_of(where).index(where.split(" ")[0 if "." in where else 2]) + 1
            return found.cause
        return ""

    def mode_of(where: str) -> str:
        return f"INSERT INTO lake.crm.d EVERY '1 hour' {mode} AS SELECT Id, SystemModstamp FROM crm.Deal d WHERE {where};"

    assert "`NEXT_N_DAYS:3` is another time each day" in refused("CloseDate > NEXT_N_DAYS:3")
    assert "`Acc.Name` is a field of another object" in refused("Acc.Name = 'x'")
    for where in ("d.Name = 'NEXT_N_DAYS:3'", "Deal.Name = 'x'", "CloseDate > 2026-01-01T00:00:00Z"):
        assert refused(where) == ""
