"""Pages: how many records one has, and what the next one is asked by."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from systems.rest.expressions import Expressions
from systems.rest.manifest import Node

ContextOf = Callable[[Mapping[str, Node]], dict[str, Any]]
_LINK = re.compile(r'<([^>]*)>[^,]*?;\s*rel="?([^",;]+)"?')


class Paging:
    """The pages of streams. context_of: what the expressions of a component see."""

    def __init__(self, expressions: Expressions, context_of: ContextOf) -> None:
        self._expressions, self._context_of = expressions, context_of

    def first(self, paginator: Node) -> Any:
        """The token of a first page; None where it is asked for without one."""
        strategy = (paginator or {}).get("pagination_strategy") or {}
        if strategy.get("type") not in ("PageIncrement", "OffsetIncrement") or not strategy.get("inject_on_first_request"):
            return None
        return self._first_number(strategy)

    def following(self, paginator: Node, document: Any, headers: Mapping[str, str], records: Sequence[Any], token: Any) -> Any:
        """The token of the page after the one that `token` gave; None where it was the last."""
        if not paginator or paginator["type"] == "NoPagination":
            return None
        strategy = paginator["pagination_strategy"]
        if strategy["type"] == "CursorPagination":
            return self._of_cursor(strategy, document, headers, records)
        size = self.size(strategy, document)
        if not records or (size and len(records) < size):
            return None
        return (self._first_number(strategy) if token is None else int(token)) + (
            1 if strategy["type"] == "PageIncrement" else len(records)
        )

    def size(self, strategy: Mapping[str, Node], document: Any = None) -> int | None:
        """How many records a full page has; None where nothing says so."""
        found = strategy.get("page_size")
        value = self._expressions.value(found, {**self._context_of(strategy), "response": document or {}})
        return None if value is None else int(value)

    def _of_cursor(self, strategy: Mapping[str, Node], document: Any, headers: Mapping[str, str], records: Sequence[Any]) -> Any:
        links = {rel: {"url": url, "rel": rel} for url, rel in _LINK.findall(headers.get("link", ""))}
        seen = {
            **self._context_of(strategy),
            "response": document,
            "headers": {**headers, "link": links},
            "last_record": records[-1] if records else None,
            "last_page_size": len(records),
            "page_size": self.size(strategy, document),
        }
        stop = strategy.get("stop_condition")
        if stop is not None and self._expressions.truth(stop, seen):
            return None
        return self._expressions.value(strategy["cursor_value"], seen, default="") or None

    @staticmethod
    def _first_number(strategy: Mapping[str, Node]) -> int:
        return int(strategy.get("start_from_page") or 0) if strategy["type"] == "PageIncrement" else 0
