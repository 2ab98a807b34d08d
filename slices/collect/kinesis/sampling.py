"""Looks at a stream's newest events: which keys they have, and what their values are."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from shared_metadata.contract.parquet.duckdb_session import identifier, open_duckdb
from shared_metadata.contract.parquet.guessed_types import TEXT, guessed
from shared_metadata.contract.parquet.json_keys import value_of
from slices.collect.kinesis.config import Config
from slices.collect.kinesis.positions import START, Position
from slices.collect.kinesis.records import Lines
from slices.collect.kinesis.rows import IS_OBJECT
from slices.collect.kinesis.streams import Stream

SAMPLE_EVENTS, FEWEST_EVENTS, SHARDS, LOOKS = 1000, 100, 8, 3
LOOK_BACK_SECONDS = (60, 3600, 86_400)


class Sampling:
    """now: the time."""

    def __init__(self, stream: Stream, config: Config, now: datetime) -> None:
        self._stream, self._config, self._now = stream, config, now
        self._lines: Lines | None = None

    def keys(self) -> dict[str, str]:
        """Key ▸ type by a sample, in the order in which they come."""
        with open_duckdb(threads=1) as connection:
            events = f"(SELECT d, row_number() OVER () AS nr FROM {self._sampled().relation()} WHERE {IS_OBJECT})"
            sql = (
                f"SELECT key FROM (SELECT unnest(json_keys(d)) AS key, nr FROM {events}) "
                "GROUP BY key ORDER BY min(nr), any_value(key)"
            )
            names = [name for (name,) in connection.execute(sql).fetchall() if name]
            if not names:
                return {}
            values = ", ".join(f"{value_of('d', [name])} AS {identifier(name)}" for name in _first_of_each(names))
            types = guessed(connection, f"(SELECT {values} FROM {events})", _first_of_each(names))
            return {name: types.get(name, TEXT) for name in _first_of_each(names)}

    def values(self, key: str, most: int) -> list[Any]:
        """Some of what the events have there: null where they have none."""
        with open_duckdb(threads=1) as connection:
            sql = f"SELECT {value_of('d', [key])} FROM {self._sampled().relation()} WHERE {IS_OBJECT} LIMIT {most}"
            return [value for (value,) in connection.execute(sql).fetchall()]

    def close(self) -> None:
        if self._lines is not None:
            self._lines.__exit__()

    def _sampled(self) -> Lines:
        if self._lines is None:
            self._lines = Lines(self._config)
            for shard in sorted(self._stream.shards(), reverse=True)[:SHARDS]:
                if self._lines.count < SAMPLE_EVENTS:
                    self._lines.add(self._stream.shard(shard), self._newest(shard))
        return self._lines

    def _newest(self, shard: str) -> list[dict[str, Any]]:
        """The last of a shard that a few looks find; from further back where these are few."""
        looks: list[datetime | Position] = [self._now - timedelta(seconds=back) for back in LOOK_BACK_SECONDS]
        for since in (*looks, START):
            found = list[dict[str, Any]]()
            for number, page in enumerate(self._stream.pages(shard, since, SAMPLE_EVENTS), 1):
                found += page.records
                if page.at_tip or (number >= LOOKS and (found or since != START)):
                    break
            if len(found) >= FEWEST_EVENTS:
                break
        return found[-SAMPLE_EVENTS:]


def _first_of_each(names: list[str]) -> list[str]:
    """The names, and where some differ in case only the first of them."""
    return list({name.lower(): name for name in reversed(names)}.values())[::-1]
