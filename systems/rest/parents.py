"""Reads the parents of a stream for calls that may end at any of their pages: what former calls have read is kept beside the rows.

Kept, below the staging prefix: of each portion of a parent that was read whole, in order, the portions of its children, and where
the one stands that was not. A later call goes through the same portions in the same order, and asks for none of them again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from shared_metadata.contract.collect import ExtractRequest
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.errors import RetryLater
from systems.rest.manifest import Node
from systems.rest.passes import Moving, Passes
from systems.rest.portions import Portion, Span
from systems.rest.reader import Reader


class TimeUp(Exception):
    """The call's time is up between two pages."""


class Parents:
    """kept: names of the files of former calls.  salt: of Passes.  pages: how many this call has read."""

    def __init__(self, reader: Reader, request: ExtractRequest, kept: Sequence[str], salt: str, deadline: Deadline) -> None:
        self._reader, self._out, self._salt, self._deadline = reader, request.out, salt, deadline
        self._kept, self.pages, self._number = [*kept], 0, 0
        found = [self._out.staging.read(self._out.dataset, name) or {} for name in self._kept]
        self._told = [one for document in found for one in document["told"]]
        self._known, self._at = len(self._told), dict(found[-1]["at"]) if found else {}  # where it stands in a portion

    def portions(self, stream: Mapping[str, Node], span: Span) -> list[Portion] | None:
        """All portions of a stream; None where the call has to end before they are known. Raises RetryLater where it read no page."""
        try:
            return [*self._reader.portions.by(self._each).of(stream, span)]
        except TimeUp:
            return None
        except RetryLater as error:
            if isinstance(error, Moving) or not self.pages:
                raise
            return None

    def keep(self) -> list[str]:
        """Writes what this call has read, and names all files."""
        if self.pages:
            name = f"parents-{self._out.part:04d}-{self._out.call}.json"
            passes = self._at.get("passes")
            at = {**self._at, "passes": passes.state() if isinstance(passes, Passes) else passes}
            document = {"told": self._told[self._known :], "at": at if self._at else {}}
            self._out.staging.write(document, self._out.dataset, name)
            self._kept, self._known = [*(one for one in self._kept if one != name), name], len(self._told)
        return self._kept

    def _each(self, stream: Mapping[str, Node], portion: Portion, take: Callable[[Any], Portion | None]) -> Iterable[Portion | None]:
        number, self._number = self._number, self._number + 1
        if number >= len(self._told):
            self._told.append(self._read(stream, portion, take))
        return [Portion(*one) if one else None for one in self._told[number]]

    def _read(self, stream: Mapping[str, Node], portion: Portion, take: Callable[[Any], Portion | None]) -> list[Any]:
        """What is taken of each record of a portion of a parent, page by page from where a former call has ended."""
        reader, at = self._reader, self._at or {"page": None, "begun": False, "taken": [], "passes": None}
        passes = reader.passes(stream, self._salt, at["passes"])
        self._at = at
        at["passes"] = passes
        while True:
            if self.pages and self._deadline.near:
                raise TimeUp
            page = reader.page(stream, portion, at["page"] if at["begun"] else reader.first_token(stream))
            self.pages += 1
            shaped = reader.shaped(stream, portion, page)
            at["taken"] += [_plain(take(record)) for record in shaped.taken]
            at |= {"page": page.following, "begun": page.following is not None}
            if passes:
                passes.see(shaped.seen, page.following is None)
            if page.following is None:
                if passes is None or passes.end(stream):
                    self._at = {}
                    return list(at["taken"])
                at["taken"] = []


def _plain(portion: Portion | None) -> Any:
    return portion and [dict(portion.partition), dict(portion.window), dict(portion.extra)]
