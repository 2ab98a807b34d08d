"""What an answer means: taken, left out, repeated after a pause, or a refusal."""

from __future__ import annotations

import email.utils
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import cached_property
from typing import Any

from systems.rest.expressions import Expressions
from systems.rest.manifest import Node

FIRST_PAUSE_SECONDS, FACTOR_SECONDS = 1.0, 5.0
# Where answers say what went wrong; https://github.com/airbytehq/airbyte-python-cdk, json_error_message_parser.py
MESSAGES = (
    *("message", "messages", "error", "errors", "failures", "failure", "detail", "err", "error_message", "msg", "reason"),
    "status_message",
)


@dataclass(frozen=True)
class Answer:
    """status: of HTTP.  headers: by their names in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def document(self) -> Any:
        """The body as JSON; an empty object where it is none. Read once, however many rules look at it."""
        return self._document

    @cached_property
    def _document(self) -> Any:
        try:
            return json.loads(self.body) if self.body.strip() else {}
        except ValueError:
            return {}


class Action(Enum):
    TAKE = "SUCCESS"
    LEAVE_OUT = "IGNORE"
    REPEAT = "RETRY"
    SIGN_IN = "REFRESH_TOKEN_THEN_RETRY"
    REFUSED = "FAIL"


@dataclass(frozen=True)
class Verdict:
    """seconds: to wait before it is repeated.  said: the manifest's own words for a refusal.

    given: whether the manifest says that it is about what the connection is given, its credentials and options.
    """

    action: Action
    seconds: float = 0.0
    said: str = ""
    given: bool = False


class Judge:
    """Judges answers by the manifest's error handlers, and by HTTP where these say nothing."""

    def __init__(
        self, expressions: Expressions, context_of: Callable[[Mapping[str, Node]], dict[str, Any]], clock: Callable[[], datetime]
    ) -> None:
        self._expressions, self._context_of, self._clock = expressions, context_of, clock

    def of(self, handler: Node, answer: Answer, attempt: int) -> Verdict:
        """attempt: how often it was repeated before."""
        composite = bool(handler) and handler["type"] == "CompositeErrorHandler"
        handlers = (handler.get("error_handlers") or []) if composite else [handler] if handler else []
        for one in handlers:
            for rule in one.get("response_filters") or []:
                if self._meets(rule, answer):
                    action = self._action(rule, answer.status)
                    seconds = self._pause(one, answer, attempt) if action == Action.REPEAT else 0.0
                    said = str(rule.get("error_message") or "")
                    said = "" if "{" in said else said  # an expression may quote what the answer holds
                    return Verdict(action, seconds, said, rule.get("failure_type") == "config_error")
        if answer.status in (408, 429) or answer.status >= 500:
            return Verdict(Action.REPEAT, self._pause(handlers[0] if handlers else None, answer, attempt))
        return Verdict(Action.TAKE if answer.status < 400 else Action.REFUSED)

    def _meets(self, rule: Mapping[str, Node], answer: Answer) -> bool:
        words = rule.get("error_message_contains")
        if answer.status in (rule.get("http_codes") or []) or (words and words in _message(answer.document())):
            return True
        if not rule.get("predicate"):
            return False
        seen = {**self._context_of(rule), "response": answer.document(), "headers": answer.headers}
        return self._expressions.truth(rule["predicate"], seen)

    @staticmethod
    def _action(rule: Mapping[str, Node], status: int) -> Action:
        said = {"RATE_LIMITED": "RETRY", "RESET_PAGINATION": "FAIL"}.get(str(rule.get("action")), rule.get("action"))
        if said:
            return Action(said)
        return Action.REPEAT if status == 429 or status >= 500 else Action.REFUSED if status >= 400 else Action.TAKE

    def _pause(self, handler: Node, answer: Answer, attempt: int) -> float:
        for strategy in (handler or {}).get("backoff_strategies") or []:
            found = self._of_strategy(strategy, answer, attempt)
            if found is not None:
                return max(0.0, found)
        after = answer.headers.get("retry-after", "")
        if re.fullmatch(r"\d+(\.\d+)?", after):
            return float(after)
        try:
            return max(0.0, (email.utils.parsedate_to_datetime(after) - self._clock()).total_seconds())
        except (ValueError, TypeError):
            return float(FIRST_PAUSE_SECONDS * 2**attempt)

    def _of_strategy(self, strategy: Mapping[str, Node], answer: Answer, attempt: int) -> float | None:
        kind, context = strategy["type"], self._context_of(strategy)
        if kind == "ConstantBackoffStrategy":
            return float(self._expressions.value(strategy["backoff_time_in_seconds"], context))
        if kind == "ExponentialBackoffStrategy":
            return float(self._expressions.value(strategy.get("factor") or FACTOR_SECONDS, context) * 2**attempt)
        given = answer.headers.get(self._expressions.text(strategy["header"], context).lower(), "")
        if strategy.get("regex") and (match := re.search(strategy["regex"], given)):
            given = match[1] if match.re.groups else match[0]
        try:
            seconds = float(given)
        except ValueError:
            return None
        if kind == "WaitUntilTimeFromHeader":
            return max(seconds - self._clock().timestamp(), float(strategy.get("min_wait") or 0))
        return seconds


def _message(document: Any) -> str:
    """What an answer says went wrong: never a record's text, which may hold any words."""
    if isinstance(document, str):
        return document
    if isinstance(document, list):
        return ", ".join(filter(None, map(_message, document)))
    named = next((document[name] for name in MESSAGES if document.get(name)), None) if isinstance(document, dict) else None
    return "" if named is None else _message(named)
