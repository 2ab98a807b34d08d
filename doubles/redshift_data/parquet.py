"""COPY and UNLOAD of Parquet, by the rights of the role that they name.

https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-columnar.html and …/r_UNLOAD.html
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from botocore.exceptions import ClientError

from doubles.redshift_data.errors import StatementFailed, syntax, unknown
from doubles.redshift_data.words import STRINGS, Said, dotted, word

OpenS3 = Callable[[str], Any]  # the ARN of a role ▸ a client of S3 by its rights; raises StatementFailed
# What Redshift Spectrum, which reads the files, takes for a column of each type: neither moments with a zone nor times of day.
# https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_EXTERNAL_TABLE.html
_FITS: dict[str, Callable[[pa.DataType], bool]] = {
    "smallint": pa.types.is_int16,
    "integer": pa.types.is_int32,
    "bigint": pa.types.is_int64,
    "real": pa.types.is_float32,
    "double precision": pa.types.is_float64,
    "boolean": pa.types.is_boolean,
    "date": pa.types.is_date32,
    "timestamp without time zone": pa.types.is_timestamp,
    "character": lambda kind: bool(pa.types.is_string(kind) or pa.types.is_large_string(kind)),
    "bytea": lambda kind: bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind)),
}


@dataclass(frozen=True)
class Column:
    name: str
    type: str
    precision: int | None
    scale: int | None


def copy(connection: psycopg.Connection[Any], said: Said, opens: OpenS3) -> int:
    """Runs a COPY, and gives the number of its rows. Raises StatementFailed."""
    tokens, words = said.tokens, [word(token) for token in said.tokens]
    table, at = dotted(tokens, 1)
    if words[at] != "FROM" or tokens[at + 1].token_type not in STRINGS:
        raise unknown("COPY with a list of columns")
    url, options = tokens[at + 1].text, words[at + 2 :]
    given = {option: tokens[at + 2 + number + 1].text for number, option in enumerate(options) if option == "IAM_ROLE"}
    for option in options:
        if option and option not in ("IAM_ROLE", "FORMAT", "AS", "PARQUET", "MANIFEST", "FILLRECORD", "STATUPDATE", "ON", "OFF"):
            raise StatementFailed(f"{option} argument is not supported for PARQUET based COPY")
    if "PARQUET" not in options or "IAM_ROLE" not in given:
        raise unknown("COPY of another format than PARQUET, or without IAM_ROLE")
    if "MANIFEST" not in options:
        raise unknown("COPY without MANIFEST")
    s3, columns = opens(given["IAM_ROLE"]), _columns(connection, table)
    quoted = ".".join(f'"{part}"' for part in table.split(".", 1))
    rows = 0
    with connection.cursor().copy(f"COPY {quoted} FROM STDIN") as into:
        for entry in _entries(s3, url):
            for row in _rows(_body(s3, entry["url"]), columns, entry["url"]):
                into.write_row(row)
                rows += 1
    return rows


def unload(connection: psycopg.Connection[Any], said: Said, opens: OpenS3, query: Callable[[str], str]) -> int:
    """Runs an UNLOAD, and gives the number of its rows.  query: brings its query into PostgreSQL's words. Raises StatementFailed."""
    tokens, words = said.tokens, [word(token) for token in said.tokens]
    if words[1] != "(" or tokens[2].token_type not in STRINGS or words[3:5] != [")", "TO"]:
        raise syntax("UNLOAD")
    options, prefix = words[6:], tokens[5].text
    role = next((tokens[6 + n + 1].text for n, option in enumerate(options) if option == "IAM_ROLE"), "")
    if "PARQUET" not in options or not role:
        raise unknown("UNLOAD to another format than PARQUET, or without IAM_ROLE")
    cursor = connection.execute(query(tokens[2].text).encode())
    s3, bucket, key = opens(role), *_place(prefix)
    rows = cursor.fetchall()
    table = _as_arrow(cursor.description or (), rows)
    entries = list[dict[str, Any]]()
    if rows:
        out = io.BytesIO()
        pq.write_table(table, out)
        entries.append({"url": f"s3://{bucket}/{key}0000_part_00.parquet", "rows": len(rows), "bytes": len(out.getvalue())})
        _put(s3, bucket, f"{key}0000_part_00.parquet", out.getvalue())
    if "MANIFEST" in options:
        listed = [{"url": e["url"], "meta": {"content_length": e["bytes"], "record_count": e["rows"]}} for e in entries]
        meta = {"content_length": sum(e["bytes"] for e in entries), "record_count": len(rows)}
        _put(s3, bucket, f"{key}manifest", json.dumps({"entries": listed, "meta": meta}).encode())
    return len(rows)


