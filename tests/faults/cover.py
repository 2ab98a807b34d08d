"""Every kind of fault at every operation of every step: which are left to be tried, and as many of them as one run bears."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.faults import CLOCKS, CONDUCTOR, DEATHS, ENDING, EXECUTION_LIMITS, LIMITS, Combination, Fault, Kind, Site

MOST_TRIES = 4  # of a combination whose call is not met
TRIED_AGAIN = (*DEATHS, Kind.PAUSED)  # by the state machine, twice
FAILING = (Kind.LOST_FOR_GOOD, Kind.DOWN, Kind.OVERTAKEN, *LIMITS)  # the attempt fails, or its execution ends
# Of a step of a table's batch; of the conductor, which the clock calls again however it ended.
MOST = {TRIED_AGAIN: 2, FAILING: 1}
OTHERS, CONDUCTORS = 3, 12
MOST_ATTEMPTS = 2  # of a table, beside one of its plan and one of another table; after five a batch waits for an operator
MOST_JUMPS = 4  # of each kind and batch
MOST_STOPS = 4  # of each batch
Totals = Counter[str]


@dataclass
class Cover:
    """What is to be tried (`possible`, with the calls at which it can be), and what struck so far (`covered`).

    tries: how often each was given to a run.
    """

    possible: Mapping[Combination, tuple[tuple[int, Site], ...]]
    batches: int
    covered: set[Combination] = field(default_factory=set)
    tries: Counter[Combination] = field(default_factory=Counter)
    totals: Totals = field(default_factory=Counter)

    @staticmethod
    def of(sites: Mapping[tuple[int, Site], str], batches: int, kinds: Iterable[Kind] = ()) -> Cover:
        """All that can go wrong with these calls."""
        possible: dict[Combination, list[tuple[int, Site]]] = {}
        wanted = set(kinds or Kind)
        for (batch, site), slice_id in sorted(sites.items()):
            for kind in site.kinds:
                if kind in wanted:
                    possible.setdefault(Fault(batch, site, kind).tries(slice_id), []).append((batch, site))
        return Cover({what: tuple(places) for what, places in possible.items()}, batches)

    @property
    def left(self) -> list[Combination]:
        """What was not covered and may still be, that with the fewest places first."""
        found = [what for what in self.possible if what not in self.covered and self.tries[what] < MOST_TRIES]
        return sorted(found, key=lambda what: (self.tries[what], len(self.possible[what]), what))

    @property
    def missed(self) -> list[Combination]:
        return sorted(what for what in self.possible if what not in self.covered and self.tries[what] >= MOST_TRIES)

    def next(self) -> tuple[Fault, ...]:
        """The faults of the next run; none when all was tried. Stops of the machine have runs of their own."""
        left = self.left
        packed = Load()
        for stops in (False, True):
            for what in left:
                if (what.kind == Kind.MACHINE) == stops:
                    packed.add(what, self._places(what))
            if packed.faults:
                break
        self.tries.update(packed.tried)
        return tuple(packed.faults)

    def _places(self, what: Combination) -> list[tuple[int, Site]]:
        """Its calls; each further try begins at another one."""
        places, at = self.possible[what], self.tries[what] * len(self.possible[what]) // MOST_TRIES
        return [*places[at:], *places[:at]]

    def ran(self, fired: Mapping[Fault, str], **figures: int) -> None:
        """Notes what struck in a run, and its other figures."""
        self.covered |= {fault.tries(slice_id) for fault, slice_id in fired.items()} & set(self.possible)
        self.totals.update({"runs": 1, "struck": len(fired), **figures})

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        names = sorted(map(str, self.covered))
        path.write_text(json.dumps({"covered": names, "tries": {str(w): n for w, n in self.tries.items()}, "totals": self.totals}))

    def resume(self, path: Path) -> None:
        """Goes on where an earlier call of the command ended."""
        if path.exists():
            known, names = json.loads(path.read_text()), {str(what): what for what in self.possible}
            self.covered = {names[name] for name in known["covered"] if name in names}
            self.tries = Counter({names[name]: count for name, count in known["tries"].items() if name in names})
            self.totals = Counter(known["totals"])

    def table(self, columns: Mapping[str, tuple[Kind, ...]]) -> str:
        """Steps by kinds of faults: covered/possible, and below it what did not strike."""
        steps = sorted({what.step for what in self.possible})
        lines = ["| step | " + " | ".join(columns) + " |", "|---|" + "--:|" * len(columns)]
        for step in steps:
            counts = [
                self._count(what for what in self.possible if what.step == step and what.kind in kinds) for kinds in columns.values()
            ]
            lines.append(f"| {step} | " + " | ".join(counts) + " |")
        lines += ["", f"covered: {self._count(self.possible)} (step, operation, kind)"]
        lines += [f"did not strike: {what}" for what in self.missed]
        return "\n".join(lines)

    def _count(self, some: Iterable[Combination]) -> str:
        found = list(some)
        return f"{sum(what in self.covered for what in found)}/{len(found)}" if found else ""


@dataclass
class Load:
    """What one run is given: so much that each fault strikes and no batch needs an operator."""

    faults: list[Fault] = field(default_factory=list)
    tried: list[Combination] = field(default_factory=list)
    _counts: Counter[tuple[object, ...]] = field(default_factory=Counter)

    def add(self, what: Combination, places: Iterable[tuple[int, Site]]) -> None:
        """At the first place that has room for it, if there is one."""
        for batch, site in places:
            limits = self._limits(batch, site, what.kind)
            if all(self._counts[key] < most for key, most in limits.items()):
                self._counts.update(limits.keys())
                self.faults.append(Fault(batch, site, what.kind))
                self.tried.append(what)
                return

    def _limits(self, batch: int, site: Site, kind: Kind) -> dict[tuple[object, ...], int]:
        """What the fault takes part in ▸ how many may."""
        if kind == Kind.MACHINE:
            return {(batch, kind): MOST_STOPS, (batch, site.flow, site.dataset): 1}
        step = (batch, site.flow, site.dataset, site.step)
        found: dict[tuple[object, ...], int] = {(batch, kind): MOST_JUMPS} if kind in CLOCKS else {}
        if site.flow == CONDUCTOR:
            told = {(batch, "told"): 1} if site.service == "sns" and kind not in ENDING else {}
            return found | told | {step: CONDUCTORS}
        found[*step, site.operation] = 1
        for kinds, most in MOST.items():
            if kind in kinds:
                found[*step, kinds] = most
        if kind in (Kind.OVERTAKEN, *EXECUTION_LIMITS):  # all tables of the execution
            found[batch, site.flow, "execution"] = 1
        if kind in FAILING:
            found[batch, site.flow, site.dataset, "attempts"] = MOST_ATTEMPTS
        if kind not in ENDING:
            found[*step, "others"] = OTHERS
        if site.service == "salesforce":
            found[*step, "source"] = 1
        return found
