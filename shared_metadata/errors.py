"""The few errors of Atoll, named by what the caller should do.

    AtollError
    ├── DefinitionError    fix the program, the config or the input: a retry cannot help
    │   ├── InputError     … a state machine's or a command's input
    │   └── SecretError    … a missing or refused secret or credential
    ├── RetryLater         the other side is down or throttles: retry with backoff
    │   ├── Unfinished     … the time of one call was too short, and what it has done is kept: call it again at once
    │   └── WaitForAws     … AWS throttles, or others write the same: wait as long as it takes, and count no attempt (later.py)
    ├── StaleToken         another worker owns the batch now: stop, write nothing
    ├── AlreadyCommitted   the batch is committed: stop, nothing is left to do
    └── RowError           a value cannot be read or written: quarantine the row or fail the batch

Step Functions matches error names exactly, so handlers raise exactly these and workflows name exactly these.
"""

from __future__ import annotations

import re


def visible(text: str) -> str:
    """The text with its control characters written out: names from sources stand in it, and must not steer a reader's terminal."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def unquoted(text: str) -> str:
    """The text without what stands between its first and its last quote, or behind the first where it has but one.

    Whoever quotes does not escape, so a value may hold quotes and line breaks; only what is outside of all is the speaker's own.
    """
    return re.sub(r"""['"].*['"]|['"].*""", "…", text, flags=re.DOTALL)


_REMEDY = " Remedy: "


def split(text: str) -> tuple[str, str]:
    """Splits an error's recorded text into the error and its remedy, '' where it has none."""
    what, _, remedy = text.partition(_REMEDY)
    return what, remedy


class AtollError(Exception):
    """An error: what went wrong, where, and what to do; never data, never a secret."""

    def __init__(self, what: str, *, place: str = "", remedy: str = "") -> None:
        self.what, self.place, self.remedy = what, place, remedy
        super().__init__(str(self))

    def __str__(self) -> str:
        place = f"{self.place}: " if self.place else ""
        remedy = f"{_REMEDY}{self.remedy}" if self.remedy else ""
        return visible(f"{place}{self.what}{remedy}")


class DefinitionError(AtollError):
    """The program, the configuration or the target is wrong; a retry cannot help."""


class InputError(DefinitionError):
    """The input of a state machine or a command is not what is accepted."""


class SecretError(DefinitionError):
    """A secret is missing, malformed, or its credentials are refused."""


class RetryLater(AtollError):
    """The other side is down, slow or throttling; `after_seconds` is its own advice, if it gave any."""

    def __init__(self, what: str, *, place: str = "", remedy: str = "", after_seconds: float | None = None) -> None:
        super().__init__(what, place=place, remedy=remedy)
        self.after_seconds = after_seconds


class WaitForAws(RetryLater):
    """AWS refuses for the moment; the same request can succeed later."""


class Unfinished(RetryLater):
    """A call's time is up and what it has done is kept; called again, it goes on."""


class StaleToken(AtollError):
    """Another worker has claimed the batch since; whatever this one did is ignored."""


class AlreadyCommitted(AtollError):
    """The batch is committed already; there is nothing left to do."""


class RowError(AtollError):
    """A value cannot be read or written as its column's type."""
