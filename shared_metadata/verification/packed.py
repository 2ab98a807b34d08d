"""Records by their keys, each as text until it is asked for: some hundred bytes, where its objects have kilobytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Packed(Mapping[K, V]):
    """made: makes the record of a key and of the plain values that were kept of it; each time anew."""

    def __init__(self, made: Callable[[K, Any], V]) -> None:
        self._made, self._held = made, dict[K, str]()

    def keep(self, key: K, plain: Any) -> None:
        self._held[key] = json.dumps(plain, ensure_ascii=False, separators=(",", ":"))

    def plain(self, key: K) -> Any:
        """The values as they were kept."""
        return json.loads(self._held[key])

    def __getitem__(self, key: K) -> V:
        return self._made(key, self.plain(key))

    def __contains__(self, key: object) -> bool:
        return key in self._held

    def __iter__(self) -> Iterator[K]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)
