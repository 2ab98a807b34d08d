"""Takes a request: verifies who has signed it, takes its events out, stores them, and only then answers that it has them."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from slices.collect.http.bodies import events, plain
from slices.collect.http.config import Config
from slices.collect.http.inbox import Inbox, NotInTime
from slices.collect.http.logic import route
from slices.collect.http.signatures import Keys, Refused, Signed, read_keys, verified

ENDPOINTS = "ATOLL_ENDPOINTS"  # the variable of the receiving function: connection ▸ its options, as JSON
KEPT_SECONDS = 60  # for which the senders' keys are kept, and after which a key that was taken away holds no more
LATER = {"retry-after": "5"}


@dataclass(frozen=True)
class Endpoint:
    """A connection: its options, where its requests are kept, and how its senders' keys are read."""

    config: Config
    inbox: Inbox
    read_keys: Callable[[], Keys]


@dataclass(frozen=True)
class Answer:
    """status: of HTTP.  cause: why a request is not taken; '' where it is.  count: of events."""

    status: int
    cause: str = ""
    count: int = 0

    def plain(self) -> dict[str, Any]:
        """The answer as API Gateway takes it, in version 2.0 of its format.

        https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
        """
        body = {"error": self.cause} if self.cause else {"events": self.count}
        headers = {"content-type": "application/json", **(LATER if self.status == 503 else {})}
        return {"statusCode": self.status, "headers": headers, "body": json.dumps(body)}


class Receiver:
    """endpoints: connection ▸ its endpoint, made when it is first asked for.  routes: 'POST /path' ▸ connection and table."""

    def __init__(
        self, routes: Mapping[str, tuple[str, str]], open_endpoint: Callable[[str], Endpoint], clock: Callable[[], datetime]
    ) -> None:
        self._routes, self._open, self._clock = routes, open_endpoint, clock
        self._endpoints, self._keys = dict[str, Endpoint](), dict[str, tuple[float, Keys]]()

    def receive(self, event: Mapping[str, Any]) -> Answer:
        """event: of API Gateway, in its format 2.0."""
        if event.get("routeKey") not in self._routes:
            return Answer(404, "there is no such table")
        connection, table = self._routes[event["routeKey"]]
        endpoint = self._endpoint(connection)
        headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
        try:
            body = _body(event)
            most = endpoint.config.most_kb << 10
            if len(body) > most:
                raise Refused(413, f"the body has more than {endpoint.config.most_kb} KB")
            signed = self._verified(connection, endpoint, headers, body)
            lines = events(
                plain(body, headers.get("content-encoding", "").strip().lower(), most),
                endpoint.config.format,
                endpoint.config.columns[table],
            )
        except Refused as refused:
            return Answer(refused.status, refused.cause)
        try:
            if lines:
                endpoint.inbox.put(table, signed, endpoint.config.format, lines)
        except NotInTime:
            return Answer(503, "the events could not be stored in time: send them again")
        return Answer(202, count=len(lines))

    def _endpoint(self, connection: str) -> Endpoint:
        if connection not in self._endpoints:
            self._endpoints[connection] = self._open(connection)
        return self._endpoints[connection]

    def _verified(self, connection: str, endpoint: Endpoint, headers: Mapping[str, str], body: bytes) -> Signed:
        read, keys = self._keys.get(connection, (0.0, {}))
        if not keys or time.monotonic() - read > KEPT_SECONDS:
            keys = endpoint.read_keys()
            self._keys[connection] = (time.monotonic(), keys)
        config = endpoint.config
        return verified(config.signature, headers, body, keys, self._clock(), config.tolerance_seconds)


def _body(event: Mapping[str, Any]) -> bytes:
    text = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return str(text).encode()
    return base64.b64decode(text)


def receiver(
    options: Mapping[str, Mapping[str, Any]],
    open_inbox: Callable[[str], Inbox],
    secret: Callable[..., Mapping[str, Any]],
    clock: Callable[[], datetime],
) -> Receiver:
    """options: connection ▸ its options, with its secret's reference.

    open_inbox: takes a connection.  secret: takes a reference, and a place for errors.
    """
    references = {name: str(given["secret"]) for name, given in options.items()}
    own = {name: {option: value for option, value in given.items() if option != "secret"} for name, given in options.items()}
    configs = {name: Config.model_validate(given) for name, given in own.items()}

    def open_endpoint(name: str) -> Endpoint:
        config, place = configs[name], f"connection {name}"
        return Endpoint(config, open_inbox(name), lambda: read_keys(secret(references[name], place=place), config.signature, place))

    routes = {f"POST {route(name, table)}": (name, table) for name, config in configs.items() for table in config.names}
    return Receiver(routes, open_endpoint, clock)
