"""`make verify-aws`: deploys Atoll into the account of your credentials, runs a program there, compares, and takes all away.

Some forty minutes and under a dollar, most of it for the endpoints and the database of a VPC that is made for it. Nothing is changed
in an account where Atoll is, or where it cannot be seen that it is not. What this run has made, and nothing else, is taken away also
when a step fails, unless `--keep` says otherwise. In a database that is given it makes a schema of its own, and drops it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError
from click.testing import CliRunner

from console.change import activate
from console.discover import discover
from console.project import compile_project
from console.target import Target
from examples.verify_aws import oracle
from examples.verify_aws.database import AuroraDatabase, Database, GivenDatabase
from examples.verify_aws.mysql import GivenMysql
from examples.verify_aws.traces import buckets, is_there, stacks, traces
from examples.verify_aws.tried import Tried, secret_of, slice_named, stays, tried
from shared_metadata import naming
from shared_metadata.errors import AtollError, InputError
from shared_metadata.program import Program
from shared_metadata.program.intervals import floor
from shared_metadata.program.source_schemas import FOLDER

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "examples" / "verify_aws" / "program.sql"
LOG, OUTPUT = ROOT / ".atoll" / "verify-aws.log", ROOT / ".atoll" / "verify-aws.cdk.out"
MADE_PROGRAM = ROOT / ".atoll" / "verify-aws" / "program.sql"
RUN = "atoll-verify"  # the tag of a run's stacks
SECRET, DATABASE = naming.secret("verify"), naming.database("lake", "shop")
WAIT_SECONDS, POLL_SECONDS, EMPTYING_TRIES = 1200, 5, 3


class Failed(Exception):
    """A step did not do what it should."""


class Verification:
    """The steps; what is to be taken away again is noted as it is made."""

    def __init__(
        self,
        target: Target,
        database: Database,
        options: Sequence[str],
        undo: ExitStack,
        of_slice: Tried | None = None,
        warehouse_secret: Mapping[str, Any] | None = None,
        asks: bool = False,
    ) -> None:
        """warehouse_secret: the values of the secret that the warehouse's options name. Raises InputError, SecretError."""
        self._target, self._database, self._undo, self._shop, self._asks = target, database, undo, database.shop, asks
        of_slice = of_slice or Tried()
        if of_slice.database not in ("", self._shop.system):
            remedy = f"give --database-url {of_slice.database}://…, of one that is there"
            raise InputError(f"the program would read {self._shop.system}, and not {of_slice.database}", remedy=remedy)
        MADE_PROGRAM.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(MADE_PROGRAM.parent / FOLDER, ignore_errors=True)  # what an earlier run has seen
        MADE_PROGRAM.write_text(self._shop.program(of_slice.program(PROGRAM.read_text(), self._shop.schema)))
        self._program = compile_project([str(MADE_PROGRAM)])
        reference = secret_of(self.program, warehouse_secret)
        self._secrets = {naming.secret(reference): warehouse_secret} if reference else {}
        self._options = ["-c", f"program={MADE_PROGRAM}", "-c", f"tags={RUN}={self._shop.schema}", *options]

    @property
    def program(self) -> Program:
        return self._program.program

    def run(self) -> None:
        with step("nothing of Atoll's is in this account and region"):
            if found := traces(self._target, DATABASE):
                raise Failed(f"{', '.join(found)}: choose another account or region")
        with step("cdk bootstrap, unless it was done"):
            self._cdk("bootstrap", f"aws://{self._target.account}/{self._target.region}", folder=LOG.parent)
        with step("cdk deploy --all"):
            self._undo.callback(self._destroy)  # of the stacks with this run's tag, which one that fails leaves too
            self._cdk("deploy", "--all", "--require-approval", "never", *self._options)
        if stays(self.program) and self._asks:
            input("give the deployed role its place in the warehouse, as the slice's README says, then press Enter ")
        with step("a database with two tables and a thousand rows"):
            self._fill()
        with step("atoll discover"):
            self._discover()
        with step("atoll apply"):
            activate(self._target, self.program, self._program.lineage)
        self._compare("the first batches are collected, made and published, as SQL on the source says")
        self._database.execute(self._shop.change)
        self._compare("what changed at the source is published")

    def _fill(self) -> None:
        """What takes each thing away is noted when it is there: what was there before is not this run's."""
        self._database.make(self._undo)
        client = self._target.client("secretsmanager")
        for name, values in {SECRET: self._database.secret(), **self._secrets}.items():
            client.create_secret(Name=name, KmsKeyId=naming.KEY_ALIAS, SecretString=json.dumps(dict(values or {})))
            self._undo.callback(client.delete_secret, SecretId=name, ForceDeleteWithoutRecovery=True)
        self._undo.callback(self._database.execute, self._shop.drop)  # its name is of this run alone
        self._database.execute(self._shop.make)
        self._database.execute(self._shop.rows)

    def _discover(self) -> None:
        """The sources' types, without which no engine but the warehouse's own computes a view."""
        found = CliRunner().invoke(discover, ["--program", str(MADE_PROGRAM)], catch_exceptions=False)
        if found.exit_code:
            raise Failed(f"`atoll discover` ended with code {found.exit_code}: {found.output.strip()}")
        self._program = compile_project([str(MADE_PROGRAM)], must_be_typed=True)

    def _compare(self, what: str) -> None:
        moment = floor(datetime.now(UTC), 60) + timedelta(seconds=60)
        with step(what):
            until(lambda: not self._behind(moment), lambda: "; ".join(self._behind(moment)))
            wanted, found = self._database.rows(self._shop.source), self._database.rows(self._shop.target)
            if not wanted or wanted != found:
                raise Failed(f"published are {len(found)} rows, and {sum(a not in found for a in wanted)} of {len(wanted)} differ")

    def _behind(self, moment: datetime) -> list[str]:
        states = self._target.reader.states_of(self.program.datasets())
        tables = {name: table for state in states.values() for name, table in state.tables.items()}
        missing = {dataset for flow in self.program.flows.values() for dataset in (t.dataset for t in flow.tables)} - set(tables)
        return sorted(missing) + [f"{name}: {table.error or 'waits'}" for name, table in tables.items() if table.watermark < moment]

    # -- taking away

    def _destroy(self) -> None:
        """First what writes, then what was written, then the rest."""
        mine = [id for id, tags in stacks(self._target).items() if tags.get(RUN) == self._shop.schema]
        below = [id for id in mine if id in (naming.METADATA_STACK, naming.NETWORK_STACK)]
        with step("cdk destroy"):
            if above := [id for id in mine if id not in below]:
                self._cdk("destroy", *above, "--force", *self._options)
            if naming.METADATA_STACK in mine:
                is_there(lambda: self._target.client("glue").delete_database(Name=DATABASE))
            for attempt in range(EMPTYING_TRIES if below else 0):  # S3 delivers access logs some time later
                with contextlib.suppress(*((Failed, ClientError) if attempt < EMPTYING_TRIES - 1 else ())):
                    self._empty(below)
                    self._cdk("destroy", *below, "--force", *self._options)
                    break
        with step("nothing of Atoll's is left"):
            if left := traces(self._target, DATABASE):
                raise Failed(f"still there: {', '.join(left)}")

    def _empty(self, stacks: Sequence[str]) -> None:
        """The buckets of this run's stack, which were not there before it."""
        storage = self._target.session.resource("s3")
        for name in buckets(self._target) if naming.METADATA_STACK in stacks else ():
            if is_there(lambda name=name: self._target.client("s3").head_bucket(Bucket=name)):  # type: ignore[misc]
                storage.Bucket(name).object_versions.delete()

    def _cdk(self, *arguments: str, folder: Path = ROOT) -> None:
        LOG.parent.mkdir(exist_ok=True)
        command = [
            str(ROOT / "node_modules" / ".bin" / "cdk"),
            *arguments,
            "--ci",
            "--no-color",
            "--no-notices",
            "--output",
            str(OUTPUT),
        ]
        with LOG.open("ab") as log:
            done = subprocess.run(command, cwd=folder, env=dict(os.environ), stdout=log, stderr=log, check=False)
        if done.returncode:
            raise Failed(f"`cdk {arguments[0]}` ended with code {done.returncode}: see {LOG.relative_to(ROOT)}")


