"""Shares out how many functions may run at once: for the whole installation, for a slice, and for each of its functions.

Lambda reserves what a function may use at most, and takes it from what everything else in the account may use. So a ceiling also
keeps Atoll from taking the account's concurrency, and the account from taking the conductor's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

CONDUCTOR = "conductor"
CONDUCTOR_RESERVE = 3  # the clock's call, the stream's, and those of executions that ended
VERIFY, VERIFY_RESERVE = "verify", 1


@dataclass(frozen=True)
class Ceilings:
    """installation: of all functions together; 0 for none, as in a new account, which has nothing to reserve from.
    slices: of those slices, or of 'conductor', that have one of their own."""

    installation: int = 0
    slices: Mapping[str, int] = field(default_factory=dict)

    def of(self, functions: Mapping[str, int]) -> dict[str, int]:
        """The ceilings of these slices, and of 'conductor' and 'verify', as far as there are any.

        functions: slice ▸ how many it has. Slices without a ceiling of their own have one for each function, and share evenly what is
        left. Raises ValueError where that is too little, or for an unknown slice.
        """
        if unknown := sorted(set(self.slices) - set(functions) - {CONDUCTOR}):
            raise ValueError(f"-c concurrencyOf={unknown[0]}=…: the program uses {', '.join(functions)}")
        if not self.installation:
            return dict(self.slices)
        others = {name: count for name, count in functions.items() if name not in self.slices}
        own = {CONDUCTOR: CONDUCTOR_RESERVE, VERIFY: VERIFY_RESERVE, **self.slices}
        needed = sum(own.values()) + sum(others.values())
        if self.installation < needed:
            raise ValueError(f"-c concurrency={self.installation}: the conductor and the slices' functions need {needed} at least")
        more = shares(self.installation - needed, len(others)) if others else []
        shared = {name: count + further for (name, count), further in zip(others.items(), more, strict=True)}
        return {**own, **shared}


def shares(total: int, count: int) -> list[int]:
    """`total` in `count` parts that differ by one at most."""
    return [total // count + (number < total % count) for number in range(count)]


def of_functions(ceiling: int, slice_id: str, steps: Sequence[str], beside: Sequence[str]) -> dict[str, int]:
    """What each function of a slice may use: those beside the batches one, the steps the rest.

    Raises ValueError where there is not one for each.
    """
    if ceiling < len(steps) + len(beside):
        raise ValueError(f"the ceiling of {slice_id} is {ceiling}: its functions need {len(steps) + len(beside)} at least")
    return {**dict.fromkeys(beside, 1), **dict(zip(steps, shares(ceiling - len(beside), len(steps)), strict=True))}
