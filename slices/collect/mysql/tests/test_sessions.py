"""Settings of a server by which nobody collects decide over no value; how servers are trusted; a server that falls silent."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infra.embedded.tls import ensure_certificate
from shared_metadata.errors import DefinitionError, RetryLater, SecretError
from shared_metadata.program import Connection, Position
from slices.collect.mysql.client import open_source
from slices.collect.mysql.tests import captured
from slices.collect.mysql.tests.captured import SETTINGS as LOGGING
from slices.collect.mysql.tests.captured import Capturing
from slices.collect.mysql.tests.test_types import CASES, make_table
from slices.collect.mysql.tests.under_test import GRANTS, MysqlUnderTest
from systems.mysql.sessions import SETTINGS
from tests.conformance.capturing import staged
from tests.conformance.collect import Collecting
from tests.conformance.fixtures import Cloud
from tests.mariadb import Database, Server, fresh_database, mariadb_server

SHOP = Connection("shop", "mysql", {"secret": "shop"}, Position("p.sql", 1, 1))
# At every name that we settle, another value.
HOSTILE = {
    "sql_mode": "ANSI_QUOTES,PIPES_AS_CONCAT,PAD_CHAR_TO_FULL_LENGTH,HIGH_NOT_PRECEDENCE,REAL_AS_FLOAT",
    "old_mode": "ZERO_DATE_TIME_CAST",
    "time_zone": "-08:00",
    "collation_connection": "latin1_swedish_ci",
    "lc_time_names": "de_DE",
    "lc_messages": "de_DE",
    "div_precision_increment": "1",
    "default_week_format": "3",
    "default_regex_flags": "EXTENDED",
    "group_concat_max_len": "4",
    "max_recursive_iterations": "3",
    "cte_max_recursion_depth": "3",
    "sql_select_limit": "2",
    "sql_big_selects": "0",
    "sql_safe_updates": "1",
    "sql_auto_is_null": "1",
    "default_storage_engine": "MyISAM",
    "show_gipk_in_create_table_and_information_schema": "0",
    "information_schema_stats_expiry": "86400",
    "sql_notes": "0",
    "max_error_count": "0",
    "foreign_key_checks": "0",
    "unique_checks": "0",
    "check_constraint_checks": "0",
    "completion_type": "CHAIN",
    "max_execution_time": "1",
    "max_statement_time": "4",
    "lock_wait_timeout": "1",
    "innodb_lock_wait_timeout": "1",
    "wait_timeout": "4",
    "net_read_timeout": "1",
    "net_write_timeout": "1",
}


OF_MYSQL = (
    *("max_execution_time", "cte_max_recursion_depth", "show_gipk_in_create_table_and_information_schema"),
    "information_schema_stats_expiry",
)


@pytest.fixture(scope="module")
def hostile() -> Iterator[Server]:
    named = {name: value for name, value in HOSTILE.items() if name not in OF_MYSQL}
    of_each = ", ".join(f"{name} = {value if value.isdigit() else repr(value)}" for name, value in named.items())
    with mariadb_server((f"--init-connect=SET {of_each}", "--transaction-isolation=READ-UNCOMMITTED", *LOGGING)) as server:
        yield server


@pytest.fixture
def in_hostile(hostile: Server) -> Iterator[Database]:
    with fresh_database(hostile, GRANTS) as database:
        yield database


def test_every_setting_that_is_settled_has_a_hostile_value_in_the_tests() -> None:
    assert HOSTILE.keys() == SETTINGS.keys()
    assert all(str(HOSTILE[name]) != str(SETTINGS[name]) for name in SETTINGS)


def test_every_setting_is_settled_where_the_server_knows_it(in_hostile: Database) -> None:
    source = open_source(SHOP, in_hostile.secret, aws=None)
    try:
        session = source.connect(10)
        with session.cursor() as cursor:
            cursor.execute("SHOW VARIABLES")
            found = dict(cursor.fetchall())
    finally:
        source.close()
    written = {"1": "ON", "0": "OFF"}
    wrong = {
        name: found[name]
        for name, value in SETTINGS.items()
        if name in found
        and str(value).lower() not in (found[name].lower(), next((k for k, v in written.items() if v == found[name]), None))
        and set(str(value).split(",")) != set(found[name].split(","))
        and not (name == "max_statement_time" and float(found[name]) == 0)
    }
    assert wrong == {} and found["tx_isolation"] == "REPEATABLE-READ"


def test_a_server_that_shows_tables_as_they_were_is_refused_by_name(hostile: Server, in_hostile: Database) -> None:
    """MariaDB: no session can leave what `SET GLOBAL system_versioning_asof` says."""
    hostile.run("SET GLOBAL system_versioning_asof = '2020-01-01 00:00:00'")
    source = open_source(SHOP, in_hostile.secret, aws=None)
    try:
        with pytest.raises(DefinitionError, match=r"as of a former moment.*SET GLOBAL system_versioning_asof = DEFAULT"):
            source.connect(10)
    finally:
        source.close()
        hostile.run("SET GLOBAL system_versioning_asof = DEFAULT")


def test_every_value_is_the_same_at_a_server_with_other_settings(cloud: Cloud, in_hostile: Database) -> None:
    make_table(in_hostile)
    collecting = Collecting(cloud, MysqlUnderTest(in_hostile))
    collecting.collect(f"{in_hostile.name}.every", incremental=False)
    collecting.run()
    rows = sorted(collecting.cloud.rows(collecting.dataset).to_pylist(), key=lambda row: row["id"])
    assert len(rows) == 5
    for number, (kind, (_, values)) in enumerate(CASES.items()):
        for place, wanted in enumerate(values.values(), 1):
            assert rows[place][f"c{number}"] == wanted, kind


def test_a_captured_table_is_the_same_at_a_server_with_other_settings(cloud: Cloud, hostile: Server) -> None:
    """Its copy, what its log tells, and the rows that are asked for since the log tells them in part."""
    with fresh_database(hostile, captured.GRANTS) as found:
        capturing = Capturing(cloud, found)
        columns = (
            "at datetime(6), day date, span time(3), price decimal(12,3), ratio double, raw varbinary(9), pad char(9), told json"
        )
        capturing.make(f"id int PRIMARY KEY, name text, big text, {columns}")
        values = "'2026-03-29 02:30:00.000001', '1999-12-31', '-01:02:03.5', -0.125, 5e-324, x'005C27FF', 'a', '{\"a\": 0.10}'"
        capturing.database.run(f"INSERT INTO thing VALUES (1, 'a\\\\b ''é', 'big', {values}), (2, 'second', NULL, {values})")
        capturing.database.run(f"INSERT INTO thing VALUES (3, 'third', '', {values})")
        capturing.apply()
        capturing.run()
        expected = capturing.rows()
        assert expected == [{**row, "span": "-01:02:03.500"} for row in capturing.source()] and len(expected) == 3
        for number, loses in enumerate((False, True)):
            capturing.all(*capturing.in_part, f"UPDATE thing SET name = 'again {number}'")
            if loses:
                capturing.forget()
            capturing.run()
            assert capturing.rows() == [{**row, "name": f"again {number}"} for row in expected]
            assert (capturing.was_whole(), staged(capturing)) == (loses, (3, 0))


def test_a_table_is_described_alike_at_a_server_with_other_settings(in_hostile: Database, database: Database) -> None:
    found = []
    for at in (database, in_hostile):
        make_table(at)
        at.run("CREATE TABLE keyed (b int, a int, PRIMARY KEY (b, a))")
        at.run("CREATE VIEW seen AS SELECT id FROM every")
        source, names = open_source(SHOP, at.secret, aws=None), ["every", "EVERY", "keyed", "seen", "nowhere"]
        try:
            listed = [name.replace(at.name, "") for name in source.tables()]
            found.append((listed, source.describe(names), source.defaults(names), source.notes(names)))
        finally:
            source.close()
    assert found[0] == found[1]
    listed, described, *_ = found[1]
    assert described["every"] and len(described["every"].columns) == len(CASES) + 1 and listed == [".every", ".keyed", ".seen"]


@pytest.mark.parametrize("mode", ["disable", "prefer", "require", "verify-ca", "verify-full"])
def test_a_server_is_trusted_as_the_secret_says(database: Database, mode: str) -> None:
    source = open_source(SHOP, {**database.secret, "sslmode": mode}, aws=None)
    try:
        with source.session.cursor() as cursor:
            cursor.execute("SHOW STATUS LIKE 'Ssl_cipher'")
            ((_, cipher),) = cursor.fetchall()
    finally:
        source.close()
    assert bool(cipher) == (mode != "disable")


@pytest.mark.parametrize("wrong", ["another certificate", "another name", "no certificate", "no text of one"])
def test_a_server_that_is_not_to_be_trusted_is_a_secret_error(
    database: Database, wrong: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = ensure_certificate(tmp_path_factory.mktemp("tls")).certificate.read_text()
    secret = {
        "another certificate": {**database.secret, "sslrootcert": other},
        "another name": {**database.secret, "host": "127.0.0.2"},
        "no certificate": {**database.secret, "sslrootcert": ""},
        "no text of one": {**database.secret, "sslrootcert": "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----"},
    }[wrong]
    source = open_source(SHOP, secret, aws=None)
    with pytest.raises((SecretError, RetryLater)) as caught:
        source.tables()
    if wrong != "another name":  # the server listens at one address
        assert isinstance(caught.value, SecretError) and "sslrootcert" in caught.value.remedy and "'shop'" in caught.value.remedy
