"""The places of warehouses: how many of a warehouse's tables may be at work at once, as its plan says.

A table at work has one statement that runs there, so that others who use the warehouse have theirs. A batch of several tables begins
with as many as there are places for; the others of it follow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from shared_metadata.program import Warehouse
from shared_metadata.state.places import warehouse_at, warehouse_of
from shared_metadata.state.records import Batch
from shared_metadata.state.schedule import DueBatch
from shared_metadata.state.timeline import Programs

Recorded = Mapping[tuple[str, datetime], Batch]
AtWork = tuple[datetime, str]  # the start of a batch, and a table that is at work on it


class Places:
    """The places of one round.

    at_work: flow ▸ its tables that are at work, by all that was heard.  looked_at: the flows of this round, of which what is
    due is known anew.
    """

    def __init__(
        self, programs: Programs, due: Sequence[DueBatch], looked_at: frozenset[str], at_work: Mapping[str, Collection[AtWork]]
    ) -> None:
        self._of = dict[int, Warehouse]()  # by the identity of a batch's object: equal ones may differ in what they name
        for batch in due:
            if (warehouse := warehouse_at(programs, batch.flow, batch.interval.start)) is not None:
                self._of[id(batch)] = warehouse
        self.bounded = [batch for batch in due if self.bounds(batch)]
        self._begun = {batch.flow: at_work.get(batch.flow, ()) for batch in self.bounded}
        self._kept = {flow: len(begun) for flow, begun in self._begun.items()}
        self._taken = Counter[str]()
        for flow in at_work.keys() - looked_at if self.bounded else ():
            if (warehouse := _last(programs, flow)) is not None:
                self._taken[warehouse.name] += len(at_work[flow])

    def bounds(self, batch: DueBatch) -> bool:
        """Whether the batch, of those that are due, works in a warehouse that has a bound."""
        return id(batch) in self._of

    def known(self, recorded: Recorded, now: datetime) -> None:
        """Takes in which tables of what is due have a worker."""
        busy, names = Counter[str](), dict[str, str]()
        for batch in self.bounded:
            busy[batch.flow] += len(_busy(batch, recorded, now))
            names[batch.flow] = self._of[id(batch)].name
        for flow, name in names.items():
            self._kept[flow] = max(self._kept[flow], busy[flow])
            self._taken[name] += self._kept[flow]

    def take(self, batch: DueBatch, recorded: Recorded, now: datetime) -> DueBatch | None:
        """The batch with as many of its tables as have a place, those among them that are at work; None where none has.

        Where some were begun that no worker has claimed yet, it is these again: others follow once it is known which those are.
        """
        warehouse = self._of.get(id(batch))
        if warehouse is None:
            return batch
        self._taken[warehouse.name] -= self._kept.pop(batch.flow, 0)  # these places are its own
        busy = _busy(batch, recorded, now)
        free = [name for name in batch.datasets if name not in busy]
        unclaimed = [name for name in free if (batch.interval.start, name) in self._begun[batch.flow]]
        begin = unclaimed or free[: max(warehouse.at_once - self._taken[warehouse.name] - len(busy), 0)]
        self._taken[warehouse.name] += len(busy) + len(begin)
        return batch.only(sorted([*busy, *begin])) if busy or begin else None


def _busy(batch: DueBatch, recorded: Recorded, now: datetime) -> list[str]:
    known = recorded.get((batch.flow, batch.interval.start))
    return [name for name in batch.datasets if known and known.running(name, now)]


def _last(programs: Programs, flow: str) -> Warehouse | None:
    """The warehouse of a flow by the last program in which it works in one that has a bound."""
    found = (warehouse_of(program, program.flows.get(flow)) for _, program in reversed(programs.entries))
    return next((one for one in found if one is not None), None)
