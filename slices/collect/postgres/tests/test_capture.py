"""What changes in a table comes from its log: each row's last state, rows that went too, nothing twice and nothing never."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared_metadata.errors import RetryLater
from shared_metadata.program import BadRows, Mask
from slices.collect.postgres.capture import log, planning, slots
from slices.collect.postgres.capture.pgoutput import lsn_of
from slices.collect.postgres.tests.captured import STAGED, Capturing, begun, connected, ended, forget_slots, lent_captured, staged
from slices.collect.postgres.tests.database import Database
from slices.collect.postgres.tests.test_types import CASES
from tests.conformance.collect import crashing, delayed
from tests.conformance.fixtures import Cloud, open_cloud
from tests.conformance.masking import KEY


def test_inserted_updated_and_deleted_rows_come_from_the_log(capturing: Capturing) -> None:
    capturing.make()
    begun(capturing, "(1, 'one', 'x'), (2, 'two', 'y'), (3, 'three', NULL)")
    capturing.database.run("UPDATE thing SET name = 'uno' WHERE id = 1")
    capturing.database.run("DELETE FROM thing WHERE id = 2")
    capturing.database.run("INSERT INTO thing VALUES (4, 'four', 'z')")
    capturing.run()
    assert capturing.rows() == capturing.source()
    assert (staged(capturing), capturing.manifest().get("whole", False)) == ((2, 1), False)


def test_a_row_that_came_changed_and_went_between_two_batches_is_its_last_state(capturing: Capturing) -> None:
    capturing.make()
    begun(capturing, "(1, 'one'), (2, 'two')")
    capturing.database.run("INSERT INTO thing VALUES (3, 'came'); DELETE FROM thing WHERE id = 3")
    capturing.database.run("DELETE FROM thing WHERE id = 1")
    capturing.database.run("INSERT INTO thing VALUES (1, 'again'); UPDATE thing SET name = 'twice' WHERE id = 1")
    capturing.run()
    assert capturing.rows() == capturing.source()
    assert staged(capturing) == (1, 1)


def test_a_key_that_changes_is_a_row_that_goes_and_one_that_comes(capturing: Capturing) -> None:
    capturing.make()
    begun(capturing, "(1, 'one'), (2, 'two'), (3, 'three')")
    capturing.database.run("UPDATE thing SET id = 10 WHERE id = 1; UPDATE thing SET id = 1 WHERE id = 2")
    capturing.database.run("UPDATE thing SET id = id + 100 WHERE id = 3")
    capturing.run()
    assert capturing.rows() == capturing.source()
    assert [row["id"] for row in capturing.rows()] == [1, 10, 103]


def test_truncate_takes_all_rows_and_what_comes_after_it_stays(capturing: Capturing) -> None:
    capturing.make()
    begun(capturing, "(1, 'one'), (2, 'two')")
    capturing.database.run("INSERT INTO thing VALUES (3, 'before'); TRUNCATE thing; INSERT INTO thing VALUES (4, 'after')")
    capturing.run()
    assert (capturing.rows(), capturing.manifest().get("whole", False)) == (capturing.source(), True)
    capturing.database.run("TRUNCATE thing")
    capturing.run()
    assert (capturing.rows(), capturing.manifest().get("whole", False)) == ([], True)


def test_what_is_rolled_back_never_comes_and_what_is_open_comes_when_it_commits(capturing: Capturing) -> None:
    capturing.make()
    begun(capturing, "(1, 'one')")
    with connected(capturing) as other, connected(capturing) as lost:
        other.execute("BEGIN; INSERT INTO thing VALUES (2, 'open')")
        lost.execute("BEGIN; INSERT INTO thing VALUES (3, 'lost'); SAVEPOINT s; DELETE FROM thing; ROLLBACK TO s; ROLLBACK")
        capturing.database.run("INSERT INTO thing VALUES (4, 'four')")
        capturing.run()
        assert [row["id"] for row in capturing.rows()] == [1, 4]
        other.execute("COMMIT")
    capturing.run()
    assert capturing.rows() == capturing.source()


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


def test_a_row_that_is_asked_for_and_has_gone_since_is_gone(capturing: Capturing) -> None:
    capturing.make()
    capturing.database.run("ALTER TABLE thing ALTER big SET STORAGE EXTERNAL; INSERT INTO thing VALUES (1, 'a', repeat('b', 9000))")
    capturing.apply()
    capturing.run()
    capturing.database.run("UPDATE thing SET name = 'other'")
    capturing.run(lambda opened: delayed(opened, lambda: capturing.database.run("DELETE FROM thing")))
    assert capturing.rows() == []
    capturing.run()
    assert capturing.rows() == []


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


def test_what_was_read_and_not_committed_is_read_again(capturing: Capturing) -> None:
    capturing.make()
    begun(capturing, "(1, 'one'), (2, 'two')")
    capturing.database.run("UPDATE thing SET name = 'uno' WHERE id = 1; DELETE FROM thing WHERE id = 2")
    with pytest.raises(KeyboardInterrupt):
        capturing.run(crashing)
    capturing.later()
    capturing.database.run("INSERT INTO thing VALUES (3, 'meanwhile')")
    capturing.run()
    assert capturing.rows() == capturing.source()


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
        everything = [*log.changes(session, slot, "atoll", oid, begins, 2**63, "here")]
        since = [*log.changes(session, slot, "atoll", oid, lsn_of(committed), 2**63, "here")]
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


@pytest.mark.deep
@pytest.mark.budget(60)
def test_a_slot_that_the_server_has_given_up_is_told_and_copied_anew(capturing: Capturing) -> None:
    capturing.make()
    begun(capturing, "(1, 'one'), (2, 'two')")
    capturing.database.run("DELETE FROM thing WHERE id = 1")
    capturing.database.run("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'")
    capturing.database.run("SELECT pg_reload_conf()")
    try:
        for _ in range(40):
            capturing.database.run(
                "CREATE TABLE filler AS SELECT repeat('x', 1000) FROM generate_series(1, 20000); DROP TABLE filler"
            )
            capturing.database.run("SELECT pg_switch_wal()")
            capturing.database.run("CHECKPOINT")
            if capturing.slot()["wal_status"] == "lost":
                break
        run = capturing.run(record_errors=True)
    finally:
        capturing.database.run("ALTER SYSTEM RESET max_slot_wal_keep_size")
        capturing.database.run("SELECT pg_reload_conf()")
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


def test_values_are_the_same_by_whichever_way_they_come(capturing: Capturing) -> None:
    capturing.database.run("CREATE TYPE mood AS ENUM ('sad', 'très content'); CREATE TYPE pair AS (first int, second text)")
    capturing.database.run("CREATE DOMAIN email AS text CHECK (value LIKE '%@%'); CREATE DOMAIN price AS numeric(8, 3)")
    kinds = [kind for kind, (_, values) in CASES.items() if values]
    most = max(len(CASES[kind][1]) for kind in kinds)
    capturing.make(", ".join(["id int PRIMARY KEY", *(f"c{number} {kind}" for number, kind in enumerate(kinds)), "touched int"]))
    for row in range(most + 1):
        literals = ["NULL" if row == most else [*CASES[kind][1]][row % len(CASES[kind][1])] for kind in kinds]
        capturing.database.run(f"INSERT INTO thing VALUES ({row}, {', '.join(literals)}, 0)")
    capturing.apply()
    capturing.run()
    copied = [{name: value for name, value in row.items() if name != "touched"} for row in capturing.rows()]
    capturing.database.run("UPDATE thing SET touched = 1")
    capturing.run()
    assert staged(capturing) == (most + 1, 0)
    assert repr([{name: value for name, value in row.items() if name != "touched"} for row in capturing.rows()]) == repr(copied)


def test_hostile_names_and_values(capturing: Capturing) -> None:
    names = ['a"b', "k", "v", "r", "q", "t", "n", "c0", "select", "ü ñ", "a'b", "%s", "gone", "asked"]
    listed = ", ".join('"' + name.replace('"', '""') + '" text' for name in names)
    capturing.make(f"id text PRIMARY KEY, {listed}")
    values = ["", "NULL", "null", "{}", "'", '"', "\\", "\\N", "a\nb\tc", "\u2028", "🛫", "%(a)s", '{"a": [1]}', "$$;--"]
    capturing.apply()
    capturing.run()
    for number, value in enumerate(values):
        capturing.database.run(
            f"INSERT INTO thing VALUES ({', '.join(['%s'] * (len(names) + 1))})", [f"{value}{number}", *([value] * len(names))]
        )
    capturing.run()
    assert capturing.rows() == sorted(capturing.source(), key=lambda row: row["id"])
    capturing.database.run("DELETE FROM thing")
    capturing.run()
    assert capturing.rows() == []


def test_a_value_that_no_warehouse_can_hold_is_set_aside(capturing: Capturing) -> None:
    capturing.make("id int PRIMARY KEY, day date")
    capturing.apply(bad_rows=BadRows(rows=1))
    capturing.run()
    capturing.database.run("INSERT INTO thing VALUES (1, '2026-01-01'), (2, '10000-01-01')")
    capturing.run()
    assert [row["id"] for row in capturing.rows()] == [1]
    assert sum(file["rows"] for file in capturing.manifest()["rejected"]) == 1


def test_a_row_that_a_new_copy_sets_aside_is_not_taken_for_gone(capturing: Capturing) -> None:
    capturing.make("id int PRIMARY KEY, day date")
    capturing.database.run("INSERT INTO thing VALUES (1, '2026-01-01'), (2, '2026-01-02'), (3, '2026-01-03')")
    capturing.apply(bad_rows=BadRows(rows=1))
    capturing.run()
    capturing.database.run("UPDATE thing SET day = '10000-01-01' WHERE id = 1; DELETE FROM thing WHERE id = 3")
    forget_slots(capturing.database)
    capturing.run()
    assert (capturing.was_whole(), capturing.set_aside()) == (True, [(1,)])
    assert [row["id"] for row in capturing.rows()] == [1, 2]


def test_masked_columns_are_hashed_as_they_are_copied(capturing: Capturing) -> None:
    capturing.cloud.put_secret("mask", {"key": KEY})
    capturing.make()
    capturing.database.run("INSERT INTO thing VALUES (1, 'same', 'secret')")
    capturing.apply(masks={"name": Mask.HASH, "big": Mask.DROP}, mask_key="mask")
    capturing.run()
    capturing.database.run("INSERT INTO thing VALUES (2, 'same', 'secret')")
    capturing.run()
    first, second = capturing.rows()
    assert first["name"] == second["name"] != "same"
    assert first.keys() == {"id", "name"}


# -- any history


opened = contextlib.contextmanager(open_cloud)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["insert", "update", "large", "delete", "move", "truncate", "abort", "batch", "crash", "gone"]),
        st.integers(0, 5),
        st.integers(0, 5),
    ),
    min_size=1,
    max_size=25,
)


@given(steps=STEPS)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@pytest.mark.budget(120)
def test_after_a_batch_of_any_history_the_warehouse_has_what_the_source_has(
    logging_server: tuple[str, int], steps: list[tuple[str, int, int]]
) -> None:
    with lent_captured(logging_server) as database, pytest.MonkeyPatch.context() as patched, opened(patched) as cloud:
        capturing = Capturing(cloud, database)
        capturing.make()
        database.run("ALTER TABLE thing ALTER big SET STORAGE EXTERNAL")
        capturing.apply()
        for word, one, other in steps:
            act(capturing, word, one, other)
        capturing.later()
        capturing.run()
        assert capturing.rows() == capturing.source()


def act(capturing: Capturing, word: str, one: int, other: int) -> None:
    run = capturing.database.run
    if word in ("insert", "abort"):
        made = f"INSERT INTO thing VALUES ({one}, 'made {other}', repeat('{other}', 9000))"
        text = f"{made} ON CONFLICT (id) DO UPDATE SET name = 'met {other}'"
        run(f"BEGIN; {text}; {'ROLLBACK' if word == 'abort' else 'COMMIT'}")
    elif word == "update":
        run(f"UPDATE thing SET name = 'changed {other}' WHERE id = {one}")
    elif word == "large":
        run(f"UPDATE thing SET big = repeat('{other}', 8000) WHERE id = {one}")
    elif word == "delete":
        run(f"DELETE FROM thing WHERE id = {one}")
    elif word == "move":
        run(f"UPDATE thing SET id = {other} WHERE id = {one} AND NOT EXISTS (SELECT FROM thing WHERE id = {other})")
    elif word == "truncate":
        run("TRUNCATE thing")
    elif word == "gone":
        forget_slots(capturing.database)
    else:
        capturing.later()
        with contextlib.suppress(KeyboardInterrupt):
            capturing.run(crashing if word == "crash" else None)
        if word == "batch":
            assert capturing.rows() == capturing.source()


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
