"""Writes the records of batches that age as Parquet files into the data bucket, where any engine can read them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

from shared_metadata import naming
from shared_metadata.contract.runtime.services import Services
from shared_metadata.program.intervals import from_text

COMPRESSION = "zstd"


def keep(services: Services, flow: str, tables: Sequence[Mapping[str, Any]]) -> str:
    """Writes items of tables of batches, a row each; the object's key.

    The same items are the same object. What an interruption has written stays there beside what is written again: a row may be there
    twice, and none is ever lost.
    """
    body = _parquet([_row(values) for values in tables])
    first, last = (f"{from_text(tables[at]['start']):%Y%m%dT%H%M%SZ}" for at in (0, -1))
    digest = hashlib.sha256(body).hexdigest()[:12]
    key = f"{naming.history_prefix(flow)}{first}-{last}-{digest}.parquet"
    services.s3.put_object(Bucket=services.environment.atoll_data_bucket, Key=key, Body=body)
    return key


def _row(values: Mapping[str, Any]) -> dict[str, Any]:
    outcome, worker = values.get("outcome", {}), values["worker"]
    said = {name: outcome.get(name) for name in ("status", "rows", "rejected", "bytes", "schema_version", "error")}
    texts = {name: json.dumps(outcome.get(name), sort_keys=True) for name in ("pointer", "reads") if outcome.get(name) is not None}
    return {
        **{name: values[name] for name in ("flow", "dataset", "program_version")},
        **{name: from_text(values[name]) for name in ("start", "end")},
        **{name: worker[name] for name in ("token", "owner")},
        **said,
        "seconds": float(outcome.get("seconds", 0.0)),
        **texts,
    }


def _parquet(rows: list[dict[str, Any]]) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    moment, into = pa.timestamp("us", tz="UTC"), BytesIO()
    columns = {
        "flow": pa.string(),
        "dataset": pa.string(),
        "start": moment,
        "end": moment,
        "status": pa.string(),
        "rows": pa.int64(),
        "rejected": pa.int64(),
        "bytes": pa.int64(),
        "seconds": pa.float64(),
        "token": pa.int64(),
        "schema_version": pa.int64(),
        "program_version": pa.string(),
        "owner": pa.string(),
        "error": pa.string(),
        "pointer": pa.string(),
        "reads": pa.string(),
    }
    parquet.write_table(pa.Table.from_pylist(rows, pa.schema(list(columns.items()))), into, compression=COMPRESSION)
    return into.getvalue()
