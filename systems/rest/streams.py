"""The streams of one connection: those of the manifest, and those whose names or columns its options or its API tell."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from functools import cached_property
from typing import Any

from shared_metadata.contract.projection import place_of
from shared_metadata.errors import DefinitionError, RetryLater
from shared_metadata.program import Flow, Table
from shared_metadata.spelling import did_you_mean
from systems.rest.asked_columns import is_asked, properties_asked, with_properties
from systems.rest.beside import with_cursor
from systems.rest.columns import properties_of, why_no_columns
from systems.rest.covered import not_interpreted, why_no_retention
from systems.rest.document import Document, said_of
from systems.rest.manifest import Node
from systems.rest.portions import BEYOND, Portion, Span
from systems.rest.reader import Reader
from systems.rest.table_defaults import wrong_in
from systems.rest.templates import BY_API, Told, made, told, why_refused

Stream = Mapping[str, Node]


def not_there(flow: Flow, table: Table, names: Iterable[str]) -> DefinitionError:
    remedy = did_you_mean(table.source, names) + "change the program, or the manifest"
    return DefinitionError(f"the manifest has no stream {table.source}", place=place_of(flow, table), remedy=remedy)


def not_covered(flow: Flow, table: Table, why: str) -> DefinitionError:
    remedy = "leave it out: what a manifest says in these words is not read yet"
    return DefinitionError(f"{table.source} is not covered: {why}", place=place_of(flow, table), remedy=remedy)


class Streams:
    """open: a reader as of now, for what has to be asked, which is asked once."""

    def __init__(self, document: Document, open: Callable[[], Reader]) -> None:
        self._document, self._open = document, open
        self._whole: dict[str, Stream] = {}
        self._left_out: dict[str, str] = dict(document["left_out"])

    def names(self) -> list[str]:
        """Names of all that are read here, sorted; the API is asked where it tells any."""
        return sorted({*self._document["streams"], *self._made})

    def unasked(self) -> Stream | None:
        """One that the options tell, without its columns; None where the API has answered already, which told what there is."""
        made = [stream for _, _, stream in self._made.values()]
        told = any(one["components_resolver"]["type"] == BY_API for one in self._document["templates"])
        return next(iter(made), None) if not told else None

    def has(self, name: str) -> bool:
        return name in self._document["streams"] or name in self._made

    def why_not(self, name: str) -> str:
        """Why a stream is not read that is there; '' for any other."""
        return "" if self.has(name) else self._left_out.get(name, "")

    def find(self, name: str) -> Stream | None:
        """A stream with its columns; None for one that is not there. Raises DefinitionError for one that can be no table."""
        if name not in self._whole:
            stream = self._document["streams"].get(name) or (self._made[name][2] if name in self._made else None)
            if stream is None:
                return None
            self._whole[name] = self._looked_through(name, stream)
        return self._whole[name]

    def kept(self, name: str) -> dict[str, Any] | None:
        """What `again` makes a stream of and asks nothing, as JSON; None for one that the manifest has whole.

        What the options tell is not in it: they may hold what is secret.
        """
        own: Stream | None = self._document["streams"].get(name)
        if own is not None and not is_asked(own):
            return None
        number, of, stream = (None, None, own) if own is not None else self._made[name]
        by_api = number is not None and self._template(number)["components_resolver"]["type"] == BY_API
        properties = dict(properties_of(self.find(name) or {})) if is_asked(stream) else None
        return {"template": number, "told": asdict(of) if of and by_api else None, "properties": properties}

    def again(self, name: str, kept: Mapping[str, Any]) -> Stream:
        """The stream that `kept` tells of. Raises RetryLater where the options have changed since."""
        number, of, properties = kept["template"], kept["told"], kept["properties"]
        if number is None:
            found = self._document["streams"].get(name)
        elif of is not None:
            found = with_cursor(made(self._reader, self._template(number), Told(of["values"], Portion(**of["portion"]))))
        else:
            found = next((stream for _, stream in self._each(number) if stream.get("name") == name), None)
        if found is None or found.get("name") != name:
            raise RetryLater(f"{name} is not what it was when the batch was planned", remedy="nothing, it is tried again")
        return found if properties is None else with_properties(found, properties)

    @cached_property
    def _reader(self) -> Reader:
        return self._open()

    @cached_property
    def _made(self) -> dict[str, tuple[int, Told, Stream]]:
        """Those that the options or the API tell, by name; two of one name are left out, as is what is not interpreted."""
        found: dict[str, tuple[int, Told, Stream]] = {}
        for number in range(len(self._document["templates"])):
            for of, stream in self._each(number):
                name = stream["name"]
                refused = why_refused(self._reader, self._template(number), of, stream)
                why = ", ".join(not_interpreted(stream)) or why_no_retention(stream) or refused
                if name in found or name in self._document["streams"]:
                    why = "there are two of this name"
                    found.pop(name, None)
                if why or name in self._left_out:
                    self._left_out.setdefault(name, why)
                elif name:
                    found[name] = number, of, stream
        return found

    def _each(self, number: int) -> Iterator[tuple[Told, dict[str, Node]]]:
        """What each of a template's streams is made of, and the stream."""
        template, now = self._template(number), self._reader.expressions.now
        for of in told(self._reader, template, Span(None, now + BEYOND, now + BEYOND)):
            yield of, with_cursor(made(self._reader, template, of))

    def _template(self, number: int) -> Mapping[str, Node]:
        found: Mapping[str, Node] = self._document["templates"][number]
        return found

    def _looked_through(self, name: str, stream: Stream) -> Stream:
        """The stream with its columns, for which the API is asked where it tells them."""
        if is_asked(stream):
            stream = with_properties(stream, properties_asked(self._reader, stream))
        elif name in self._document["streams"]:
            return stream
        said = said_of(self._document, name)
        why = why_no_columns(stream) or next(iter(wrong_in(name, said, stream)), "")
        if why:
            raise DefinitionError(f"{name} is not covered: {why}", remedy="leave it out, or correct what the overlay says of it")
        return stream
