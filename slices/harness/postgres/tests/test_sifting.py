"""Rows that PostgreSQL refuses, for every reason that it has, found among those that it takes."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared_metadata.contract.results.halving import refused
from shared_metadata.contract.results.records import Records, fields_of
from shared_metadata.errors import DefinitionError
from shared_metadata.program import BadRows, Mode
from slices.harness.postgres.tests.database import Database
from systems.sql_target import sifting
from systems.sql_target.sifting import SiftedBatch
from tests.conformance.fixtures import Cloud, open_cloud
from tests.conformance.harness import HarnessConformance, Rows, Way, columns

GOOD_UUID = "6f1c2d3e-0000-4000-8000-000000000001"


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    yield from open_cloud(monkeypatch)


def way(cloud: Cloud, target: Database, table: str, shape: dict[str, str], tolerated: int = 1, **options: Any) -> Way:
    """A way to a table of this definition; its key is `id` for MERGE."""
    user = target.secret["username"]
    target.execute("CREATE TABLE parents (id bigint PRIMARY KEY)")
    target.execute(f"CREATE TABLE scorecard ({table})")
    target.execute(f'ALTER TABLE scorecard OWNER TO "{user}"; ALTER TABLE parents OWNER TO "{user}"')
    options = {"key": ("id",), "bad_rows": BadRows(tolerated), **options}
    return HarnessConformance().way(cloud, target, columns(**shape), **options)  # type: ignore[arg-type]


def row(id: int, x: Any = None) -> dict[str, Any]:
    return {"id": id, "x": x}


def by_id(rows: Rows) -> Rows:
    return sorted(rows, key=lambda row: row["id"])


REFUSALS: list[tuple[str, str, Any, Any, str]] = [
    ("x varchar(3)", "string", "abc", "abcd", "a value is too long in column x"),
    ("x smallint", "long", 4, 40_000, "a value is out of range in column x"),
    ("x uuid", "string", GOOD_UUID, "none", "a value cannot be read as the column's type in column x"),
    ("x mood", "string", "good", "bad", "a value cannot be read as the column's type in column x"),
    ("x interval", "string", "1 day", "999999999999 years", "an interval is out of range in column x"),
    ("x text", "string", 'a\nb"c,\\.', "a\0b", "a text holds U+0000 in column x"),
    ("x text[]", "list<string>", ["a", None, 'b"'], ["a\0"], "a text holds U+0000 in column x"),
    ("x code", "string", "ab", "abc", "a row breaks a check constraint in column x (code_check)"),
    ("x text NOT NULL", "string", "", None, "a value is null in column x"),
    ("x text CONSTRAINT short CHECK (length(x) < 5)", "string", "four", "longer", "a row breaks a check constraint (short)"),
    ("x text UNIQUE", "string", "free", "taken", "a row breaks a unique constraint (scorecard_x_key)"),
    ("x bigint REFERENCES parents", "long", 7, 404, "a row breaks a foreign key (scorecard_x_fkey)"),
    (
        "x bigint, CONSTRAINT known FOREIGN KEY (x) REFERENCES parents DEFERRABLE INITIALLY DEFERRED",
        "long", 7, 404, "a row breaks a foreign key (known)",
    ),
]  # fmt: skip
# where in the way of a batch a row is refused: by its column's type, by the table at once, by the table in the end
IN_EVERY_MODE = [refusal for refusal in REFUSALS if refusal[0].startswith(("x smallint", "x text CONSTRAINT", "x bigint, "))]
EVERYWHERE = [
    *((Mode.MERGE, *refusal) for refusal in REFUSALS),
    *((mode, *refusal) for mode in (Mode.REPLACE, Mode.APPEND) for refusal in IN_EVERY_MODE),
]


@pytest.mark.sampled(4)
@pytest.mark.parametrize(("mode", "column", "kind", "good", "bad", "said"), EVERYWHERE)
def test_a_refused_row_is_set_aside_with_the_name_of_what_refuses_it(
    cloud: Cloud, target: Database, mode: Mode, column: str, kind: str, good: Any, bad: Any, said: str
) -> None:
    target.execute("CREATE TYPE mood AS ENUM ('good'); CREATE DOMAIN code AS text CONSTRAINT code_check CHECK (length(value) < 3)")
    publishing = way(cloud, target, f"id bigint PRIMARY KEY, {column}", {"id": "long", "x": kind}, mode=mode)
    target.execute("INSERT INTO parents VALUES (7)")
    if "UNIQUE" in column:
        target.execute("INSERT INTO scorecard VALUES (99, 'taken')")
    before = target.rows()
    interval = publishing.publish([row(1, good), row(2, bad), row(3, None if "NOT NULL" not in column else "z")])
    found = target.execute("SELECT id FROM scorecard ORDER BY 1")
    assert [r["id"] for r in found] == sorted([1, 3, *(r["id"] for r in before)])
    ((_, why, data),) = publishing.rejected(interval)
    assert (why, data["id"], data["x"]) == (said, 2, bad)
    assert target.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'atoll'") == [{"tablename": "receipts"}]


def test_a_trigger_refuses_rows_too(cloud: Cloud, target: Database) -> None:
    publishing = way(cloud, target, "id bigint PRIMARY KEY, x text", {"id": "long", "x": "string"})
    target.execute(
        "CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN IF new.x = 'secret' THEN RAISE EXCEPTION 'no %', new.x; END IF; RETURN new; END $$;"
        "CREATE TRIGGER guard BEFORE INSERT ON scorecard FOR EACH ROW EXECUTE FUNCTION guard()"
    )
    interval = publishing.publish([row(1, "a"), row(2, "secret")])
    assert publishing.rejected(interval) == [(interval.start.hour, "a trigger refuses a row", row(2, "secret"))]


def test_texts_that_the_database_s_encoding_does_not_have_are_set_aside(cloud: Cloud, target: Database) -> None:
    name = f"{target.secret['dbname']}_latin"
    target.execute(f"CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0 OWNER \"{target.secret['username']}\"")
    try:
        target.admin = target.admin.replace(f"dbname={target.secret['dbname']}", f"dbname={name}")
        target.secret = {**target.secret, "dbname": name}
        publishing = way(cloud, target, "id bigint PRIMARY KEY, x text", {"id": "long", "x": "string"})
        interval = publishing.publish([row(1, "ü"), row(2, "€")])
        assert target.rows() == [row(1, "ü")]
        ((_, why, data),) = publishing.rejected(interval)
        assert "encoding" in why and data == row(2, "€")
    finally:
        target.admin = target.admin.replace(f"dbname={name}", "dbname=postgres")
        target.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_what_no_row_of_the_batch_is_to_blame_for_fails_it(cloud: Cloud, target: Database) -> None:
    """A row that goes is still referred to: setting rows of the result aside would not help."""
    publishing = way(cloud, target, "id bigint PRIMARY KEY, x bigint", {"id": "long", "x": "long"}, tolerated=100)
    target.execute("CREATE TABLE children (id bigint REFERENCES scorecard)")
    publishing.publish([row(1), row(2)])
    target.execute("INSERT INTO children VALUES (1)")
    run = publishing.run(publishing.put_result([row(2, 5)]), record_errors=True)
    with pytest.raises(DefinitionError, match=r"to which public.children \(children_id_fkey\) still refers"):
        raise run.errors["ops.public.scorecard"]
    assert by_id(target.rows()) == [row(1), row(2)]


def test_suspects_are_remembered_when_a_call_s_time_is_up(cloud: Cloud, target: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    publishing = way(cloud, target, "id bigint PRIMARY KEY, x text NOT NULL", {"id": "long", "x": "string"}, tolerated=9)
    rows = [row(n, "a" if n % 7 else None) for n in range(1, 60)]
    interval = publishing.put_result(rows)
    looks: list[int] = []
    refusal = SiftedBatch._refusal

    def slowly(self: SiftedBatch, *arguments: Any) -> str:
        looks.append(1)
        if len(looks) in (25, 60):
            monkeypatch.setattr(sifting, "SPARE_SECONDS", 10_000.0)
        return refusal(self, *arguments)

    publish = publishing.steps.publish

    def with_new_time(*arguments: Any) -> Any:
        monkeypatch.setattr(sifting, "SPARE_SECONDS", 10.0)
        return publish(*arguments)

    monkeypatch.setattr(SiftedBatch, "_refusal", slowly)
    monkeypatch.setattr(publishing.steps, "publish", with_new_time)
    run = publishing.run(interval)
    assert run.calls["publish"] == 4  # plainly; twice out of time; to the end
    assert by_id(target.rows()) == [r for r in rows if r["x"]]
    assert len(publishing.rejected(interval)) == 8


def test_receipts_of_an_earlier_version_learn_to_name_what_was_set_aside(cloud: Cloud, target: Database) -> None:
    publishing = way(cloud, target, "id bigint PRIMARY KEY, x smallint", {"id": "long", "x": "long"})
    publishing.publish([row(1, 1)])
    target.execute("ALTER TABLE atoll.receipts DROP COLUMN rejected")
    interval = publishing.publish([row(1, 2), row(2, 40_000)])
    assert target.rows() == [row(1, 2)] and len(publishing.rejected(interval)) == 1


def test_every_type_is_kept_so_that_the_next_result_can_be_compared(cloud: Cloud, target: Database) -> None:
    shape = {"id": "long", "m": "decimal(12,2)", "at": "timestamptz", "b": "binary", "l": "list<string>", "d": "double", "x": "long"}
    table = "id bigint PRIMARY KEY, m numeric(12,2), at timestamptz, b bytea, l text[], d float8, x smallint"
    publishing = way(cloud, target, table, shape)
    values = {"m": 1.5, "at": "2026-11-23T10:00:00+00:00", "b": b"\x00\xff", "l": ['a"', None], "d": float("nan")}
    full = {**values, "m": Decimal("1.50"), "at": datetime.fromisoformat(str(values["at"]))}
    rows = [{"id": 1, **full, "x": 1}, {"id": 2, **full, "x": 40_000}, {"id": 3, **dict.fromkeys(full), "x": 40_001 - 40_000}]
    publishing.publish(rows)
    before = target.execute("SELECT xmin::text, id FROM scorecard ORDER BY id")
    publishing.publish([*rows, {"id": 4, **full, "x": 4}])
    assert target.execute("SELECT xmin::text, id FROM scorecard ORDER BY id")[:2] == before


# -- the search, and the file that it goes by


@settings(deadline=None)
@given(st.integers(0, 200), st.sets(st.integers(0, 199)))
def test_the_search_finds_exactly_the_refused_ones(count: int, bad: set[int]) -> None:
    accepted: list[int] = []

    def attempt(first: int, end: int) -> str:
        if bad & set(range(first, end)):
            return f"of {end - first}"
        accepted.extend(range(first, end))
        return ""

    found = dict(refused(0, count, attempt))
    assert set(found) == {n for n in bad if n < count} and set(found.values()) <= {"of 1"}
    assert accepted == [n for n in range(count) if n not in bad]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(st.text(st.characters(codec="utf-8"), max_size=6) | st.none(), min_size=2, max_size=2), max_size=20))
def test_the_records_of_a_csv_file_are_told_apart_whatever_they_hold(rows: list[list[str | None]]) -> None:
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        path = Path(folder) / "rows.csv"
        connection.execute("CREATE TABLE t (file INTEGER, n INTEGER, a VARCHAR, b VARCHAR)")
        for number, values in enumerate(rows):
            connection.execute("INSERT INTO t VALUES (3, ?, ?, ?)", [number, *values])
        connection.execute(f"COPY (SELECT * FROM t ORDER BY n) TO '{path}' (FORMAT csv, HEADER false, FORCE_QUOTE (a, b))")
        records = Records(path)
        assert len(records) == len(rows)
        for number, values in enumerate(rows):
            assert records.fields(number) == ["3", str(number), *(value or "" for value in values)]
        assert b"".join(records.blocks(0, len(rows))) == path.read_bytes()


def test_a_record_may_hold_a_long_text() -> None:
    long = 'é"\n' * 300_000
    quoted = f'3,"{long.replace(chr(34), chr(34) * 2)}"\n4,""\n'.encode()
    for size in (997, 1 << 20):
        blocks = (quoted[at : at + size] for at in range(0, len(quoted), size))
        assert list(fields_of(blocks)) == [["3", long], ["4", ""]]


def test_data_is_json_that_people_can_read(cloud: Cloud, target: Database) -> None:
    publishing = way(cloud, target, "id bigint PRIMARY KEY, x varchar(2)", {"id": "long", "x": "string"})
    interval = publishing.publish([row(1, 'ü"\n')])
    batch = cloud.reader.batch(publishing.flow.id, interval.start)
    assert batch and batch.outcomes[publishing.flow.id].pointer
    ((_, _, data),) = publishing.rejected(interval)
    assert json.loads(json.dumps(data)) == row(1, 'ü"\n')


def test_data_holds_values_that_json_has_no_word_for(cloud: Cloud, target: Database) -> None:
    shape = {"id": "long", "x": "double", "b": "binary", "l": "list<double>", "m": "decimal(38,2)", "c": "string"}
    table = "id bigint PRIMARY KEY, x float8, b bytea, l float8[], m numeric, c varchar(2)"
    publishing = way(cloud, target, table, shape)
    hard = {"x": float("inf"), "b": b"\xff", "l": [float("nan"), None, -float("inf")], "m": Decimal("12345678901234567890.12")}
    interval = publishing.publish([{"id": 2**62 + 1, **hard, "c": "too long"}])
    ((_, _, data),) = publishing.rejected(interval)
    assert data == {
        "id": str(2**62 + 1), "x": "Infinity", "b": "\\xff", "l": ["NaN", None, "-Infinity"], "m": "12345678901234567890.12",
        "c": "too long",
    }  # fmt: skip
