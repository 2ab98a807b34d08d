"""What changes in a table comes from its log: each row's last state, rows that went too, nothing twice and nothing never."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from shared_metadata.errors import RetryLater
from shared_metadata.program import Connection, Program, Table
from shared_metadata.program.source_schemas import Concern
from slices.collect.postgres.capture import planning, slots, watching
from slices.collect.postgres.capture.log import Log
from slices.collect.postgres.capture.pgoutput import lsn_of
from slices.collect.postgres.client import open_source
from slices.collect.postgres.tests.captured import Capturing, connected, ended, forget_slots
from slices.collect.postgres.tests.database import Database
from tests.conformance.capturing import FLOW, HERE, STAGED, begun, staged
from tests.conformance.fixtures import Cloud


def test_what_is_committed_without_waiting_for_the_disk_comes_with_its_batch(capturing: Capturing) -> None:
    capturing.make()
    begun(capturing, "(1, 'one')")
    for number in range(3):
        capturing.database.run(f"BEGIN; SET LOCAL synchronous_commit = off; INSERT INTO thing VALUES (1{number}, 'at once'); COMMIT")
        capturing.run()
        assert capturing.rows() == capturing.source()


@pytest.mark.parametrize("identity", ["DEFAULT", "FULL"])
def test_a_large_value_that_did_not_change_stays(capturing: Capturing, identity: str) -> None:
    capturing.make()
    capturing.database.run("ALTER TABLE thing ALTER big SET STORAGE EXTERNAL")
    capturing.database.run(f"ALTER TABLE thing REPLICA IDENTITY {identity}")
    capturing.database.run("INSERT INTO thing SELECT n, 'name ' || n, repeat(n::text, 9000) FROM generate_series(1, 4) AS n")
    capturing.apply()
    capturing.run()
    capturing.database.run("UPDATE thing SET name = 'other' WHERE id IN (1, 2)")
    capturing.database.run("UPDATE thing SET id = 40 WHERE id = 4")
    capturing.database.run("UPDATE thing SET name = 'goes' WHERE id = 3; DELETE FROM thing WHERE id = 3")
    capturing.run()
    assert capturing.rows() == capturing.source()


def test_columns_that_come_go_and_are_renamed(capturing: Capturing) -> None:
    capturing.make()
    begun(capturing, "(1, 'one'), (2, 'two')")
    capturing.database.run("UPDATE thing SET name = 'before' WHERE id = 1")
    capturing.database.run("ALTER TABLE thing ADD COLUMN count int DEFAULT 7")
    capturing.database.run("INSERT INTO thing VALUES (3, 'after', NULL, 3)")
    capturing.run()
    assert [(row["id"], row["count"]) for row in capturing.rows() if row["id"] != 2] == [(1, 7), (3, 3)]
    capturing.database.run("UPDATE thing SET count = 5 WHERE id = 2")
    capturing.database.run("ALTER TABLE thing DROP COLUMN big")
    capturing.database.run("UPDATE thing SET count = 6 WHERE id = 3")
    capturing.run()
    assert [(row["id"], row["name"], row["count"]) for row in capturing.rows()] == [(1, "before", 7), (2, "two", 5), (3, "after", 6)]


def test_a_renamed_column_of_a_query_is_asked_for(capturing: Capturing) -> None:
    capturing.make()
    begun(capturing, "(1, 'one')")
    capturing.database.run("UPDATE thing SET name = 'before'; ALTER TABLE thing RENAME name TO label")
    capturing.apply({"id": "id", "name": "label"})
    capturing.run()
    assert capturing.rows() == [{"id": 1, "name": "before"}]


# -- crashes, and who else is at the slot


def test_a_slot_that_falls_back_gives_nothing_twice(capturing: Capturing) -> None:
    capturing.make()
    begun(capturing, "(1, 'one')")
    capturing.database.run("INSERT INTO thing VALUES (2, 'two')")
    capturing.run()  # the slot stays where it was until the next plan, as one does that has fallen back
    committed = json.loads(capturing.cursor())["upto"]
    capturing.database.run("INSERT INTO thing VALUES (3, 'three')")
    slot, (oid,) = capturing.slot()["slot_name"], capturing.database.run("SELECT 'thing'::regclass::oid::bigint")[0]
    begins = lsn_of(capturing.slot()["confirmed_flush_lsn"])
    assert begins < lsn_of(committed)
    with connected(capturing) as session:
        everything = [*Log(session, slot, "atoll", oid, begins, 2**63, "here").changes()]
        since = [*Log(session, slot, "atoll", oid, lsn_of(committed), 2**63, "here").changes()]
    assert [change.after["id"] for change in everything if change.after] == ["2", "3"]
    assert [change.after["id"] for change in since if change.after] == ["3"]


def test_a_slot_that_another_session_reads_is_told_and_waited_for(capturing: Capturing) -> None:
    capturing.make()
    begun(capturing, "(1, 'one')")
    capturing.database.run("INSERT INTO thing VALUES (2, 'two')")
    slot = capturing.slot()["slot_name"]
    d = capturing.database
    other = psycopg.connect(host=d.host, port=d.port, dbname=d.name, user="postgres", replication="database", autocommit=True)
    other.pgconn.exec_(f"START_REPLICATION SLOT {slot} LOGICAL 0/0 (proto_version '1', publication_names 'atoll')".encode())
    with pytest.raises(RetryLater, match=f"the replication slot {slot} is read by another session"):
        capturing.run()
    other.pgconn.finish()
    ended(capturing.database)
    capturing.later()
    capturing.run()
    assert capturing.rows() == capturing.source()


# -- where the log cannot be gone on with


def gone(capturing: Capturing) -> None:
    forget_slots(capturing.database)


def moved(capturing: Capturing) -> None:
    advanced = "SELECT pg_replication_slot_advance(slot_name, pg_current_wal_lsn()) FROM pg_replication_slots"
    capturing.database.run(f"{advanced} WHERE database = current_database()")


def made_anew(capturing: Capturing) -> None:
    capturing.database.run("CREATE TABLE other AS TABLE thing; DROP TABLE thing; ALTER TABLE other RENAME TO thing")
    capturing.database.run("ALTER TABLE thing ADD PRIMARY KEY (id); ALTER PUBLICATION atoll ADD TABLE thing")
    capturing.database.run(f'GRANT SELECT ON thing TO "{capturing.database.user}"')


@pytest.mark.parametrize("what", [gone, moved, made_anew])
def test_a_table_whose_log_is_gone_is_copied_anew_and_what_went_is_marked(capturing: Capturing, what: Any) -> None:
    capturing.make()
    begun(capturing, "(1, 'one'), (2, 'two')")
    capturing.database.run("DELETE FROM thing WHERE id = 1; INSERT INTO thing VALUES (3, 'three')")
    what(capturing)
    capturing.run()
    assert (capturing.rows(), capturing.manifest().get("whole", False)) == (capturing.source(), True)
    capturing.database.run("DELETE FROM thing WHERE id = 2")
    capturing.run()
    assert (capturing.rows(), capturing.manifest().get("whole", False)) == (capturing.source(), False)


def test_too_much_log_gives_the_slot_up_tells_and_copies(capturing: Capturing, monkeypatch: pytest.MonkeyPatch) -> None:
    capturing.make()
    begun(capturing, "(1, 'one'), (2, 'two')")
    capturing.database.run("DELETE FROM thing WHERE id = 1")
    found = slots.find
    with monkeypatch.context() as patched:
        much = 21 * 2**30
        patched.setattr(slots, "find", lambda *given: (slot := found(*given)) and replace(slot, retained_bytes=much))
        run = capturing.run(record_errors=True)
    (failed,) = run.planned["failed"]
    assert "the server kept 21.0 GB of log for the replication slot atoll_" in failed["error"]
    assert capturing.slot() == {}
    capturing.later()
    capturing.run()
    assert (capturing.rows(), capturing.manifest().get("whole", False)) == (capturing.source(), True)


OTHERS = {"of a statement that went": ("a bucket", "lake.raw.gone:staged"), "another's": ("another bucket", "lake.raw.gone:staged")}


def test_slots_whose_batches_do_not_run_are_told_of_and_given_up_by_those_that_do(
    capturing: Capturing, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """By a batch that stands still for a drift, too; what another installation has is left alone."""
    capturing.make()
    begun(capturing, "(1, 'one')")
    gone, other = (slots.slot_name(*of) for of in OTHERS.values())
    own = capturing.slot()["slot_name"]
    for name in (gone, other):
        capturing.database.run("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (name,))
    told = list[tuple[str, float]]()
    monkeypatch.setattr(watching, "tell", lambda name, value, unit: told.append((name, value)))
    capturing.run()
    assert slots_of(capturing) == {own, gone, other}
    monkeypatch.setattr(watching, "too_much", lambda size, most: size > 0)
    capturing.database.run("INSERT INTO thing VALUES (2, 'two'); ALTER TABLE thing DROP COLUMN name")
    capturing.run(record_errors=True)
    assert slots_of(capturing) == {own, other}
    assert f"for the replication slot {gone}, more than max_log_gb: it is dropped" in caplog.text
    assert [name for name, _ in told] == ["RetainedLogBytes", "RetainedLogPercent"] * 2 and all(size > 0 for _, size in told)


def test_each_slot_goes_by_the_bound_of_its_own_connection(capturing: Capturing, monkeypatch: pytest.MonkeyPatch) -> None:
    """By that of the one at work where no statement has it any more, whatever a former program said. What is told is the one that is
    nearest to its bound.
    """
    capturing.make()
    capturing.database.run("INSERT INTO thing VALUES (1, 'one')")
    capturing.apply(options={"max_log_gb": 2})
    capturing.run()
    program = capturing.cloud.reader.active_program()
    larger = Connection("larger", "postgres", {"secret": "thing", "max_log_gb": 100}, HERE)
    wrong = Connection("wrong", "postgres", {"secret": "thing", "max_log_gb": 0}, HERE)
    former = Connection("former", "postgres", {"secret": "thing", "max_log_gb": 50}, HERE)
    others = [
        replace(
            program.flows[FLOW],
            id=f"lake.raw.{one.name}",
            tables=(Table(f"lake.raw.{one.name}:staged", "public.x"),),
            connection=one.name,
        )
        for one in (larger, wrong, former)
    ]
    connections = {**program.connections, "larger": larger, "wrong": wrong, "former": former}
    for some in (others, others[:2]):
        capturing.cloud.apply(Program(connections, {}, {**program.flows, **{flow.id: flow for flow in some}}))
    names = [slots.slot_name("a bucket", f"lake.raw.{of}:staged") for of in ("larger", "wrong", "former", "gone")]
    for name in names:
        capturing.database.run("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (name,))
    asked, told = list[int](), list[float]()
    monkeypatch.setattr(watching, "too_much", lambda size, most: asked.append(most) or False)
    monkeypatch.setattr(watching, "tell", lambda name, value, unit: told.append(value))
    capturing.run()
    bounds = dict(zip(sorted(names), asked, strict=True))
    assert [bounds[name] >> 30 for name in names] == [100, 2, 2, 2]
    assert told[1] == pytest.approx(100 * told[0] / 2**31)


def test_a_slot_that_may_not_be_dropped_fails_no_batch_of_another_table(
    capturing: Capturing, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As for a user who reads only, or from whom the right was taken when nothing was captured any more."""
    capturing.make()
    begun(capturing, "(1, 'one')")
    gone = slots.slot_name(*OTHERS["of a statement that went"])
    capturing.database.run("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (gone,))
    monkeypatch.setattr(watching, "too_much", lambda size, most: size > 0)

    def denied(*_: object) -> None:
        raise psycopg.errors.InsufficientPrivilege("must have replication privilege")

    monkeypatch.setattr(slots, "drop", denied)
    capturing.database.run("INSERT INTO thing VALUES (2, 'two')")
    capturing.run()
    assert capturing.rows() == capturing.source() and f"the replication slot {gone} cannot be dropped" in caplog.text


def test_a_server_that_keeps_any_amount_of_log_is_told_before_and_when_a_slot_is_made(
    capturing: Capturing, caplog: pytest.LogCaptureFixture
) -> None:
    """By what discover notes of tables that are published, and by the batch that makes the slot."""
    capturing.make()
    capturing.database.run("CREATE TABLE another (id int)")
    capturing.database.run(f'GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{capturing.database.user}"')
    connection = Connection("out", "postgres", {"secret": "thing"}, HERE)

    def noted() -> dict[str, list[Concern]]:
        with closing(open_source(connection, capturing.database.secret, aws=None)) as source:
            found = source.notes(["public.thing", "public.another"])
        return {table: [note.concerns for note in notes] for table, notes in found.items()}

    assert noted() == {"public.thing": [Concern.CAPTURE]}
    begun(capturing, "(1, 'one')")
    assert "max_slot_wal_keep_size is -1" in caplog.text
    caplog.clear()
    with bounded(capturing, "1GB"):
        assert noted() == {}
        moved(capturing)
        capturing.database.run("INSERT INTO thing VALUES (2, 'two')")
        capturing.run()
    assert capturing.rows() == capturing.source() and "max_slot_wal_keep_size" not in caplog.text


@contextlib.contextmanager
def bounded(capturing: Capturing, size: str) -> Iterator[None]:
    """A server that keeps so much log for a slot at most."""

    def told(statement: str, by: str) -> None:
        capturing.database.run(f"ALTER SYSTEM {statement}")
        capturing.database.run("SELECT pg_reload_conf()")
        while capturing.database.run("SHOW max_slot_wal_keep_size") != [(by,)]:  # a session that begins too early has not heard of it
            pass

    told(f"SET max_slot_wal_keep_size = '{size}'", size)
    try:
        yield
    finally:
        told("RESET max_slot_wal_keep_size", "-1")


def slots_of(capturing: Capturing) -> set[str]:
    found = capturing.database.run("SELECT slot_name FROM pg_replication_slots WHERE database = current_database()")
    return {name for (name,) in found}


@pytest.mark.deep
@pytest.mark.budget(60)
def test_a_slot_that_the_server_has_given_up_is_told_and_copied_anew(capturing: Capturing) -> None:
    capturing.make()
    begun(capturing, "(1, 'one'), (2, 'two')")
    capturing.database.run("DELETE FROM thing WHERE id = 1")
    with bounded(capturing, "1MB"):
        for _ in range(40):
            capturing.database.run(
                "CREATE TABLE filler AS SELECT repeat('x', 1000) FROM generate_series(1, 20000); DROP TABLE filler"
            )
            capturing.database.run("SELECT pg_switch_wal()")
            capturing.database.run("CHECKPOINT")
            if capturing.slot()["wal_status"] == "lost":
                break
        run = capturing.run(record_errors=True)
    assert "the server has given up the replication slot atoll_" in run.planned["failed"][0]["error"]
    capturing.later()
    capturing.run()
    assert (capturing.rows(), capturing.manifest().get("whole", False)) == (capturing.source(), True)


def test_a_batch_that_is_run_again_copies_the_table_and_leaves_the_slot(capturing: Capturing) -> None:
    capturing.make()
    begun(capturing, "(1, 'one'), (2, 'two')")
    capturing.database.run("INSERT INTO thing VALUES (3, 'three')")
    capturing.run()
    interval = capturing.last_interval()
    before, cursor = capturing.slot(), capturing.cursor()
    capturing.database.run("DELETE FROM thing WHERE id = 1")
    capturing.run_again(interval)
    assert (capturing.rows(), capturing.manifest().get("whole", False)) == (capturing.source(), True)
    assert (capturing.slot(), capturing.cursor()) == (before, cursor)
    capturing.run()
    assert capturing.rows() == capturing.source()


def test_a_table_that_stands_still_lets_the_server_forget_its_log(capturing: Capturing, monkeypatch: pytest.MonkeyPatch) -> None:
    capturing.make()
    begun(capturing, "(1, 'one')")
    run = capturing.run()
    assert (run.planned["committed"], run.calls) == ([STAGED], {})
    monkeypatch.setattr(planning, "LOOKED_THROUGH_BYTES", 0)
    before = lsn_of(capturing.slot()["confirmed_flush_lsn"])
    for _ in range(2):
        capturing.database.run("CREATE TABLE another AS SELECT generate_series(1, 1000); DROP TABLE another")
        capturing.run()
    assert lsn_of(capturing.slot()["confirmed_flush_lsn"]) > before


# -- what is missing


def lacking(capturing: Capturing, statement: str, *, make: str = "id int PRIMARY KEY, name text", **more: Any) -> str:
    """What the first batch says where something was done to the table, the user or the publication."""
    capturing.make(make)
    if statement:
        capturing.database.run(statement.replace("USER", f'"{capturing.database.user}"'))
    capturing.apply(**more)
    run = capturing.run(record_errors=True)
    return str(run.planned["failed"][0]["error"])


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("ALTER ROLE USER NOREPLICATION", "may not read the log: it has no REPLICATION Remedy: ALTER ROLE"),
        ("DROP PUBLICATION atoll", "there is no publication atoll Remedy: as the table's owner: CREATE PUBLICATION"),
        ("ALTER PUBLICATION atoll DROP TABLE thing", 'not have the table "public"."thing" Remedy: as its owner: ALTER PUBLICATION'),
        ("ALTER PUBLICATION atoll SET (publish = 'insert')", "does not publish every kind of change Remedy: ALTER PUBLICATION"),
        ("ALTER PUBLICATION atoll SET TABLE thing WHERE (id > 3)", 'some rows of "public"."thing" only Remedy: take its WHERE out'),
        ("ALTER PUBLICATION atoll SET TABLE thing (id)", "does not tell the columns name of"),
        ("ALTER TABLE thing DROP CONSTRAINT thing_pkey", 'is no primary key of "public"."thing", nor another unique key'),
        ("ALTER TABLE thing REPLICA IDENTITY NOTHING", "it is not its replica identity Remedy: MERGE ON its primary key"),
        ("DROP PUBLICATION atoll; ALTER TABLE thing SET UNLOGGED", "is not logged Remedy: ALTER TABLE"),
        ("CREATE TABLE heir () INHERITS (thing)", "other tables inherit from"),
        ("ALTER TABLE thing ADD COLUMN twice int GENERATED ALWAYS AS (id * 2) STORED", "does not tell the columns twice of"),
    ],
)  # fmt: skip
def test_what_is_missing_is_told_by_name_with_the_remedy(capturing: Capturing, statement: str, said: str) -> None:
    assert said in lacking(capturing, statement)
    assert capturing.slot() == {}


