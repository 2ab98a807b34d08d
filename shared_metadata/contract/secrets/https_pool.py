"""Connections by HTTPS to the service that a secret is for, whose certificate may be one that the secret brings."""

from __future__ import annotations

import ssl
from functools import lru_cache

import urllib3

from shared_metadata.errors import SecretError

REMEDY = "store the certificate whole, line breaks as \\n in the JSON"


def https_pool(authority: str, timeout: urllib3.Timeout, *, secret: str, place: str) -> urllib3.PoolManager:
    """A pool that trusts the machine's authorities and, where it is not '', this one in PEM; it tries nothing again by itself.

    authority: the secret's `ca_certificate`, of a proxy of one's own.  secret: its name, for the error. Raises SecretError.
    """
    try:
        context = _trusting(authority)
    except (ssl.SSLError, ValueError):
        raise SecretError(f"ca_certificate of {secret} is not a certificate in PEM", place=place, remedy=REMEDY) from None
    return urllib3.PoolManager(maxsize=4, retries=False, timeout=timeout, ssl_context=context)


@lru_cache(maxsize=8)
def _trusting(authority: str) -> ssl.SSLContext:
    """Kept, since reading the machine's authorities takes tens of milliseconds. Raises ssl.SSLError, ValueError."""
    context = ssl.create_default_context()
    if authority:
        context.load_verify_locations(cadata=authority)
    return context
