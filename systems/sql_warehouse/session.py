"""The statements of a batch's step: each purpose is one transaction, submitted once under its token, and waited for."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from shared_metadata.aws.later import is_later
from shared_metadata.contract.waiting.statements import MOST_TRIES, Engine, Look, Ran, Statements, Status
from shared_metadata.contract.waiting.turn import NotYet, Turn
from shared_metadata.contract.work import Work
from shared_metadata.errors import AtollError, DefinitionError, RetryLater

MOVED = "the table's ledger has moved on"  # what a service says of a transaction that the ledger's guard has stopped
GUARD = "/* atoll: the ledger is as it was read */"


class Service(Engine, Protocol):
    """A warehouse's service: a text is a JSON list of statements, which are one transaction."""

    def rows(self, id: str, number: int) -> list[list[Any]]:
        """What a statement of a transaction gave, counted from its end, where -1 is the last.

        What a service puts before all of them may be another in the version that submitted them.
        """
        ...

    def asks(self, statements: Sequence[Mapping[str, Any]]) -> list[str]:
        """What asks for more of what these took than their looks told, by one statement; nothing where that is all.

        statements: as `Ran.to_plain` has them.
        """
        ...

    def figures(self, rows: Sequence[Sequence[Any]]) -> Mapping[str, Mapping[str, Any]]:
        """Id or console_id of a statement ▸ its figures, by what that has answered."""
        ...


def estimated(unit: str, units: float, price: float) -> dict[str, float]:
    """What a statement may have taken of what is billed by the hour, and its dollars where the program says a unit's price."""
    found = {unit: units, "dollars": units * price}
    return {name: round(number, 6) for name, number in found.items() if number}


class LedgerMoved(Exception):
    """Another worker has committed to the table since its ledger was read; nothing was done."""


class Session:
    """The transactions of one call of a step.  limit_seconds: of all waiting of the step."""

    def __init__(self, service: Service, turn: Turn, place: str, limit_seconds: float) -> None:
        self._service = service
        self._statements = Statements(service, turn, place, limit_seconds=limit_seconds)

    def run(self, purpose: str, texts: Sequence[str]) -> Ran:
        """Raises NotYet while it runs, LedgerMoved, and DefinitionError with its id where it failed or was cancelled."""
        try:
            return self._statements.run(purpose, json.dumps(list(texts)), len(texts))
        except DefinitionError as error:
            if MOVED in error.what:
                raise LedgerMoved from None
            raise

    def rows(self, ran: Ran, number: int = -1) -> list[list[Any]]:
        """The rows that a statement of a transaction gave, counted from its end."""
        return self._service.rows(ran.id, number)

    def told(self, statements: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Statements with what the service tells of them afterwards, if it does within a call: no batch waits, or fails, for it."""
        found: Mapping[str, Mapping[str, Any]] = {}
        try:
            if texts := self._service.asks(statements):
                found = self._service.figures(self.rows(self.run("figures", texts)))
        except Exception as error:
            if not isinstance(error, NotYet | AtollError) and not is_later(error):
                raise
            found = {}
        return [{**one, **found.get(str(one["id"]), {}), **found.get(str(one.get("console_id")), {})} for one in statements]

    @property
    def ran(self) -> list[dict[str, Any]]:
        return [one.to_plain() for one in self._statements.ran]


def turn_of(work: Work) -> Turn:
    """The turn of a call; of one outside of any, one of its claim: other claims' statements are none of its."""
    if work.turn.key:
        return work.turn
    claim = work.claim
    return replace(work.turn, key=json.dumps([claim.flow, str(claim.interval), claim.token, work.table.dataset]))


def ask(service: Service, texts: Sequence[str], place: str, deadline_monotonic: float) -> list[list[Any]]:
    """The rows of the last statement, in a call that has no turn and waits for it. Raises RetryLater, DefinitionError."""
    for _ in range(MOST_TRIES):
        id, look = _asked(service, texts, place, deadline_monotonic)
        if not look.transient:
            break
    if look.status != Status.DONE:
        remedy = "mend what it says; the console of the service shows the statement by this id"
        raise DefinitionError(f"{service.kind} {id} failed: {look.reason}", place=place, remedy=remedy)
    return service.rows(id, -1)


def _asked(service: Service, texts: Sequence[str], place: str, deadline_monotonic: float) -> tuple[str, Look]:
    id = service.submit(json.dumps(list(texts)), Turn(key=f"{place} {time.time_ns()}").token("ask"))
    while (look := service.look(id)).status in (Status.WAITS, Status.RUNS):
        if time.monotonic() > deadline_monotonic:
            service.cancel(id)
            raise RetryLater(f"{service.kind} {id} was not done in time", place=place, remedy="nothing: it is asked again")
        time.sleep(0.2)
    return id, look
