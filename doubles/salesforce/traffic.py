"""What happens to requests before and after their answer: the log of them, the daily limit, injected faults."""

import re
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from doubles.salesforce.errors import SalesforceError

_HTML_503 = "<html><head><title>Service Unavailable</title></head><body><h1>Service Unavailable</h1></body></html>"


@dataclass(frozen=True)
class Fault:
    """How a request is to go wrong; without a status it is served, and then goes wrong on the way out."""

    status: int | None = None
    code: str = ""
    message: str = ""
    html: str = ""
    location: str = ""
    retry_after_seconds: int | None = None
    drop: bool = False
    drop_after_bytes: int | None = None
    repeat_page: bool = False
    delay_seconds: float = 0


# Codes and messages: REST API Developer Guide, "Status Codes and Error Responses", and SOAP API, "ExceptionCode".
FAULTS = {
    "request_limit": Fault(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
    "concurrent_limit": Fault(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded."),
    "too_many_requests": Fault(429, "REQUEST_LIMIT_EXCEEDED", "Too many requests.", retry_after_seconds=1),
    "server_unavailable": Fault(503, "SERVER_UNAVAILABLE", "The server is temporarily unavailable.", retry_after_seconds=1),
    "server_unavailable_html": Fault(503, html=_HTML_503),
    "server_error": Fault(500, "UNKNOWN_EXCEPTION", "An unexpected error occurred."),
    "expired_session": Fault(401, "INVALID_SESSION_ID", "Session expired or invalid"),
    "forbidden": Fault(403, "API_DISABLED_FOR_ORG", "API is not enabled for this Organization or Partner"),
    "invalid_locator": Fault(400, "INVALID_QUERY_LOCATOR", "invalid query locator"),
    "invalid_auth_header": Fault(401, "INVALID_AUTH_HEADER", "INVALID_JWT_FORMAT"),
    "query_timeout": Fault(400, "QUERY_TIMEOUT", "Your query request was running for too long."),
    "moved": Fault(302, html="<html></html>", location="https://example--moved.my.salesforce.com/services/data"),
    "html": Fault(200, html=_HTML_503.replace("Service Unavailable", "Maintenance")),
    "drop": Fault(drop=True),
    "drop_midway": Fault(drop_after_bytes=200),
    "repeat_page": Fault(repeat_page=True),
    "slow": Fault(delay_seconds=1),
}


@dataclass(frozen=True)
class Request:
    """One request in the log; never its headers or its body."""

    method: str
    path: str
    query: dict[str, str]
    status: int
    at: datetime


@dataclass
class _Armed:
    """A fault that waits for requests whose method and path match."""

    fault: Fault
    pattern: re.Pattern[str]
    method: str
    left: int


@dataclass
class Traffic:
    """The request log, the faults that wait, and the count of the day's requests against `daily_limit`.

    on_fault: is called when a request meets a fault, before anything is done for it.
    """

    daily_limit: int = 100_000
    daily_used: int = 0
    on_fault: Callable[[], None] | None = None
    requests: deque[Request] = field(default_factory=lambda: deque(maxlen=100_000))
    _day: date | None = None
    _armed: list[_Armed] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def arm(self, kind: str, count: int = 1, path: str = "", method: str = "", **changes: Any) -> None:
        """Let the next `count` requests whose path matches the regular expression go wrong; see FAULTS for kinds.

        `changes` replaces single attributes of the kind's fault, such as `drop_after_bytes`.
        """
        if kind not in FAULTS:
            raise ValueError(f"unknown fault {kind!r}; one of {', '.join(sorted(FAULTS))}")
        with self._lock:
            self._armed.append(_Armed(replace(FAULTS[kind], **changes), re.compile(path), method.upper(), count))

    def disarm(self) -> None:
        """Forget every fault that still waits."""
        with self._lock:
            self._armed.clear()

    def next_fault(self, method: str, path: str) -> Fault | None:
        """The fault that this request meets, used up by it."""
        with self._lock:
            met = next((one for one in self._armed if one.method in ("", method) and one.pattern.search(path)), None)
            if met is None:
                return None
            met.left -= 1
            self._armed = [one for one in self._armed if one.left > 0]
        if self.on_fault:
            self.on_fault()
        return met.fault

    def count_request(self, today: date) -> None:
        """Count one API request; SalesforceError REQUEST_LIMIT_EXCEEDED beyond the day's limit."""
        with self._lock:
            if self._day != today:
                self._day, self.daily_used = today, 0
            if self.daily_used >= self.daily_limit:
                fault = FAULTS["request_limit"]
                raise SalesforceError(403, fault.code, fault.message)
            self.daily_used += 1
