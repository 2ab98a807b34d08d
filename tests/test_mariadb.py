"""The MariaDB of tests: a database is new and its user may do what is granted; one that cannot be had skips with how to get it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pymysql
import pytest

from infra.embedded.state import wait_until
from tests import mariadb
from tests.mariadb import fresh_database, mariadb_server


def test_a_database_is_new_and_its_user_may_do_what_is_granted() -> None:
    with mariadb_server() as server, fresh_database(server, ("SELECT ON {name}.*",)) as first:
        first.run("CREATE TABLE t (a int)")
        address = {"host": "127.0.0.1", "port": server.port, "user": first.user, "password": first.secret["password"].encode()}
        with pymysql.connect(**address, database=first.name, ssl_ca=str(server.certificate)) as session, session.cursor() as cursor:
            cursor.execute("SELECT * FROM t")
            with pytest.raises(pymysql.err.OperationalError):
                cursor.execute("INSERT INTO t VALUES (1)")
        with fresh_database(server, ()) as second:
            assert second.run("SHOW TABLES") == []
    with pytest.raises(pymysql.err.OperationalError):
        pymysql.connect(**address, ssl_ca=str(server.certificate))


def test_one_that_crashes_is_there_again() -> None:
    with mariadb_server(("--skip-name-resolve",)) as server:
        pid = Path(server.socket).with_name("pid")
        before = pid.read_text()
        os.kill(int(before), signal.SIGSEGV)
        wait_until(lambda: pid.exists() and pid.read_text() not in ("", before), 60, "no server again")
        wait_until(lambda: answers(server), 60, "it takes no sessions")


def answers(server: mariadb.Server) -> bool:
    try:
        return server.run("SELECT 1") == [(1,)]
    except pymysql.err.OperationalError:
        return False


def test_one_that_cannot_be_had_skips_with_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mariadb, "PARTS", tmp_path)
    monkeypatch.setattr(mariadb, "_done", lambda *_: False)
    with pytest.raises(pytest.skip.Exception, match=r"put mariadbd on the PATH"):
        mariadb._fetched(tmp_path / "mariadb")
    assert not (tmp_path / "mariadb").exists()


@pytest.mark.deep
@pytest.mark.budget(120)
@pytest.mark.skipif(not shutil.which("apt-get"), reason="Debian's packages are not here")
def test_one_is_fetched_by_whoever_needs_it_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mariadb, "PARTS", tmp_path)
    installed = mariadb._fetched(tmp_path / "mariadb")
    command = [*installed.command(tmp_path), "--version"]
    assert "MariaDB" in subprocess.run(command, env=installed.environment(), capture_output=True, text=True, check=True).stdout
