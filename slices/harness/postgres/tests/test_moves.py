"""Unique values that move between the rows of one batch: what is legal before and after is published, and nothing else is lost."""

from __future__ import annotations

import uuid
from contextlib import closing
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared_metadata.errors import DefinitionError, RowError
from slices.harness.postgres.tests.database import Database
from slices.harness.postgres.tests.direct import Direct
from tests.conformance.moves import SHAPE, check_follows, states

# What watches over a: a column's definition, and what is made beside the table {t}.
WATCHED = {
    "unique": ("UNIQUE", ""),
    "not null, checked": ("NOT NULL UNIQUE CHECK (a BETWEEN 1 AND 9)", ""),
    "nulls not distinct": ("UNIQUE NULLS NOT DISTINCT", ""),
    "deferrable": ("UNIQUE DEFERRABLE INITIALLY IMMEDIATE", ""),
    "deferred": ("UNIQUE DEFERRABLE INITIALLY DEFERRED", ""),
    "excluded": (", EXCLUDE USING gist (int4range(a, a + 1) WITH &&)", ""),
    "excluded, deferrable": (", EXCLUDE USING gist (int4range(a, a + 1) WITH &&) DEFERRABLE", ""),
    "several columns": (", UNIQUE (b, a)", ""),
    "partial": ("", "CREATE UNIQUE INDEX ON {t} (a) WHERE b = 'same'"),
    "expression": ("", "CREATE UNIQUE INDEX ON {t} (abs(a), lower(b))"),
    "computed": (", g int GENERATED ALWAYS AS (a * 2) STORED UNIQUE", ""),
}
# Who would notice that a row is deleted and inserted anew; with it a null, or another free value, has to do.
NOTICED = {
    "nobody": "",
    "children": "CREATE TABLE {t}_children (id int REFERENCES {t} ON DELETE CASCADE); INSERT INTO {t}_children SELECT id FROM {t}",
    "a trigger": "CREATE TRIGGER guard BEFORE DELETE ON {t} FOR EACH ROW EXECUTE FUNCTION no_deletes()",
}
FUNCTION = """CREATE FUNCTION no_deletes() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN IF old.id < 4 THEN RAISE EXCEPTION 'kept'; END IF; RETURN old; END $$"""


@pytest.fixture
def database(target: Database) -> Database:
    target.execute(FUNCTION)
    return target


def make(target: Database, watched: str, noticed: str, key: str, rows: list[dict[str, Any]]) -> str:
    """A table with these rows, and more in each than is published."""
    name, (column, beside) = f"t{uuid.uuid4().hex[:8]}", WATCHED[watched]
    target.execute(
        f"CREATE TABLE {name} (id int {key}, a int {column}, b text, more text, number int GENERATED ALWAYS AS IDENTITY, at float8)"
    )
    for row in rows:
        values = [row["id"], row["a"], row["b"], f"of {row['id']}", row["id"] / 3]
        target.execute(f"INSERT INTO {name} (id, a, b, more, at) VALUES (%s, %s, %s, %s, %s)", values)
    statements = f"{beside}; {NOTICED[noticed]}".replace("{t}", name)
    target.execute(f'{statements}; ALTER TABLE {name} OWNER TO "{target.secret["username"]}"'.lstrip("; "))
    return name


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(list(WATCHED)), st.sampled_from(list(NOTICED)), st.sampled_from(["PRIMARY KEY", "NOT NULL"]),
    states(), states(), st.booleans(),
)  # fmt: skip
def test_every_legal_state_follows_on_every_other(
    database: Database, watched: str, noticed: str, key: str, before: Any, after: Any, tolerant: bool
) -> None:
    if watched == "not null, checked":
        noticed = "nobody"  # no free value is there to be had: below
    if noticed == "children":
        key = "PRIMARY KEY"
    table = make(database, watched, noticed, key, before)
    held = {row["id"] for row in before}
    with closing(Direct(database, SHAPE, table=table)) as publishing:
        check_follows(database.execute, publishing, table, after, tolerant=tolerant)
    if noticed == "children":
        children = {row["id"] for row in database.execute(f"SELECT id FROM {table}_children")}
        assert children == held & {row["id"] for row in after}


