"""Runs the program with faults chosen from a seed, compares with a run without, and makes what differs small."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from tests.faults.account import Stage
from tests.faults.contents import Contents, differences
from tests.faults.faults import (
    CONDUCTOR,
    CONFLICTS,
    DEATHS,
    EXECUTION_LIMITS,
    INVOKE,
    LIMITS,
    LOSSES,
    ONCE_A_BATCH,
    PAUSES,
    REFUSED_CALLS,
    SOURCE,
    Fault,
    Kind,
    Site,
)
from tests.faults.world import Stuck, world

BATCHES = 2
COLUMNS: Mapping[str, tuple[Kind, ...]] = {
    "process dies": DEATHS,
    "answer lost": LOSSES,
    "throttled, 5xx": (Kind.THROTTLED, Kind.STARVED, Kind.SERVER_ERROR, Kind.DOWN),
    "conflict": CONFLICTS,
    "not called": REFUSED_CALLS,
    "over a limit": LIMITS,
    "reset, slow": (Kind.RESET, Kind.SLOW, Kind.TIMED_OUT),
    "paused, overtaken": PAUSES,
    "source breaks": (Kind.CUT, Kind.EXPIRED, Kind.RATE_LIMIT, Kind.PAGE_TWICE, Kind.CHANGED),
    "machine, clock": ONCE_A_BATCH,
}
Say = Callable[[str], None]


@dataclass
class Result:
    """What one run met and how it ended. lines: what differs from the run without faults; redriven: batches that died of faults."""

    tried: int
    fired: Mapping[Fault, str]
    lines: Sequence[str]
    rows: int
    seconds: float
    redriven: int

    @property
    def same(self) -> bool:
        return not self.lines


@dataclass
class Campaign:
    """Runs on one stage; `sites` are those of the run without faults."""

    stage: Stage
    batches: int = BATCHES
    sites: dict[tuple[int, Site], str] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)
    _expected: dict[tuple[int, ...], Contents] = field(default_factory=dict)

    def learn(self) -> None:
        """The run without faults."""
        self.expected_after(())

    @property
    def expected(self) -> Contents:
        return self.expected_after(())

    def expected_after(self, outages: Iterable[int]) -> Contents:
        """What a run without faults makes; outages: after which batches there are days on which nothing changes."""
        outages = tuple(sorted(outages))
        if outages not in self._expected:
            with world(self.stage) as quiet:
                found = quiet.run(self.batches, outages).contents()
                self.sites = self.sites or dict(quiet.schedule.met)
            assert not found.twice, found.twice
            self._expected[outages] = found
        return self._expected[outages]

    def chosen(self, seed: int, kinds: Sequence[Kind] = ()) -> tuple[Fault, ...]:
        """One fault for each step of each batch, the same for the same seed; of those that strike everything one a batch."""
        chance, steps = Random(seed), dict[tuple[int, str, str, str], list[Site]]()
        for batch, site in sorted(self.sites):
            steps.setdefault((batch, site.flow, site.dataset, site.step), []).append(site)
        found = [self._fault(chance, batch, sites, kinds) for (batch, *_), sites in steps.items()]
        found = _bearable([fault for fault in found if fault])
        for batch in range(self.batches):
            site = chance.choice(sorted(site for number, site in self.sites if number == batch and _plain(site)))
            whole = [kind for kind in ONCE_A_BATCH if kind in (kinds or ONCE_A_BATCH)]
            found += [Fault(batch, site, chance.choice(whole))] if whole else []
        return tuple(found)

    def _fault(self, chance: Random, batch: int, sites: list[Site], kinds: Sequence[Kind]) -> Fault | None:
        """Writes are where it matters: three times in four one of them is struck, if there is one."""
        writes = [site for site in sites if site.writes]
        site = chance.choice(writes if writes and chance.random() < 0.75 else sites)
        possible = [kind for kind in site.kinds if kind in (kinds or site.kinds) and kind not in ONCE_A_BATCH]
        return Fault(batch, site, chance.choice(possible)) if possible else None

    def run(self, faults: Iterable[Fault]) -> Result:
        faults, started = tuple(faults), time.monotonic()
        with world(self.stage, faults) as broken:
            lines, rows = [], 0
            try:
                broken.run(self.batches)
            except Stuck as error:
                lines = [str(error)]
            else:
                found = broken.contents()
                lines, rows = differences(found, self.expected_after(broken.outages)), found.rows
            result = Result(len(faults), dict(broken.schedule.slices), lines, rows, time.monotonic() - started, broken.redriven)
        self.results.append(result)
        return result

    def shrunk(self, faults: Iterable[Fault], say: Say, until: float) -> tuple[Fault, ...]:
        """The fewest of these faults that still make a difference, found until `until` (monotonic)."""
        left, parts = list(faults), 2
        while len(left) > 1 and time.monotonic() < until:
            size = max(1, len(left) // parts)
            for at in range(0, len(left), size):
                some = left[at : at + size]
                if time.monotonic() > until or not self.run(some).same:
                    break
            else:
                if size == 1:
                    break
                parts *= 2
                continue
            left, parts = some, 2
            say(f"  still differs with {len(left)} faults")
        return tuple(left)

    def table(self) -> str:
        """Steps by kinds of faults: how many struck."""
        counts: Counter[tuple[str, str]] = Counter()
        for result in self.results:
            for fault, slice_id in result.fired.items():
                step = "" if slice_id == CONDUCTOR else fault.site.step.rstrip("0123456789")
                column = next(name for name, kinds in COLUMNS.items() if fault.kind in kinds)
                counts[f"{slice_id} {step}".strip(), column] += 1
        names = sorted({name for name, _ in counts})
        lines = ["| step | " + " | ".join(COLUMNS) + " |", "|---|" + "--:|" * len(COLUMNS)]
        lines += [f"| {name} | " + " | ".join(str(counts[name, column] or "-") for column in COLUMNS) + " |" for name in names]
        return "\n".join(lines)

    def totals(self) -> str:
        fired, tried = sum(len(r.fired) for r in self.results), sum(r.tried for r in self.results)
        steps = {(slice_id, fault.site.step) for result in self.results for fault, slice_id in result.fired.items()}
        kinds = {fault.kind for result in self.results for fault in result.fired}
        rows, bad = sum(r.rows for r in self.results), sum(not r.same for r in self.results)
        return (
            f"{len(self.results)} runs of {self.batches} batches; {fired} of {tried} faults struck, of {len(kinds)} kinds at "
            f"{len(steps)} steps; {rows:,} rows compared; {bad or 'no'} runs differ; "
            f"{sum(r.redriven for r in self.results)} batches failed five times and were redriven"
        )


def _bearable(faults: list[Fault]) -> list[Fault]:
    """One execution of a flow's batch is overtaken or meets a limit, not more: after five failures it waits for an operator, as it
    should.
    """
    milder = {Kind.OVERTAKEN: Kind.PAUSED, **dict.fromkeys(EXECUTION_LIMITS, Kind.NO_ROOM)}
    ended, found = set[tuple[int, str]](), []
    for fault in faults:
        place = (fault.batch, fault.site.flow)
        if fault.kind in milder and place in ended:
            fault = Fault(fault.batch, fault.site, milder[fault.kind])
        elif fault.kind in milder:
            ended.add(place)
        found.append(fault)
    return found


def _plain(site: Site) -> bool:
    return site.service not in SOURCE and site.operation != INVOKE
