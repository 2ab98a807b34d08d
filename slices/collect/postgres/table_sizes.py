"""Asks PostgreSQL's catalog how large a table is, and whether it can be read by ranges of its pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared_metadata.contract.sizes import Size
from systems.postgres.catalog import TableName
from systems.sql_source.dialect import TableSize

if TYPE_CHECKING:
    from psycopg import Connection as Session

_SIZE = """WITH RECURSIVE tree AS (
  SELECT %(oid)s::oid AS oid UNION SELECT i.inhrelid FROM pg_inherits i JOIN tree t ON i.inhparent = t.oid)
SELECT (coalesce(max(pg_relation_size(c.oid)), 0) / current_setting('block_size')::int)::bigint,
  coalesce(sum(pg_table_size(c.oid)), 0)::bigint, sum(greatest(c.reltuples, 0))::bigint,
  bool_and(c.relkind = 'p' OR c.relkind IN ('r', 'm') AND coalesce(a.amname, 'heap') = 'heap')
    AND has_table_privilege(%(oid)s, 'SELECT')
FROM tree JOIN pg_class c USING (oid) LEFT JOIN pg_am a ON a.oid = c.relam AND a.amtype = 't'"""
_FIRST_VERSION_WITH_PAGE_SCANS = (
    140000  # before, a range of ctid read the whole table: https://www.postgresql.org/docs/14/release-14.html
)


def table_size(session: Session[Any], table: TableName) -> TableSize:
    """The size of a table with all its partitions. pages: those of the largest heap.

    It has none, and does not tell, where the user may read some columns only: a row's place and its transaction are columns too; nor
    where it is stored otherwise than as a heap.
    """
    row = session.execute(_SIZE, {"oid": table.oid}).fetchone()
    assert row is not None
    pages, size, rows, paged = row
    if not paged or session.info.server_version < _FIRST_VERSION_WITH_PAGE_SCANS:
        pages = 0
    return TableSize(int(pages), int(size), int(rows), bool(paged))


def estimated_size(session: Session[Any], table: TableName) -> Size:
    """The planner's estimate, which covers views, partitions and tables that were never analysed; nothing of the table is read.

    bytes: on disk, with values stored out of line; for a relation that is not stored, such as a view, those of its rows.
    """
    told = session.execute(f"EXPLAIN (FORMAT JSON) SELECT * FROM {table.quoted}").fetchone()
    assert told is not None
    plan, stored = told[0][0]["Plan"], table_size(session, table).bytes
    rows = int(plan["Plan Rows"])
    return Size(rows, stored or rows * int(plan["Plan Width"]))
