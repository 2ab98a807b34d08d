"""What a request is signed in with: keys, tokens, and tokens that are exchanged for others."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from shared_metadata.contract.secrets.rotating_grant import ACCESS_TOKEN, REFRESH_TOKEN, RotatingGrant
from shared_metadata.errors import RetryLater, SecretError
from systems.rest import moments
from systems.rest.answers import Answer
from systems.rest.expressions import TEXT, Expressions
from systems.rest.manifest import Node
from systems.rest.portions import Portions
from systems.rest.requests import Parts, Request, Requests
from systems.rest.signed_tokens import JWT_BEARER, signed
from systems.rest.transformations import below

LIFE = timedelta(hours=1)  # of a token whose server does not say it
EARLY = 0.9  # of its life, after which a token is exchanged
NAMES = ("grant_type", "client_id", "client_secret", "refresh_token", "access_token", "expires_in")
FORM = "application/x-www-form-urlencoded"
AUTHORIZATION = {"inject_into": "header", "field_name": "Authorization"}
Send = Callable[[Request], Answer]


class SigningIn:
    """Signs requests in. send: how a token is asked for.  grant: where the secret's refresh token is replaced at each use.

    place, reference: of the connection and its secret, for errors.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        expressions: Expressions,
        portions: Portions,
        requests: Requests,
        send: Send,
        *,
        clock: Callable[[], datetime],
        place: str,
        reference: str,
        grant: RotatingGrant | None = None,
    ) -> None:
        self._config, self._expressions, self._portions, self._requests = config, expressions, portions, requests
        self._send, self._clock, self._place, self._reference, self._grant = send, clock, place, reference, grant
        self._tokens: dict[str, tuple[str, datetime]] = {}
        self._granted = self._refused = ""

    def sign(self, auth: Node, parts: Parts) -> None:
        """Adds what an authenticator says to a request."""
        if not auth or auth["type"] == "NoAuth":
            return
        context = self._portions.context(auth)
        kind, text = auth["type"], self._text(auth, context)
        if kind == "SelectiveAuthenticator":
            self.sign(self._selected(auth, context), parts)
        elif kind == "BasicHttpAuthenticator":
            pair = base64.b64encode(f"{text('username')}:{text('password')}".encode()).decode()
            parts.header["Authorization"] = f"Basic {pair}"
        elif kind == "ApiKeyAuthenticator":
            self._inject(auth.get("inject_into") or {"inject_into": "header", "field_name": text("header")}, text("api_token"), parts)
        elif kind == "SessionTokenAuthenticator":
            how, token = auth["request_authentication"], self._session_token(auth)
            if how["type"] == "Bearer":
                parts.header["Authorization"] = f"Bearer {token}"
            else:
                self._inject(how["inject_into"], token, parts)
        elif kind == "JwtAuthenticator":
            self._inject(auth.get("request_option") or AUTHORIZATION, f"{text('header_prefix')} {self._signed(auth)}".lstrip(), parts)
        else:
            parts.header["Authorization"] = (
                f"Bearer {text('api_token') if kind == 'BearerAuthenticator' else self._access_token(auth, text)}"
            )

    def forget(self) -> bool:
        """Forgets tokens that were exchanged, which the other side takes no more; returns whether there were any."""
        self._refused = self._granted or next((token for token, _ in self._tokens.values()), "")
        self._granted = ""
        self._tokens.clear()
        return bool(self._refused)

    def _text(self, auth: Mapping[str, Node], context: Mapping[str, Any]) -> Callable[[str], str]:
        return lambda name: self._expressions.text(auth.get(name) or "", context)

    def _inject(self, option: Mapping[str, Node], value: str, parts: Parts) -> None:
        parts.inject(option["inject_into"], self._requests.option_path(option), value)

    def _selected(self, auth: Mapping[str, Node], context: Mapping[str, Any]) -> Node:
        path = [self._expressions.text(part, context) for part in auth["authenticator_selection_path"]]
        chosen = below(self._config, path)
        if chosen not in auth["authenticators"]:
            known = ", ".join(sorted(auth["authenticators"]))
            raise self._unfit(f"the secret {self._reference} does not say how to sign in", f"set {'.'.join(path)} to one of {known}")
        return auth["authenticators"][chosen]

    def _access_token(self, auth: Mapping[str, Node], text: Callable[[str], str]) -> str:
        if auth.get("access_token_value") and not auth.get("token_refresh_endpoint"):
            return text("access_token_value")
        if self._grant and not auth.get("use_profile_assertion"):
            if not self._granted:
                found = self._grant.access(lambda secret: self._exchanged(auth, text, secret), self._refused)
                self._granted = str(found[ACCESS_TOKEN])
            return self._granted
        return self._kept(auth, lambda: self._exchanged(auth, text, {}))

    def _kept(self, auth: Mapping[str, Node], exchange: Callable[[], Mapping[str, Any]]) -> str:
        """A token, exchanged when there is none or its life is nearly over."""
        key = json.dumps(auth, sort_keys=True, default=str)
        token, until = self._tokens.get(key, ("", self._clock()))
        if not token or until <= self._clock():
            answer = exchange()
            token = str(answer[ACCESS_TOKEN])
            self._tokens[key] = token, self._clock() + (answer.get("life") or LIFE) * EARLY
        return token

    def _exchanged(self, auth: Mapping[str, Node], text: Callable[[str], str], secret: Mapping[str, Any]) -> dict[str, Any]:
        """Exchanges a grant for an access token, and for a new refresh token where the server gives one.

        secret: the newest, where the refresh token is replaced at each use; it stands in the place of what the manifest reads.
        """
        context = self._portions.context(auth)
        names = {name: self._expressions.text(auth.get(f"{name}_name") or name, context) for name in NAMES}
        form = self._form(auth, text, secret, names)
        headers = {str(k): str(v) for k, v in self._expressions.mapping(auth.get("refresh_request_headers") or {}, context).items()}
        as_json = headers.setdefault("Content-Type", FORM) == "application/json"
        body = json.dumps(form).encode() if as_json else urlencode(form, doseq=True).encode()
        document = self._asked(Request("POST", text("token_refresh_endpoint"), headers, body))
        token, life = (below(document, names[name].split("/")) for name in ("access_token", "expires_in"))
        if not token:
            raise RetryLater("the server that exchanges tokens answered without one", place=self._place)
        refreshed = below(document, names[REFRESH_TOKEN].split("/"))
        found = {ACCESS_TOKEN: str(token), "life": timedelta(seconds=float(life)) if _is_number(life) else None}
        if not self._grant:
            return found
        return {ACCESS_TOKEN: str(token), REFRESH_TOKEN: str(refreshed or form.get(names[REFRESH_TOKEN], ""))}

    def _form(
        self, auth: Mapping[str, Node], text: Callable[[str], str], secret: Mapping[str, Any], names: Mapping[str, str]
    ) -> dict[str, Any]:
        """What the server that exchanges tokens is sent. names: by which it knows what the format has."""
        if auth.get("use_profile_assertion"):
            return {names["grant_type"]: JWT_BEARER, "assertion": self._signed(auth["profile_assertion"])}
        grant, context = text("grant_type") or REFRESH_TOKEN, self._portions.context(auth)
        form: dict[str, Any] = {names["grant_type"]: grant}
        if "Authorization" not in (auth.get("refresh_request_headers") or {}):  # which some servers take alone
            form |= {names[name]: text(name) for name in ("client_id", "client_secret")}
        if grant == REFRESH_TOKEN:
            form[names[REFRESH_TOKEN]] = token = secret.get(REFRESH_TOKEN) or text("refresh_token")
            if not token:
                raise self._unfit(f"the secret {self._reference} has no refresh token", "store one; see the source's README")
        if auth.get("scopes"):
            form["scopes"] = self._expressions.mapping(auth["scopes"], context)
        more = self._expressions.mapping(auth.get("refresh_request_body") or {}, context)
        return form | {name: value for name, value in more.items() if name not in form}

    def _signed(self, auth: Mapping[str, Node]) -> str:
        try:
            return signed(self._expressions, auth, self._portions.context(auth), self._clock())
        except ValueError:
            what = f"the secret {self._reference} has no private key that signs by {auth['algorithm']}"
            raise self._unfit(what, "store the whole key as its vendor gave it, with its line breaks") from None

    def _session_token(self, auth: Mapping[str, Node]) -> str:
        def exchange() -> dict[str, Any]:
            requester = auth["login_requester"]
            context = self._portions.context(requester)
            parts = self._requests.parts(requester, context)
            self.sign(requester.get("authenticator"), parts)
            method = str(requester.get("http_method") or "GET").upper()
            document = self._asked(parts.request(method, self._requests.url(requester, context)))
            path = [self._expressions.value(part, self._portions.context(auth), TEXT) for part in auth["session_token_path"]]
            life = moments.duration(auth["expiration_duration"]) if auth.get("expiration_duration") else None
            return {ACCESS_TOKEN: str(below(document, path) or ""), "life": life}

        return self._kept(auth, exchange)

    def _asked(self, request: Request) -> Any:
        answer = self._send(request)
        if answer.status == 429 or answer.status >= 500:
            raise RetryLater(f"the server that exchanges tokens answered {answer.status}", place=self._place)
        if answer.status >= 400:
            raise self._unfit(f"the credentials of the secret {self._reference} are refused: {answer.status}", "store ones that work")
        return answer.document()

    def _unfit(self, what: str, remedy: str) -> SecretError:
        return SecretError(what, place=self._place, remedy=remedy)


def _is_number(text: Any) -> bool:
    return bool(text) and str(text).replace(".", "", 1).isdigit()