def until(holds: Callable[[], bool], waits_for: Callable[[], str]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise Failed(f"after {WAIT_SECONDS // 60} minutes not complete: {waits_for()}")
        time.sleep(POLL_SECONDS)


@contextmanager
def step(title: str) -> Iterator[None]:
    began = time.monotonic()
    try:
        yield
    except Exception as error:
        print(f"✗ {title}: {error}", flush=True)
        raise
    print(f"✓ {title} ({time.monotonic() - began:.0f} s)", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when each step did what it should, taking away included."""
    parser = argparse.ArgumentParser(prog="make verify-aws", description=__doc__)
    url = "postgresql://… or mysql://… that the functions reach, instead of a VPC and a PostgreSQL in it"
    parser.add_argument("--database-url", help=url)
    parser.add_argument("--slice", default="", help="what is tried above all, as organize/athena: its engine computes the views")
    parser.add_argument("--with", dest="options", default="", help="of another warehouse than the lake: what stands in its WITH (…)")
    parser.add_argument("--secret-file", type=Path, help="the JSON of the secret that --with names")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--keep", action="store_true", help="leave everything as it is at the end")
    given = parser.parse_args(arguments)
    if slice_named(given.slice or "") == oracle.SLICE:
        return oracle.main()
    try:
        of_slice = tried(given.slice, given.options)
        secret = json.loads(given.secret_file.read_text()) if given.secret_file else None
    except (InputError, OSError, ValueError) as error:
        parser.error(str(error))
    target = Target("", boto3.Session(region_name=os.environ.get("AWS_REGION")))
    print(f"account {target.account}, region {target.region}; under a dollar and what a warehouse costs, some forty minutes")
    if not given.yes and input("deploy there, and take all away again? [y/N] ").strip().lower() != "y":
        return 1
    database = database_of(given.database_url, target)
    options = ["-c", "keepData=false", *([] if given.database_url else ["-c", "vpc=true"])]
    try:
        with ExitStack() as undo:
            try:
                made = Verification(target, database, options, undo, of_slice, secret, asks=not given.yes)
                made.run()
            finally:
                if given.keep:
                    undo.pop_all()
    except Exception as error:
        print(f"failed: {error}" if isinstance(error, (Failed, AtollError)) else f"failed: {type(error).__name__}: {error}")
        return 1
    print("Atoll was deployed, ran, and is gone")
    if stays(made.program):
        print(f"left in the warehouse: the schema {database.shop.schema}, and Atoll's own two, which its README names; drop them")
    return 0


def database_of(url: str | None, target: Target) -> Database:
    """One that is made, or that is there."""
    if not url:
        return AuroraDatabase(target.session)
    return GivenMysql(url) if url.startswith("mysql:") else GivenDatabase(url)


if __name__ == "__main__":
    sys.exit(main())
