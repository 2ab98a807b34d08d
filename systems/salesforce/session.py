"""Logs in to Salesforce and sends requests: tokens that end are renewed once, and every refusal becomes one of Atoll's errors."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property, lru_cache
from typing import Any
from urllib.parse import urlencode, urlparse

import urllib3

from shared_metadata.contract.cut_answers import says_where_it_ends
from shared_metadata.contract.secrets.https_pool import https_pool
from shared_metadata.contract.secrets.rotating_grant import ACCESS_TOKEN, OPTION, REFRESH_TOKEN, RotatingGrant
from shared_metadata.errors import AtollError, DefinitionError, RetryLater, SecretError
from systems.salesforce.refusals import RETRIED_CODES, Refused, told, told_of_login

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
DEFAULT_LOGIN_URL = "https://login.salesforce.com"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
ASSERTION_SECONDS = 180
TIMEOUT = urllib3.Timeout(connect=10, read=120)
EXCHANGE_TIMEOUT = urllib3.Timeout(connect=5, read=20)  # of a refresh token: a lease is held meanwhile


class Session:
    """One user's access to one org; `place` names the connection in errors, `reference` its secret. Safe in threads.

    grant: where the secret's refresh token is replaced at each use.
    """

    def __init__(
        self,
        secret: Mapping[str, Any],
        *,
        reference: str,
        place: str,
        api_version: str,
        compression: str,
        grant: RotatingGrant | None = None,
    ) -> None:
        self._secret, self._reference, self._place, self._grant = secret, reference, place, grant
        self._api = f"/services/data/v{api_version}"
        self._encoding = "gzip" if compression == "gzip" else "identity"
        self._token, self._instance_url = "", ""
        self.requests = 0

    @cached_property
    def _pool(self) -> urllib3.PoolManager:
        """Trusts the secret's `ca_certificate` too, where a proxy of one's own stands in between."""
        authority, secret = str(self._secret.get("ca_certificate") or ""), f"the secret {self._reference}"
        return https_pool(authority, TIMEOUT, secret=secret, place=self._place)

    def get(self, path: str, query: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None) -> Any:
        """The JSON at a path below the API's version, or at an absolute path such as a nextRecordsUrl."""
        return json.loads(self.get_bytes(path, query, headers))

    def get_bytes(self, path: str, query: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None) -> bytes:
        """The text of an answer in JSON. Raises RetryLater for one in anything else, such as a page that tells of maintenance."""
        with self.open("GET", path, query, headers=headers) as response:
            return self._in_json(response)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The JSON that is answered. Raises RetryLater for anything else."""
        return self.ask("POST", path, body)

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None, query: Mapping[str, str] | None = None) -> Any:
        """The same of any method. What is sent may hold any text, and is UTF-8."""
        sent = json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass") if body is not None else None
        with self.open(method, path, query, body=sent) as response:
            return json.loads(self._in_json(response))

    def _in_json(self, response: urllib3.BaseHTTPResponse) -> bytes:
        if "json" not in response.headers.get("Content-Type", ""):
            raise self._no_json(self._instance_url)
        return response.read(decode_content=True)

    def _no_json(self, url: str) -> RetryLater:
        """The error to raise where a page that tells of maintenance, or the like, was answered."""
        return RetryLater(
            f"something that is no JSON was answered by {urlparse(url).hostname}",
            place=self._place,
            remedy="nothing, it is tried again; if it lasts, see what stands between the slice and Salesforce",
        )

    @contextmanager
    def open(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        """A response to read as it comes. Raises RetryLater, SecretError or Refused."""
        response = self._send(method, path, query, body, headers)
        if response.status == 401:
            self._drain(response)
            self._log_in()
            response = self._send(method, path, query, body, headers)
        try:
            if response.status >= 300:
                raise self._refusal(response)
            with self._reading():
                yield response
        finally:
            response.release_conn() if response.closed else response.close()

    def close(self) -> None:
        if self._token:
            self._pool.clear()

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: bytes | None,
        headers: Mapping[str, str] | None,
    ) -> urllib3.BaseHTTPResponse:
        if not self._token:
            self._log_in()
        url = self._instance_url + (path if path.startswith("/services/") else f"{self._api}/{path}")
        own = {"Authorization": f"Bearer {self._token}", "Accept-Encoding": self._encoding, "Content-Type": "application/json"}
        self.requests += 1
        return self._call(method, url + (f"?{urlencode(query)}" if query else ""), body, {**own, **(headers or {})})

    def _call(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str], timeout: urllib3.Timeout = TIMEOUT
    ) -> urllib3.BaseHTTPResponse:
        more: dict[str, Any] = {"preload_content": False, "redirect": False, "timeout": timeout}
        with self._reading():
            answer = self._pool.request(method, url, body=body, headers=dict(headers), **more)
            if not says_where_it_ends(answer):
                raise urllib3.exceptions.ProtocolError("cut off among its headers")
            return answer

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Raises RetryLater for any network error."""
        try:
            yield
        except urllib3.exceptions.HTTPError as error:
            raise unreachable(self._place, error) from None

    @staticmethod
    def _drain(response: urllib3.BaseHTTPResponse) -> bytes:
        try:
            return response.read(decode_content=True)
        except urllib3.exceptions.HTTPError:
            return b""
        finally:
            response.close()

    # -- logging in

    def _log_in(self) -> None:
        if self._grant is not None:
            answer = self._grant.access(self._exchange, refused=self._token)
        elif self._secret.get(REFRESH_TOKEN):
            raise SecretError(
                f"the secret {self._reference} holds a refresh token, which Salesforce may replace when it is used",
                place=self._place,
                remedy=f"write {OPTION} = TRUE in WITH (…), and deploy the slice again, so that it may store the new one",
            )
        else:
            url = self._login_url(self._secret)
            answer = self._ask(url, self._jwt_form(url) if self._secret.get("private_key") else self._client_form(url), TIMEOUT)
        self._require(answer, "instance_url")
        self._token = str(answer[ACCESS_TOKEN])
        self._instance_url = checked_url(str(answer["instance_url"]), self._reference, self._place)

    def _exchange(self, secret: Mapping[str, Any]) -> dict[str, Any]:
        """What a refresh token gives: tokens to be written back before they are used."""
        self._require(secret, "client_id", REFRESH_TOKEN)
        fields = {name: str(secret[name]) for name in ("client_id", "client_secret", REFRESH_TOKEN) if secret.get(name)}
        answer = self._ask(self._login_url(secret), {"grant_type": REFRESH_TOKEN, **fields}, EXCHANGE_TIMEOUT)
        return {name: answer[name] for name in (ACCESS_TOKEN, REFRESH_TOKEN, "instance_url") if name in answer}

    def _login_url(self, secret: Mapping[str, Any]) -> str:
        return checked_url(str(secret.get("login_url") or DEFAULT_LOGIN_URL), self._reference, self._place)

    def _ask(self, url: str, form: Mapping[str, str], timeout: urllib3.Timeout) -> dict[str, Any]:
        """The token endpoint's answer."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        response = self._call("POST", f"{url}/services/oauth2/token", urlencode(form).encode(), headers, timeout)
        text = self._drain(response)
        if response.status >= 500 or response.status == 429:
            raise self._busy(response, "the login")
        answer = _json(text)
        if answer is None and response.status == 200:
            raise self._no_json(url)
        if not isinstance(answer, dict) or response.status != 200 or not answer.get(ACCESS_TOKEN):
            found = answer if isinstance(answer, dict) else {}
            code, why = str(found.get("error", "")), str(found.get("error_description", ""))
            if why == "login rate exceeded":
                raise RetryLater("Salesforce's login rate is exceeded", place=self._place, after_seconds=60)
            raise SecretError(
                f"Salesforce refused the credentials of the secret {self._reference}: {told_of_login(code, why, response.status)}",
                place=self._place,
                remedy="compare the secret with the connected app: client id, key or client secret, user, login_url",
            )
        return answer

    def _client_form(self, url: str) -> dict[str, str]:
        self._require(self._secret, "client_id", "client_secret", "login_url")
        client = {"client_id": str(self._secret["client_id"]), "client_secret": str(self._secret["client_secret"])}
        return {"grant_type": "client_credentials", **client}

    def _jwt_form(self, url: str) -> dict[str, str]:
        import jwt

        self._require(self._secret, "client_id", "username", "private_key")
        claims = {
            "iss": self._secret["client_id"],
            "sub": self._secret["username"],
            "aud": self._secret.get("audience") or url,
            "exp": int(time.time()) + ASSERTION_SECONDS,
        }
        try:
            key = _signing_key(str(self._secret["private_key"]))
            return {"grant_type": JWT_BEARER, "assertion": jwt.encode(claims, key, algorithm="RS256")}
        except (ValueError, TypeError, jwt.PyJWTError):
            raise SecretError(
                f"private_key of the secret {self._reference} is not an RSA private key in PEM",
                place=self._place,
                remedy="store the key whole, line breaks as \\n in the JSON",
            ) from None

    def _require(self, secret: Mapping[str, Any], *names: str) -> None:
        missing = [name for name in names if not secret.get(name)]
        if missing:
            raise SecretError(
                f"the secret {self._reference} has no {' and no '.join(missing)}",
                place=self._place,
                remedy="store client_id, username, private_key (JWT bearer), client_id, client_secret, login_url, or client_id, "
                "refresh_token; the slice's README shows each",
            )

    # -- refusals

    def _refusal(self, response: urllib3.BaseHTTPResponse) -> AtollError:
        answer = _json(self._drain(response))
        first = answer[0] if isinstance(answer, list) and answer and isinstance(answer[0], dict) else {}
        code, text = str(first.get("errorCode", "")), str(first.get("message", ""))
        if response.status == 401:
            return SecretError(
                f"Salesforce refused a fresh token of the secret {self._reference}: {told(code or 'HTTP 401', '')}",
                place=self._place,
                remedy="check that the user is active and may use the API",
            )
        if code in RETRIED_CODES or response.status in (429, 500, 502, 503, 504):
            return self._busy(response, told(code or f"HTTP {response.status}", ""))
        if 300 <= response.status < 400:
            return self._moved(response)
        return Refused(code, text, response.status, self._place)

    def _moved(self, response: urllib3.BaseHTTPResponse) -> AtollError:
        """A redirection is not followed: the token is for one host only."""
        to = urlparse(response.headers.get("Location", "")).hostname or "another place"
        return DefinitionError(
            f"the org has moved: HTTP {response.status} leads to {to}",
            place=self._place,
            remedy=f"write the org's present domain into login_url of the secret {self._reference}",
        )

    def _busy(self, response: urllib3.BaseHTTPResponse, what: str) -> RetryLater:
        after = response.headers.get("Retry-After", "")
        return RetryLater(
            f"Salesforce is busy: {what} (HTTP {response.status})",
            place=self._place,
            remedy="nothing, it is tried again; REQUEST_LIMIT_EXCEEDED for a day: raise EVERY or buy requests",
            after_seconds=float(after) if after.isdigit() else None,
        )


@lru_cache(maxsize=8)
def _signing_key(pem: str) -> Any:
    """The private key, whose numbers are proved when it is read, which takes 70 ms. Raises ValueError, TypeError, PyJWTError."""
    from jwt.algorithms import RSAAlgorithm

    return RSAAlgorithm(RSAAlgorithm.SHA256).prepare_key(pem)


def checked_url(url: str, reference: str, place: str) -> str:
    """The URL without a slash at its end; credentials travel unencrypted only to this machine itself. Raises SecretError."""
    parsed = urlparse(url)
    if parsed.hostname and (parsed.scheme == "https" or (parsed.scheme == "http" and parsed.hostname in LOOPBACK)):
        return url.rstrip("/")
    raise SecretError(
        f"login_url of the secret {reference} is not an https:// URL",
        place=place,
        remedy="store https://<my domain>.my.salesforce.com, https://login.salesforce.com or https://test.salesforce.com",
    )


def unreachable(place: str, error: Exception) -> RetryLater:
    """A network error by its name alone, without the data in transit."""
    return RetryLater(
        f"Salesforce cannot be reached: {type(error).__name__}",
        place=place,
        remedy="nothing, it is tried again; if it lasts, check login_url and the network's way out",
    )


def _json(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
