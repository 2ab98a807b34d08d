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
BEGINNING: Mapping[str, Any] = {"number": 1, "before": ("", ""), "pages": 0, "seen": "0", "order": "", "twice": False, "keys": ()}


class Moving(RetryLater):
    """Records move between pages faster than these can be read."""


def moving(stream: Mapping[str, Node]) -> Moving:
    return Moving(
        f"the pages of {stream['name']} move faster than they can be read: {MOST_PASSES} passes all differ",
        remedy="nothing, it is tried again; where its pages are no numbers, say `pages: values` in the overlay, and its `key` where "
        "that is another than the manifest's",
    )


def is_numbered(stream: Mapping[str, Node], overlay: Mapping[str, Any]) -> bool:
    """Whether pages are numbers or offsets, by the overlay or else by what the manifest calls them. overlay: of this table."""
    said = overlay.get("pages")
    strategy = (stream["retriever"].get("paginator") or {}).get("pagination_strategy") or {}
    return said == "numbers" if said else strategy.get("type") in NUMBERED


class Passes:
    """The passes over the numbered pages of one portion.

    key: fields that tell records apart; none where the whole record does.  salt: of digests, which outlive a call; 64 bytes at most.
    A pass that shows a key twice has seen its record move, and does not count. A key that is none stands twice in each: so the last
    one is taken where it is the one before, record by record.
    """

    def __init__(self, key: Sequence[str], salt: str, state: Mapping[str, Any] | None = None) -> None:
        self._key, self._salt, self._at = key, salt.encode(), {**BEGINNING, **(state or {})}
        self._keys = set[int](map(int, self._at.pop("keys")))
        if isinstance(self._at["before"], str):  # of a version that knew no order: this pass is like no other
            self._at |= {"before": ("", ""), "number": min(self._at["number"], MOST_PASSES - 2)}

    def state(self) -> dict[str, Any]:
        """What a later call goes on with, as JSON. 'keys' are as many as the pass has records of a table with a key."""
        return {**self._at, "keys": [*map(str, sorted(self._keys))]}

    def see(self, records: Iterable[Any], last: bool) -> None:
        """Counts a page's records.

        records: as they are shaped, with those that the stream's filter does not take: one of these that goes moves the others, too.
        last: whether no page follows; the records of a single one are not looked at.
        """
        at = self._at
        at["pages"] += 1
        if last and at["pages"] == 1:
            return
        order, seen = self._hash(at["order"]), int(at["seen"])
        for record in records:
            whole = _text(record)
            order.update(whole)
            named = bool(self._key) and isinstance(record, dict) and {*self._key} <= record.keys()
            found = int.from_bytes(self._hash(_text([record[field] for field in self._key]) if named else whole).digest(), "big")
            seen = (seen + found) % DIGESTS
            if self._key:
                at["twice"] = at["twice"] or found in self._keys
                self._keys.add(found)
        at |= {"order": order.hexdigest(), "seen": str(seen)}

    def end(self, stream: Mapping[str, Node]) -> bool:
        """Whether the pass that has ended is to be taken, and else begins another one. Raises Moving after the last."""
        at = self._at
        last, told, before = at["number"] >= MOST_PASSES, [at["seen"], at["order"]], [*at["before"]]
        if at["pages"] == 1 or (told == before if last and at["twice"] else told[0] == before[0] and not at["twice"]):
            return True
        if last:
            raise moving(stream)
        self._at, self._keys = {**BEGINNING, "number": at["number"] + 1, "before": told}, set()
        self._at.pop("keys")
        return False

    def _hash(self, text: str | bytes) -> hashlib.blake2b:
        return hashlib.blake2b(text.encode() if isinstance(text, str) else text, digest_size=8, key=self._salt)


def _text(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, default=str).encode()
