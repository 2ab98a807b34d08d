"""A folder in S3 as the harness suite's target: a table is what the manifests name."""

from __future__ import annotations

import io
import json
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from shared_metadata.program.schema import SchemaColumn
from slices.harness.s3.handlers import open_target
from tests.conformance.fixtures import REGION, shared_session
from tests.conformance.harness import Rows


class Target:
    """A bucket of one test's own."""

    slice_id, connection, table, folder = "harness.s3", "shelf", "carriers", "out/carriers/"
    secret: Mapping[str, Any] = {}
    refused: Mapping[str, Any] = {}
    down: Mapping[str, Any] = {}
    open_target = staticmethod(open_target)
    open_catalog: Any = None  # it has nothing to discover

    def __init__(self) -> None:
        self.s3: Any = shared_session().client("s3")
        self.bucket = f"acme-{uuid.uuid4().hex[:12]}"
        self.s3.create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": REGION})  # type: ignore[typeddict-item]
        self.options: Mapping[str, Any] = {"bucket": self.bucket, "prefix": "out/", "format": "parquet"}

    def create(self, columns: Sequence[SchemaColumn], key: Sequence[str]) -> None:
        """A folder is there when something is in it."""

    def insert(self, rows: Rows) -> None:
        """A file that somebody has put beside the published ones, whom no manifest names."""
        body = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows), body)
        self.s3.put_object(Bucket=self.bucket, Key=f"{self.folder}somebodys.parquet", Body=body.getvalue())

    def stored(self) -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        return [found["Key"] for page in pages for found in page.get("Contents", [])]

    def body(self, key: str) -> bytes:
        return self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()  # type: ignore[no-any-return]

    def manifests(self) -> list[dict[str, Any]]:
        """As their readers find them: by their names."""
        return [json.loads(self.body(key)) for key in self.stored() if key.endswith("/manifest.json")]

    def files(self) -> list[str]:
        return [file["key"] for manifest in self.manifests() for file in manifest["files"]]

    def rows(self) -> Rows:
        return [row for key in self.files() for row in pq.read_table(io.BytesIO(self.body(key))).to_pylist()]

    def widen(self, column: str, type: str) -> None:
        """A file has the types of its result."""

    def read_while(self, during: Callable[[], Any]) -> list[int]:
        """Reads the files of the manifest, again and again."""
        seen, stop, started = list[int](), threading.Event(), threading.Event()

        def read() -> None:
            while not stop.is_set():
                seen.append(len(self.rows()))
                started.set()

        reader = threading.Thread(target=read)
        reader.start()
        started.wait(10)
        try:
            during()
        finally:
            stop.set()
            reader.join()
        return seen
