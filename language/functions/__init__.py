"""The functions of each warehouse's dialect: what they take and what they return."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Overload:
    """takes: types' names as the dialect writes them, ANY and T for whatever is given.  rest: of further arguments, '' for none."""

    takes: tuple[str, ...]
    rest: str
    returns: str
    aggregate: bool

    def parameters(self, count: int) -> tuple[str, ...] | None:
        """The types of this many arguments; None if it does not take so many."""
        missing = count - len(self.takes)
        if missing < 0 or (missing and not self.rest):
            return None
        return (*self.takes, *([self.rest] * missing))

    def __str__(self) -> str:
        return f"({', '.join([*self.takes, *([f'{self.rest} …'] if self.rest else [])])})"


@cache
def functions(dialect: str) -> Mapping[str, tuple[str, ...]]:
    """Function's name, folded ▸ its overloads as text, none for one that takes whatever; empty for a dialect not listed."""
    file = Path(__file__).with_name(f"{dialect}.json")
    found: dict[str, tuple[str, ...]] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return found


@cache
def overloads(dialect: str, name: str) -> tuple[Overload, ...]:
    """Of a function of the dialect; none where it takes whatever."""
    return tuple(map(_overload, functions(dialect).get(name, ())))


@cache
def is_aggregate(dialect: str, name: str) -> bool:
    return any(overload.startswith("*") for overload in functions(dialect).get(name, ()))


def _overload(text: str) -> Overload:
    takes, _, returns = text.removeprefix("*").rpartition(":")
    parameters = takes.split(",") if takes else []
    rest = parameters.pop()[:-3] if parameters and parameters[-1].endswith("...") else ""
    return Overload(tuple(parameters), rest, returns, text.startswith("*"))
