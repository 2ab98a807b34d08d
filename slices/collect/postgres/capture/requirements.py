"""What a table, a server and a user need so that changes can be captured: each that is missing is told with its remedy."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared_metadata.contract.parquet.duckdb_session import identifier
from shared_metadata.errors import DefinitionError
from shared_metadata.program.source_schemas import Concern, SourceNote
from systems.postgres.catalog import TableName

if TYPE_CHECKING:
    from psycopg import Connection as Session

Lack = tuple[str, str]  # what is missing, and its remedy
_SERVER = """SELECT current_setting('server_version_num')::int, current_setting('wal_level'), pg_is_in_recovery(),
  r.rolreplication OR r.rolsuper OR coalesce((SELECT bool_or(pg_has_role(current_user, g.oid, 'MEMBER'))
    FROM pg_roles g WHERE g.rolname = 'rds_replication'), false),
  current_user, current_setting('server_encoding'), current_setting('max_replication_slots')::int,
  (SELECT count(*) FROM pg_replication_slots)
FROM pg_roles r WHERE r.rolname = current_user"""
_TABLE = """SELECT relkind::text, relpersistence::text, relreplident::text,
  EXISTS (SELECT FROM pg_inherits WHERE inhparent = c.oid) FROM pg_class c WHERE c.oid = %(oid)s"""
_PUBLICATION = """SELECT p.pubinsert AND p.pubupdate AND p.pubdelete AND p.pubtruncate,
  (SELECT to_jsonb(t) FROM pg_publication_tables t JOIN pg_namespace n ON n.nspname = t.schemaname
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.tablename WHERE t.pubname = p.pubname AND c.oid = %(oid)s)
FROM pg_publication p WHERE p.pubname = %(name)s"""
# Of each unique index that holds all rows and no null: its columns, and whether it is the table's replica identity.
_KEYS = """SELECT i.indisprimary AND c.relreplident = 'd' OR i.indisreplident AND c.relreplident = 'i',
  array_agg(lower(a.attname) ORDER BY a.attname), bool_and(a.attnotnull)
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, place)
JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
WHERE i.indrelid = %(oid)s AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
  AND k.place <= i.indnkeyatts GROUP BY i.indexrelid, 1"""
_GENERATED = "SELECT attname FROM pg_attribute WHERE attrelid = %(oid)s AND attnum > 0 AND NOT attisdropped AND attgenerated <> ''"
_UNBOUNDED = "SELECT current_setting('max_slot_wal_keep_size', true) = '-1'"
_PUBLISHED = """SELECT EXISTS (SELECT FROM pg_publication_tables t JOIN pg_namespace n ON n.nspname = t.schemaname
  JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.tablename WHERE t.pubname = %(name)s AND c.oid = %(oid)s)"""
ANY_LOG = (
    "its server keeps any amount of log for a slot (max_slot_wal_keep_size is -1): its disk fills where no batch of this database "
    "runs any more; ALTER SYSTEM SET max_slot_wal_keep_size = '32GB', or whatever is more than the connection's max_log_gb"
)
KINDS = {"p": "a partitioned table", "v": "a view", "m": "a materialized view", "f": "a foreign table"}
BY_CURSOR = "collect it by a CURSOR instead of CAPTURE"


@dataclass(frozen=True)
class Captured:
    """What a capture needs to know of its table. oid: by which the log names it.  full: the log tells all of a row that changes."""

    oid: int
    full: bool


def check(
    session: Session[Any], table: TableName, publication: str, key: Sequence[str], columns: Collection[str], place: str
) -> Captured:
    """Raises DefinitionError for the first thing that is missing. key, columns: folded; those that are collected."""
    for cause, remedy in lacks(session, table, publication, key, columns):
        raise DefinitionError(cause, place=place, remedy=remedy)
    found = session.execute(_TABLE, {"oid": table.oid}).fetchone()
    return Captured(table.oid, bool(found and found[2] == "f"))


def lacks(session: Session[Any], table: TableName, publication: str, key: Sequence[str], columns: Collection[str]) -> Iterator[Lack]:
    """All that is missing, the server's first."""
    yield from _of_server(session)
    yield from _of_table(session, table)
    yield from _of_publication(session, table, publication, columns)
    yield from _of_key(session, table, key)


def notes(session: Session[Any], table: TableName, publication: str) -> list[SourceNote]:
    """What is to be known before a table is captured that the publication has."""
    found = session.execute(_PUBLISHED, {"name": publication, "oid": table.oid}).fetchone()
    return [SourceNote(Concern.CAPTURE, ANY_LOG)] if found and found[0] and keeps_any_log(session) else []


def keeps_any_log(session: Session[Any]) -> bool:
    """Whether the server has no bound of its own for what it keeps for a slot."""
    found = session.execute(_UNBOUNDED).fetchone()
    return bool(found and found[0])


