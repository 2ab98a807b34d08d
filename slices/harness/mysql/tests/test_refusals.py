"""What MySQL answers when nothing of a row is wrong, and when it is; keys and changes as the table's own types compare them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from typing import Any

import pymysql
import pytest

from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.errors import AtollError, DefinitionError, RetryLater, RowError
from shared_metadata.program import BadRows, Mode
from slices.harness.mysql import refusals
from slices.harness.mysql.session import MysqlSession
from slices.harness.mysql.tests.database import Database
from slices.harness.mysql.tests.direct import Direct
from systems.mysql.address import Address
from tests.conformance.fixtures import Cloud, open_cloud
from tests.conformance.harness import HarnessConformance, Way, columns
from tests.words_in_values import WORDS

pytestmark = pytest.mark.sampled(3)

SHAPE = {"id": "string", "x": "string"}
PLAIN = "CREATE TABLE scorecard (id varchar(99) PRIMARY KEY, x longtext)"
TRIGGER = "CREATE TRIGGER guard BEFORE INSERT ON scorecard FOR EACH ROW "


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    yield from open_cloud(monkeypatch)


def way(cloud: Cloud, target: Database, shape: dict[str, str], **options: Any) -> Way:
    return HarnessConformance().way(cloud, target, columns(**shape), key=("id",), **options)


REFUSALS: list[tuple[str, str, Any, Any, str]] = [
    ("x varchar(3)", "string", "abc", "abcd", "a value is too long in column x"),
    ("x smallint", "long", 4, 40_000, "a value is out of range in column x"),
    ("x tinyint unsigned", "int", 4, -1, "a value is out of range in column x"),
    ("x bigint unsigned", "long", 2**63 - 1, -1, "a value is out of range in column x"),
    ("x double", "double", 0.5, float("inf"), "a value cannot be read as the column's type in column x"),
    ("x enum('good','2')", "string", "2", "1", "a value is none of the column's, or not readable as one in column x"),
    ("x datetime", "timestamp", None, "2026-01-01T00:00:00.5", "a value cannot be read as the column's type in column x"),
    ("x varchar(9) CHARACTER SET latin1", "string", "ü", "漢", f"{refusals.NO_CHARACTER} in column x"),
    ("x json", "string", "[1]", "[1", "a row breaks a check constraint (scorecard.x)"),
    ("x text NOT NULL", "string", "", None, "a value is null in column x"),
    ("x text, CONSTRAINT short CHECK (length(x) < 5)", "string", "four", "longer", "a row breaks a check constraint (short)"),
    ("x varchar(9) UNIQUE", "string", "free", "taken", "a row breaks a unique constraint (x)"),
    ("x bigint, CONSTRAINT known FOREIGN KEY (x) REFERENCES parents (id)", "long", 7, 404, "a row breaks a foreign key (known)"),
]
IN_EVERY_MODE = [refusal for refusal in REFUSALS if refusal[0].startswith(("x smallint", "x text, CONSTRAINT", "x bigint, "))]
EVERYWHERE = [
    *((Mode.MERGE, *refusal) for refusal in REFUSALS),
    *((mode, *refusal) for mode in (Mode.REPLACE, Mode.APPEND) for refusal in IN_EVERY_MODE),
]


@pytest.mark.sampled(4)
@pytest.mark.parametrize(("mode", "column", "kind", "good", "bad", "said"), EVERYWHERE)
def test_a_refused_row_is_set_aside_with_the_name_of_what_refuses_it(
    cloud: Cloud, target: Database, mode: Mode, column: str, kind: str, good: Any, bad: Any, said: str
) -> None:
    bad = datetime.fromisoformat(bad) if kind == "timestamp" else bad
    target.execute("CREATE TABLE parents (id bigint PRIMARY KEY)")
    target.execute("INSERT INTO parents VALUES (7)")
    target.execute(f"CREATE TABLE scorecard (id bigint PRIMARY KEY, {column})")
    if "UNIQUE" in column:
        target.execute("INSERT INTO scorecard VALUES (99, 'taken')")
    before = target.rows()
    publishing = way(cloud, target, {"id": "long", "x": kind}, mode=mode, bad_rows=BadRows(1))
    rows = [{"id": 1, "x": good}, {"id": 2, "x": bad}, {"id": 3, "x": None if "NOT NULL" not in column else "z"}]
    interval = publishing.publish(rows)
    found = target.execute("SELECT id FROM scorecard ORDER BY 1")
    assert [r["id"] for r in found] == sorted([1, 3, *(r["id"] for r in before)])
    ((_, why, data),) = publishing.rejected(interval)
    assert (why, data["id"]) == (said, 2)
    assert target.tables_of_receipts() == ["flows", "receipts"]


ANSWERS: list[tuple[list[str], type[AtollError], str, str]] = [
    ([PLAIN, f"{TRIGGER} CALL nowhere(1)"], DefinitionError, "1305", "triggers"),
    ([PLAIN, f"{TRIGGER} SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'"], RowError, "a trigger refuses a row", "TOLERATE"),
    (
        [f"{PLAIN} PARTITION BY LIST COLUMNS (id) (PARTITION b VALUES IN ('b'))"],
        RowError, "fits none of the partitions", "TOLERATE",
    ),
    ([f"{PLAIN} ENGINE=Aria"], DefinitionError, r"scorecard is kept by Aria, in which", "ENGINE=InnoDB"),
    (["CREATE VIEW scorecard AS SELECT 'a' AS id, 'x' AS x"], DefinitionError, "scorecard is a view", "publish to a table"),
    (["CREATE SEQUENCE scorecard"], DefinitionError, "scorecard is a sequence", "an ordinary table"),
]  # fmt: skip


@pytest.mark.parametrize(("definition", "kind", "said", "remedy"), ANSWERS)
def test_an_error_is_told_by_its_cause(
    target: Database, definition: list[str], kind: type[AtollError], said: str, remedy: str
) -> None:
    for statement in definition:
        target.execute(statement)
    with closing(Direct(target, SHAPE)) as publishing, pytest.raises(kind, match=said) as caught:
        publishing.publish([{"id": "a", "x": "v4lue"}])
    assert remedy in caught.value.remedy and "v4lue" not in str(caught.value)


REFUSING = {
    "a trigger": ([PLAIN, f"{TRIGGER} SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = NEW.x"], "a trigger refuses a row"),
    "a check": (
        ["CREATE TABLE scorecard (id varchar(99) PRIMARY KEY, x text, CONSTRAINT e CHECK (x = ''))"],
        r"check constraint \(e\)",
    ),
    "a unique index": (["CREATE TABLE scorecard (id varchar(99) PRIMARY KEY, x varchar(300) UNIQUE)"], r"unique constraint \(x\)"),
}


@pytest.mark.sampled(3)
@pytest.mark.budget(30)
@pytest.mark.parametrize("what", REFUSING)
def test_no_word_of_a_value_changes_why_a_row_is_refused_or_is_told(target: Database, what: str) -> None:
    definition, said = REFUSING[what]
    for statement in definition:
        target.execute(statement)
    words = [f"x{word}" for word in WORDS[::5]]
    if what == "a unique index":
        for number, word in enumerate(words):
            target.execute("INSERT INTO scorecard VALUES (%s, %s)", [f"other {number}", word])
    found = set()
    with closing(Direct(target, SHAPE)) as publishing:
        for word in words:
            with pytest.raises(RowError, match=said) as caught:
                publishing.publish([{"id": "a", "x": word}])
            found.add(str(caught.value))
    (message,) = found
    assert "jane" not in message and "4711" not in message


STAGED = {
    "enum('a')": ("x", "a value is none of the column's, or not readable as one in column x"),
    "text CHARACTER SET latin1": ("漢", f"{refusals.NO_CHARACTER} in column x"),
    "date": ("x", "a value cannot be read as the column's type in column x"),
    "int": ("x", "a value cannot be read as the column's type in column x"),
    "varchar(1)": ("x", "a value is too long in column x"),
}


@pytest.mark.parametrize("kind", STAGED)
def test_nor_why_it_is_refused_before_the_table_is_reached(target: Database, kind: str) -> None:
    (first, said), deadline = STAGED[kind], Deadline(time.monotonic() + 900)
    target.execute(f"CREATE TABLE stage (c0 {kind})")
    with closing(MysqlSession(Address(**target.secret), "here", "target", deadline)) as session:
        for word in WORDS[::3]:
            with pytest.raises(pymysql.err.Error) as caught:
                session.insert("INSERT INTO stage (c0) VALUES (%s)", [[first + word]])
            assert session.refusal(caught.value, None, ["x"]) == said, word
            assert str(session.explained(caught.value, "here", None, ["x"])).startswith(f"here: {said} Remedy")


def test_rows_that_go_and_are_referred_to_are_no_row_s_fault(target: Database) -> None:
    target.execute(PLAIN)
    with closing(Direct(target, SHAPE)) as publishing:
        publishing.publish([{"id": "a", "x": "1"}])
        target.execute("CREATE TABLE children (id varchar(99), CONSTRAINT kept FOREIGN KEY (id) REFERENCES scorecard (id))")
        target.execute("INSERT INTO children VALUES ('a')")
        with pytest.raises(DefinitionError, match=rf"to which {target.name}.children \(kept\) still refers"):
            publishing.publish([], [{"id": "a"}])


def test_a_row_whose_parent_another_flow_publishes_is_tried_again(target: Database) -> None:
    """It is no bad row: the other flow may be behind."""
    target.execute("CREATE TABLE parents (id varchar(9) PRIMARY KEY)")
    target.execute(
        "CREATE TABLE scorecard (id varchar(9) PRIMARY KEY, x varchar(9), CONSTRAINT known FOREIGN KEY (x) REFERENCES parents (id))"
    )
    rows = [{"id": "a", "x": "p"}]
    with closing(Direct(target, SHAPE)) as alone, pytest.raises(RowError, match=r"foreign key \(known\)"):
        alone.publish(rows)
    target.drop_receipts()
    with closing(Direct(target, SHAPE, beside="other parents")) as publishing:
        with pytest.raises(RetryLater, match=rf"one of {target.name}.parents that is not there \(known\); parents publishes"):
            publishing.publish(rows)
        target.execute("INSERT INTO parents VALUES ('p')")
        publishing.publish(rows)
    assert target.rows() == rows


EQUAL = {
    "varchar(9)": ("ab", "AB"),
    "varchar(9) COLLATE utf8mb4_general_ci": ("Zürich", "zurich"),
    "varchar(9) COLLATE utf8mb4_bin": ("ab", "ab "),
    "char(9) COLLATE utf8mb4_nopad_bin": ("ab", "ab "),
    "enum('ab')": ("ab", "AB"),
}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("unique", ["PRIMARY KEY", "NOT NULL"])
@pytest.mark.parametrize("kind", EQUAL)
def test_keys_that_only_the_table_calls_equal_are_told(target: Database, kind: str, unique: str) -> None:
    """And one that takes the place of such a one is a change of the row, which is not deleted."""
    target.execute(f"CREATE TABLE scorecard (id {kind} {unique}, x varchar(9))")
    ids = EQUAL[kind]
    with closing(Direct(target, SHAPE)) as publishing:
        for tolerated in (0, 1):
            with pytest.raises(DefinitionError, match=r"1 keys \(id .*\) occur more than once as the table compares them") as caught:
                publishing.publish([{"id": id, "x": "1"} for id in ids], tolerated=tolerated)
            assert ids[1] not in str(caught.value).replace(kind, "")
        publishing.publish([{"id": ids[0], "x": "1"}])
        publishing.publish([{"id": ids[1], "x": "2"}], [{"id": ids[0]}])
    assert [row["x"] for row in target.execute("SELECT x FROM scorecard")] == ["2"]


CHANGES = {
    "varchar(9)": ("a", "A"),
    "text": ("a", "a "),
    "json": ("[1]", "[ 1 ]"),
    "enum('a','b')": ("a", "b"),
}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("unique", ["PRIMARY KEY", "NOT NULL"])
@pytest.mark.parametrize("kind", CHANGES)
def test_a_change_is_written_though_the_type_calls_it_equal(target: Database, kind: str, unique: str) -> None:
    target.execute(
        f"CREATE TABLE scorecard (id varchar(9) {unique}, x {kind}, at timestamp(6) NOT NULL DEFAULT now(6) ON UPDATE now(6))"
    )
    before, after = CHANGES[kind]
    with closing(Direct(target, SHAPE)) as publishing:
        publishing.publish([{"id": "a", "x": before}])
        publishing.publish([{"id": "a", "x": after}])
        written = target.execute("SELECT x, at FROM scorecard")
        publishing.publish([{"id": "a", "x": after}])
    assert target.execute("SELECT x, at FROM scorecard") == written and written[0]["x"] == after


BROKEN_OFF = {
    1205: "locks",
    1213: "locks",
    1040: "max_connections",
    1114: "disk",
    3: "disk",
    1290: "role",
    2006: "runs",
    1053: "load",
}


@pytest.mark.parametrize("number", BROKEN_OFF)
def test_what_passes_is_tried_again(number: int) -> None:
    error = refusals.explained(pymysql.err.OperationalError(number, "of whatever 'value'"), "here", None, "u", ())
    assert isinstance(error, RetryLater) and BROKEN_OFF[number] in error.remedy and "value" not in str(error)
