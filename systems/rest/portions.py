"""Portions of a stream: what one run of pages reads, a partition (of a list, of a parent's records) and a window of time."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from shared_metadata.program.intervals import from_text, to_text
from systems.rest import moments
from systems.rest.expressions import Expressions
from systems.rest.manifest import PARAMETERS, Node
from systems.rest.transformations import below

LEAST = timedelta(microseconds=1)
BEYOND = timedelta(days=1)  # after which no record lies yet


@dataclass(frozen=True)
class Portion:
    """partition, window: names ▸ values as expressions see them.  extra: fields of the parent's record, by their paths."""

    partition: Mapping[str, Any] = field(default_factory=dict)
    window: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)


class SeenPortion(dict[str, Any]):
    """A portion as expressions see it."""

    extra_fields: Mapping[str, Any]

    def __init__(self, portion: Portion) -> None:
        super().__init__({**portion.partition, **portion.window})
        self.extra_fields = portion.extra


@dataclass(frozen=True)
class Span:
    """The time that the API is asked for: from `start` (None: from the stream's own) to `end`, both inclusive.

    beyond: a moment that no record has yet: parents are asked for up to it, since one that changes now would take its children along.
    """

    start: datetime | None
    end: datetime
    beyond: datetime

    def to_plain(self) -> list[str]:
        return [to_text(self.start) if self.start else "", to_text(self.end), to_text(self.beyond)]

    @staticmethod
    def of_plain(said: Sequence[str]) -> Span:
        start, end, beyond = said
        return Span(from_text(start) if start else None, from_text(end), from_text(beyond))


# A parent and one of its portions: what is made of each of its records.
EachOf = Callable[[Mapping[str, Node], Portion, Callable[[Any], Portion | None]], Iterable[Portion | None]]


class Portions:
    """The portions of streams. each_of: reads the records of a parent's portion."""

    def __init__(self, config: Mapping[str, Any], expressions: Expressions, each_of: EachOf) -> None:
        self._config, self._expressions, self._each_of = config, expressions, each_of

    def by(self, each_of: EachOf) -> Portions:
        """The same, with another way to read parents."""
        return Portions(self._config, self._expressions, each_of)

    def of(self, stream: Mapping[str, Node], span: Span | None) -> Iterator[Portion]:
        """span: None for what Airbyte would read: from the stream's start to now."""
        sync = stream.get("incremental_sync")
        for partition in self._partitions(stream["retriever"].get("partition_router"), span):
            windows = self._windows(sync, span) if sync else [{}]
            yield from (Portion(partition.partition, window, partition.extra) for window in windows)

    def _windows(self, sync: Mapping[str, Node], span: Span | None) -> Iterator[dict[str, str]]:
        """The steps of a window, both ends inclusive as Airbyte has them: a granule stands between two steps.

        Of a span two steps share their edge, each begins a second earlier, and the last one ends no earlier than the span does,
        however coarse the format is. So an API that takes either end as exclusive leaves nothing out; SQL cuts what is read twice.
        """
        context, text = self.context(sync), self._expressions.text
        form = text(sync["datetime_format"], context)
        start, end = self._moment(sync["start_datetime"], form, sync), self._expressions.now
        if sync.get("end_datetime"):
            end = min(end, self._moment(sync["end_datetime"], form, sync))
        grain = moments.duration(sync["cursor_granularity"]) if sync.get("cursor_granularity") else timedelta(0)
        if span:
            start, end, grain = max(start, span.start or start), span.end, timedelta(0)
        step = moments.duration(text(sync["step"], context)) if sync.get("step") else None
        names = [text(sync.get(f"partition_field_{edge}") or f"{edge}_time", context) for edge in ("start", "end")]
        while start <= end:
            upper = min(start + step - (LEAST if not (grain or span) else grain), end) if step else end
            written = moments.write_as(upper, form) if not span else moments.not_before(upper, form)
            lower = start - timedelta(seconds=1) if span else start
            yield dict(zip(names, (moments.write_as(lower, form), written), strict=True))
            if span and upper >= end:
                return
            start = upper + (grain or (timedelta(0) if span else LEAST))

    def _moment(self, node: Node, form: str, parent: Mapping[str, Node]) -> datetime:
        node = {"datetime": node, PARAMETERS: parent.get(PARAMETERS)} if isinstance(node, str) else node
        context, own = self.context(node), node.get("datetime_format") or form

        def read(name: str) -> datetime:
            found = self._expressions.text(node[name], context)
            try:
                return moments.read_as(found, own)
            except ValueError:
                return moments.read(found)

        found = read("datetime")
        found = max(found, read("min_datetime")) if node.get("min_datetime") else found
        return min(found, read("max_datetime")) if node.get("max_datetime") else found

    def _partitions(self, routers: Node, span: Span | None) -> Iterator[Portion]:
        """Every combination of what the routers give."""
        each = [[*self._routed(router, span)] for router in (routers if isinstance(routers, list) else [routers] if routers else [])]
        for parts in itertools.product(*each):
            partition = {name: value for part in parts for name, value in part.partition.items()}
            yield Portion(partition, {}, {name: value for part in parts for name, value in part.extra.items()})

    def _routed(self, router: Mapping[str, Node], span: Span | None) -> Iterator[Portion]:
        context, given = self.context(router), router.get("values")
        if router["type"] == "ListPartitionRouter":
            key = self._expressions.text(router["cursor_field"], context)
            values = self._expressions.value(given, context) if isinstance(given, str) else self._expressions.mapping(given, context)
            yield from (Portion({key: value}) for value in (values if isinstance(values, list | tuple) else [values]))
            return
        for parent in router["parent_stream_configs"]:
            yield from self._of_parent(parent, span)

    def _of_parent(self, parent: Mapping[str, Node], span: Span | None) -> Iterator[Portion]:
        """A parent is read whole: its own window would miss the children of parents that did not change."""
        context, text = self.context(parent), self._expressions.text
        key, target = text(parent["parent_key"], context), text(parent["partition_field"], context)
        extra: Sequence[Sequence[str]] = [[text(part, context) for part in path] for path in parent.get("extra_fields") or []]
        whole = Span(None, span.beyond, span.beyond) if span else None

        def child(portion: Portion, record: Any) -> Portion | None:
            value = below(record, _path(record, key))
            found = {".".join(path): below(record, path) for path in extra}
            return None if value is None else Portion({target: value, "parent_slice": dict(portion.partition)}, {}, found)

        for portion in self.of(parent["stream"], whole):
            yield from filter(None, self._each_of(parent["stream"], portion, partial(child, portion)))

    def context(self, component: Mapping[str, Node], portion: Portion | None = None) -> dict[str, Any]:
        """What the expressions of a component see."""
        seen = SeenPortion(portion or Portion())
        names = dict.fromkeys(("stream_slice", "stream_partition", "stream_interval"), seen)
        return {"config": self._config, "parameters": component.get(PARAMETERS) or {}, "next_page_token": None, **names}


def _path(record: Any, key: str) -> list[str]:
    """A parent's key as a path: 'a/b', or 'a.b' where the record has no field of that name."""
    if "/" in key:
        return key.split("/")
    return key.split(".") if "." in key and not (isinstance(record, dict) and key in record) else [key]
