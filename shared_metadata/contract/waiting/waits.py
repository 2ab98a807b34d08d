"""A wait as it travels in a table's state: {…, 'looks': n, 'nonce': '…', 'waiting': {'step', 'seconds', 'since', 'resume', 'used'}}.

`looks` and `nonce` are there from plan on, where the slice declares that it waits; `waiting` while a step does.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from shared_metadata.contract.waiting.pauses import MOST_EVENTS, PIECES_WITH_ROOM, looks_of_each, pause_seconds
from shared_metadata.contract.waiting.turn import NotYet, Turn
from shared_metadata.errors import DefinitionError
from shared_metadata.state.records import Claim, Wait

State = Mapping[str, Any]
WAITING = "waiting"
SEEN_CHARACTERS = 200
RESUME_BYTES = 32_768  # of JSON: a state has 262,144, for all that it carries


def with_room(states: Sequence[State], pieces: Sequence[int]) -> list[dict[str, Any]]:
    """The states of an execution's tables, each with how often its steps may look. pieces: how many of each work beside one another.

    The nonce tells this claim from one of another installation, which began its numbers anew, with the same names.
    """
    looks = looks_of_each(sum(pieces))
    return [{**state, "looks": looks, "nonce": uuid.uuid4().hex[:8]} for state in states]


def turn_of(state: State, claim: Claim, dataset: str, step: str) -> Turn:
    """The turn of a call with this state."""
    waiting = state.get(WAITING, {})
    key = [claim.flow, str(claim.interval), claim.token, state.get("nonce", ""), dataset, step, state.get("part")]
    return Turn(step, json.dumps(key), waiting["resume"] if waiting.get("step") == step else None)


def postponed(state: State, step: str, answer: NotYet, now: datetime, used: Mapping[str, float], place: str) -> dict[str, Any]:
    """The state with which the machine pauses. Raises DefinitionError, after it has cancelled it, for what takes too long."""
    waiting, moment = state.get(WAITING, {}), now.timestamp()
    since = waiting["since"] if waiting.get("step") == step else moment
    looks, waited = int(state.get("looks", looks_of_each(PIECES_WITH_ROOM))), moment - since
    if waited >= answer.limit_seconds or looks < 1:
        answer.cancel()
        raise _too_long(answer, waited, looks, place)
    if len(json.dumps(dict(answer.resume)).encode()) > RESUME_BYTES:
        answer.cancel()
        raise DefinitionError(
            f"the token with which {step} is resumed has more than {RESUME_BYTES:,} bytes",
            place=place,
            remedy="keep what the step has to remember below its staging prefix, and hand on where",
        )
    seconds = pause_seconds(waited, answer.limit_seconds, looks, answer.seconds)
    wait = {"step": step, "seconds": seconds, "since": since, "resume": dict(answer.resume), "used": dict(used)}
    return {**state, "looks": looks - 1, WAITING: wait}


def seen(postponed: State, what: str, now: datetime) -> Wait:
    """The wait as whoever asks for the batch sees it."""
    waiting = postponed[WAITING]
    since, next_look = datetime.fromtimestamp(waiting["since"], UTC), now + timedelta(seconds=waiting["seconds"])
    return Wait(what[:SEEN_CHARACTERS], waiting["step"], since.replace(microsecond=0), next_look.replace(microsecond=0))


def used(state: State) -> Mapping[str, float]:
    """What its calls have used that found nothing yet."""
    return state.get(WAITING, {}).get("used", {})  # type: ignore[no-any-return]


def settled(state: State) -> dict[str, Any]:
    """The state of a step that waits no longer."""
    return {name: value for name, value in state.items() if name != WAITING}


def _too_long(answer: NotYet, waited: float, looks: int, place: str) -> DefinitionError:
    if waited >= answer.limit_seconds:
        return DefinitionError(
            f"{answer.what} was not done within {answer.limit_seconds:,.0f} s, and is cancelled",
            place=place,
            remedy=answer.remedy or "make it smaller, or allow it more time",
        )
    return DefinitionError(
        f"{answer.what} was not done within {waited:,.0f} s, and is cancelled: its execution's history, which has room for "
        f"{MOST_EVENTS:,} events, has none for another look at it",
        place=place,
        remedy=f"give an execution fewer tables or parts: {PIECES_WITH_ROOM} have room for hours each",
    )
