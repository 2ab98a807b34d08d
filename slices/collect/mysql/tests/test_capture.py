"""What changes in a table comes from the binary log: each row's last state, rows that went too, nothing twice and nothing never."""

from __future__ import annotations

import pytest

from shared_metadata.program import BadRows
from slices.collect.mysql.tests.captured import VALUES, Capturing
from tests.conformance.capturing import STAGED, begun, staged
from tests.conformance.collect import delayed
from tests.conformance.fixtures import Cloud
from tests.mariadb import Database


@pytest.mark.parametrize("image", ["MINIMAL", "NOBLOB"])
def test_a_row_that_the_log_tells_in_part_is_asked_for(capturing: Capturing, image: str) -> None:
    capturing.make()
    begun(capturing, "(1, 'one', 'big'), (2, 'two', 'y'), (3, 'three', 'z'), (4, 'four', 'f')")
    short = f"SET binlog_row_image = '{image}'"
    capturing.all(short, "UPDATE thing SET name = 'uno' WHERE id = 1", "UPDATE thing SET id = 20 WHERE id = 2")
    capturing.all(short, "DELETE FROM thing WHERE id = 3", "INSERT INTO thing (id) VALUES (5)")
    capturing.all(
        short, "UPDATE thing SET name = 'goes' WHERE id = 4", "SET binlog_row_image = 'FULL'", "DELETE FROM thing WHERE id = 4"
    )
    capturing.run()
    assert (capturing.rows(), capturing.was_whole()) == (capturing.source(), False)


# -- what defines the table


@pytest.mark.parametrize(
    "statements",
    [
        ("ALTER TABLE thing ADD COLUMN count int DEFAULT 7", "INSERT INTO thing VALUES (3, 'after', 3)"),
        ("ALTER TABLE thing MODIFY name varchar(3)",),
        ("RENAME TABLE thing TO other", "CREATE TABLE thing LIKE other", "INSERT INTO thing VALUES (9, 'new')"),
        ("DROP TABLE thing", "CREATE TABLE thing (id int PRIMARY KEY, name text)"),
        ("CREATE OR REPLACE TABLE thing (id int PRIMARY KEY, name text) SELECT 5 AS id, 'five' AS name",),
        ("CREATE TABLE copied LIKE thing", "INSERT INTO copied VALUES (7, 'x')", "RENAME TABLE thing TO gone, copied TO thing"),
        ("SET binlog_format = 'STATEMENT'", "UPDATE thing SET name = CONCAT(name, '!')"),
    ],
)
def test_what_changes_the_table_without_telling_rows_has_it_copied_anew(capturing: Capturing, statements: tuple[str, ...]) -> None:
    capturing.make("id int PRIMARY KEY, name text")
    begun(capturing, "(1, 'one'), (2, 'two')")
    capturing.all("DELETE FROM thing WHERE id = 1", *statements)
    capturing.run()
    assert (capturing.rows(), capturing.was_whole()) == (capturing.source(), True)
    capturing.all("DELETE FROM thing WHERE id = 2", "INSERT INTO thing (id, name) VALUES (30, 'abc')")
    capturing.run()
    assert (capturing.rows(), capturing.was_whole()) == (capturing.source(), False)


def test_what_is_done_to_other_tables_and_to_indexes_copies_nothing(capturing: Capturing) -> None:
    capturing.make("id int PRIMARY KEY, name text")
    begun(capturing, "(1, 'one'), (2, 'two')")
    capturing.all("CREATE TABLE other (id int)", "INSERT INTO other VALUES (1)", "ALTER TABLE other ADD x int", "TRUNCATE other")
    capturing.all("CREATE INDEX i ON thing (name(10))", "ALTER TABLE thing DROP INDEX i", "ANALYZE TABLE thing", "DROP TABLE other")
    capturing.all("UPDATE thing SET name = 'uno' WHERE id = 1")
    capturing.run()
    assert (capturing.rows(), capturing.was_whole(), staged(capturing)) == (capturing.source(), False, (1, 0))


def test_columns_that_go_and_come_again_are_read_by_their_names(capturing: Capturing) -> None:
    capturing.make()
    begun(capturing, "(1, 'one', 'x')")
    capturing.all("ALTER TABLE thing DROP COLUMN big", "UPDATE thing SET name = 'uno'")
    capturing.run()
    assert [row["name"] for row in capturing.rows()] == ["uno"]
    capturing.all("ALTER TABLE thing ADD COLUMN big text FIRST", "UPDATE thing SET big = 'again'")
    capturing.run()
    capturing.all("UPDATE thing SET name = 'one'")
    capturing.run()
    assert [(row["id"], row["name"], row["big"]) for row in capturing.rows()] == [(1, "one", "again")]
    assert not capturing.was_whole()


# -- crashes, and a log that is not there


def test_a_log_that_is_purged_after_the_plan_has_the_table_copied_by_extract(capturing: Capturing) -> None:
    capturing.make("id int PRIMARY KEY, name text")
    begun(capturing, "(1, 'one'), (2, 'two')")
    capturing.all("DELETE FROM thing WHERE id = 1", "FLUSH BINARY LOGS")
    capturing.run(lambda opened: delayed(opened, capturing.purge))
    assert (capturing.rows(), capturing.was_whole()) == (capturing.source(), True)


