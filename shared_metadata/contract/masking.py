"""Hashes collected columns on their way into Parquet: HMAC-SHA-256, computed by DuckDB in the statement that writes the file.

The key stands in no statement and no plan, but in a table of one row that the statement reads: what DuckDB says of a statement, in
errors and profiles, never holds it. Equal texts have equal hashes under one key, whatever table and batch they come from.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shared_metadata.errors import DefinitionError, SecretError
from shared_metadata.program import Flow, Mask, Table
from shared_metadata.records import Schema

if TYPE_CHECKING:
    import duckdb

KEY_FIELD = "key"
SHORTEST_KEY = 32  # characters; shorter ones could be tried out beside the values that are to be hidden
BLOCK_BYTES = 64  # of SHA-256: https://www.rfc-editor.org/rfc/rfc2104
KEY_TABLE = "atoll_mask_key"


@dataclass(frozen=True)
class Hashing:
    """The columns of a table to hash, and with what."""

    columns: frozenset[str] = frozenset()
    key: bytes = field(default=b"", repr=False)

    def prepare(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Lets statements of this connection and its cursors use `value` and `joined`."""
        if not self.columns:
            return
        key = self.key if len(self.key) <= BLOCK_BYTES else hashlib.sha256(self.key).digest()
        pads = [bytes(byte ^ pad for byte in key.ljust(BLOCK_BYTES, b"\0")) for pad in (0x36, 0x5C)]
        connection.execute(f"CREATE OR REPLACE TABLE {KEY_TABLE} (atoll_inner BLOB, atoll_outer BLOB)")
        connection.execute(f"INSERT INTO {KEY_TABLE} VALUES (?, ?)", pads)
        # The rows are to stream past the key, and never to be gathered for it.
        connection.execute("SET disabled_optimizers = 'join_order,build_side_probe_side'")

    def value(self, column: str, expression: str, iceberg: str) -> str:
        """The SQL of a column's value; null stays null. iceberg: the type of `expression`, of whose text the hash is made."""
        if column not in self.columns:
            return expression
        content = expression if iceberg == "binary" else f"encode(CAST({expression} AS VARCHAR))"
        return f"sha256({KEY_TABLE}.atoll_outer || unhex(sha256({KEY_TABLE}.atoll_inner || {content})))"

    @property
    def joined(self) -> str:
        """What follows in FROM."""
        return f" CROSS JOIN {KEY_TABLE}" if self.columns else ""


NO_HASHING = Hashing()


def hashing(table: Table, secret: Mapping[str, Any], reference: str, place: str) -> Hashing:
    """What hashes the table's columns. Raises SecretError for a secret that holds no fit key."""
    key = secret.get(KEY_FIELD)
    if not isinstance(key, str) or len(key) < SHORTEST_KEY:
        raise SecretError(
            f"the secret {reference} of the mask key holds no `{KEY_FIELD}` of {SHORTEST_KEY} characters or more",
            place=place,
            remedy=f'store {{"{KEY_FIELD}": "…"}} with what `openssl rand -hex 32` gives; another key makes other hashes',
        )
    return Hashing(table.masked(Mask.HASH), key.encode())


def without_dropped(flow: Flow, table: Table) -> Flow:
    """The flow without the columns that it names and drops; of a table that is collected whole it names none."""
    dropped = table.masked(Mask.DROP)
    columns = tuple(column for column in flow.columns if column.name not in dropped)
    if flow.columns and not columns:
        raise DefinitionError(f"MASK drops every column of {table.dataset}", place=str(flow.position), remedy="leave one")
    return dataclasses.replace(flow, columns=columns)


def as_masked(schema: Schema, table: Table) -> Schema:
    """The schema of what is written: hashes are strings."""
    hashed = table.masked(Mask.HASH)
    columns = (dataclasses.replace(c, type="string") if c.name in hashed else c for c in schema.columns)
    return Schema(tuple(columns))
