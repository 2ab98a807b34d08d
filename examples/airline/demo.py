"""`make demo`: the airline's program from an empty machine to published, reconciled tables, and again after its sources changed."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from console.change import activate
from console.dataset_status import dataset_statuses
from console.project import compile_project
from console.stacks import stack_ids
from console.status import show
from console.target import LOCAL, Target
from console.wording import age
from examples.airline import crm, production
from examples.airline.reconcile import Difference, reconcile
from examples.shown import console, step, tell
from infra import embedded
from infra.settings import Settings
from language.compiler import Compilation
from shared_metadata import naming
from shared_metadata.errors import AtollError
from shared_metadata.program import Program
from shared_metadata.program.intervals import floor
from shared_metadata.state.records import MAX_ATTEMPTS

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "examples" / "airline" / "program.sql"
POLL_SECONDS = 1.0
TIMEOUT_SECONDS = 600
CATCH_UP_SECONDS = 10  # for each minute that the machine was down
LONG_MINUTES = 10
INTERRUPTED = 130  # 128 + SIGINT, as shells report it


def main() -> None:
    """Runs the demo; exit code 1 when what was published differs from its sources."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--fresh", action="store_true", help="forget the state that an earlier demo left")
    parser.add_argument("--stop", action="store_true", help="stop what an earlier demo left running; its state stays in .atoll/")
    options = parser.parse_args()
    if options.stop:
        crm.down(ROOT / ".atoll" / "crm")
        try:
            embedded.down(ROOT, console.print)
        except AtollError as error:
            sys.exit(f"error: {error.what}\n help: {error.remedy}")
        return
    started, said = time.monotonic(), "The demo has not come to its end; `make demo` goes on from here."
    try:
        differences = run(fresh=options.fresh)
        said = f"The whole demo took {time.monotonic() - started:.0f} s."
    except KeyboardInterrupt:
        said = "Interrupted; `make demo` goes on from here."
        sys.exit(INTERRUPTED)
    except AtollError as error:
        tell(error)
        sys.exit(1)
    finally:
        tell_of_background(said)
    if not all(d.same for d in differences):
        sys.exit(1)


def run(*, fresh: bool) -> list[Difference]:
    if fresh:
        with step("forgetting the state of earlier runs"):
            crm.down(ROOT / ".atoll" / "crm")
            embedded.reset(ROOT)
    with step("starting the embedded AWS and PostgreSQL") as say:
        stack = embedded.up(ROOT, say)
    return Demo(stack, ROOT / ".atoll" / "crm").run()


def tell_of_background(said: str) -> None:
    """What runs on when the demo has ended, and how to look at it and stop it."""
    if not embedded.status(ROOT).running:
        console.print(f"\n{said} Nothing runs in the background.")
        return
    console.print(f"\n{said} The embedded AWS with its clock, PostgreSQL and the CRM go on in the background:")
    console.print("  .venv/bin/atoll status --watch                       how fresh every table is")
    console.print("  .venv/bin/atoll logs                                 what the functions write")
    console.print("  .venv/bin/python -m examples.airline.demo --stop     stop it; its state stays in .atoll/")


