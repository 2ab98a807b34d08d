"""Statements that run elsewhere: each is submitted once under its token, looked at, waited for, and cancelled at its limit.

submit, or look up what was submitted ▸ queued, running: NotYet ▸ done: Ran
                                      ▸ failed, cancelled: an error that names it; once more where the service was to blame
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from shared_metadata.contract.waiting.turn import NotYet, Turn
from shared_metadata.errors import DefinitionError

LIMIT_SECONDS = 6 * 3600.0
# What a pause of the state machine costs at least, three transitions, is what a function of 1 GB costs in so many seconds.
PATIENCE_SECONDS = 5.0
MOST_TRIES = 3
LOOKS_SECONDS = (0.2, 0.4, 0.8)  # between looks of one call; then the last again
_TOKEN_OF_ANOTHER = re.compile("idempot", re.IGNORECASE)


class Status(StrEnum):
    """How a statement is."""

    WAITS = "waits"
    RUNS = "runs"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Look:
    """What a service says of a statement.

    reason: why it failed, or was cancelled; with names, never with data.  transient: the service failed, not the statement.
    remedy: what to do of a failure, where the driver knows it.
    used: what it took, in kinds that have a list price (costs.py), or in units that have none and are told as such.
    estimated: what it may have taken of what is billed otherwise than by statements, which is in no cost.
    console_id: how the service's console calls it, where that is not its id.  result: whatever its driver needs of it.
    bytes_written: of rows into tables and files, where the service tells.
    """

    status: Status
    reason: str = ""
    transient: bool = False
    queue_seconds: float = 0.0
    run_seconds: float = 0.0
    bytes_scanned: int = 0
    rows: int | None = None
    used: Mapping[str, float] = field(default_factory=dict)
    result: Mapping[str, Any] = field(default_factory=dict)
    estimated: Mapping[str, float] = field(default_factory=dict)
    console_id: str = ""
    bytes_written: int = 0
    remedy: str = ""


class Engine(Protocol):
    """A service that runs statements and does not keep whoever asks waiting.

    kind: what it calls a statement, e.g. 'Athena query'; with its id it is found in the service's own console.
    """

    kind: str

    def submit(self, text: str, token: str) -> str:
        """Starts a statement, and returns its id; of one that was started under this token before, the same id.

        Where the service takes no token, the statement carries it (as a comment, a label), and is looked for before it is started.
        Raises what `submitted_otherwise` gives where the token is that of another text.
        """
        ...

    def look(self, id: str) -> Look: ...

    def cancel(self, id: str) -> None:
        """Has it end soon; nothing where it has ended."""
        ...


@dataclass(frozen=True)
class Ran:
    """A statement that is done, as a batch's statistics have it; `result` as the engine gave it."""

    id: str
    purpose: str
    queue_seconds: float
    run_seconds: float
    bytes_scanned: int
    rows: int | None
    used: Mapping[str, float]
    result: Mapping[str, Any]
    estimated: Mapping[str, float] = field(default_factory=dict)
    console_id: str = ""
    bytes_written: int = 0

    def to_plain(self) -> dict[str, Any]:
        """The plain form for `Committed.statements`, and for the documents that a driver hands from step to step."""
        unknown = {"result", *(name for name in ("estimated", "bytes_written") if not getattr(self, name))}
        return {name: value for name, value in asdict(self).items() if name not in unknown and value is not None and value != ""}


