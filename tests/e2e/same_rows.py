"""Tables of several warehouses as Arrow, and whether two hold the same rows: the values of one as the types that the other has."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import duckdb
import psycopg
import pyarrow as pa
import pytest
from psycopg import sql

from doubles.redshift_data.database import Databases
from infra.embedded import EmbeddedAws
from slices.organize.databricks.logic import DatabricksSql
from slices.organize.snowflake.logic import SnowflakeSql, folded
from systems.sql_warehouse.dialect import table as table_of
from tests.memory import databricks, snowflake

# The warehouses' own column of views that add, and which batch has brought a row last: of what is read whole, each does.
OWN = ("_view_batch", "_batch")
OF_OTHER_SIZES = {psycopg.postgres.types["float4"].oid: pa.float32()}  # than those of Python's numbers


def lake_rows(aws: EmbeddedAws, schema: str, table: str) -> pa.Table:
    """A table of the warehouse `lake`, as any reader of Iceberg finds it in the catalog."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in aws.environment().items():
            patch.setenv(name, value)
        return scanned(aws.session().client("glue"), schema, table)


def scanned(glue: Any, schema: str, table: str) -> pa.Table:
    """A table of the warehouse `lake`, where the environment says whose account it is."""
    from pyiceberg.catalog.glue import GlueCatalog
    from s3fs import S3FileSystem

    S3FileSystem.clear_instance_cache()  # one that an earlier test has opened reads from an account that is gone
    catalog = GlueCatalog("reader", client=glue, **{"py-io-impl": "pyiceberg.io.fsspec.FsspecFileIO"})
    try:
        return catalog.load_table(f"lake_{schema}.{table}").scan().to_arrow()
    finally:
        S3FileSystem.clear_instance_cache()


def redshift_rows(aws: EmbeddedAws, schema: str, table: str, workgroup: str = "atoll-organize-redshift-dwh") -> pa.Table:
    """Past the Data API, which tells numbers and moments as texts: of the database that its double works in."""
    name = Databases(lambda _: None).name(workgroup, "dev")  # type: ignore[arg-type, return-value]
    with psycopg.connect(aws.database(name)) as connection, connection.cursor() as cursor:
        connection.execute("SET TimeZone = 'UTC'")
        cursor.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(schema, table)))
        described, rows = cursor.description or (), cursor.fetchall()
    columns = zip(*rows, strict=True) if rows else [() for _ in described]
    found = zip(described, columns, strict=True)
    return pa.table({column.name: pa.array(values, OF_OTHER_SIZES.get(column.type_code)) for column, values in found})


def snowflake_rows(served: snowflake.Served, schema: str, table: str) -> pa.Table:
    rows = served.arrow(f"SELECT * FROM {table_of(SnowflakeSql(), schema, table)}")
    return rows.rename_columns([folded(name) for name in rows.column_names])


def databricks_rows(served: databricks.Served, schema: str, table: str) -> pa.Table:
    sql = DatabricksSql()
    rows = served.arrow(f"SELECT * FROM {table_of(sql, schema, table)}")
    return rows.rename_columns([sql.name_known(name) for name in rows.column_names])


def as_json(rejected: pa.Table) -> pa.Table:
    """Rejected rows, whose JSON each warehouse lays out in its own way."""
    data = [json.dumps(json.loads(text), sort_keys=True) for text in rejected.column("data").to_pylist()]
    return rejected.set_column(rejected.column_names.index("data"), "data", pa.array(data))


def unlike(one: pa.Table, other: pa.Table, left_out: Sequence[str] = (), *, once: bool = False) -> list[str]:
    """What only one has: columns, or some of the rows. A value is the same if it is after a CAST to the first one's type and back.

    once: whether it does not count how often a row is there.
    """
    here, there = ([name for name in each.column_names if name not in left_out] for each in (one, other))
    if sorted(here) != sorted(there):
        return [f"columns {sorted(here)} and {sorted(there)}"]
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("one", one)
        connection.register("other", other)
        types, own = (
            dict(connection.execute(f"SELECT column_name, column_type FROM (DESCRIBE {name})").fetchall())
            for name in ("one", "other")
        )
        cast = ", ".join(f'CAST("{name}" AS {types[name]}) AS "{name}"' for name in here)
        plain = ", ".join(f'"{name}"' for name in here)
        back = " OR ".join(f'CAST(CAST("{name}" AS {types[name]}) AS {own[name]}) IS DISTINCT FROM "{name}"' for name in here)
        changed = connection.execute(f"SELECT CAST(other AS VARCHAR) FROM other WHERE {back} LIMIT 5").fetchall()
        assert not changed, changed
        mine, theirs = f"SELECT {plain} FROM one", f"SELECT {cast} FROM other"
        only = list[str]()
        for who, (left, right) in {"only the first": (mine, theirs), "only the other": (theirs, mine)}.items():
            apart = f"SELECT CAST(r AS VARCHAR) FROM (({left}) EXCEPT {'' if once else 'ALL'} ({right})) AS r LIMIT 5"
            only += [f"{who}: {row}" for (row,) in connection.execute(apart).fetchall()]
    return only
