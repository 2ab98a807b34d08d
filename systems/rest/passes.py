"""Reads numbered pages again until two passes bring the same records: what moves between two pages is in neither."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from shared_metadata.errors import RetryLater
from systems.rest.manifest import Node

NUMBERED = ("PageIncrement", "OffsetIncrement")
MOST_PASSES = 10
DIGESTS = 1 << 64


class Moving(RetryLater):
    """Records move between pages faster than these can be read."""


def moving(stream: Mapping[str, Node]) -> Moving:
    return Moving(
        f"the pages of {stream['name']} move faster than they can be read: {MOST_PASSES} passes all differ",
        remedy="nothing, it is tried again; where its pages are no numbers, say `pages: values` in the overlay",
    )


def is_numbered(stream: Mapping[str, Node], overlay: Mapping[str, Any]) -> bool:
    """Whether pages are numbers or offsets, by the overlay or else by what the manifest calls them. overlay: of this table."""
    said = overlay.get("pages")
    strategy = (stream["retriever"].get("paginator") or {}).get("pagination_strategy") or {}
    return said == "numbers" if said else strategy.get("type") in NUMBERED


def digest(records: Iterable[Any], key: Sequence[str]) -> int:
    """A number made of some records, whatever their order. key: fields that tell records apart; none where the whole record does."""
    return sum(_digest(record, key) for record in records) % DIGESTS


def _digest(record: Any, key: Sequence[str]) -> int:
    told = [record.get(field) for field in key] if key and isinstance(record, dict) else record
    text = json.dumps(told, sort_keys=True, default=str).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")
