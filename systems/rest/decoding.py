"""Bodies of answers that are no JSON document: JSON lines, CSV, and what is packed by gzip."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared_metadata.contract.gzipped import TooLarge, Unpackable, unpack
from shared_metadata.errors import DefinitionError, RetryLater
from shared_metadata.program.json_types import word_of
from systems.rest.columns import properties_of
from systems.rest.manifest import Node
from systems.rest.records import is_plain
from systems.rest.unread import unread

PACKED = b"\x1f\x8b"  # https://www.rfc-editor.org/rfc/rfc1952
MOST_BYTES = 512 << 20  # of one answer, unpacked
LINES, CSV, JSON, ITERABLE = "lines", "csv", "json", "iterable"
# https://docs.airbyte.com/platform/connector-development/config-based/understanding-the-yaml-file/reference
KINDS: Mapping[str, str] = {
    **{"JsonDecoder": JSON, "JsonParser": JSON, "JsonlDecoder": LINES, "JsonLineParser": LINES},
    **{"CsvDecoder": CSV, "CsvParser": CSV, "IterableDecoder": ITERABLE},
}
WRAPPERS: Mapping[str, str] = {"GzipDecoder": "decoder", "GzipParser": "inner_parser", "CompositeRawDecoder": "parser"}


@dataclass(frozen=True)
class Decoded:
    """document: what expressions see as the response.  elements: of a body of several, each; None of one that is a document itself.

    records: the text of the records as a list in JSON, where the body has one; else None.
    """

    document: Any
    elements: list[Any] | None = None
    records: bytes | None = None


def decoded(stream: Mapping[str, Node], body: bytes, path: Sequence[str], place: str) -> Decoded:
    """Decodes a body as the stream's decoder says. Raises RetryLater for one that is not so: what it would hold is not nothing.

    path: where the records are; of a plain stream they are left unread.
    """
    how, packed = _how(stream["retriever"].get("decoder"))
    kind = KINDS[how["type"]]
    if packed and body.startswith(PACKED):
        body = _unpacked(body, place)
    try:
        if kind == JSON:
            found = unread(body, path) if is_plain(stream) else None
            return Decoded(found[0], None, found[1]) if found else Decoded(json.loads(body) if body.strip() else {})
        elements, written = _elements(kind, how, stream, body, place)
    except (ValueError, csv.Error):
        raise RetryLater(f"an answer is no {kind.upper() if kind != LINES else 'JSON lines'}", place=place) from None
    return Decoded(elements[0] if elements else {}, elements, None if path else written)


def _elements(
    kind: str, how: Mapping[str, Node], stream: Mapping[str, Node], body: bytes, place: str
) -> tuple[list[Any], bytes | None]:
    """The elements of a body, and what of it is JSON as it is."""
    if kind == LINES:
        written = b"[" + b",".join(line for line in body.splitlines() if line.strip()) + b"]"
        return json.loads(written), written
    text = body.decode(how.get("encoding") or "utf-8")
    if kind == ITERABLE:
        return [{"record": line} for line in text.splitlines()], None
    delimiter = codecs.decode(str(how.get("delimiter") or ","), "unicode_escape")
    nulls = set(how.get("set_values_to_none") or ())
    # A CSV knows no null: an empty field of another type than a text is one.
    others = {name for name, node in properties_of(stream).items() if word_of(node) != "string"}
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows = under_header([row for number, row in enumerate(lines) if row or not number], "a CSV", place, missing=None)
    return [{k: None if v in nulls or (v == "" and k in others) else v for k, v in row.items()} for row in rows], None


def under_header(rows: Sequence[Any], what: str, place: str, missing: Any = "") -> list[dict[str, Any]]:
    """Rows by the names that the first of them holds.

    Raises DefinitionError where a value would be lost. what: names the rows in it.  missing: of what a row has not at its end.
    """
    header, *others = rows or [[]]
    if not all(isinstance(row, list) for row in rows):
        raise DefinitionError(f"{what} has a line that is no list", place=place, remedy="leave `header` out of the overlay")
    if twice := sorted({str(name) for name in header if name and header.count(name) > 1}):
        raise DefinitionError(
            f"{what} has the column {twice[0]} twice", place=place, remedy="call its columns by different names there"
        )
    if any(value not in ("", None) for row in others for value in row[len(header) :]):
        raise DefinitionError(f"a line of {what} has more values than its header", place=place, remedy="name all columns there")
    return [dict(itertools.zip_longest(header, row[: len(header)], fillvalue=missing)) for row in others]


def _how(decoder: Node) -> tuple[Mapping[str, Node], bool]:
    """The innermost decoder, and whether one around it unpacks."""
    found, packed = decoder or {"type": "JsonDecoder"}, False
    while inner := WRAPPERS.get(found["type"]):
        packed = packed or found["type"].startswith("Gzip")
        found = found.get(inner) or {"type": "JsonDecoder"}
    return found, packed


def _unpacked(body: bytes, place: str) -> bytes:
    """Raises RetryLater for what is cut off, DefinitionError for more than a function holds."""
    try:
        return unpack(body, MOST_BYTES)
    except TooLarge as error:
        remedy = "ask for less at once: pages, or a shorter `step` of its cursor"
        raise DefinitionError(f"an answer {error}", place=place, remedy=remedy) from None
    except Unpackable as error:
        raise RetryLater(f"an answer that is packed {error}", place=place) from None
