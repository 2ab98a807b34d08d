"""The door of the collect suite to a bucket: who puts files there puts a row that may be changed into a file of its own."""

from __future__ import annotations

import gzip
import io
import json
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from shared_metadata.contract.collect import OpenSource
from shared_metadata.contract.parquet.duckdb_session import open_duckdb
from shared_metadata.program import Mode
from slices.collect.s3.client import S3Source
from slices.collect.s3.manifests import Manifests
from slices.collect.s3.slice import SLICE
from tests.conformance import hostile
from tests.conformance.collect import Row
from tests.conformance.fixtures import shared_session
from tests.memory.s3 import Stored

TYPES = {
    "string": pa.string(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamptz": pa.timestamp("us", tz="UTC"),
    "int": pa.int32(),
    "long": pa.int64(),
    "place": pa.struct([("city", pa.string()), ("zip", pa.int32())]),
    "place without its zip": pa.struct([("city", pa.string())]),
}
BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)
ROWS_OF_A_FILE = 200
SMALL = 40  # rows at once, each of which gets a file of its own


class S3UnderTest:
    """Folders of a bucket with Parquet files."""

    declaration = SLICE
    incremental: Mapping[str, Any] = {"mode": Mode.MERGE, "key": ("label",), "cursor": "_modified"}
    appending: Mapping[str, Any] = {"mode": Mode.APPEND}
    large_rows, most_columns = 1_000, 500
    hostile_names = hostile.NAMES
    secret: Mapping[str, Any] = {}
    refused_secret: Mapping[str, Any] = {}
    unreachable_secret: Mapping[str, Any] = {}
    secret_values: Sequence[str] = ()
    unreadable_day = "10000"
    moments = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)

    def __init__(self) -> None:
        self.bucket = f"drop-{uuid.uuid4().hex[:12]}"
        self.options: dict[str, Any] = {"bucket": self.bucket, "prefix": "in/", "format": "parquet"}
        self.s3 = shared_session().client("s3")
        self.s3.create_bucket(Bucket=self.bucket)
        self._columns: dict[str, dict[str, str]] = {}
        self._last, self._puts = BEGINNING, 0

    def open_source(self, aws: Any) -> OpenSource:
        return lambda connection, _: S3Source(connection, aws, Manifests(self.s3, self.bucket, "taken/"))

    def create_table(self, columns: Mapping[str, str]) -> str:
        table = f"thing{len(self._columns)}"
        self._columns[table] = dict(columns)
        self._put(table, "0-empty", [], BEGINNING)
        return table

    def put(self, table: str, rows: Sequence[Row], at: datetime) -> None:
        each = 1 if len(rows) <= SMALL else ROWS_OF_A_FILE
        for first in range(0, len(rows), each):
            some = rows[first : first + each]
            self._put(table, _name(some[0]["label"]), some, at)

    def put_slowly(self, table: str, label: str, at: datetime) -> AbstractContextManager[None]:
        return nullcontext()

    def put_unreadable(self, table: str, label: str, at: datetime) -> None:
        self._put(table, _name(label), [{"label": label, "day": date.max}], at, days_later=60)

    def delete(self, table: str, labels: Sequence[str], at: datetime) -> None:
        for label in labels:
            self.s3.delete_object(Bucket=self.bucket, Key=self._key(table, _name(label)))

    def drop_column(self, table: str, column: str) -> None:
        del self._columns[table][column]
        self._changed(table)

    def add_column(self, table: str, column: str, kind: str) -> None:
        self._columns[table][column] = kind
        self._changed(table)

    def retype_column(self, table: str, column: str, kind: str) -> None:
        self._columns[table][column] = kind
        self._changed(table)

    def rename_column(self, table: str, column: str, name: str) -> None:
        """Whoever exports has done so again for all."""
        self._columns[table] = {name if one == column else one: kind for one, kind in self._columns[table].items()}
        for key in list(self._objects):
            if key.startswith(self._key(table, "")) and not key.endswith("empty"):
                found = pq.read_table(io.BytesIO(self._objects[key].body))
                names = [name if one == column else one for one in found.column_names]
                self._store(key, _parquet(found.rename_columns(names)), self._later())
        self._changed(table)

    def drop_table(self, table: str) -> None:
        for key in list(self._objects):
            if key.startswith(self._key(table, "")):
                del self._objects[key]

    def collected_name(self, column: str) -> str:
        return column

    # -- the pieces

    @property
    def _objects(self) -> dict[str, Stored]:
        from tests.conformance.fixtures import _s3

        return _s3().buckets[self.bucket]

    def _key(self, table: str, name: str) -> str:
        return f"in/{table}/{name}"

    def _later(self) -> datetime:
        self._last += timedelta(seconds=1)
        return self._last

    def _changed(self, table: str) -> None:
        """What is exported from now on has these columns."""
        self._put(table, f"{self._later():%Y%m%dT%H%M%S}-empty", [], self._last)

    def _put(self, table: str, name: str, rows: Sequence[Row], at: datetime, days_later: int = 0) -> None:
        self._last = max(self._last, at)
        self._puts += 1  # no two files are the same: one that is would not be taken again
        self._store(self._key(table, name), self._written(self._columns[table], rows, days_later), at)

    def _written(self, columns: Mapping[str, str], rows: Sequence[Row], days_later: int) -> bytes:
        arrays = [pa.array([row.get(column) for row in rows], TYPES[kind]) for column, kind in columns.items()]
        if days_later:
            day = list(columns).index("day")
            since_1970 = [value.as_py().toordinal() - 719163 + days_later for value in arrays[day]]
            arrays[day] = pa.array(since_1970, pa.int32()).cast(pa.date32())
        return _parquet(pa.table(arrays, names=list(columns), metadata={"written": str(self._puts)}))

    def _store(self, key: str, body: bytes, at: datetime) -> None:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)
        stored = self._objects[key]
        self._objects[key] = Stored(stored.body, stored.etag, stored.kind, at)


