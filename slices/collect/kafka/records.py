"""Gathers a partition's events with what the topic tells of them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from slices.collect.kafka.config import Config
from systems.events.lines import Lines, Text, unpacked

if TYPE_CHECKING:
    from confluent_kafka import Message

# https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format
_MAGIC, _HEAD = b"\0", 5
FOREIGN = "is in Confluent's wire format, of which JSON alone is read"
NO_KEY = "has a key that is no text in UTF-8, for which the connection's `key` is 'base64'"


class Gathering:
    """The events of one partition.  newest_ms: the latest time of those events of the batch that came before."""

    def __init__(self, lines: Lines, config: Config, newest_ms: int = 0) -> None:
        self._lines, self._config, self.newest_ms = lines, config, newest_ms

    def add(self, messages: Iterable[Message]) -> None:
        """Events in the partition's order.

        Their sequence rises in that order, whatever times their senders gave them; between partitions the times decide.
        """
        for message in messages:
            kind, at = message.timestamp()
            told: dict[str, Any] = {"p": message.partition(), "o": message.offset()}
            if kind:
                told["t"], self.newest_ms = at, max(self.newest_ms, at)
            told["n"] = f"{self.newest_ms:015d}.{told['p']:06d}.{told['o']:019d}"
            value, key = message.value(), message.key()
            text = self._text(value, key)
            if value is None:
                told["g"] = True
            if key is not None:
                told["k"], unread = _key(key, self._config.key)
                text = unread or text
            headers: Any = message.headers()
            if headers:
                told["h"] = json.dumps([[name, _header(given)] for name, given in headers], ensure_ascii=False)
            self._lines.add(text, told)

    def _text(self, value: bytes | None, key: bytes | None) -> Text:
        """What an event says. One without a value says which key is gone."""
        if value is None:
            if self._config.format == "text":
                return Text(None)
            return unpacked(key, "none") if self._config.key == "json" and key is not None else Text("{}")
        if self._config.format == "json" and value.startswith(_MAGIC) and len(value) > _HEAD:
            if value[_HEAD:].lstrip()[:1] != b"{":
                return Text(None, FOREIGN, base64.b64encode(value).decode())
            value = value[_HEAD:]
        return unpacked(value, "none")


def _key(key: bytes, form: str) -> tuple[str, Text | None]:
    """A key as text, and why it is none."""
    if form == "base64":
        return base64.b64encode(key).decode(), None
    try:
        return key.decode(), None
    except UnicodeDecodeError:
        told = base64.b64encode(key).decode()
        return told, Text(None, NO_KEY, told)


def _header(value: bytes | None) -> Any:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value or b"").decode()}
