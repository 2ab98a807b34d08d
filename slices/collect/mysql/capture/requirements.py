"""What a table, a server and a user need so that changes can be captured: each that is missing is told with its remedy."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared_metadata.errors import DefinitionError
from slices.collect.mysql import replica
from slices.collect.mysql.capture import places
from slices.collect.mysql.capture.kinds import kind_of, may_be_key
from slices.collect.mysql.capture.log import RIGHTS
from slices.collect.mysql.planning import first
from systems.mysql import sessions
from systems.mysql.catalog import TableName, identifier
from systems.mysql.failures import number_of
from systems.mysql.type_mapping import SourceType

if TYPE_CHECKING:
    from pymysql import Connection as Session

Lack = tuple[str, str]  # what is missing, and its remedy
BY_CURSOR = "collect it by a CURSOR instead of CAPTURE"
RETENTION = "CALL mysql.rds_set_configuration('binlog retention hours', 168)"
_PARAMETERS = "on RDS and Aurora in the parameter group"
_COLUMNS = """SELECT column_name, data_type, column_type, numeric_precision, numeric_scale, character_set_name, collation_name,
  character_octet_length, extra FROM information_schema.columns WHERE table_schema = %s AND table_name = %s"""
_KEY = """SELECT column_name FROM information_schema.statistics
WHERE table_schema = %s AND table_name = %s AND index_name = 'PRIMARY' AND sub_part IS NULL ORDER BY seq_in_index"""
# Of information_schema a reader learns nothing of foreign keys.
_CASCADES = re.compile(r"^\s*CONSTRAINT `(.*?)` FOREIGN KEY .* ON (?:DELETE|UPDATE) (?:CASCADE|SET NULL|SET DEFAULT)", re.MULTILINE)
# Each setting, the values of which one is needed, why, and the statement that makes it so.
_SETTINGS = (
    (
        "log_bin",
        ("ON", "1"),
        "the server keeps no binary log",
        f"start the server with log_bin; on RDS keep backups, and {RETENTION}",
    ),
    ("binlog_format", ("ROW",), "the binary log tells statements and not rows", "SET GLOBAL binlog_format = 'ROW'"),
    ("binlog_row_metadata", ("FULL",), "the binary log does not name columns", "SET GLOBAL binlog_row_metadata = 'FULL'"),
    ("gtid_mode", ("ON",), "the server numbers no transactions", "set gtid_mode and enforce_gtid_consistency to ON"),
    ("log_bin_compress", ("OFF", "0"), "the binary log is compressed", "SET GLOBAL log_bin_compress = OFF"),
    (
        "binlog_transaction_compression",
        ("OFF", "0"),
        "the binary log is compressed",
        "SET GLOBAL binlog_transaction_compression = OFF",
    ),
)


@dataclass(frozen=True)
class Captured:
    """What a capture needs to know of its table: `columns` and `key` of a LogPart."""

    columns: tuple[tuple[str, str], ...]
    key: tuple[tuple[str, str, str], ...]


def check(session: Session[Any], table: TableName, columns: Sequence[str], key: Sequence[str], place: str) -> Captured:
    """Raises DefinitionError for the first thing that is missing. columns, key: names of the source, those that are collected."""
    for cause, remedy in lacks(session, table, key):
        raise DefinitionError(cause, place=place, remedy=remedy)
    found = {row[0]: row for row in _rows(session, _COLUMNS, table)}
    kinds = {}
    for name in columns:
        _, kind, written, precision, scale, charset, _, octets, extra = found[name]
        source = SourceType(kind.lower(), written.lower(), int(precision or 0), int(scale or 0))
        generated = "GENERATED" in extra.upper().replace("DEFAULT_GENERATED", "")
        kinds[name] = "" if generated else kind_of(source, charset or "", int(octets or 0))
        if name in key and not may_be_key(kinds[name], source):
            cause = f"the key {name} of {table.quoted} is of the type {written}, which the binary log does not tell as a key"
            raise DefinitionError(cause, place=place, remedy=BY_CURSOR)
    texts = {name: (found[name][5] or "", found[name][6] or "") if kinds[name].startswith("text") else ("", "") for name in key}
    return Captured(tuple(kinds.items()), tuple((name, *texts[name]) for name in key))


def lacks(session: Session[Any], table: TableName, key: Sequence[str]) -> Iterator[Lack]:
    """All that is missing, the server's first."""
    yield from _of_version(session)
    yield from _of_settings(session)
    yield from _of_rights(session, table)
    yield from _of_replica(session)
    yield from _of_table(session, table, key)


