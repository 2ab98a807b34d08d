"""Hashes collected columns, and fields of structs, on their way into Parquet: HMAC-SHA-256, by DuckDB, in the statement that writes.

The key stands in no statement and no plan, but in a table of one row that the statement reads: what DuckDB says of a statement, in
errors and profiles, never holds it. Equal texts have equal hashes under one key, whatever table and batch they come from.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shared_metadata.contract.parquet.duckdb_session import literal
from shared_metadata.errors import DefinitionError, SecretError
from shared_metadata.program import Flow, Mask, Masks, Table
from shared_metadata.program.masks import masked_type, only
from shared_metadata.program.masks import without_dropped as clear_type
from shared_metadata.program.schema import Schema
from shared_metadata.program.type_names import TypeName, parsed

if TYPE_CHECKING:
    import duckdb

KEY_FIELD = "key"
SHORTEST_KEY = 32  # characters; shorter ones could be tried out beside the values that are to be hidden
BLOCK_BYTES = 64  # of SHA-256: https://www.rfc-editor.org/rfc/rfc2104
KEY_TABLE = "atoll_mask_key"


@dataclass(frozen=True)
class Hashing:
    """What of a table's columns to hash, and with what."""

    hashed: Masks = field(default_factory=dict)
    key: bytes = field(default=b"", repr=False)

    def prepare(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Lets statements of this connection and its cursors use `value` and `joined`."""
        if not self.hashed:
            return
        key = self.key if len(self.key) <= BLOCK_BYTES else hashlib.sha256(self.key).digest()
        pads = [bytes(byte ^ pad for byte in key.ljust(BLOCK_BYTES, b"\0")) for pad in (0x36, 0x5C)]
        connection.execute(f"CREATE OR REPLACE TABLE {KEY_TABLE} (atoll_inner BLOB, atoll_outer BLOB)")
        connection.execute(f"INSERT INTO {KEY_TABLE} VALUES (?, ?)", pads)
        # The rows are to stream past the key, and never to be gathered for it.
        connection.execute("SET disabled_optimizers = 'join_order,build_side_probe_side'")

    def value(self, column: str, expression: str, iceberg: str) -> str:
        """The SQL of a column's value; null stays null, also that of a struct.

        iceberg: the type of `expression`, of whose text the hash is made; of a struct it should be a plain name, as it is repeated.
        """
        how = self.hashed.get(column)
        return expression if how is None else _hashed(expression, parsed(iceberg), how)

    def salt(self, own: str) -> str:
        """The salt, of 64 bytes at most, of digests of this table's values that are kept from call to call.

        own: a salt that is kept beside them. Where columns are hashed it is not enough: who has no key cannot try values out.
        """
        return hmac.new(self.key, own.encode(), hashlib.sha256).hexdigest() if self.key else own

    @property
    def joined(self) -> str:
        """What follows in FROM."""
        return f" CROSS JOIN {KEY_TABLE}" if self.hashed else ""


NO_HASHING = Hashing()


def _hashed(value: str, kind: TypeName, how: Mask | Masks) -> str:
    if not isinstance(how, Mapping):
        content = value if kind.word == "binary" else f"encode(CAST({value} AS VARCHAR))"
        return f"sha256({KEY_TABLE}.atoll_outer || unhex(sha256({KEY_TABLE}.atoll_inner || {content})))"
    fields = {name: (f"struct_extract({value}, {literal(name)})", part) for name, part in kind.named()}
    written = (
        f"{literal(name)}: {_hashed(field, part, how[name]) if name in how else field}" for name, (field, part) in fields.items()
    )
    return f"CASE WHEN {value} IS NULL THEN NULL ELSE {{{', '.join(written)}}} END"


def hashing(table: Table, secret: Mapping[str, Any], reference: str, place: str) -> Hashing:
    """What hashes the table's columns. Raises SecretError for a secret that holds no fit key."""
    return Hashing(only(Mask.HASH, table.masks), read_mask_key(secret, reference, place))


def read_mask_key(secret: Mapping[str, Any], reference: str, place: str) -> bytes:
    """The key in a secret. Raises SecretError where it is not fit."""
    key = secret.get(KEY_FIELD)
    if not isinstance(key, str) or len(key) < SHORTEST_KEY:
        raise SecretError(
            f"the secret {reference} of the mask key holds no `{KEY_FIELD}` of {SHORTEST_KEY} characters or more",
            place=place,
            remedy=f'store {{"{KEY_FIELD}": "…"}} with what `openssl rand -hex 32` gives; another key makes other hashes',
        )
    return key.encode()


def without_dropped(flow: Flow, table: Table) -> Flow:
    """The flow without the columns, and the fields in its casts, that it drops; of a table that is collected whole it names none."""
    dropped = table.masked(Mask.DROP)
    columns = tuple(column for column in flow.columns if column.name not in dropped)
    if flow.columns and not columns:
        raise DefinitionError(f"MASK drops every column of {table.dataset}", place=str(flow.position), remedy="leave one")
    casts = {name: _of_masked(kind, table, name, clear_type) for name, kind in flow.casts.items() if name not in dropped}
    return dataclasses.replace(flow, columns=columns, casts=casts)


def as_masked(schema: Schema, table: Table) -> Schema:
    """The schema of what is written: hashes are strings."""
    columns = (dataclasses.replace(c, type=_of_masked(c.type, table, c.name, masked_type)) for c in schema.columns)
    return Schema(tuple(columns))


def _of_masked(kind: str, table: Table, column: str, change: Callable[[str, Mask | Masks], str]) -> str:
    return change(kind, table.masks[column]) if column in table.masks else kind