class CsvUnderTest(S3UnderTest):
    """The same with CSV, gzip: texts, whose types the program says."""

    unreadable_day = "2026-02-31"
    hostile_names = tuple(name for name in hostile.NAMES if name == name.strip())  # spaces around a name in a header are none of it

    def __init__(self) -> None:
        super().__init__()
        self.options["format"] = "csv"

    def _written(self, columns: Mapping[str, str], rows: Sequence[Row], days_later: int) -> bytes:
        file = io.StringIO(newline="")
        file.write(",".join(_quoted(name) for name in columns) + "\r\n")
        for row in rows:
            values = {**row, **({"day": self.unreadable_day} if days_later else {})}
            file.write(",".join(_quoted(_text(values[name])) if values.get(name) is not None else "" for name in columns) + "\r\n")
        return gzip.compress(file.getvalue().encode(), mtime=self._puts)


class AvroUnderTest(S3UnderTest):
    """The same with Avro, as DuckDB writes it out of Parquet."""

    hostile_names = ("select", "from", "where", "null", "order", "_proto", "x" * 63)  # letters, digits and _ only

    def __init__(self) -> None:
        super().__init__()
        self.options["format"] = "avro"

    def _written(self, columns: Mapping[str, str], rows: Sequence[Row], days_later: int) -> bytes:
        return as_avro(super()._written(columns, rows, days_later))


def as_avro(parquet: bytes) -> bytes:
    """The same rows; each file has a mark of its own, so that no two are the same."""
    with tempfile.TemporaryDirectory() as folder, open_duckdb(extensions=("avro",), threads=1) as connection:
        Path(folder, "in").write_bytes(parquet)
        connection.execute(f"COPY (FROM read_parquet('{folder}/in')) TO '{folder}/out' (FORMAT avro)")
        return Path(folder, "out").read_bytes()


class JsonUnderTest(CsvUnderTest):
    """The same with JSON lines."""

    def __init__(self) -> None:
        super().__init__()
        self.options["format"] = "json"

    def _written(self, columns: Mapping[str, str], rows: Sequence[Row], days_later: int) -> bytes:
        """A first object names all keys, as an exporter does that writes nulls."""
        day = {"day": self.unreadable_day} if days_later else {}
        found = [dict.fromkeys(columns) | {name: value for name, value in row.items() if name in columns} | day for row in rows]
        return "".join(f"{' ' * self._puts}{json.dumps(row, ensure_ascii=False, default=_text)}\n" for row in found).encode()


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


def _parquet(rows: pa.Table) -> bytes:
    file = io.BytesIO()
    pq.write_table(rows, file)
    return file.getvalue()


def _name(label: str) -> str:
    return f"{label.encode().hex()[:200]}.parquet"
