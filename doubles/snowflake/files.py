"""COPY INTO a table and COPY INTO a stage, of Parquet.

https://docs.snowflake.com/en/sql-reference/sql/copy-into-table and …/copy-into-location
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from botocore.exceptions import ClientError
from sqlglot import exp

from doubles.snowflake.errors import StatementFailed, unknown
from doubles.snowflake.words import translated

Stage = Callable[[str], tuple[Any, str, str]]
Copied = tuple[list[tuple[str, str]], list[tuple[Any, ...]], int]  # a result's columns and rows, and how many rows were copied
MOST_FILES = 1000  # of FILES
_PLACE = re.compile(r"@(?P<stage>(?:\"(?:[^\"]|\"\")*\"|\w+)(?:\.(?:\"(?:[^\"]|\"\")*\"|\w+))*)(?:/(?P<path>\S*))?")
_INTO = {"MATCH_BY_COLUMN_NAME": "CASE_SENSITIVE", "USE_LOGICAL_TYPE": "TRUE", "BINARY_AS_TEXT": "FALSE", "FORCE": "TRUE"}
_OUT = {"HEADER": "TRUE", "DETAILED_OUTPUT": "TRUE", "OVERWRITE": "TRUE"}


def copied(cursor: duckdb.DuckDBPyConnection, tree: exp.Copy, stage: Stage) -> Copied:
    """Runs it by what the stage may. Raises StatementFailed."""
    source, options = tree.args["files"][0], _options(tree)
    out = isinstance(source, exp.Subquery)
    wanted = {"TYPE": "PARQUET", **(_OUT if out else _INTO)}
    if other := next((name for name, value in wanted.items() if options.get(name) != value), None):
        raise unknown(f"COPY without {other} = {wanted[other]}")
    place = _PLACE.fullmatch((tree.this if out else source).this.name)
    if place is None:
        raise unknown("COPY without a stage")
    s3, bucket, prefix = stage(place["stage"])
    if out:
        return _out(cursor, source.this, s3, bucket, prefix, place["path"] or "")
    return _into(cursor, tree, options["FILES"], s3, bucket, f"{prefix}{place['path'] or ''}")


def _options(tree: exp.Copy) -> dict[str, Any]:
    """By name, in capitals; of FILES a list."""
    found = dict[str, Any]()
    for one in tree.args.get("params", ()):
        value = one.args.get("expression")
        if isinstance(value, exp.Tuple | exp.Paren):
            found[one.this.name.upper()] = [each.name for each in value.expressions or [value.this]]
        elif value is not None:
            found[one.this.name.upper()] = value.sql("snowflake").upper()
        for part in one.expressions:
            found[part.this.name.upper()] = part.args["value"].sql("snowflake").upper().strip("'")
    return found


def _into(cursor: duckdb.DuckDBPyConnection, tree: exp.Copy, names: list[str], s3: Any, bucket: str, path: str) -> Copied:
    if not 0 < len(names) <= MOST_FILES:
        raise StatementFailed("001128", "22023", f"FILES takes 1 to {MOST_FILES} names")
    target = tree.this.sql("duckdb")
    columns = [row[0] for row in cursor.execute(f"SELECT * FROM {target} LIMIT 0").description or ()]
    rows, total = list[tuple[Any, ...]](), 0
    for name in names:
        try:
            body = s3.get_object(Bucket=bucket, Key=f"{path}{name}")["Body"].read()
        except ClientError as error:
            code = error.response["Error"]["Code"]
            raise StatementFailed("091016" if code == "NoSuchKey" else "003167", "22000", f"Remote file '{name}': {code}") from None
        found = pq.read_table(io.BytesIO(body))
        shared = [column for column in columns if column in found.column_names]
        given = pa.table({column: _plain(found.column(column)) for column in shared})
        if given.num_rows:
            quoted = ", ".join('"' + column.replace('"', '""') + '"' for column in shared)
            cursor.register("atoll_copied", given)
            cursor.execute(f"INSERT INTO {target} ({quoted}) SELECT {quoted} FROM atoll_copied")
            cursor.unregister("atoll_copied")
        total += given.num_rows
        rows.append((name, "LOADED", given.num_rows))
    return [("file", "VARCHAR"), ("status", "VARCHAR"), ("rows_loaded", "BIGINT")], rows, total


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A moment with a zone as what clocks show in UTC."""
    kind = column.type
    return column.cast(pa.timestamp("us")) if pa.types.is_timestamp(kind) and kind.tz else column


def _out(cursor: duckdb.DuckDBPyConnection, query: exp.Expr, s3: Any, bucket: str, prefix: str, path: str) -> Copied:
    found = cursor.execute(translated(query)).to_arrow_table()
    if any(pa.types.is_timestamp(field.type) and field.type.tz for field in found.schema):
        said = "Error encountered when unloading to PARQUET: TIMESTAMP_TZ and LTZ types are not supported"
        raise StatementFailed("002099", "0A000", said)
    names = [("FILE_NAME", "VARCHAR"), ("FILE_SIZE", "BIGINT"), ("ROW_COUNT", "BIGINT")]
    if not found.num_rows:
        return names, [], 0
    out, key = io.BytesIO(), f"{path}data_0_0_0.snappy.parquet"
    pq.write_table(found, out)
    try:
        s3.put_object(Bucket=bucket, Key=f"{prefix}{key}", Body=out.getvalue())
    except ClientError as error:
        raise StatementFailed("003167", "22000", f"Failed to access remote file: {error.response['Error']['Code']}") from None
    return names, [(key, len(out.getvalue()), found.num_rows)], found.num_rows
