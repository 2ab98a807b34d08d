"""COPY INTO from files, INSERT OVERWRITE DIRECTORY, and read_files of what it has written; all of Parquet.

https://docs.databricks.com/aws/en/sql/language-manual/delta-copy-into
"""

from __future__ import annotations

import io
import re
import uuid
from collections.abc import Callable
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import sqlglot
from botocore.exceptions import ClientError
from sqlglot import exp

from doubles.databricks.errors import StatementFailed, syntax, unknown
from doubles.databricks.limits import MOST_FILES
from doubles.databricks.words import duckdb_text

Opens = Callable[[str], tuple[Any, str, str]]  # 's3://bucket/…' ▸ S3's client, the bucket and the key
_NAME = r"`(?:[^`]|``)*`"
_TEXT = r"'(?:[^'\\]|\\.)*'"
_COPY = re.compile(
    rf"COPY INTO (?P<table>{_NAME}\.{_NAME}) FROM \((?P<select>SELECT .*) FROM (?P<folder>{_TEXT})\) FILEFORMAT = PARQUET "
    rf"FILES = \((?P<files>{_TEXT}(?:, {_TEXT})*)\)",
    re.DOTALL,
)
_OUT = re.compile(rf"INSERT OVERWRITE DIRECTORY (?P<folder>{_TEXT}) USING PARQUET (?P<query>.*)", re.DOTALL)
_TOLD = re.compile(rf"SELECT _metadata\.file_path AS url, .* FROM read_files\((?P<folder>{_TEXT}), format => 'parquet'\) GROUP BY .*")


def is_copy(text: str) -> bool:
    return text.startswith("COPY INTO")


def is_out(text: str) -> bool:
    return text.startswith("INSERT OVERWRITE DIRECTORY")


def copied_into(text: str) -> str:
    """The table's name, as DuckDB has it. Raises StatementFailed."""
    found = _COPY.fullmatch(text)
    if found is None:
        raise unknown("COPY INTO without a SELECT and FILES")
    return sqlglot.to_table(found["table"], dialect="databricks").sql("duckdb")


def copy(cursor: duckdb.DuckDBPyConnection, text: str, opens: Opens, loaded: set[str]) -> set[str]:
    """Loads those of its files that are not among `loaded`, and tells which these are."""
    found = _COPY.fullmatch(text)
    assert found is not None
    table = copied_into(text)
    names, folder = [_said(one) for one in re.findall(_TEXT, found["files"])], _said(found["folder"])
    if len(names) > MOST_FILES:
        raise StatementFailed("COPY_INTO_SOURCE_FILES_LIMIT", f"FILES takes at most {MOST_FILES} names.", "22023")
    select = sqlglot.parse_one(f"{found['select']} FROM atoll_copied", dialect="databricks")
    assert isinstance(select, exp.Select)
    kept = ", ".join(f'"{item.alias_or_name.replace(chr(34), chr(34) * 2)}"' for item in select.expressions)
    new = [name for name in names if folder + name not in loaded]
    for name in new:
        given = _read(folder + name, opens)
        if given.num_rows:
            cursor.register("atoll_copied", given)
            try:
                cursor.execute(f"INSERT INTO {table} ({kept}) {duckdb_text(select)}")
            finally:
                cursor.unregister("atoll_copied")
    return {folder + name for name in new}


def _read(url: str, opens: Opens) -> pa.Table:
    s3, bucket, key = opens(url)
    try:
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        raise _missed(error, url) from None
    return pq.read_table(io.BytesIO(body))


def write(cursor: duckdb.DuckDBPyConnection, text: str, opens: Opens) -> None:
    """A query's rows as the files of a directory, of which whatever was there goes."""
    found = _OUT.fullmatch(text)
    if found is None:
        raise syntax("DIRECTORY")
    rows = cursor.execute(duckdb_text(sqlglot.parse_one(found["query"], dialect="databricks"))).to_arrow_table()
    if any(_has_zone(field.type) for field in rows.schema):
        raise unknown("a TIMESTAMP that is written to Parquet, which may be one of 96 bits")
    s3, bucket, key = opens(_said(found["folder"]))
    out, name = io.BytesIO(), f"part-00000-tid-1-{uuid.uuid4()}-1-1-c000.snappy.parquet"
    pq.write_table(rows, out)
    try:
        for listed in s3.list_objects_v2(Bucket=bucket, Prefix=key).get("Contents", ()):
            s3.delete_object(Bucket=bucket, Key=listed["Key"])
        s3.put_object(Bucket=bucket, Key=f"{key}{name}", Body=out.getvalue())
        s3.put_object(Bucket=bucket, Key=f"{key}_SUCCESS", Body=b"")
    except ClientError as error:
        raise _missed(error, f"s3://{bucket}/{key}") from None


def _has_zone(kind: pa.DataType) -> bool:
    if pa.types.is_timestamp(kind):
        return kind.tz is not None
    return any(_has_zone(kind.field(at).type) for at in range(kind.num_fields))


def told_of(text: str, opens: Opens) -> list[tuple[str, int, int]] | None:
    """url, bytes and rows of each file of a directory, where that is asked; None where something else is."""
    found = _TOLD.fullmatch(text)
    if found is None:
        return None
    s3, bucket, key = opens(_said(found["folder"]))
    keys = [
        one["Key"] for one in s3.list_objects_v2(Bucket=bucket, Prefix=key).get("Contents", ()) if one["Key"].endswith(".parquet")
    ]
    bodies = {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}
    return [(f"s3://{bucket}/{key}", len(body), pq.read_metadata(io.BytesIO(body)).num_rows) for key, body in bodies.items()]


def _missed(error: ClientError, url: str) -> StatementFailed:
    """An object that is not there, or to which the storage credential's role has no right."""
    code = error.response["Error"]["Code"]
    if code == "NoSuchKey":
        return StatementFailed("PATH_NOT_FOUND", f"Path does not exist: {url}.", "42K03")
    said = f"Unauthorized access: the storage credential's role reaches {url} not ({code})."
    return StatementFailed("UNAUTHORIZED_ACCESS", said, "42501", "PERMISSION_DENIED")


def _said(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])
