"""How a step says that what it waits for is not there yet, and what it finds when it is called again."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

TOKENS = uuid.UUID("7d1c8e6a-6f0e-5b57-9d0b-2f4c5a1e9b3d")  # the namespace of all tokens


@dataclass(frozen=True)
class Turn:
    """One call of a step, in a row of calls that wait for the same.

    step: its name; '' for a call that cannot wait.  key: the same in each call of one step of one claim's table, and nowhere else.
    resume: what the call before has handed on, None at first.
    """

    step: str = ""
    key: str = ""
    resume: Mapping[str, Any] | None = None

    def token(self, purpose: str) -> str:
        """The idempotency token of a statement: a UUID, which every service takes. Another claim has another one.

        purpose: what the step runs the statement for; one step may run several.
        """
        return str(uuid.uuid5(TOKENS, f"{self.key}\n{purpose}"))


NO_TURN = Turn()


class NotYet(Exception):
    """Raised by a driver whose step has to wait: it is called again, after a pause in which nothing runs and nothing is paid.

    It is no failure, and counts as no attempt. Only for steps that the slice declares (`Slice.waits`).
    """

    def __init__(
        self,
        what: str,
        resume: Mapping[str, Any],
        *,
        limit_seconds: float,
        remedy: str = "",
        seconds: float = 0,
        cancel: Callable[[], None] = lambda: None,
    ) -> None:
        """what: what is waited for, as an error names it.  resume: small JSON, which the next call finds in its turn.

        limit_seconds: for how long the step may wait in all; then `cancel` is called, and the step fails with `remedy`.
        seconds: no sooner than then, e.g. by the other side's own advice; without it the pauses grow by themselves.
        """
        super().__init__(what)
        self.what, self.resume, self.limit_seconds, self.remedy = what, resume, limit_seconds, remedy
        self.seconds, self.cancel = seconds, cancel