class Demo:
    """The steps in their order; each may be repeated."""

    def __init__(self, stack: embedded.EmbeddedAws, crm_folder: Path, program: Path = PROGRAM) -> None:
        self.stack, self.crm_folder = stack, crm_folder
        self.program = os.path.relpath(program, ROOT)
        self.filled_at: datetime | None = None
        self.target = Target(LOCAL, stack.session())

    def run(self) -> list[Difference]:
        self.sources()
        compilation = self.deploy()
        program, moment = compilation.program, self.apply(compilation)
        self.wait(program, moment, "waiting for the clock and the first micro-batches")
        first = self.report(program, "published rows against SQL on the sources")
        moment = self.change()
        self.wait(program, moment, f"waiting for the batches that end at {moment:%H:%M} UTC")
        return first + self.report(program, "published rows against SQL on the changed sources")

    def sources(self) -> None:
        with step("filling the production database and the CRM") as say:
            self.dsn = self.stack.database("production")
            rows = production.load(self.dsn)
            self.crm = crm.up(self.crm_folder)
            was_empty = "Account" not in self.crm.objects()
            rows |= crm.load(self.crm)
            self.filled_at = datetime.now(UTC) if was_empty else None
            self._put_secret("ops", production.secret(self.dsn))
            self._put_secret("crm", self.crm.secret())
            say(", ".join(f"{count:,} {name}" for name, count in rows.items()))

    def deploy(self) -> Compilation:
        compilation = self.compiled()
        self.deploy_stacks(compilation.program)
        return compilation

    def compiled(self) -> Compilation:
        with step("compiling the program"), contextlib.chdir(ROOT):
            return compile_project([self.program])  # as who stands there names it to `atoll`

    def deploy_stacks(self, program: Program) -> None:
        stacks = stack_ids(program, Settings())
        with step("cdk bootstrap") as say:
            embedded.bootstrap(self.stack, say)
        with step(f"cdk deploy {' '.join(stacks)}") as say:
            arguments = ["deploy", *stacks, "--require-approval", "never", "--concurrency", "4"]
            arguments += ["--context", f"program={self.program}"]
            embedded.cdk(self.stack, [*arguments, "--output", str(self.stack.folders.home / "cdk.out")], say, folder=ROOT)

    def apply(self, compilation: Compilation) -> datetime:
        """The moment through which everything is complete when the first round is done."""
        with step(f"atoll apply {self.program}") as say:
            update = activate(self.target, compilation.program, compilation.lineage)
            say(f"{len(update.added)} statements added, {len(update.changed)} changed, {len(update.removed)} removed")
        # A new dataset's first batch has ended by now; what came to be in a minute belongs to the batch that ends with it.
        ended = floor(datetime.now(UTC), 60)
        return max(ended, boundary_after(self.filled_at)) if self.filled_at else ended

    def change(self) -> datetime:
        """The end of the batches that will bring the changes."""
        with step("changing the sources"):
            changes = self.changes()
            moment = boundary_after(datetime.now(UTC))
        for line in changes:
            console.print(f"    {line}")
        return moment

    def changes(self) -> list[str]:
        """Changes the sources; what was done."""
        return [*production.change(self.dsn), *crm.change(self.crm)]

    def reconciled(self) -> list[Difference]:
        return reconcile(self.dsn, self.crm)

    def wait(self, program: Program, moment: datetime, title: str) -> None:
        """Until every dataset is complete through `moment`; ends the demo with the cause when one cannot be."""
        with step(title) as say:
            started, missed = time.monotonic(), 0
            while True:
                states = self.target.reader.states_of(program.datasets())
                tables = {name: table for state in states.values() for name, table in state.tables.items()}
                left = missed_minutes([table.watermark for table in tables.values()], moment)
                missed = missed or left
                deadline = started + TIMEOUT_SECONDS + missed * CATCH_UP_SECONDS
                waiting = [name for name, table in tables.items() if table.watermark < moment]
                if not waiting:
                    return say(f"all {len(tables)} datasets complete through {moment:%H:%M}")
                stopped = [f"{n}: {t.error}" for n, t in tables.items() if t.attempts >= MAX_ATTEMPTS]
                if stopped or time.monotonic() > deadline:
                    errors = stopped or [f"{n}: {t.error}" for n, t in tables.items() if t.error]
                    sys.exit("the batches did not complete:\n  " + "\n  ".join(errors or waiting))
                failing = sum(1 for table in tables.values() if table.attempts)
                more = f", {failing} being tried again" if failing else ""
                more += f"; {caught_up(missed, left, time.monotonic() - started)}" if missed > LONG_MINUTES else ""
                say(f"{len(tables) - len(waiting)} of {len(tables)} datasets complete through {moment:%H:%M}{more}")
                time.sleep(POLL_SECONDS)

    def report(self, program: Program, title: str) -> list[Difference]:
        console.print()
        show(dataset_statuses(self.target.reader, program, datetime.now(UTC)))
        console.print()
        with step(title):
            differences = self.reconciled()
        for found in differences:
            mark = "[green]same[/]" if found.same else f"[red]{found.missing} missing, {found.unexpected} unexpected[/]"
            console.print(f"    published.{found.table}: {found.rows} rows, {mark}")
            for example in found.examples:
                console.print(f"      {example}")
        return differences

    def _put_secret(self, reference: str, value: object) -> None:
        client, name, text = self.target.client("secretsmanager"), naming.secret(reference), json.dumps(value)
        try:
            client.put_secret_value(SecretId=name, SecretString=text)
        except client.exceptions.ResourceNotFoundException:
            client.create_secret(Name=name, SecretString=text)


def missed_minutes(watermarks: Sequence[datetime], moment: datetime) -> int:
    """How many minutes the datasets lack, on average: many catch up all of theirs at once, one after the other."""
    lacking = sum((max(moment - watermark, timedelta()) for watermark in watermarks), timedelta())
    return math.ceil(lacking / timedelta(minutes=1) / len(watermarks))


def caught_up(missed: int, left: int, seconds: float) -> str:
    """How far all datasets are, and how long it will take as it goes. seconds: since it began."""
    done = missed - left
    more = f", about {age(seconds * left / done)} more" if done > 0 and left > 0 else ""
    return f"{done} of {missed} missed minutes are caught up{more}; `make demo FRESH=1` starts over"


def boundary_after(moment: datetime) -> datetime:
    """The end of the batch of a minute that `moment` lies in."""
    return floor(moment, 60) + timedelta(seconds=60)


if __name__ == "__main__":
    main()
