"""Unpacks events and gathers them as lines that DuckDB reads; one that cannot be unpacked is a line too, with the reason."""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from shared_metadata.contract.gzipped import Unpackable, unpack
from shared_metadata.contract.parquet.duckdb_session import literal
from shared_metadata.contract.parquet.lax_json import quoted
from systems.events.columns import Told
from systems.events.exact_numbers import exact

MOST_UNPACKED = 32 << 20  # bytes of one event


class Text(NamedTuple):
    """What an event says; or None with the reason why it says nothing, and then its bytes in base 64."""

    text: str | None
    why: str | None = None
    raw: str | None = None


def unpacked(data: bytes, compression: str) -> Text:
    """compression: 'none', 'gzip'."""
    try:
        found = unpack(data, MOST_UNPACKED) if compression == "gzip" else data
    except Unpackable as error:
        return _none(data, str(error))
    try:
        return Text(found.decode())
    except UnicodeDecodeError:
        return _none(found, "is no text in UTF-8")


def _none(data: bytes, why: str) -> Text:
    return Text(None, why, base64.b64encode(data).decode())


class Lines:
    """Events gathered in a file of the function's own, so that memory does not grow with them. A context manager."""

    def __init__(self, told: Told) -> None:
        self._columns = {"d": "VARCHAR", "x": "VARCHAR", "w": "VARCHAR", "r": "VARCHAR", **told.lines}
        self._file = tempfile.NamedTemporaryFile(suffix=".jsonl")  # noqa: SIM115 - it ends with the lines
        self.count, self.bytes, self._longest = 0, 0, 0

    def add(self, event: Text, told: Mapping[str, Any]) -> None:
        says: dict[str, Any] = {"d": event.text} if event.text is not None else {"w": event.why, "r": event.raw}
        if event.text is not None and (as_it_is_read := quoted(exact(event.text))) is not event.text:
            says["x"] = as_it_is_read
        line = json.dumps(says | dict(told)).encode()
        self._file.write(line + b"\n")
        self.count, self.bytes, self._longest = self.count + 1, self.bytes + len(line), max(self._longest, len(line))

    def relation(self) -> str:
        """What stands in FROM: d, text; x, the same where numbers in d would be rounded, or are none that JSON has; w, why there is
        none, and r, the bytes then; and what the source tells of the event.
        """
        self._file.flush()
        columns = ", ".join(f"{name}: '{kind}'" for name, kind in self._columns.items())
        form = f"format='newline_delimited', auto_detect=false, columns={{{columns}}}, compression='uncompressed'"
        return f"read_json({literal(self._file.name)}, {form}, maximum_object_size={max(self._longest + 1024, 1 << 20)})"

    def clear(self) -> None:
        self._file.seek(0)
        self._file.truncate()
        self.count = self.bytes = self._longest = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