def _of_server(session: Session[Any]) -> Iterator[Lack]:
    found = session.execute(_SERVER).fetchone()
    assert found is not None
    version, level, replica, may, user, encoding, _, _ = found
    if version < 130000:
        yield f"CAPTURE needs PostgreSQL 13 or later, and the server is {version // 10000}", BY_CURSOR
    if replica:
        yield "the server is a replica, which keeps no slots for CAPTURE", "let the secret name the primary, or " + BY_CURSOR
    if level != "logical":
        remedy = "ALTER SYSTEM SET wal_level = 'logical' and restart the server; on RDS and Aurora set rds.logical_replication = 1"
        yield f"wal_level is {level}: the log does not tell what changed in rows", f"{remedy} in the parameter group and reboot"
    if not may:
        remedy = f"ALTER ROLE {identifier(user)} REPLICATION; on RDS and Aurora GRANT rds_replication TO {identifier(user)}"
        yield f"the user {user} may not read the log: it has no REPLICATION", remedy
    if encoding == "SQL_ASCII":
        yield "the database checks no encoding (SQL_ASCII), so that texts in its log may be none", BY_CURSOR


def _of_table(session: Session[Any], table: TableName) -> Iterator[Lack]:
    found = session.execute(_TABLE, {"oid": table.oid}).fetchone()
    assert found is not None
    kind, persistence, _, inherited = found
    if kind != "r":
        yield f"{table.quoted} is {KINDS.get(kind, 'no ordinary table')}, whose rows no log tells by its name", BY_CURSOR
    elif persistence != "p":
        yield f"{table.quoted} is not logged", f"ALTER TABLE {table.quoted} SET LOGGED, or {BY_CURSOR}"
    elif inherited:
        yield f"other tables inherit from {table.quoted}, and their rows are in the log by their names", BY_CURSOR


def _of_publication(session: Session[Any], table: TableName, name: str, columns: Collection[str]) -> Iterator[Lack]:
    found = session.execute(_PUBLICATION, {"oid": table.oid, "name": name}).fetchone()
    if found is None:
        remedy = f"as the table's owner: CREATE PUBLICATION {identifier(name)} FOR TABLE {table.quoted}"
        yield f"there is no publication {name}", f"{remedy}; or name another by the connection's option `publication`"
        return
    whole, entry = found
    if not whole:
        remedy = f"ALTER PUBLICATION {identifier(name)} SET (publish = 'insert, update, delete, truncate')"
        yield f"the publication {name} does not publish every kind of change", remedy
    if entry is None:
        remedy = f"as its owner: ALTER PUBLICATION {identifier(name)} ADD TABLE {table.quoted}"
        yield f"the publication {name} does not have the table {table.quoted}", remedy
        return
    if entry.get("rowfilter"):
        remedy = "take its WHERE out of the publication, and filter in a view"
        yield f"the publication {name} publishes some rows of {table.quoted} only", remedy
    generated = {row[0] for row in session.execute(_GENERATED, {"oid": table.oid})}
    named = {each.lower() for each in entry["attnames"]} if entry.get("attnames") else None
    untold = {each.lower() for each in generated} if named is None else {each for each in columns if each not in named}
    if missing := sorted(untold & set(columns)):
        what = f"the log does not tell the columns {', '.join(missing)} of {table.quoted}: "
        why = (
            "they are generated"
            if {each.lower() for each in generated}.issuperset(missing)
            else f"the publication {name} leaves them out"
        )
        yield what + why, "name the other columns in a query, and compute these in a view; or publish them"


def _of_key(session: Session[Any], table: TableName, key: Sequence[str]) -> Iterator[Lack]:
    indexes = session.execute(_KEYS, {"oid": table.oid}).fetchall()
    full = session.execute(_TABLE, {"oid": table.oid}).fetchone()
    wanted = sorted(key)
    unique = any(columns == wanted and not_null for _, columns, not_null in indexes)
    identity = any(is_identity and columns == wanted for is_identity, columns, _ in indexes)
    if identity or (unique and full is not None and full[2] == "f"):
        return
    listed = ", ".join(map(identifier, key))
    if not unique:
        remedy = f"MERGE ON its primary key, or ALTER TABLE {table.quoted} ADD PRIMARY KEY ({listed})"
        yield (
            f"the key ({listed}) is no primary key of {table.quoted}, nor another unique key without nulls",
            f"{remedy}; or {BY_CURSOR}",
        )
    else:
        remedy = f"MERGE ON its primary key, or ALTER TABLE {table.quoted} REPLICA IDENTITY USING INDEX the key's, or FULL"
        yield f"the log does not tell the key ({listed}) of a row of {table.quoted} that goes: it is not its replica identity", remedy
