"""Tells of a sample of events which keys they have, and what their values are."""

from __future__ import annotations

from typing import Any

from shared_metadata.contract.parquet.duckdb_session import identifier, open_duckdb
from shared_metadata.contract.parquet.guessed_types import TEXT, guessed
from shared_metadata.contract.parquet.json_keys import first_keys, value_of
from systems.events.columns import Told
from systems.events.lines import Lines
from systems.events.rows import IS_OBJECT


class Sampling:
    """A sample of events, which is looked at once it is asked for.  told: what a line has beside its event."""

    def __init__(self, told: Told) -> None:
        self._told = told
        self._lines: Lines | None = None

    def gather(self, lines: Lines) -> None:
        """Looks at the newest events."""
        raise NotImplementedError

    def keys(self) -> dict[str, str]:
        """Key ▸ type by a sample, in the order in which they come."""
        with open_duckdb(threads=1) as connection:
            events = f"(SELECT d, row_number() OVER () AS nr FROM {self._sampled().relation()} WHERE {IS_OBJECT})"
            names = first_keys(connection, events, "d", "nr")
            if not names:
                return {}
            values = ", ".join(f"{value_of('d', [name])} AS {identifier(name)}" for name in names)
            types = guessed(connection, f"(SELECT {values} FROM {events})", names)
            return {name: types.get(name, TEXT) for name in names}

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
            self._lines = Lines(self._told)
            self.gather(self._lines)
        return self._lines
