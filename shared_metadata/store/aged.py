"""Summaries of aged batches and versions (maintenance/ageing.py); which version belongs to a moment where some are forgotten.

A flow's batches leave a summary: tokens go on above it, and nothing up to its end is missing. Some of a dataset's versions stay
longer than those after them. Each of these names the version that followed it, so that it is never taken for a later one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared_metadata.errors import DefinitionError
from shared_metadata.program.intervals import from_text, to_text
from shared_metadata.state.records import Version
from shared_metadata.store import keys


@dataclass(frozen=True)
class AgedBatches:
    """A summary of one flow's aged batches. through: their latest end.  token: their highest.

    batches: how many, at least.  first: the start of the first of them.  counted: the start of the last that was counted.
    """

    through: datetime
    token: int
    batches: int
    first: datetime
    counted: datetime

    def values(self) -> dict[str, Any]:
        moments = {name: to_text(getattr(self, name)) for name in ("through", "first", "counted")}
        return {**moments, "token": self.token, "batches": self.batches}

    @staticmethod
    def of(values: Mapping[str, Any]) -> AgedBatches:
        through, first, counted = (from_text(values[name]) for name in ("through", "first", "counted"))
        return AgedBatches(through, values["token"], values["batches"], first, counted)


def stands(found: Version | None, moment: datetime) -> bool:
    """Whether the last version recorded by a moment belongs to that moment, where versions are forgotten.

    The first version of a dataset stays; so before it there was none.
    """
    if found is None or found.interval.end == moment:
        return True
    return found.followed_by is not None and moment < found.followed_by.end


def covered_by_forgotten(found: Version | None, later: Version | None, moment: datetime) -> bool:
    """Whether a moment lies inside the batch of a forgotten version between these two."""
    following = found.followed_by if found else None
    if following is None or (later and later.interval.end <= following.end):
        return False
    return following.start < moment


def forgotten(dataset: str, moment: datetime, before: datetime) -> DefinitionError:
    """The error for a moment before `before`, from which on no version is forgotten."""
    return DefinitionError(
        f"the version of {dataset} as of {to_text(moment)} is kept no longer",
        place=keys.DATASET_PREFIX + dataset,
        remedy=f"run the batch of {dataset} that ends then again, or begin at {to_text(before)} or later; the option keep of the"
        " warehouse says how long versions stay",
    )
