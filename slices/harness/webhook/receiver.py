"""What the secret of a webhook's connection holds: where the application listens, and how it knows who sends."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from shared_metadata.errors import DefinitionError, SecretError
from shared_metadata.program import Connection
from systems.standard_webhooks.signing import ID, PREFIX, SIGNATURE, TIMESTAMP, read_key, signed

TABLE = "{table}"  # of the address: the name of the table that is published to
FIELDS = ("url", "key", "header", "value", "ca_certificate")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
OURS = (ID, TIMESTAMP, SIGNATURE, "host", "user-agent", "connection", "content-type", "content-length", "transfer-encoding", "expect")
REMEDY = (
    f"the secret holds an object with `url` (https://…, perhaps with {TABLE}), and perhaps `key` ('{PREFIX}…': signs each request as "
    "Standard Webhooks has it), or `header` and `value`, which each request then has, and `ca_certificate`, in PEM, of an authority "
    "of your own: `atoll secret`"
)


@dataclass(frozen=True, repr=False)
class Receiver:
    """url: of requests.  key: signs them.  header, value: of each request.  authority: in PEM, beside those that are known."""

    url: str
    key: bytes = b""
    header: str = ""
    value: str = ""
    authority: str = ""

    def address(self, table: str) -> str:
        """Raises DefinitionError for a name that an address reads as a folder's."""
        if TABLE in self.url and not table.strip("."):
            raise DefinitionError("an address cannot have the table's name, which is dots", remedy="publish to one of another name")
        return self.url.replace(TABLE, quote(table, safe=""))

    def headers(self, name: str, moment: int, body: bytes) -> dict[str, str]:
        """The headers of a request with that body.  name: of its rows, the same in each attempt.  moment: seconds since 1970."""
        more = {self.header: self.value} if self.header else {}
        return {**more, **(signed(self.key, name, moment, body) if self.key else {ID: name, TIMESTAMP: str(moment)})}


def read_receiver(connection: Connection, secret: Mapping[str, Any]) -> Receiver:
    """Raises SecretError that names a field and no value."""
    told = {name: str(secret.get(name) or "") for name in FIELDS}
    if wrong := [*_wrong(told), *(["it has other fields than these"] if set(secret) - {*FIELDS} else [])]:
        raise SecretError(
            f"the secret of connection {connection.name} is not usable: {'; '.join(wrong)}",
            place=str(connection.position),
            remedy=REMEDY,
        )
    key = read_key(told["key"]) if told["key"] else b""
    return Receiver(told["url"], key, told["header"], told["value"], told["ca_certificate"])


def _wrong(told: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with which field."""
    if not _is_address(told["url"]):
        yield "the field `url` is no address that begins with https://, of printable ASCII, without a user's name"
    if bool(told["header"]) != bool(told["value"]):
        yield "the fields `header` and `value` come together"
    if told["header"] and (not re.fullmatch(r"[A-Za-z0-9-]{1,100}", told["header"]) or told["header"].lower() in OURS):
        yield "the field `header` is no header's name, or that of one that a request has already"
    if not re.fullmatch(r"[ -~]*", told["value"]):
        yield "the field `value` has characters that no header has"
    if told["key"]:
        try:
            read_key(told["key"])
        except ValueError as error:
            yield f"the field `key` {error}"


def _is_address(url: str) -> bool:
    """Whether rows may go there: in the clear to this machine only, for tests."""
    try:
        address = urlsplit(url)
        address.port  # noqa: B018 - raises ValueError for what is none
    except ValueError:
        return False
    if not address.hostname or re.search("[@{}]", address.netloc) or not re.fullmatch(r"[!-~]+", url):
        return False
    return address.scheme == "https" or (address.scheme == "http" and address.hostname in LOOPBACK)
