"""`make faults`: breaks the reference program in every place that there is, for as long as it is given."""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.background import fresh_aws
from tests.faults.account import Stage
from tests.faults.campaign import BATCHES, COLUMNS, Campaign, Result
from tests.faults.cover import Cover
from tests.faults.faults import Fault, Kind

SHRINK_SECONDS = 900
COVERED = Path(__file__).resolve().parents[2] / ".atoll" / "faults"


def main() -> None:
    """Exit code 1 when a run differs from the one without faults."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300, help="start new runs for so long (default: 300)")
    parser.add_argument("--seed", type=int, help="of the first run; each further one takes the next (default: by chance)")
    parser.add_argument("--batches", type=int, default=BATCHES, help=f"of each run (default: {BATCHES})")
    parser.add_argument("--kind", action="append", type=Kind, default=[], help=f"only this: {', '.join(Kind)}")
    parser.add_argument("--repeat", nargs="+", type=Fault.read, metavar="FAULT", help="one run with exactly these faults")
    parser.add_argument("--cover", action="store_true", help="every kind at every operation of every step, until all were tried")
    parser.add_argument("--fresh", action="store_true", help="with --cover: do not go on where the last call ended")
    parser.add_argument("--deployed", action="store_true", help="in stacks that are deployed for it, while their clock runs")
    parser.add_argument("--capture", action="store_true", help="flights come by CAPTURE, with rows that go")
    options = parser.parse_args()
    if options.capture and not options.kind:  # what changes while a log is read is in this batch or the next, and both are right
        options.kind = [kind for kind in Kind if kind != Kind.CHANGED]
    seed = random.randrange(1_000_000) if options.seed is None else options.seed
    if options.deployed:
        from tests.faults import rounds

        sys.exit(not rounds.run(seed, time.monotonic() + options.seconds))
    with stage(captured=options.capture) as made:
        campaign = Campaign(made, options.batches)
        campaign.learn()
        print(f"without faults: {len(campaign.sites)} calls to the outside, {campaign.expected.rows:,} rows", flush=True)
        if options.repeat:
            failed = not _told("repeated", campaign.run(options.repeat))
        elif options.cover:
            failed = not _cover(campaign, time.monotonic() + options.seconds, options.kind, options.fresh)
        else:
            failed = not _run(campaign, seed, time.monotonic() + options.seconds, options.kind)
        print(f"\n{campaign.table()}\n\n{campaign.totals()}")
    sys.exit(failed)


def _run(campaign: Campaign, seed: int, until: float, kinds: list[Kind]) -> bool:
    """Seed after seed; False as soon as one differs."""
    while time.monotonic() < until:
        faults = campaign.chosen(seed, kinds)
        if not _told(f"seed {seed}", campaign.run(faults)):
            print(f"seed {seed} differs: make faults SEED={seed}", flush=True)
            return _made_small(campaign)
        seed += 1
    return True


def _cover(campaign: Campaign, until: float, kinds: list[Kind], fresh: bool) -> bool:
    """Run after run until all was tried; what was covered is kept, so that the next call goes on from there."""
    cover = Cover.of(campaign.sites, campaign.batches, kinds)
    kept = COVERED / ("captured.json" if campaign.stage.captured else "covered.json")
    if not fresh:
        cover.resume(kept)
    while (faults := cover.next()) and time.monotonic() < until:
        result = campaign.run(faults)
        cover.ran(result.fired, chosen=len(faults), rows=result.rows, differ=not result.same, redriven=result.redriven)
        same = _told(f"{len(cover.covered)} of {len(cover.possible)} covered", result)
        cover.save(kept)
        if not same:
            return _made_small(campaign)
    totals = ", ".join(f"{count:,} {name}" for name, count in cover.totals.items())
    print(f"\n{cover.table(COLUMNS)}\n\nof all calls of this command: {totals}")
    return True


def _made_small(campaign: Campaign) -> bool:
    print("Looking for the fewest faults that do it …", flush=True)
    until = time.monotonic() + SHRINK_SECONDS
    fewest = campaign.shrunk(campaign.results[-1].fired, lambda text: print(text, flush=True), until)
    repeat, capture = " ".join(f"'{fault}'" for fault in fewest), " --capture" * campaign.stage.captured
    print(f"repeat it: .venv/bin/python -m tests.faults{capture} --batches {campaign.batches} --repeat {repeat}", flush=True)
    return False


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
def stage(*, captured: bool = False) -> Iterator[Stage]:
    """An embedded AWS of its own."""
    with fresh_aws() as stack:
        made = Stage(stack, captured=captured)
        try:
            yield made
        finally:
            made.close()


if __name__ == "__main__":
    main()