def _of_version(session: Session[Any]) -> Iterator[Lack]:
    mariadb, least = places.is_mariadb(session), ((10, 5, 0), (8, 0, 19))
    found = sessions.version_of(session).removeprefix("5.5.5-").split("-")[0]
    if tuple(int(part) for part in found.split(".")[:3]) < least[not mariadb]:
        yield f"CAPTURE needs MariaDB 10.5 or MySQL 8.0.19, or later, and the server is {found}", BY_CURSOR


def _of_settings(session: Session[Any]) -> Iterator[Lack]:
    with session.cursor() as cursor:
        cursor.execute("SHOW GLOBAL VARIABLES WHERE Variable_name IN %s", ([name for name, *_ in _SETTINGS],))
        has = {name.lower(): str(value).upper() for name, value in cursor.fetchall()}
    for name, wanted, cause, remedy in _SETTINGS:
        if name in has and has[name] not in wanted:
            yield f"{cause}: {name} is {has[name]}", f"{remedy}; {_PARAMETERS}; or {BY_CURSOR}"


def _of_rights(session: Session[Any], table: TableName) -> Iterator[Lack]:
    """The right to read the log the server tells only of who begins to."""
    import pymysql

    grant = f"GRANT {RIGHTS[places.is_mariadb(session)]} ON *.* TO the secret's user"
    try:
        _, _, only, never = (*places.status(session), "", "")[:4]
    except pymysql.err.Error as error:
        if number_of(error) != replica.DENIED:
            raise
        yield "the secret's user may not ask how far the binary log is", grant
        return
    logged = [each.strip().lower() for each in str(only or "").split(",") if each.strip()]
    if (logged and table.schema.lower() not in logged) or table.schema.lower() in [
        n.strip().lower() for n in str(never or "").split(",")
    ]:
        yield f"the binary log leaves out the database {table.schema} (binlog_do_db, binlog_ignore_db)", BY_CURSOR


def _of_replica(session: Session[Any]) -> Iterator[Lack]:
    found = first(session, "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('log_replica_updates', 'log_slave_updates')")
    if found and str(found[-1]) in ("0", "OFF") and replica.follows(session):
        remedy = f"set log_replica_updates (MariaDB: log_slave_updates) there, or let the secret name its source; or {BY_CURSOR}"
        yield "the server is a replica that does not log what it replays", remedy


def _of_table(session: Session[Any], table: TableName, key: Sequence[str]) -> Iterator[Lack]:
    if table.kind != "BASE TABLE":
        yield f"{table.quoted} is no ordinary table ({table.kind.lower()}), and no log tells its rows", BY_CURSOR
        return
    if table.engine.upper() != "INNODB":
        yield (
            f"{table.quoted} is kept by {table.engine}, which knows no transactions",
            f"ALTER TABLE it ENGINE = InnoDB, or {BY_CURSOR}",
        )
    primary = [name for (name,) in _rows(session, _KEY, table)]
    if sorted(primary) != sorted(key):
        listed = ", ".join(map(identifier, key))
        yield f"the key ({listed}) is not the primary key of {table.quoted}", f"MERGE ON its primary key, or {BY_CURSOR}"
    if cascades := _CASCADES.search(str((first(session, f"SHOW CREATE TABLE {table.quoted}") or ("", ""))[1])):
        cause = f"the foreign key {cascades[1]} changes or deletes rows of {table.quoted} with another table's (CASCADE, SET NULL)"
        yield f"{cause}, which no binary log tells", f"ALTER TABLE it with NO ACTION, or {BY_CURSOR}"
    if packed := [name for name, _, written, *_ in _rows(session, _COLUMNS, table) if "COMPRESSED" in written.upper()]:
        yield f"the columns {', '.join(packed)} of {table.quoted} are COMPRESSED, also in the binary log", BY_CURSOR


def _rows(session: Session[Any], sql: str, table: TableName) -> list[tuple[Any, ...]]:
    with session.cursor() as cursor:
        cursor.execute(sql, (table.schema, table.name))
        return list(cursor.fetchall())
