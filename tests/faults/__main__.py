"""`make faults`: breaks the reference program in every place that there is, for as long as it is given."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra import embedded
from infra.embedded.ports import free_port
from tests.faults.account import Stage
from tests.faults.campaign import BATCHES, Campaign, Result
from tests.faults.faults import Fault, Kind

SHRINK_SECONDS = 900


def main() -> None:
    """Exit code 1 when a run differs from the one without faults."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300, help="start new runs for so long (default: 300)")
    parser.add_argument("--seed", type=int, help="of the first run; each further one takes the next (default: by chance)")
    parser.add_argument("--batches", type=int, default=BATCHES, help=f"of each run (default: {BATCHES})")
    parser.add_argument("--kind", action="append", type=Kind, default=[], help=f"only this: {', '.join(Kind)}")
    parser.add_argument("--repeat", nargs="+", type=Fault.read, metavar="FAULT", help="one run with exactly these faults")
    options = parser.parse_args()
    seed = random.randrange(1_000_000) if options.seed is None else options.seed
    with stage() as made:
        campaign = Campaign(made, options.batches)
        campaign.learn()
        print(f"without faults: {len(campaign.sites)} calls to the outside, {campaign.expected.rows:,} rows", flush=True)
        if options.repeat:
            failed = not _told("repeated", campaign.run(options.repeat))
        else:
            failed = not _run(campaign, seed, time.monotonic() + options.seconds, options.kind)
        print(f"\n{campaign.table()}\n\n{campaign.totals()}")
    sys.exit(failed)


def _run(campaign: Campaign, seed: int, until: float, kinds: list[Kind]) -> bool:
    """Seed after seed; False as soon as one differs."""
    while time.monotonic() < until:
        faults = campaign.chosen(seed, kinds)
        if not _told(f"seed {seed}", campaign.run(faults)):
            print(f"seed {seed} differs: make faults SEED={seed}. Looking for the fewest faults that do it …", flush=True)
            fewest = campaign.shrunk(
                campaign.results[-1].fired, lambda text: print(text, flush=True), time.monotonic() + SHRINK_SECONDS
            )
            repeat = " ".join(f"'{fault}'" for fault in fewest)
            print(f"repeat it: .venv/bin/python -m tests.faults --batches {campaign.batches} --repeat {repeat}", flush=True)
            return False
        seed += 1
    return True


def _told(name: str, result: Result) -> bool:
    print(
        f"{name}: {len(result.fired)} of {result.tried} faults struck, {result.rows:,} rows compared, "
        f"{len(result.lines) or 'no'} differences, {result.seconds:.0f} s",
        flush=True,
    )
    for line in result.lines:
        print(f"  {line[:1000]}", flush=True)
    return result.same


@contextmanager
def stage() -> Iterator[Stage]:
    """An embedded AWS of its own."""
    with tempfile.TemporaryDirectory(prefix="atoll-faults-") as folder:
        made: Stage | None = None
        try:
            made = Stage(embedded.up(Path(folder), port=free_port()))
            yield made
        finally:
            if made:
                made.close()
            embedded.down(Path(folder))


if __name__ == "__main__":
    main()
