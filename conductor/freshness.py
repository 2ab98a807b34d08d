"""Checks FRESH WITHIN: counts late datasets, for the alarm, and records an event for each broken promise."""

from __future__ import annotations

from datetime import datetime

from conductor.known_states import KnownStates
from shared_metadata.errors import DefinitionError
from shared_metadata.state.freshness import LateDataset, late_datasets
from shared_metadata.store.writer import MetadataWriter

EVERY_MINUTES = 5  # the alarm's period


class Freshness:
    """Remembers which broken promises it has recorded, so that a lasting one costs no further write."""

    def __init__(self, writer: MetadataWriter) -> None:
        self._writer = writer
        self._recorded: set[LateDataset] = set()

    def check(self, known: KnownStates, now: datetime) -> int:
        """Returns how many datasets are late; each is recorded once for as long as its watermark stands still.

        It reads the active program's version and the states of those flows that are late by the states known so far.
        """
        reader = self._writer.reader
        try:
            program = reader.active_program()
        except DefinitionError:
            return 0  # no program was ever applied
        seem_late = {one.flow for one in late_datasets(program, known.held, now)}
        late = late_datasets(program, known.read(seem_late), now)
        for one in set(late) - self._recorded:
            self._writer.record_late(one)
        self._recorded = set(late)
        return len(late)
