"""Finds policies (Virtual Private Database) that hide rows of a table from the secret's user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slices.collect.oracle.catalog import TableName, rows

if TYPE_CHECKING:
    from oracledb import Connection as Session

_POLICIES = """SELECT DISTINCT policy_name FROM all_policies
WHERE object_owner = :owner AND object_name = :name AND sel = 'YES' AND enable = 'YES' ORDER BY policy_name"""
_EXEMPT = "SELECT 1 FROM session_privs WHERE privilege = 'EXEMPT ACCESS POLICY'"


def hiding(session: Session, table: TableName) -> str:
    """What is to be said of a table's policies that hold for the user; '' where none do."""
    found = [name for (name,) in rows(session, _POLICIES, table.binds)]
    if not found or rows(session, _EXEMPT):
        return ""
    return f"the policies {', '.join(found)} of {table.schema}.{table.name} hold for the secret's user"