def test_a_server_that_may_have_no_further_slot_says_so(capturing: Capturing) -> None:
    with contextlib.suppress(psycopg.errors.ConfigurationLimitExceeded):
        while True:
            (number,) = capturing.database.run("SELECT count(*) FROM pg_replication_slots")[0]
            capturing.database.run("SELECT pg_create_physical_replication_slot(%s)", (f"other_{number}",))
    try:
        said = lacking(capturing, "")
    finally:
        capturing.database.run("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name LIKE 'other_%'")
    assert "all that the server may have (max_replication_slots) are in use Remedy: raise max_replication_slots" in said


def test_a_key_that_is_none_is_refused(capturing: Capturing) -> None:
    capturing.key = ("name",)
    assert 'the key ("name") is no primary key' in lacking(capturing, "")


def test_a_partitioned_table_is_refused(capturing: Capturing) -> None:
    capturing.make(publish=False)
    capturing.database.run("DROP TABLE thing; CREATE TABLE thing (id int PRIMARY KEY) PARTITION BY RANGE (id)")
    capturing.database.run("CREATE PUBLICATION atoll FOR TABLE thing")
    capturing.apply()
    run = capturing.run(record_errors=True)
    assert "is a partitioned table, whose rows no log tells by its name" in run.planned["failed"][0]["error"]


