"""How much memory, /tmp and source a function has: what its slice's stack says, or what the installation says instead."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from shared_metadata.contract.declaration import Slice

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html#function-configuration-deployment-and-execution
MEMORY_MB, TMP_MB = range(128, 10_241), range(512, 10_241)
PART_MB = range(1, 10_241)

# A sentence's beginning for a name that is nearly right: the name, and those that are known ▸ 'did you mean …? ' or ''.
DidYouMean = Callable[[str, Iterable[str]], str]


@dataclass(frozen=True)
class Sizes:
    """MB by 'organize.iceberg', for all its functions that work with rows, or by 'organize.iceberg.refresh', which goes before.

    parts: of a slice, as `Capabilities.part_mb`.
    """

    memory: Mapping[str, int] = field(default_factory=dict)
    tmp: Mapping[str, int] = field(default_factory=dict)
    parts: Mapping[str, int] = field(default_factory=dict)

    def memory_mb(self, slice_id: str, function: str, default: int, *, rows: bool) -> int:
        return _given(self.memory, slice_id, function, default, rows)

    def tmp_mb(self, slice_id: str, function: str, default: int, *, rows: bool) -> int:
        return _given(self.tmp, slice_id, function, default, rows)

    def part_mb(self, slice_: Slice) -> int:
        return self.parts.get(slice_.id, slice_.capabilities.part_mb)

    def check(self, slices: Iterable[Slice], did_you_mean: DidYouMean) -> None:
        """Raises ValueError for a name that none of these slices, which the program uses, has."""
        used = list(slices)
        functions = [name for one in used for name in (one.id, *(f"{one.id}.{step}" for step in one.steps))]
        in_parts = [one.id for one in used if one.capabilities.part_mb]
        for option, given, known in (
            ("memoryOf", self.memory, functions),
            ("tmpOf", self.tmp, functions),
            ("partOf", self.parts, in_parts),
        ):
            if wrong := next((name for name in given if name not in known), None):
                raise ValueError(f"-c {option}={wrong}=…: {did_you_mean(wrong, known)}the program uses {', '.join(known) or 'none'}")


def _given(of: Mapping[str, int], slice_id: str, function: str, default: int, rows: bool) -> int:
    return of.get(f"{slice_id}.{function}", of.get(slice_id, default) if rows else default)
