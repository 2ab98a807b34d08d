"""`make faults DEPLOYED=1`: round after round of faults in an airline deployed for it, each with changes in the sources."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from examples.airline import crm
from examples.airline.demo import Demo
from examples.airline.reconcile import reconcile
from infra.embedded.state import wait_until
from tests.background import fresh_aws
from tests.e2e.test_airline import Deployed
from tests.faults import deployed
from tests.faults.faults import Kind

OFF_SECONDS = 150  # at least two batches are missed
STRUCK_SECONDS = 600
SAVE_SECONDS = "5"


class Rounds:
    """What was done so far, for the table at the end."""

    def __init__(self, airline: Deployed) -> None:
        self._airline = airline
        self.struck: Counter[tuple[str, Kind]] = Counter()
        self.rounds = self.rows = self.executions = self.stops = 0

    def one(self, seed: int) -> list[str]:
        """Functions die and AWS falters while operators start every flow; then the machine stops and is off for some minutes."""
        since, airline = datetime.now(UTC), self._airline
        with deployed.faltering(airline, deployed.troubles(seed)) as waiting:
            airline.demo.change()
            self.executions += len(deployed.start_by_hand(airline))
            wait_until(lambda: not any(one.kinds for one in waiting.values()), STRUCK_SECONDS, "not all faults struck")
        assert all(len(one.killed) == 1 for one in waiting.values()), waiting
        for step, one in waiting.items():
            self.struck.update((step, kind) for kind, _ in one.struck)
        lines = self._wrong(since)
        airline.demo.change()
        wait_until(lambda: len(deployed.running(airline)) > 1, 120, "nothing runs")
        deployed.stop_hard(airline.demo.stack)
        self.stops += 1
        time.sleep(OFF_SECONDS)
        deployed.start_again(airline.demo.stack)
        lines += self._wrong(since)
        self.rounds += 1
        return lines

    def _wrong(self, since: datetime) -> list[str]:
        lines = deployed.wrong(self._airline, since)
        self.rows += sum(table.rows for table in reconcile(self._airline.demo.dsn, self._airline.demo.crm))
        return lines

    def table(self) -> str:
        kinds = sorted({kind for _, kind in self.struck})
        lines = ["| function | " + " | ".join(kinds) + " |", "|---|" + "--:|" * len(kinds)]
        for step in deployed.functions():
            lines.append(f"| {step} | " + " | ".join(str(self.struck[step, kind] or "-") for kind in kinds) + " |")
        return "\n".join(lines)

    def totals(self) -> str:
        return (
            f"rounds: {self.rounds}; faults struck: {self.struck.total()}; executions started by hand: {self.executions}; "
            f"stops of the machine for {OFF_SECONDS} s: {self.stops}; published rows compared: {self.rows:,}"
        )


def run(seed: int, until: float) -> bool:
    """Seed after seed, at least one; False as soon as something is wrong."""
    with _airline() as airline:
        rounds = Rounds(airline)
        while not rounds.rounds or time.monotonic() < until:
            lines = rounds.one(seed)
            print(f"seed {seed}: {len(lines) or 'nothing'} wrong", *lines, sep="\n  ", flush=True)
            if lines:
                break
            seed += 1
        print(f"\n{rounds.table()}\n\n{rounds.totals()}")
        return not lines


@contextmanager
def _airline() -> Iterator[Deployed]:
    os.environ["ATOLL_SAVE_INTERVAL_SECONDS"] = SAVE_SECONDS
    with fresh_aws() as stack:
        sales = stack.folders.root / "crm"
        try:
            yield Deployed(Demo(stack, sales))
        finally:
            crm.down(sales)