def test_a_server_whose_log_tells_nothing_is_refused(cloud: Cloud, database: Database) -> None:
    capturing = Capturing(cloud, database)
    assert "wal_level is replica: the log does not tell what changed in rows Remedy: ALTER SYSTEM SET wal_level" in lacking(
        capturing, ""
    )


# -- values


# -- what no log tells


# Of what is there at first, (1, 'one', 'x'), what changes values though the log tells of no row.
UNTOLD = {
    "a default of a column that comes": "ALTER TABLE thing ADD COLUMN more int NOT NULL DEFAULT 7",
    "a default of a column that comes, and another since": (
        "ALTER TABLE thing ADD COLUMN more int DEFAULT 7; ALTER TABLE thing ALTER COLUMN more SET DEFAULT 8;"
        " INSERT INTO thing VALUES (2)"
    ),
    "a default that is another in each row": "ALTER TABLE thing ADD COLUMN more uuid DEFAULT gen_random_uuid()",
    "numbers of a sequence": "ALTER TABLE thing ADD COLUMN more bigserial",
    "a column that is converted": "ALTER TABLE thing ALTER COLUMN name TYPE text USING upper(name)",
    "a column that takes another's name": "ALTER TABLE thing RENAME name TO old; ALTER TABLE thing RENAME big TO name",
    "a column that goes and comes again": "ALTER TABLE thing DROP COLUMN name; ALTER TABLE thing ADD COLUMN name text",
}