def test_files_of_the_log_follow_one_another(capturing: Capturing) -> None:
    capturing.make("id int PRIMARY KEY, name text")
    begun(capturing, "(1, 'one')")
    for number in range(2, 5):
        capturing.all(f"INSERT INTO thing VALUES ({number}, 'more')", "FLUSH BINARY LOGS")
    capturing.run()
    assert (capturing.rows(), capturing.was_whole()) == (capturing.source(), False)


def test_a_server_that_was_set_back_has_the_table_copied_anew(capturing: Capturing) -> None:
    capturing.make("id int PRIMARY KEY, name text")
    begun(capturing, "(1, 'one'), (2, 'two')")
    capturing.all("RESET MASTER", "DELETE FROM thing WHERE id = 1")
    capturing.run()
    assert (capturing.rows(), capturing.was_whole()) == (capturing.source(), True)
    capturing.all("DELETE FROM thing WHERE id = 2")
    capturing.run()
    assert (capturing.rows(), capturing.was_whole()) == ([], False)


def test_a_batch_without_changes_of_the_table_is_recorded_by_plan_alone(capturing: Capturing) -> None:
    capturing.make("id int PRIMARY KEY, name text")
    begun(capturing, "(1, 'one')")
    capturing.all("CREATE TABLE other (id int PRIMARY KEY)", "INSERT INTO other VALUES (1)")
    run = capturing.run()
    assert (run.planned["committed"], run.calls) == ([STAGED], {})


def test_a_distributed_transaction_counts_when_it_is_committed(capturing: Capturing) -> None:
    capturing.make("id int PRIMARY KEY, name text")
    begun(capturing, "(1, 'one')")
    with capturing.writing() as other, capturing.writing() as lost:
        other("XA START 'a'", "INSERT INTO thing VALUES (2, 'two')", "XA END 'a'", "XA PREPARE 'a'")
        lost("XA START 'b'", "INSERT INTO thing VALUES (3, 'three')", "XA END 'b'", "XA PREPARE 'b'")
        capturing.run()
        assert capturing.rows() == [{"id": 1, "name": "one"}]
        other("XA COMMIT 'a'")
        lost("XA ROLLBACK 'b'")
    capturing.run()
    assert capturing.rows() == capturing.source() == [{"id": 1, "name": "one"}, {"id": 2, "name": "two"}]


# -- what is missing


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("REVOKE REPLICATION SLAVE ON *.* FROM USER", "may not read the binary log Remedy: GRANT REPLICATION SLAVE, BINLOG MONITOR"),
        ("REVOKE BINLOG MONITOR ON *.* FROM USER", "how far the binary log is Remedy: GRANT REPLICATION SLAVE, BINLOG MONITOR"),
        ("ALTER TABLE thing DROP PRIMARY KEY", "the key (`id`) is not the primary key of"),
        ("ALTER TABLE thing ENGINE = Aria", "is kept by Aria, which knows no transactions Remedy: ALTER TABLE"),
        ("CREATE TABLE o (id int PRIMARY KEY); ALTER TABLE thing ADD FOREIGN KEY (id) REFERENCES o (id) ON UPDATE CASCADE", "(CASC"),
        ("ALTER TABLE thing MODIFY name varchar(100) COMPRESSED", "the columns name of"),
        ("ALTER TABLE thing MODIFY id enum('a', 'b')", "is of the type enum('a','b'), which the binary log does not tell as a key"),
        ("ALTER TABLE thing ADD SYSTEM VERSIONING", "is no ordinary table (system versioned)"),
        ("DROP TABLE thing; CREATE VIEW thing AS SELECT 1 AS id", "is no ordinary table (view)"),
        ("SET GLOBAL binlog_format = 'MIXED'", "and not rows: binlog_format is MIXED Remedy: SET GLOBAL binlog_format"),
        ("SET GLOBAL binlog_row_metadata = 'MINIMAL'", "does not name columns: binlog_row_metadata is MINIMAL Remedy: SET GLOBAL"),
        ("SET GLOBAL log_bin_compress = 1", "the binary log is compressed: log_bin_compress is ON"),
    ],
)  # fmt: skip
def test_what_is_missing_is_told_by_name_with_the_remedy(capturing: Capturing, statement: str, said: str) -> None:
    capturing.make("id int PRIMARY KEY, name text")
    try:
        capturing.all(*statement.replace("USER", f"'{capturing.database.user}'@'%'").split("; "))
        capturing.apply()
        run = capturing.run(record_errors=True)
        assert said in run.planned["failed"][0]["error"]
    finally:
        capturing.all("SET GLOBAL binlog_format = 'ROW', binlog_row_metadata = 'FULL', log_bin_compress = 0")


