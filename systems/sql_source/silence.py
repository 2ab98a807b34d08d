"""A source that does not answer: how long it is waited for, and what is said of it."""

from __future__ import annotations

from shared_metadata.errors import RetryLater

ANSWER_SECONDS = 5.0  # between giving up a source that is silent and the deadline


def silent(place: str) -> RetryLater:
    remedy = "see whether it is overloaded or stopped; the batch is tried again and goes on from where it was"
    return RetryLater("the database did not answer before the call's time was up", place=place, remedy=remedy)
