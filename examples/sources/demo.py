"""`make demo-sources`: a program over five kinds of source, from an empty account to a reconciled table, and after they changed.

It begins anew each time and leaves nothing running; nothing is known of the sources but what `atoll discover` finds there.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import psycopg

from doubles.rest_api import served
from examples.airline import crm
from examples.airline.demo import INTERRUPTED, ROOT, Demo
from examples.airline.reconcile import Difference, reconcile
from examples.shown import console, step, tell
from examples.sources.partners import KEY, Partners
from infra import embedded
from language import compile_program
from language.compiler import Compilation
from shared_metadata.errors import AtollError
from slices.registry import installed

PROGRAM = Path(__file__).with_name("program.sql")
KINDS = "PostgreSQL, Salesforce, Stripe, S3 and Kinesis"
BOARD = """CREATE TABLE IF NOT EXISTS published.carrier_board (carrier text PRIMARY KEY, name text, flights bigint,
  minutes_late bigint, planes bigint, deals bigint, cents bigint, litres numeric(18, 1), boarded bigint)"""
# Written for the sources as they are, not derived from the program: a mistake in either shows.
EXPECTED = {
    "carrier_board": """
        SELECT f.carrier, a.name, f.flights, f.minutes_late, f.planes, a.deals,
               (SELECT sum(c.amount) FROM charges c WHERE NOT c.refunded AND c.customer IN
                   (SELECT u.id FROM customers u WHERE u.carrier = f.carrier)) AS cents,
               (SELECT sum(d.litres::DECIMAL(18, 1)) FROM deliveries d WHERE d.carrier = f.carrier) AS litres,
               (SELECT sum(b.passengers) FROM boardings b WHERE b.carrier = f.carrier) AS boarded
        FROM (SELECT f.carrier, count(*) AS flights, sum(f.dep_delay) AS minutes_late, count(DISTINCT n.tailnum) AS planes
              FROM production.public.flights f LEFT JOIN production.public.planes n ON n.tailnum = f.tailnum GROUP BY f.carrier) f
        LEFT JOIN (SELECT a.carrier, a.name, count(o.id) AS deals
                   FROM crm_account a LEFT JOIN crm_opportunity o ON o.account_id = a.id
                   WHERE a.type = 'Airline' GROUP BY ALL) a ON a.carrier = f.carrier""",
}


def main() -> None:
    """Runs it; exit code 1 when what was published differs from its sources."""
    started, root = time.monotonic(), ROOT / ".atoll" / "sources"
    try:
        with ExitStack() as running:
            with step("starting an embedded AWS and PostgreSQL of its own") as say:
                crm.down(root / "crm")
                root.mkdir(parents=True, exist_ok=True)
                embedded.reset(root)
                shutil.rmtree(root, ignore_errors=True)
                root.mkdir(parents=True, exist_ok=True)
                running.callback(embedded.down, root)
                stack = embedded.up(root, say)
            differences = running.enter_context(FiveSources(stack)).run()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except AtollError as error:
        tell(error)
        sys.exit(1)
    if not all(found.same for found in differences):
        sys.exit(1)
    rows = " and ".join(str(found.rows) for found in differences)
    took = f"{time.monotonic() - started:.0f} s; nothing runs on."
    console.print(f"\n{rows} rows, row by row what {KINDS} say, before and after they changed. {took}")


class FiveSources(Demo):
    """The airline's two sources and its partners'; the project stands where the account does. While it is entered, they answer."""

    def __init__(self, stack: embedded.EmbeddedAws) -> None:
        folder = stack.folders.home.parent
        super().__init__(stack, folder / "crm", folder / PROGRAM.name)
        self._file, self._running = folder / PROGRAM.name, ExitStack()
        self.partners = Partners(self.target.client)

    def __enter__(self) -> Self:
        address = self._running.enter_context(served(self.partners.payments))
        self._running.callback(crm.down, self.crm_folder)
        self._file.write_text(PROGRAM.read_text().replace("ADDRESS", address))
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def sources(self) -> None:
        super().sources()
        with step("filling Stripe's double, the bucket and the stream") as say:
            with psycopg.connect(self.dsn) as connection:
                connection.execute(BOARD)
            self._put_secret("pay", {"api_key": KEY})
            say(", ".join(f"{count:,} {name}" for name, count in self.partners.load().items()))

    def deploy(self) -> Compilation:
        self.deploy_stacks(compile_program({self.program: self._file.read_text()}, installed()))
        with step("atoll discover"):
            command = [str(Path(sys.executable).with_name("atoll")), "discover", "--profile", "local"]
            found = subprocess.run(command, cwd=self._file.parent, capture_output=True, text=True, check=False)
            if found.returncode:
                raise AtollError(f"the sources could not be discovered: {found.stdout}{found.stderr}")
        return self.compiled()

    def changes(self) -> list[str]:
        return [*super().changes(), *self.partners.change()]

    def reconciled(self) -> list[Difference]:
        return reconcile(self.dsn, self.crm, EXPECTED, self.partners.tables())


if __name__ == "__main__":
    main()
