"""Rows that an org refuses for what its administrator, or the moment, has of them: validation rules, locks, triggers."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from doubles.salesforce.errors import SalesforceError

Stored = Mapping[str, Any]


@dataclass
class _Rule:
    when: Callable[[Stored], bool]
    error: SalesforceError
    left: int | None


class Refusals:
    """What is refused of an object's records when they are written."""

    def __init__(self) -> None:
        self._rules: dict[str, list[_Rule]] = {}
        self._lock = threading.Lock()

    def add(
        self, name: str, code: str, message: str, fields: list[str], when: Callable[[Stored], bool], count: int | None = None
    ) -> None:
        """Refuse records that meet a condition with this statusCode; count: so many times, else always.

        A validation rule is FIELD_CUSTOM_VALIDATION_EXCEPTION in its administrator's words, a lock UNABLE_TO_LOCK_ROW.
        """
        self._rules.setdefault(name, []).append(_Rule(when, SalesforceError(400, code, message, fields), count))

    def clear(self) -> None:
        self._rules.clear()

    def check(self, name: str, values: Stored) -> None:
        with self._lock:
            for rule in self._rules.get(name, ()):
                if rule.left != 0 and rule.when(values):
                    rule.left = rule.left and rule.left - 1
                    raise rule.error
