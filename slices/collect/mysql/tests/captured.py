"""A captured table of a MariaDB whose binary log tells rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import pymysql
import pytest
from pymysqlreplication import BinLogStreamReader

from shared_metadata.contract.collect import OpenSource
from slices.collect.mysql.capture.table_log import MysqlLog
from slices.collect.mysql.client import open_source
from slices.collect.mysql.slice import SLICE
from systems.mysql.catalog import identifier
from tests.conformance.capturing import CapturingSource

GRANTS = ("SELECT ON {name}.*", "REPLICATION SLAVE ON *.*", "BINLOG MONITOR ON *.*")
SETTINGS = ("--log-bin=log", "--server-id=1", "--binlog-format=ROW", "--binlog-row-metadata=FULL")
# Of each type some values, as SQL.
VALUES: Mapping[str, Sequence[str]] = {
    "tinyint": ["-128", "127"],
    "tinyint unsigned": ["255", "0"],
    "boolean": ["true", "false"],
    "smallint": ["-32768", "32767"],
    "smallint unsigned": ["65535"],
    "mediumint": ["-8388608", "8388607"],
    "mediumint unsigned": ["16777215"],
    "int": ["-2147483648", "2147483647"],
    "int unsigned": ["4294967295"],
    "int(6) zerofill": ["42"],
    "bigint": ["-9223372036854775808", "9223372036854775807"],
    "bigint unsigned": ["18446744073709551615", "0"],
    "float": ["1.1", "-3.402823e38", "0", "1e-38"],
    "double": ["0.1", "-1.7976931348623157e308", "5e-324"],
    "decimal(5,2)": ["-999.99", "0.01", "0"],
    "decimal(38,9)": ["12345678901234567890123456789.123456789", "-1.000000001"],
    "decimal(10,0)": ["1234567890", "-1"],
    "decimal(9,9)": ["0.123456789", "-0.5"],
    "decimal(65,30)": ["12345678901234567890123456789012345.123456789012345678901234567890"],
    "decimal(8,2) unsigned": ["123.45"],
    "date": ["'2026-11-29'", "'1000-01-01'", "'9999-12-31'"],
    "datetime": ["'2026-11-29 20:15:59'"],
    "datetime(1)": ["'2026-11-29 20:15:59.9'"],
    "datetime(3)": ["'2026-11-29 20:15:59.123'", "'1000-01-01 00:00:00.001'"],
    "datetime(6)": ["'2026-11-29 20:15:59.123456'", "'9999-12-31 23:59:59.999999'"],
    "timestamp": ["'2026-11-29 20:15:59'", "'1970-01-01 00:00:01'"],
    "timestamp(2)": ["'2026-03-29 02:30:00.25'"],
    "timestamp(6)": ["'2038-01-19 03:14:07.999999'"],
    "time": ["'838:59:59'", "'-838:59:59'", "'00:00:00'"],
    "time(1)": ["'-00:00:00.5'", "'10:11:12.1'"],
    "time(6)": ["'-01:02:03.000004'", "'00:00:00.999999'"],
    "year": ["2026", "1901", "0"],
    "bit(1)": ["1", "0"],
    "bit(7)": ["127"],
    "bit(64)": ["18446744073709551615", "1"],
    "char(5)": ["'a'", "''", "'ünï'"],
    "char(200)": ["'ab'", "REPEAT('€', 200)"],
    "varchar(20)": ["'a '", "'it''s'", "'🛫'"],
    "varchar(300)": ["REPEAT('x', 300)"],
    "varchar(20) character set latin1": ["'é'", "'€'"],
    "varchar(20) character set utf16": ["'a🛫'"],
    "varchar(20) character set sjis": ["'日本'"],
    "tinytext": ["'t'"],
    "text": ["REPEAT('long ', 5000)", "''"],
    "mediumtext character set latin1": ["'ü'"],
    "longtext": ["'l'"],
    "binary(4)": ["x'00'", "x'61000062'"],
    "varbinary(9)": ["x'0000'", "x''", "x'FF00'"],
    "blob": ["x'00FF'", "''"],
    "longblob": ["x'01'"],
    "enum('sad', 'très content')": ["'très content'", "'sad'"],
    "set('a', 'b', 'c')": ["'a,c'", "''"],
    "json": ["'{\"a\": [1, 2.50]}'"],
    "point": ["ST_GeomFromText('POINT(1 2)')"],
    "uuid": ["'6ccd780c-baba-1026-9564-5b8c656024db'"],
    "inet6": ["'2001:db8::1'"],
}

# Of `CapturingSource.done`.
DONE = {
    "insert": ("REPLACE INTO thing VALUES ({0}, 'made {1}', REPEAT('{1}', 9000))",),
    "update": ("UPDATE thing SET name = 'changed {1}' WHERE id = {0}",),
    "large": ("UPDATE thing SET big = REPEAT('{1}', 8000) WHERE id = {0}",),
    "short": ("SET binlog_row_image = 'MINIMAL'", "UPDATE thing SET name = 'short {1}' WHERE id = {0}"),
    "delete": ("DELETE FROM thing WHERE id = {0}",),
    "move": ("UPDATE IGNORE thing SET id = {1} WHERE id = {0}",),
    "truncate": ("TRUNCATE thing",),
    "abort": ("BEGIN", "DELETE FROM thing WHERE id = {0}", "INSERT INTO thing VALUES ({1} + 100, 'lost', 'a')", "ROLLBACK"),
    "some": ("BEGIN", "UPDATE thing SET name = 'kept' WHERE id = {0}", "SAVEPOINT s", "DELETE FROM thing", "ROLLBACK TO s", "COMMIT"),
    "alter": ("ALTER TABLE thing ADD CHECK (id >= -{1})",),
    "swap": (
        *("CREATE TABLE new LIKE thing", "INSERT INTO new VALUES ({0}, 'new', 'a')"),
        *("RENAME TABLE thing TO old, new TO thing", "DROP TABLE old"),
    ),
    "statement": ("SET binlog_format = 'STATEMENT'", "UPDATE thing SET name = 'by statement' WHERE id = {0}"),
    "rotate": ("FLUSH BINARY LOGS",),
}  # fmt: skip

EXECUTE, FETCH = pymysql.cursors.Cursor.execute, BinLogStreamReader.fetchone


class Capturing(CapturingSource):
    declaration, log = SLICE, MysqlLog
    values, no_day, hostile = VALUES, "0000-00-00", ("\0", "a`b", "'; --")
    in_part, lenient, in_utc = ("SET binlog_row_image = 'MINIMAL'",), ("SET sql_mode = ''",), ("SET time_zone = '+00:00'",)
    done = DONE

    def make(self, columns: str = "id int PRIMARY KEY, name text, big text") -> None:
        self.database.run(f"CREATE TABLE thing ({columns})")

    def opened(self) -> OpenSource:
        return partial(open_source, aws=self.cloud.session)

    def source(self, columns: str = "*") -> list[dict[str, Any]]:
        from pymysql.cursors import DictCursor

        with self.database.connect() as session, session.cursor(DictCursor) as cursor:
            cursor.execute("SET time_zone = '+00:00'")
            cursor.execute(f"SELECT {columns} FROM thing ORDER BY 1")
            return list(cursor.fetchall())

    @contextmanager
    def writing(self) -> Iterator[Callable[..., None]]:
        with self.database.connect() as session, session.cursor() as cursor:

            def run(*statements: str) -> None:
                for statement in statements:
                    cursor.execute(statement)

            yield run

    def quoted(self, name: str) -> str:
        return identifier(name)

    def forget(self) -> None:
        self.all("FLUSH BINARY LOGS")
        self.purge()

    def lost(self) -> Exception:
        return pymysql.err.OperationalError(2013, "Lost connection to MySQL server during query")

    @contextmanager
    def striking(self, striking: Any) -> Iterator[None]:
        """The statements of the slice's sessions, and each event that it reads of the log."""

        def execute(cursor: Any, *given: Any, **more: Any) -> Any:
            if cursor.connection.user == b"root":
                return EXECUTE(cursor, *given, **more)
            return striking.does(lambda: EXECUTE(cursor, *given, **more), cursor.connection.close)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(pymysql.cursors.Cursor, "execute", execute)
            patched.setattr(BinLogStreamReader, "fetchone", lambda reader: striking.does(lambda: FETCH(reader), reader.close))
            yield

    def purge(self) -> None:
        """Has the server forget all files of its log but the last, as soon as it may."""
        (last,) = [name for name, *_ in self.database.run("SHOW BINARY LOGS")][-1:]
        until = time.monotonic() + 30
        while len(self.database.run("SHOW BINARY LOGS")) > 1:
            assert time.monotonic() < until
            self.database.run(f"PURGE BINARY LOGS TO '{last}'")
