"""What a test has go wrong in a double: faults wait for the next calls or statements in whose words their expression is found."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar


@dataclass(frozen=True)
class Fault:
    """One of a double's kinds.  phase: of what it befalls: a call, a statement …"""

    kind: str
    phase: str


AFault = TypeVar("AFault", bound=Fault)


@dataclass
class _Armed(Generic[AFault]):
    fault: AFault
    match: re.Pattern[str]
    left: int


class Faults(Generic[AFault]):
    """Those that wait.  refused: the error of a kind that there is not."""

    def __init__(self, kinds: Iterable[AFault], refused: Callable[[str], Exception] = ValueError) -> None:
        self._kinds, self._refused = {fault.kind: fault for fault in kinds}, refused
        self._armed: list[_Armed[AFault]] = []
        self._lock = threading.Lock()

    def arm(self, kind: str, count: int = 1, match: str = "", **changes: Any) -> None:
        """changes: of the kind's other fields."""
        if kind not in self._kinds:
            raise self._refused(f"unknown fault {kind!r}; one of {', '.join(sorted(self._kinds))}")
        with self._lock:
            self._armed.append(_Armed(replace(self._kinds[kind], **changes), re.compile(match), count))

    def disarm(self) -> None:
        with self._lock:
            self._armed.clear()

    def met(self, phase: str, words: str) -> dict[str, AFault]:
        """Those that what has these words meets, used up by it: one of each kind, by kind."""
        found: dict[str, AFault] = {}
        with self._lock:
            for one in self._armed:
                if one.fault.phase == phase and one.fault.kind not in found and one.match.search(words):
                    one.left -= 1
                    found[one.fault.kind] = one.fault
            self._armed = [one for one in self._armed if one.left > 0]
        return found
