"""What a trigger or a default meets is no row's fault, also where rows are tolerated; a null stays a null or is refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pymysql
import pytest

from shared_metadata.errors import AtollError, DefinitionError, RowError
from shared_metadata.program import BadRows
from slices.harness.mysql import refusals
from slices.harness.mysql.catalog import read_table
from slices.harness.mysql.tests.database import Database
from slices.harness.mysql.tests.direct import Direct
from systems.sql_target.table import TargetTable
from tests.conformance.fixtures import Cloud, open_cloud
from tests.conformance.harness import HarnessConformance, columns

pytestmark = pytest.mark.sampled(3)

PLAIN = "CREATE TABLE scorecard (id varchar(99) PRIMARY KEY, x longtext)"
SHAPE = {"id": "string", "x": "string"}
ROWS = [{"id": "a", "x": "v4lue"}]
AUDIT = "CREATE TABLE audit (id int PRIMARY KEY, x varchar(3) NOT NULL)"
# What a trigger does ▸ the table beside, and MySQL's number.
TRIGGERS = {
    "INSERT INTO audit VALUES (9, 'x')": (f"{AUDIT} PARTITION BY LIST (id) (PARTITION one VALUES IN (1))", 1526),
    "INSERT INTO audit VALUES (1, 'x')": (f"{AUDIT} AS SELECT 1 AS id, 'x' AS x", 1062),
    "INSERT INTO audit VALUES (1, NULL)": (AUDIT, 1048),
    "INSERT INTO audit VALUES (1, NEW.x)": (AUDIT, 1406),
    "INSERT INTO audit VALUES (NEW.id, 'x')": (AUDIT, 1366),
    "INSERT INTO audit VALUES (1000 * 1000 * 10000, 'x')": (AUDIT, 1264),
    "INSERT INTO audit VALUES (-1, 'x')": (f"{AUDIT[:-1]}, CHECK (id > 0))", 4025),
    "INSERT INTO audit VALUES (1, 'x') ": ("CREATE TABLE parents (id int PRIMARY KEY)", 1452),
    "INSERT INTO gone VALUES (1)": (AUDIT, 1146),
    "SET @n = nowhere(1)": (AUDIT, 1305),
}


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    yield from open_cloud(monkeypatch)


@pytest.mark.parametrize("when", ["BEFORE", "AFTER"])
@pytest.mark.parametrize("does", TRIGGERS)
def test_what_a_trigger_meets_is_told_by_its_name_and_no_row_is_set_aside(target: Database, does: str, when: str) -> None:
    beside, number = TRIGGERS[does]
    target.execute(PLAIN)
    target.execute(beside)
    if number == 1452:
        target.execute(f"{AUDIT[:-1]}, CONSTRAINT known FOREIGN KEY (id) REFERENCES parents (id))")
    target.execute(f"CREATE TRIGGER watch {when} INSERT ON scorecard FOR EACH ROW {does}")
    for tolerated in (0, 1):
        with closing(Direct(target, SHAPE)) as publishing, pytest.raises(DefinitionError) as caught:
            publishing.publish(ROWS, tolerated=tolerated)
        assert f"the trigger {target.name}.watch of {target.name}.scorecard met an error ({number} " in str(caught.value)
        assert "triggers" in caught.value.remedy and "v4lue" not in str(caught.value)
    assert target.rows() == []


# A column that the query does not fill ▸ what is told of it.
FILLED: dict[str, tuple[type[AtollError], str]] = {
    "y tinyint DEFAULT (length(id) * 1000)": (DefinitionError, "a value of no query in column y: 1264"),
    "y varchar(1) DEFAULT (concat(id, id))": (DefinitionError, "a value of no query in column y: 1406"),
    "y tinyint GENERATED ALWAYS AS (length(id) * 1000) STORED": (RowError, "a value is out of range in column y"),
}


@pytest.mark.parametrize("column", FILLED)
def test_a_default_that_does_not_fit_is_no_row_s_fault_and_a_computed_value_is(target: Database, column: str) -> None:
    kind, said = FILLED[column]
    target.execute(f"CREATE TABLE scorecard (id varchar(99) PRIMARY KEY, x longtext, {column})")
    with closing(Direct(target, SHAPE)) as publishing, pytest.raises(kind) as caught:
        publishing.publish(ROWS)
    assert said in str(caught.value) and ("default" in caught.value.remedy) == (kind is DefinitionError)


# As MySQL says it, which does not tell of triggers: its number and text ▸ whether a row of the table is at fault.
TOLD = [
    (1062, "Duplicate entry 'v4lue' for key 'scorecard.PRIMARY'", True),
    (1062, "Duplicate entry 'v4lue' for key 'audit.PRIMARY'", False),
    (1062, "Duplicate entry 'x' for key 'scorecard.PRIMARY' for key 'audit.PRIMARY'", False),
    (1526, "Table has no partition for value 4711", False),
    (1048, "Column 'x' cannot be null", True),
    (1048, "Column 'note' cannot be null", False),
    (1406, "Data too long for column 'note' at row 1", False),
    (1264, "Out of range value for column 'x' at row 1", False),
    (1644, "no", True),
]


@pytest.mark.parametrize(("number", "said", "fault"), TOLD)
def test_whose_fault_it_is_goes_by_names_where_nothing_is_told_of_triggers(
    described: TargetTable, number: int, said: str, fault: bool
) -> None:
    error = pymysql.err.IntegrityError(number, said)
    assert bool(refusals.refusal(error, described)) == fault
    explained = refusals.explained(error, "here", described, "u", ())
    assert isinstance(explained, RowError if fault else DefinitionError) and "v4lue" not in str(explained)


@pytest.fixture
def described(target: Database) -> TargetTable:
    target.execute(PLAIN)
    with target.of.connect() as root, root.cursor() as cursor:

        def ask(question: str, values: object) -> list[tuple[object, ...]]:
            cursor.execute(question, values)
            return list(cursor.fetchall())

        found = read_table(ask, target.name, "scorecard")  # type: ignore[arg-type]
    assert found is not None
    return found


# Columns of which MySQL makes something of a null, and what is published.
OF_THEIR_OWN = {
    "timestamp": "timestamptz",
    "timestamp(6) NOT NULL DEFAULT '2020-01-01'": "timestamptz",
    "int AUTO_INCREMENT UNIQUE": "long",
    "double AUTO_INCREMENT UNIQUE": "double",
}


@pytest.mark.parametrize("kind", OF_THEIR_OWN)
def test_a_null_is_refused_where_it_would_become_a_value_of_the_server_s(cloud: Cloud, target: Database, kind: str) -> None:
    ((before,),) = target.of.server.run("SELECT @@GLOBAL.explicit_defaults_for_timestamp")
    target.of.server.run("SET GLOBAL explicit_defaults_for_timestamp = OFF")
    try:
        target.execute(f"CREATE TABLE scorecard (id bigint PRIMARY KEY, x {kind})")
        publishing = HarnessConformance().way(
            cloud, target, columns(id="long", x=OF_THEIR_OWN[kind]), key=("id",), bad_rows=BadRows(1)
        )
        interval = publishing.publish([{"id": 1, "x": None}])
        assert target.rows() == [] and [why for _, why, _ in publishing.rejected(interval)] == ["a value is null in column x"]
        run = publishing.run(publishing.put_result([{"id": 1, "x": None}, {"id": 2, "x": None}]), record_errors=True)
        assert "a value is null in column x" in str(next(iter(run.errors.values()))) and target.rows() == []
    finally:
        target.of.server.run("SET GLOBAL explicit_defaults_for_timestamp = %s", [before])
