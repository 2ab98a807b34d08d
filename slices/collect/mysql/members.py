"""Tells by what the values of a table's rows change while none of them is written, and no cursor moves."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from systems.mysql.catalog import TableName
from systems.sql_source.members import Member

if TYPE_CHECKING:
    from pymysql import Connection as Session

# MariaDB writes a default that is none as NULL, and of a column that takes no null older rows have the type's own: 0 or ''.
_COLUMNS = """SELECT column_name, is_nullable = 'YES' AND coalesce(column_default, 'NULL') = 'NULL',
  CASE WHEN extra LIKE '%%VIRTUAL%%' THEN generation_expression ELSE '' END
FROM information_schema.columns WHERE table_schema = %s AND table_name = %s"""


def members_of_table(session: Session[Any], table: TableName, read: Collection[str]) -> tuple[Member, ...]:
    """A member for each column that is read: one that comes with a value, or computes another one, changes rows of any age."""
    with session.cursor() as cursor:
        cursor.execute(_COLUMNS, (table.schema, table.name))
        columns = cursor.fetchall()
    numbered = [(_number(f"{table.schema}.{table.name}.{name}"), name, *said) for name, *said in columns if name in read]
    return tuple(
        Member(number, _number(computes) if computes else number, name, empty=bool(without))
        for number, name, without, computes in numbered
    )


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6])