class Statements:
    """The statements of one call of a step, each known by what it is for.

    place: of the table in its program.  limit_seconds: of all waiting of the step.  patience_seconds: for how long a call looks
    again by itself, before it says NotYet.  asleep: how it passes the time until then.
    """

    def __init__(
        self,
        engine: Engine,
        turn: Turn,
        place: str,
        *,
        limit_seconds: float = LIMIT_SECONDS,
        patience_seconds: float = PATIENCE_SECONDS,
        asleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._engine, self._turn, self._place, self._limit = engine, turn, place, limit_seconds
        self._patience, self._asleep = patience_seconds, asleep
        self._known: dict[str, Any] = dict(turn.resume or {})
        self.ran: list[Ran] = []

    def run(self, purpose: str, text: str | Callable[[], str], parts: int = 1) -> Ran:
        """What became of it. Raises NotYet while it runs; DefinitionError, with its id, where it failed or was cancelled.

        purpose: tells it from the step's other statements, and is the same in each call.  text: or what makes it, which is asked for
        the text only when it is submitted.  parts: how many statements it is of, by whose places their answers are read.
        """
        identity, tried = self._submitted(purpose, text, parts)
        look = self._looked(identity)
        if look.status == Status.FAILED and look.transient and tried < MOST_TRIES:
            self._known[purpose] = {"tried": tried}
            raise self._not_yet(identity, f"{self._engine.kind} {identity}, which is submitted again ({look.reason})")
        if look.status in (Status.FAILED, Status.CANCELLED):
            raise self._ended(identity, look)
        if look.status != Status.DONE:
            raise self._not_yet(identity, f"{self._engine.kind} {identity}")
        taken = (look.queue_seconds, look.run_seconds, look.bytes_scanned, look.rows, look.used, look.result)
        self.ran.append(Ran(identity, purpose, *taken, look.estimated, look.console_id, look.bytes_written))
        return self.ran[-1]

    def _submitted(self, purpose: str, text: str | Callable[[], str], parts: int) -> tuple[str, int]:
        """Its id and how often it was submitted. A call that died after it submitted has handed on nothing: the token finds it."""
        known = self._known.get(purpose, {})
        tried = int(known.get("tried", 0))
        if known.get("parts", parts) != parts:
            raise _otherwise(f"{self._engine.kind} {known['id']}", self._place)
        if "id" not in known:
            said = text if isinstance(text, str) else text()
            identity = self._engine.submit(said, self._turn.token(f"{purpose} {tried}"))
            known = self._known[purpose] = {"id": identity, "tried": tried + 1, "parts": parts}
        return str(known["id"]), int(known["tried"])

    def _looked(self, identity: str) -> Look:
        """The statement as it is now, or within the call's patience; what is queued may be so for long."""
        until, looks = time.monotonic() + self._patience, 0
        while (look := self._engine.look(identity)).status in (Status.WAITS, Status.RUNS):
            pause = LOOKS_SECONDS[min(looks, len(LOOKS_SECONDS) - 1)]
            if time.monotonic() + pause > until:
                break
            self._asleep(pause)
            looks += 1
        return look

    def _not_yet(self, identity: str, what: str) -> NotYet:
        return NotYet(
            what,
            self._known,
            limit_seconds=self._limit,
            remedy="have the statement do less, or give the warehouse that runs it more room or more time",
            cancel=lambda: self._engine.cancel(identity),
        )

    def _ended(self, identity: str, look: Look) -> DefinitionError:
        what = f"{self._engine.kind} {identity}"
        if look.status == Status.CANCELLED:
            said = f"{what} was cancelled by somebody else" + (f": {look.reason}" if look.reason else "")
            return DefinitionError(said, place=self._place, remedy="ask who administers it why; the batch is tried again")
        remedy = look.remedy or "mend what it says; the console of the service shows the statement by this id"
        return DefinitionError(f"{what} failed: {look.reason}", place=self._place, remedy=remedy)


def submitted_otherwise(kind: str, said: str, place: str) -> DefinitionError | None:
    """The error of a token under which a service knows another text; None where its refusal is of something else.

    said: the service's words.  A call had submitted the statement and died, and the next one is of another version of its function.
    """
    return _otherwise(f"the {kind} of this step", place) if _TOKEN_OF_ANOTHER.search(said) else None


def _otherwise(what: str, place: str) -> DefinitionError:
    said = f"{what} was submitted by another version of the function, in other words than this one's"
    return DefinitionError(said, place=place, remedy="nothing: the batch is tried again, and its next attempt submits it anew")
