"""Unique values that move between the rows of one batch: what is legal before and after is published, and nothing else is lost."""

from __future__ import annotations

import uuid
from contextlib import closing
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared_metadata.errors import DefinitionError, RowError
from slices.harness.mysql.tests.database import Database
from slices.harness.mysql.tests.direct import Direct
from tests.conformance.moves import SHAPE, check_follows, states

pytestmark = pytest.mark.sampled(3)

# What watches over a: a column's definition.
WATCHED = {
    "unique": "UNIQUE",
    "unique, not null": "NOT NULL UNIQUE",
    "several columns": ", UNIQUE (b, a)",
    "computed": ", g int GENERATED ALWAYS AS (a * 2) STORED UNIQUE",
}
# Who would notice that a row is deleted and inserted anew.
NOTICED = {
    "nobody": [],
    "children": [
        "CREATE TABLE {t}_children (id int, FOREIGN KEY (id) REFERENCES {t} (id) ON DELETE CASCADE)",
        "INSERT INTO {t}_children SELECT id FROM {t}",
    ],
    "a trigger": ["CREATE TRIGGER {t}_g BEFORE DELETE ON {t} FOR EACH ROW IF OLD.id < 4 THEN SIGNAL SQLSTATE '45000'; END IF"],
}


def make(target: Database, watched: str, noticed: str, key: str, rows: list[dict[str, Any]]) -> str:
    """A table with these rows, and more in each than is published."""
    name = f"t{uuid.uuid4().hex[:8]}"
    beside = "b varchar(9), more text, number int AUTO_INCREMENT UNIQUE, at double"
    target.execute(f"CREATE TABLE {name} (id int {key}, a int {WATCHED[watched]}, {beside})")
    for row in rows:
        values = [row["id"], row["a"], row["b"], f"of {row['id']}", row["id"] / 3]
        target.execute(f"INSERT INTO {name} (id, a, b, more, at) VALUES (%s, %s, %s, %s, %s)", values)
    for statement in NOTICED[noticed]:
        target.execute(statement.replace("{t}", name))
    return name


@pytest.mark.budget(60)
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(list(WATCHED)), st.sampled_from(list(NOTICED)), st.sampled_from(["PRIMARY KEY", "NOT NULL"]),
    states(), states(), st.booleans(),
)  # fmt: skip
def test_every_legal_state_follows_on_every_other(
    target: Database, watched: str, noticed: str, key: str, before: Any, after: Any, tolerant: bool
) -> None:
    if noticed == "children":
        key = "PRIMARY KEY"
    table = make(target, watched, noticed, key, before)
    held = {row["id"] for row in before}
    with closing(Direct(target, SHAPE, table=table)) as publishing:
        check_follows(target.execute, publishing, table, after, tolerant=tolerant)
    if noticed == "children":
        children = {row["id"] for row in target.execute(f"SELECT id FROM {table}_children")}
        assert children == held & {row["id"] for row in after}


@pytest.mark.parametrize("tolerant", [False, True])
def test_where_no_other_value_is_free_the_error_names_the_constraint(target: Database, tolerant: bool) -> None:
    target.execute(
        "CREATE TABLE scorecard (id int PRIMARY KEY, a int NOT NULL, UNIQUE known (a), CONSTRAINT low CHECK (a BETWEEN 1 AND 9))"
    )
    target.execute("INSERT INTO scorecard VALUES (1, 1), (2, 2)")
    with (
        closing(Direct(target, {"id": "int", "a": "int"})) as publishing,
        pytest.raises((RowError, DefinitionError), match=r"\((low|known)\)"),
    ):
        publishing.publish([{"id": 1, "a": 2}, {"id": 2, "a": 1}], tolerated=1 if tolerant else 0)
    assert [row["a"] for row in target.execute("SELECT a FROM scorecard ORDER BY id")] == [1, 2]


@pytest.mark.parametrize("reaction", ["", "ON DELETE CASCADE", "ON DELETE SET NULL"])
@pytest.mark.parametrize("tolerant", [False, True])
def test_parents_and_children_of_one_table_change_in_one_batch(target: Database, reaction: str, tolerant: bool) -> None:
    """A parent goes whose child gets another, which is new, and all that the child has beside it stays."""
    refers = f"FOREIGN KEY (parent) REFERENCES scorecard (id) {reaction}"
    target.execute(f"CREATE TABLE scorecard (id int PRIMARY KEY, parent int, more text, {refers})")
    target.execute("INSERT INTO scorecard VALUES (1, NULL, 'a'), (2, 1, 'b')")
    with closing(Direct(target, {"id": "int", "parent": "int"})) as publishing:
        publishing.publish([{"id": 2, "parent": 3}, {"id": 3, "parent": None}], [{"id": 1}], tolerated=2 if tolerant else 0)
    found = target.execute("SELECT id, parent, more FROM scorecard ORDER BY id")
    assert found == [{"id": 2, "parent": 3, "more": "b"}, {"id": 3, "parent": None, "more": None}]


def test_another_s_row_with_the_same_unique_value_is_never_taken_for_ours(target: Database) -> None:
    """Where ON DUPLICATE KEY UPDATE would change it."""
    target.execute("CREATE TABLE scorecard (id int PRIMARY KEY, a int UNIQUE)")
    target.execute("INSERT INTO scorecard VALUES (9, 1)")
    with closing(Direct(target, {"id": "int", "a": "int"})) as publishing:
        with pytest.raises(RowError, match=r"breaks a unique constraint \(a\)"):
            publishing.publish([{"id": 1, "a": 1}])
        assert set(publishing.publish([{"id": 1, "a": 1}, {"id": 2, "a": 2}], tolerated=1)) == {0}
    assert target.execute("SELECT * FROM scorecard ORDER BY id") == [{"id": 2, "a": 2}, {"id": 9, "a": 1}]