@pytest.mark.parametrize("what", UNTOLD)
def test_what_alter_table_does_to_rows_that_no_log_tells_of_comes_by_a_new_copy(capturing: Capturing, what: str) -> None:
    """PeerDB-io/peerdb#4635, artie-labs/transfer#126, risingwavelabs/risingwave#23320: older rows stayed null, or as they were."""
    capturing.make()
    begun(capturing, "(1, 'one', 'x')")
    capturing.run()
    for statement in UNTOLD[what].split("; "):
        capturing.database.run(statement)
    capturing.run()
    there = [{name: str(value) for name, value in row.items()} for row in capturing.source()]
    assert [{name: str(row[name]) for name in there[0]} for row in capturing.rows()] == there
    capturing.database.run("UPDATE thing SET id = 5 WHERE id = 1")
    capturing.run()
    assert (staged(capturing), capturing.manifest().get("whole", False)) == ((1, 1), False)


@pytest.mark.parametrize(
    "what", ["VACUUM FULL thing", "ALTER TABLE thing ADD COLUMN more int", "ALTER TABLE thing SET (fillfactor = 50)"]
)
def test_what_leaves_all_values_copies_nothing(capturing: Capturing, what: str) -> None:
    capturing.make()
    begun(capturing, "(1, 'one', 'x'), (2, 'two', 'y')")
    capturing.database.run("UPDATE thing SET name = 'uno' WHERE id = 1")
    capturing.run()
    capturing.database.run(what)
    capturing.database.run("UPDATE thing SET name = 'dos' WHERE id = 2")
    capturing.run()
    assert (staged(capturing), capturing.manifest().get("whole", False)) == ((1, 0), False)
    assert [row["name"] for row in capturing.rows()] == ["uno", "dos"]