@pytest.mark.parametrize("tolerant", [False, True])
def test_where_no_other_value_is_free_the_error_names_the_constraint(database: Database, tolerant: bool) -> None:
    rows = [{"id": 1, "a": 1, "b": "same"}, {"id": 2, "a": 2, "b": "same"}]
    table = make(database, "not null, checked", "children", "PRIMARY KEY", rows)
    with closing(Direct(database, SHAPE, table=table)) as publishing, pytest.raises((RowError, DefinitionError), match=f"{table}_a_"):
        publishing.publish([{**rows[0], "a": 2}, {**rows[1], "a": 1}])
    assert [row["a"] for row in database.execute(f"SELECT a FROM {table} ORDER BY id")] == [1, 2]
    assert database.execute(f"SELECT count(*) AS n FROM {table}_children") == [{"n": 2}]


def test_a_row_that_is_refused_keeps_its_former_version_and_who_wanted_its_value_too(database: Database) -> None:
    rows = [{"id": n, "a": n, "b": "same"} for n in (1, 2, 3, 4)]
    table = make(database, "not null, checked", "nobody", "PRIMARY KEY", rows)
    moved = [{**rows[0], "a": 2}, {**rows[1], "a": 99}, {**rows[2], "a": 4}, {**rows[3], "a": 3}]
    with closing(Direct(database, SHAPE, table=table)) as publishing:
        assert set(publishing.publish(moved, tolerated=3)) == {0, 1}
        assert [row["a"] for row in database.execute(f"SELECT a FROM {table} ORDER BY id")] == [1, 2, 4, 3]
        assert publishing.publish([{**rows[0], "a": 2}, {**rows[1], "a": 5}], tolerated=3) == {}
    assert [row["a"] for row in database.execute(f"SELECT a FROM {table} ORDER BY id")] == [2, 5, 4, 3]


@pytest.mark.parametrize("reaction", ["", "ON DELETE CASCADE", "ON DELETE SET NULL", "DEFERRABLE"])
@pytest.mark.parametrize("tolerant", [False, True])
def test_parents_and_children_of_one_table_change_in_one_batch(database: Database, reaction: str, tolerant: bool) -> None:
    """A parent goes whose child gets another, which is new, and all that the child has beside it stays."""
    database.execute(f"CREATE TABLE scorecard (id int PRIMARY KEY, parent int REFERENCES scorecard {reaction}, more text)")
    database.execute("INSERT INTO scorecard VALUES (1, NULL, 'a'), (2, 1, 'b')")
    database.execute(f'ALTER TABLE scorecard OWNER TO "{database.secret["username"]}"')
    with closing(Direct(database, {"id": "int", "parent": "int"})) as publishing:
        publishing.publish([{"id": 2, "parent": 3}, {"id": 3, "parent": None}], [{"id": 1}], tolerated=2 if tolerant else 0)
    found = database.execute("SELECT id, parent, more FROM scorecard ORDER BY id")
    assert found == [{"id": 2, "parent": 3, "more": "b"}, {"id": 3, "parent": None, "more": None}]


def test_rows_move_between_the_partitions_of_a_table_with_all_that_they_have(database: Database) -> None:
    database.execute(
        "CREATE TABLE scorecard (id int NOT NULL, a int, more text, UNIQUE (a)) PARTITION BY LIST (a); "
        "CREATE TABLE one PARTITION OF scorecard FOR VALUES IN (1); CREATE TABLE two PARTITION OF scorecard FOR VALUES IN (2)"
    )
    database.execute("INSERT INTO scorecard VALUES (1, 1, 'x'), (2, 2, 'y')")
    database.execute(f'ALTER TABLE scorecard OWNER TO "{database.secret["username"]}"')
    with closing(Direct(database, {"id": "int", "a": "int"})) as publishing:
        publishing.publish([{"id": 1, "a": 2}, {"id": 2, "a": 1}])
    assert database.execute("SELECT * FROM one UNION ALL SELECT * FROM two") == [
        {"id": 2, "a": 1, "more": "y"}, {"id": 1, "a": 2, "more": "x"},
    ]  # fmt: skip
