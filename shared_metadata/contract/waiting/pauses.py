"""How long a state machine pauses before it calls a waiting step again: short at first, and never more often than its history allows.

An execution may have 25,000 events, and what runs in it beside one another shares them:
https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html. Nothing catches what ends it there. So a plan gives each
of its pieces (a table, or a part of one) a number of looks, and the pauses grow as fast as that number asks for: of 40 pieces
each may wait for six hours, of 200 tables each for 20 minutes, in all their steps.
"""

from __future__ import annotations

import math

from shared_metadata.contract.runtime.deadline import LEASE_SECONDS

MOST_EVENTS = 25_000
EVENTS_TO_SPARE = 5_000  # for the frame, and for what is tried again
EVENTS_OF_PIECE = 50  # all that a piece does beside waiting
EVENTS_OF_LOOK = 9  # the step's five, two of the choice after it, two of the pause
TRANSITIONS_OF_LOOK = 3
PIECES_WITH_ROOM = 40  # of one execution: each may wait for hours

FIRST_SECONDS = 5
# The lease is extended when the pause begins: what is left of it is for a step that is slow to begin, or is tried again.
LONGEST_SECONDS = LEASE_SECONDS - 6 * 60
# A pause as a share of what was waited so far; beyond the last, short statements would wait in vain.
GROWTHS = (0.25, 0.5, 1.0, 2.0, 4.0)


def looks_of_each(pieces: int) -> int:
    """How often each of the pieces of an execution may be looked at in vain."""
    pieces = max(pieces, 1)
    return max(0, (MOST_EVENTS - EVENTS_TO_SPARE - pieces * EVENTS_OF_PIECE) // (pieces * EVENTS_OF_LOOK))


def pause_seconds(waited_seconds: float, limit_seconds: float, looks: int, at_least: float = 0) -> int:
    """The next pause of a step that has waited so long, and has so many looks until its limit.  at_least: the other side's advice."""
    growth = next((g for g in GROWTHS if looks_needed(waited_seconds, limit_seconds, g) <= looks), GROWTHS[-1])
    pause = min(max(_pause(waited_seconds, growth), at_least), limit_seconds - waited_seconds, LONGEST_SECONDS)
    return max(1, math.ceil(pause))


def looks_needed(waited_seconds: float, limit_seconds: float, growth: float) -> int:
    """How many pauses that grow so bring a step from what it has waited to its limit."""
    looks = 0
    while waited_seconds < limit_seconds:
        pause = _pause(waited_seconds, growth)
        if pause >= LONGEST_SECONDS:
            return looks + math.ceil((limit_seconds - waited_seconds) / LONGEST_SECONDS)
        waited_seconds, looks = waited_seconds + pause, looks + 1
    return looks


def _pause(waited_seconds: float, growth: float) -> float:
    return min(max(FIRST_SECONDS, waited_seconds * growth), LONGEST_SECONDS)