def test_a_server_without_a_binary_log_is_refused(cloud: Cloud, database: Database) -> None:
    database.grant("BINLOG MONITOR ON *.*")
    capturing = Capturing(cloud, database)
    capturing.make("id int PRIMARY KEY")
    capturing.apply()
    run = capturing.run(record_errors=True)
    assert "the server keeps no binary log: log_bin is OFF Remedy: start the server with log_bin" in run.planned["failed"][0]["error"]


# -- values


def test_what_a_literal_says_is_not_asked_for(capturing: Capturing) -> None:
    """What the log tells is what was committed with the batch, and not what is there when it is read."""
    told = [kind for kind in VALUES if not kind.startswith(("enum", "set", "json", "point", "uuid", "inet"))]
    capturing.make(", ".join(["id int PRIMARY KEY", *(f"c{number} {kind} NULL" for number, kind in enumerate(told))]))
    capturing.apply()
    capturing.run()
    capturing.all("SET time_zone = '+00:00'", f"INSERT INTO thing VALUES (1, {', '.join(VALUES[kind][0] for kind in told)})")
    capturing.run(lambda opened: delayed(opened, lambda: capturing.all("DELETE FROM thing")))
    assert [row["id"] for row in capturing.rows()] == [1]
    capturing.run()
    assert capturing.rows() == []


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        ("varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci", ["'a'", "'ä b'", "'c '", "''"]),
        ("varchar(20) CHARACTER SET latin1 COLLATE latin1_swedish_ci", ["'é'", "'x'", "'''\\\\'", "'%'"]),
        ("char(5) CHARACTER SET utf16", ["'a'", "'bb'", "'c'", "'🛫'"]),
        ("varbinary(9)", ["x'00'", "x'0001'", "x'FF'", "x''"]),
        ("binary(4)", ["x'00000000'", "x'61000000'", "x'00000001'", "x'FFFFFFFF'"]),
        ("bigint unsigned", ["0", "18446744073709551615", "9223372036854775808", "7"]),
        ("tinyint", ["-128", "127", "0", "1"]),
        ("decimal(20,5)", ["-1.5", "0", "123456789012345.12345", "0.00001"]),
        ("date", ["'2026-01-01'", "'1000-01-01'", "'9999-12-31'", "'2000-02-29'"]),
        ("datetime(6)", ["'2026-01-01 10:00:00.123456'", "'1000-01-01'", "'9999-12-31 23:59:59.999999'", "'2000-01-01'"]),
        ("timestamp(3)", ["'2026-01-01 10:00:00.123'", "'1970-01-01 00:00:01'", "'2038-01-19 03:14:07'", "'2000-01-01'"]),
        ("year", ["2026", "1901", "2155", "0"]),
    ],
)
def test_keys_of_every_kind_are_met_again(capturing: Capturing, kind: str, keys: list[str]) -> None:
    capturing.make(f"id {kind} PRIMARY KEY, name text, mood enum('a', 'b')")
    capturing.apply()
    capturing.run()
    here = "SET time_zone = '+00:00'"
    capturing.all(here, *(f"INSERT INTO thing VALUES ({key}, 'n', 'a')" for key in keys))
    capturing.run()
    assert len(capturing.rows()) == len(keys)
    capturing.all(here, f"DELETE FROM thing WHERE id = {keys[0]}", f"UPDATE thing SET mood = 'b' WHERE id = {keys[1]}")
    capturing.run()
    assert sorted(row["mood"] for row in capturing.rows()) == ["a"] * (len(keys) - 2) + ["b"]
    assert len(capturing.rows()) == len(capturing.source()) == len(keys) - 1
    assert not capturing.was_whole()


def test_a_key_that_changes_to_what_its_collation_takes_for_the_same(capturing: Capturing) -> None:
    capturing.make("id varchar(9) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci PRIMARY KEY, mood enum('a', 'b')")
    capturing.all("INSERT INTO thing VALUES ('abc', 'a')")
    capturing.apply()
    capturing.run()
    capturing.all("UPDATE thing SET id = 'ABC'")
    capturing.run()
    assert [row["id"] for row in capturing.rows()] == ["ABC"]


def test_a_day_that_becomes_none_is_not_told_as_the_day_before(capturing: Capturing) -> None:
    capturing.make("id int PRIMARY KEY, day date")
    capturing.apply(bad_rows=BadRows(rows=1))
    capturing.all("INSERT INTO thing VALUES (1, '2026-01-01')")
    capturing.run()
    capturing.all("SET sql_mode = ''", "UPDATE thing SET day = '0000-00-00'")
    capturing.run()
    assert sum(file["rows"] for file in capturing.manifest()["rejected"]) == 1


def test_a_large_share_comes_whole_without_encryption(capturing: Capturing) -> None:
    """The library tells the server a wrong length of its request: the server closed the connection with what was on its way."""
    capturing.make("id int PRIMARY KEY, name text")
    capturing.apply()
    capturing.cloud.put_secret("thing", {**capturing.database.secret, "sslmode": "disable", "sslrootcert": ""})
    capturing.run()
    capturing.all("INSERT INTO thing SELECT seq, REPEAT('x', 1000) FROM seq_1_to_5000")
    capturing.run()
    assert (staged(capturing), capturing.was_whole()) == ((5000, 0), False)
