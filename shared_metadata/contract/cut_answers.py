"""Answers by HTTP whose connection broke off among their headers: Python takes what came of these for all, and the body for empty."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import urllib3

_WITHOUT_BODY = (204, 304)
_HTTP_1_0 = 10  # whose answers end with the connection, and need not say so


def says_where_it_ends(answer: urllib3.BaseHTTPResponse) -> bool:
    """Whether an answer tells how long its body is, or that it goes on to the end of the connection, as each has to.

    https://www.rfc-editor.org/rfc/rfc9112#section-6.3
    """
    headers = answer.headers
    closes = "close" in headers.get("Connection", "").lower()
    told = "Content-Length" in headers or "Transfer-Encoding" in headers or closes
    return told or answer.status in _WITHOUT_BODY or answer.version == _HTTP_1_0
