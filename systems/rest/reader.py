"""Reads streams: page after page of each portion, signed in, repeated where the other side asks for it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

from shared_metadata.contract.secrets.rotating_grant import RotatingGrant
from shared_metadata.errors import DefinitionError, RetryLater, SecretError
from systems.rest.answers import Action, Answer, Judge, Verdict
from systems.rest.decoding import decoded, under_header
from systems.rest.expressions import Expressions
from systems.rest.manifest import HEADER, Node, components
from systems.rest.paging import Paging
from systems.rest.passes import Passes
from systems.rest.portions import Portion, Portions
from systems.rest.records import Shaped, extracted, shaped
from systems.rest.requests import Request, Requests
from systems.rest.signing_in import SigningIn

REPEATS, LONGEST_PAUSE_SECONDS = 5, 20.0  # within one call; what takes longer is tried again by the batch
LOOPBACK = ("127.0.0.1", "localhost", "::1")
ADDRESSES = ("url_base", "url", "token_refresh_endpoint")
T = TypeVar("T")
MOVED, REDIRECTS = (301, 302, 303, 307, 308), 5


@dataclass(frozen=True)
class Page:
    """records: as the body has them.  following: the token of the next page; None for the last.

    text: of the list of records in JSON, where the body has one.
    """

    records: Sequence[Any]
    following: Any
    text: bytes | None = None


class Reader:
    """Reads with one configuration, as of one moment.

    config: the connection's options and secret, as expressions read them.  now: the batch's end.  send: a request ▸ its answer.
    hosts: those that credentials may go to beside the ones that the manifest's own addresses name, which join them.
    numbered: of a stream whose pages are numbers, the fields that tell its records apart, () where the whole of them does; else None.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        now: datetime,
        send: Callable[[Request], Answer],
        *,
        hosts: Collection[str] = (),
        place: str = "",
        reference: str = "",
        grant: RotatingGrant | None = None,
        pause: Callable[[float], None] = time.sleep,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        numbered: Callable[[Mapping[str, Node]], Sequence[str] | None] = lambda stream: None,
    ) -> None:
        self.expressions = Expressions(now)
        self.portions = Portions(config, self.expressions, self.each)
        self.paging = Paging(self.expressions, self.portions.context)
        self._requests = Requests(self.expressions, self.portions, self.paging)
        self._judge = Judge(self.expressions, self.portions.context, clock)
        self._place, self._reference, self._pause, self._transport = place, reference, pause, send
        self.hosts, self._allowed, self._numbered = set(hosts), set[str](), numbered
        self._signing = SigningIn(
            config,
            self.expressions,
            self.portions,
            self._requests,
            self._sent,
            clock=clock,
            place=place,
            reference=reference,
            grant=grant,
        )

    def records(self, stream: Mapping[str, Node], portion: Portion) -> Iterator[Any]:
        """The records of a portion as they come, as the stream shapes them."""
        for page in self._pages(stream, portion):
            yield from self.shaped(stream, portion, page).taken

    def passes(self, stream: Mapping[str, Node], salt: str = "", state: Mapping[str, Any] | None = None) -> Passes | None:
        """What tells when numbered pages were read often enough; None where pages are no numbers. salt, state: as of Passes."""
        key = self._numbered(stream)
        return None if key is None else Passes(key, salt, state)

    def each(self, stream: Mapping[str, Node], portion: Portion, take: Callable[[Any], T]) -> Iterable[T]:
        """What is taken of each record of a portion, none left out. Raises Moving where they move as fast as they are read."""
        if (passes := self.passes(stream)) is None:
            return map(take, self.records(stream, portion))
        while True:
            found = list[T]()
            for page in self._pages(stream, portion):
                shaped = self.shaped(stream, portion, page)
                passes.see(shaped.seen, page.following is None)
                found += map(take, shaped.taken)
            if passes.end(stream):
                return found

    def _pages(self, stream: Mapping[str, Node], portion: Portion) -> Iterator[Page]:
        token = self.first_token(stream)
        while True:
            page = self.page(stream, portion, token)
            yield page
            if page.following is None:
                return
            token = page.following

    def first_token(self, stream: Mapping[str, Node]) -> Any:
        return self.paging.first(stream["retriever"].get("paginator"))

    def page(self, stream: Mapping[str, Node], portion: Portion, token: Any) -> Page:
        """Raises DefinitionError for a request that is refused, SecretError for a credential, RetryLater for what comes later."""
        answer = self._answer(stream, portion, token)
        if answer is None:
            return Page((), None)
        path = self.field_path(stream)
        answered = decoded(stream, answer.body, path, self._place)
        document, elements = answered.document, answered.elements
        records = extracted(document, path) if elements is None else [r for one in elements for r in extracted(one, path)]
        if stream.get(HEADER):
            records = under_header(records, f"an answer of {stream['name']}", self._place)
        following = self.paging.following(stream["retriever"].get("paginator"), document, answer.headers, records, token)
        if following is not None and following == token:
            if records:
                raise RetryLater("the answer names its own page as the next one", place=self._place)
            following = None
        return Page(records, following, answered.records)

    def field_path(self, stream: Mapping[str, Node]) -> list[str]:
        """Where in an answer the records are."""
        extractor = stream["retriever"]["record_selector"]["extractor"]
        return [self.expressions.text(part, self.portions.context(extractor)) for part in extractor.get("field_path") or []]

    def shaped(self, stream: Mapping[str, Node], portion: Portion, page: Page) -> Shaped:
        return shaped(self.expressions, stream, page.records, self.portions.context(stream, portion))

    def _answer(self, stream: Mapping[str, Node], portion: Portion, token: Any) -> Answer | None:
        """The answer to a page's request; None where the manifest leaves it out."""
        requester, attempt, renewed = stream["retriever"]["requester"], 0, False
        self._allow(stream)
        while True:
            parts, url = self._requests.of(stream, portion, token)
            self._signing.sign(requester.get("authenticator"), parts)
            request = parts.request(str(requester.get("http_method") or "GET").upper(), url)
            answer = self._sent(request)
            verdict = self._judge.of(requester.get("error_handler"), answer, attempt)
            if verdict.action == Action.TAKE:
                return answer
            if verdict.action == Action.LEAVE_OUT:
                return None
            if (verdict.action == Action.SIGN_IN or answer.status == 401) and not renewed and self._signing.forget():
                renewed = True
                continue
            if verdict.action != Action.REPEAT:
                raise self._refusal(request, answer, verdict)
            if attempt >= REPEATS or verdict.seconds > LONGEST_PAUSE_SECONDS:
                raise RetryLater(f"{_named(request)} answered {answer.status}", place=self._place, after_seconds=verdict.seconds)
            self._pause(verdict.seconds)
            attempt += 1

    def _allow(self, stream: Mapping[str, Node]) -> None:
        """Takes the hosts of the manifest's own addresses, as the connection's options make them; none of an answer's."""
        name = str(stream.get("name"))
        if name not in self._allowed:
            self._allowed.add(name)
            self.hosts |= self.hosts_of(stream)

    def hosts_of(self, node: Mapping[str, Node]) -> set[str]:
        """The hosts of the addresses at and below a node of the manifest, as the connection's options make them."""
        found = set[str]()
        for component in components(node):
            for field in ADDRESSES:
                if component.get(field):
                    with contextlib.suppress(DefinitionError, ValueError):  # of a record's value: no host of its own
                        address = self.expressions.text(component[field], self.portions.context(component))
                        found |= {host_of(address)} - {""}
        return found

    def _sent(self, request: Request) -> Answer:
        """Sends a request, and again where its answer says that it has moved."""
        for _ in range(REDIRECTS):
            self._check(request)
            answer = self._transport(request)
            target = answer.headers.get("location", "")
            if answer.status not in MOVED or not target:
                return answer
            if request.method != "GET":
                break
            request = replace(request, url=urljoin(request.url, target))
        raise DefinitionError(f"{_named(request)} has moved", place=self._place, remedy="write its new address into the manifest")

    def _check(self, request: Request) -> None:
        """Sends to a host that may have the credentials, and in the clear to this machine only."""
        split = urlsplit(request.url)
        if host_of(request.url) not in self.hosts:
            raise DefinitionError(
                f"a request would go to {split.hostname}, which the manifest does not name",
                place=self._place,
                remedy="name it among the overlay's `hosts` if it may have the credentials",
            )
        if split.scheme != "https" and split.hostname not in LOOPBACK:
            raise DefinitionError(f"{_named(request)} is not encrypted", place=self._place, remedy="use https")

    def _refusal(self, request: Request, answer: Answer, verdict: Verdict) -> DefinitionError:
        if answer.status in (401, 403):
            words = f": {verdict.said}" if verdict.said else ""
            what = f"{_named(request)} refuses the credentials of the secret {self._reference}: {answer.status}{words}"
            return SecretError(what, place=self._place, remedy="store ones that work, with the right to read this")
        said = f": {verdict.said}" if verdict.said else ""
        if verdict.given and self._reference:
            what = f"{_named(request)} does not take the secret {self._reference}{said}"
            return SecretError(what, place=self._place, remedy="store one that works, with the rights that the source's README names")
        remedy = "compare the connection's options with what the source expects"
        return DefinitionError(f"{_named(request)} answered {answer.status}{said}", place=self._place, remedy=remedy)


def host_of(url: str) -> str:
    """Host and port of an address, in small letters; '' where it has none."""
    return urlsplit(url).netloc.rpartition("@")[2].lower()


def _named(request: Request) -> str:
    """A request as errors name it: without its query, which may hold keys and values."""
    split = urlsplit(request.url)
    return f"{request.method} {split.scheme}://{split.netloc.rpartition('@')[2]}{split.path}"
