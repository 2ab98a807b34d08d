"""The messages of a tap, a line each: what one says, and what is refused of it, with the line's number."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared_metadata.errors import DefinitionError
from systems.singer.catalog import Stream, type_and_word

# How taps write a record, nearly all of them: such a line goes to DuckDB as it came, and no Python object is made of it.
_PLAIN = re.compile(rb'\s*\{\s*"type"\s*:\s*"RECORD"\s*,\s*"stream"\s*:\s*("(?:[^"\\]|\\.)*")\s*,\s*"record"\s*:\s*\{')
_VERSION = re.compile(rb'"version"\s*:')
STDOUT = "a tap writes messages to its standard output, and whatever else to its standard error"


@dataclass(frozen=True)
class Message:
    """kind: 'RECORD', 'STATE', 'SCHEMA' or 'ACTIVATE_VERSION'; '' for one of another stream.  version: of the table."""

    kind: str
    value: Any = None
    version: int | None = None


RECORD, OTHER = Message("RECORD"), Message("")


class Reader:
    """Reads the lines of one run.  place: of the table.  fields: those that are collected, with their types at the source."""

    def __init__(self, stream: Stream, fields: Mapping[str, str], place: str) -> None:
        self._stream, self._fields, self._place = stream, fields, place
        self._own = json.dumps(stream.id).encode()
        self.number, self._told = 0, False

    def read(self, line: bytes) -> Message:
        """Raises DefinitionError for a line that is no message, or contradicts the catalog."""
        self.number += 1
        plain = _PLAIN.match(line)
        if plain and plain[1] == self._own and self._told and not _VERSION.search(line):
            return RECORD
        found = self._parsed(line)
        kind, stream = found.get("type"), found.get("stream")
        if kind == "STATE":
            if "value" not in found:
                raise self._wrong("is a STATE without a value")
            return Message("STATE", found["value"])
        if kind not in ("RECORD", "SCHEMA", "ACTIVATE_VERSION"):
            raise self._wrong("is a message of a kind that is not read here", "use a version of the tap that writes RECORD messages")
        if not isinstance(stream, str):
            raise self._wrong(f"is a {kind} without its stream")
        if stream != self._stream.id:
            return OTHER
        return self._of_stream(kind, found)

    def _of_stream(self, kind: str, found: Mapping[str, Any]) -> Message:
        version = found.get("version")
        if version is not None and not isinstance(version, int):
            raise self._wrong(f"is a {kind} whose version is no number")
        if kind == "SCHEMA":
            self._check(found.get("schema"))
        elif not self._told:
            raise self._wrong(f"is a {kind} before its SCHEMA")
        elif kind == "RECORD" and not isinstance(found.get("record"), dict):
            raise self._wrong("is a RECORD without a record")
        return Message(kind, None, version)

    def _check(self, schema: Any) -> None:
        """Compares a SCHEMA with the catalog: values that would be read as another type than they have are read as none."""
        properties = schema.get("properties") if isinstance(schema, dict) else None
        if not isinstance(properties, dict):
            raise self._wrong("is a SCHEMA without properties")
        said = self._stream.said.get("types") or {}
        for name, kind in self._fields.items():
            if name in said:
                continue
            found = type_and_word(properties[name])[0] if name in properties else ""
            if found != kind:
                how = f"says of {name} that it is {found}" if found else f"has no {name}"
                raise self._wrong(
                    f"is a SCHEMA that {how}, and the catalog says {kind}",
                    "discover again; where the tap's catalog is wrong, say the field's type in tap.yaml, below `types`",
                )
        self._told = True

    def _parsed(self, line: bytes) -> Mapping[str, Any]:
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            raise self._wrong("is no JSON") from None
        if not isinstance(found, dict) or not isinstance(found.get("type"), str):
            raise self._wrong("is no message")
        return found

    def _wrong(self, what: str, remedy: str = STDOUT) -> DefinitionError:
        return DefinitionError(f"line {self.number:,} of what the tap writes {what}", place=self._place, remedy=remedy)


def not_json(lines: bytes) -> int:
    """The number of the first line that is no JSON, from 1; 0 where all are."""
    for number, line in enumerate(lines.splitlines(), 1):
        try:
            json.loads(line)
        except (ValueError, RecursionError):
            return number
    return 0


__all__ = ["OTHER", "RECORD", "Message", "Reader", "not_json"]