def _columns(connection: psycopg.Connection[Any], table: str) -> list[Column]:
    schema, _, name = table.rpartition(".")
    found = connection.execute(
        "SELECT column_name, data_type, numeric_precision, numeric_scale FROM information_schema.columns "
        "WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position",
        (schema, name),
    ).fetchall()
    if not found:
        raise StatementFailed(f'relation "{table}" does not exist')
    return [Column(*row) for row in found]


def _entries(s3: Any, url: str) -> Sequence[Mapping[str, Any]]:
    """The files of a manifest, each with its length, without which Parquet is not read."""
    try:
        entries = json.loads(_body(s3, url))["entries"]
    except (ValueError, KeyError):
        raise StatementFailed(f"Manifest file is not in correct json format: {url}") from None
    for entry in entries:
        if "content_length" not in entry.get("meta", {}):
            raise StatementFailed("Invalid S3 manifest: content_length is required for columnar files")
    return list(entries)


def _rows(body: bytes, columns: Sequence[Column], url: str) -> Any:
    table = pq.read_table(io.BytesIO(body))
    if len(table.schema) != len(columns):
        raise StatementFailed(
            f"Unmatched number of columns between table and file. Table columns: {len(columns)}, Data columns: {len(table.schema)}, "
            f"File name: {url}"
        )
    for column, part in zip(columns, table.schema, strict=True):
        if not _fits(column, part.type):
            raise StatementFailed(f"Spectrum Scan Error: File '{url}' has an incompatible Parquet schema for column '{column.name}'")
    for row in table.to_pylist():
        yield [_as_text(value) for value in row.values()]


def _as_text(value: Any) -> Any:
    """A value as COPY takes it: a moment without its zone, bytes in hex."""
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    return value.replace(tzinfo=None) if getattr(value, "tzinfo", None) else value


def _fits(column: Column, kind: pa.DataType) -> bool:
    if column.type == "numeric":
        return bool(pa.types.is_decimal(kind) and (kind.precision, kind.scale) == (column.precision, column.scale))
    return column.type in _FITS and _FITS[column.type](kind)


def _as_arrow(description: Sequence[Any], rows: Sequence[Sequence[Any]]) -> pa.Table:
    """Columns of one name are told apart by their places."""
    fields = [pa.field(one.name, _arrow(one)) for one in description]
    arrays = [pa.array([row[n] for row in rows], part.type) for n, part in enumerate(fields)]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _arrow(one: Any) -> pa.DataType:
    """What UNLOAD writes."""
    name = psycopg.adapters.types[one.type_code].name if psycopg.adapters.types.get(one.type_code) else "text"
    if name == "numeric":
        return pa.decimal128(one.precision or 38, one.scale or 0)
    known = {"bool": pa.bool_(), "int2": pa.int16(), "int4": pa.int32(), "int8": pa.int64(), "float4": pa.float32()}
    known |= {"float8": pa.float64(), "date": pa.date32(), "timestamp": pa.timestamp("us"), "bytea": pa.binary()}
    if name == "timestamptz":
        raise unknown("UNLOAD of a moment with a zone to PARQUET")
    return known.get(name, pa.string())


def _place(url: str) -> tuple[str, str]:
    bucket, _, key = url.removeprefix("s3://").partition("/")
    return bucket, key


def _body(s3: Any, url: str) -> bytes:
    bucket, key = _place(url)
    try:
        return bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    except ClientError as error:
        raise _refused(error, key) from None


def _put(s3: Any, bucket: str, key: str, body: bytes) -> None:
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=body)
    except ClientError as error:
        raise _refused(error, key) from None


def _refused(error: ClientError, key: str) -> StatementFailed:
    """https://docs.aws.amazon.com/redshift/latest/dg/s3serviceexception-error.html"""
    code = error.response["Error"]["Code"]
    status = 403 if code in ("AccessDenied", "403") else 404
    said = "Access Denied" if status == 403 else "The specified key does not exist."
    return StatementFailed(
        f"S3ServiceException:{said},Status {status},Error {'AccessDenied' if status == 403 else code},Rid 0,Key {key}"
    )
